/* SPDX-License-Identifier: Apache-2.0
 *
 * pairing: a heap whose links lie in what is kept in it, so that nothing can fail for memory (Fredman, Sedgewick,
 * Sleator, Tarjan: The pairing heap, 1986). The least key is first; of equal keys the one that was put in first.
 * Putting is O(1), taking out O(log n) over many calls.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct pairing_link {
	struct pairing_link *child, *next,
		*prev; /* prev: the left neighbour, or of the leftmost its parent */
	uint64_t key;
	uint64_t seq;
	bool is_in;
};

struct pairing {
	struct pairing_link *top; /* or NULL */
	uint64_t seq;
};

/* A zeroed heap is empty, a zeroed link is in none. */
void pairing_put(struct pairing *h, struct pairing_link *l, uint64_t key);
/* Nothing happens if it is in none. */
void pairing_drop(struct pairing *h, struct pairing_link *l);
