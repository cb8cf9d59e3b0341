/* SPDX-License-Identifier: Apache-2.0
 *
 * heap: a least-first queue of small integers (slot indices) by a 64-bit key, that can move and remove any
 * of them: each item's place is kept. Ties go to the smaller item, so the order is the same everywhere.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct heap_row {
	int64_t key;
	uint32_t item;
};

struct heap {
	struct heap_row *rows;
	uint32_t *place; /* item -> row + 1; 0: not in the heap */
	uint32_t len;
	uint32_t cap;       /* of rows */
	uint32_t place_cap; /* of place */
};

void heap_init(struct heap *h);
void heap_done(struct heap *h);
/* Make room for items below n. 0 or ERR_NO_MEMORY; afterwards heap_set of those items cannot fail. */
int heap_reserve(struct heap *h, uint32_t n) MUST_USE;
/* Put item in, or move it. The item was reserved. O(log n). */
void heap_set(struct heap *h, uint32_t item, int64_t key);
/* Take item out; nothing happens if it is not in. O(log n). */
void heap_drop(struct heap *h, uint32_t item);

static inline bool heap_has(const struct heap *h, uint32_t item)
{
	return item < h->place_cap && h->place[item] != 0;
}

/* The least row, or NULL if empty; valid until the next change. */
static inline const struct heap_row *heap_top(const struct heap *h)
{
	return h->len == 0 ? NULL : h->rows;
}
