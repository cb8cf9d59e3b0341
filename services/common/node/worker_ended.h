/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_ended: the attempts that ended last, so that an order that comes twice is not run twice. A ring
 * with hash chains in arrays of fixed size: O(1), takes no memory.
 */
#pragma once
#include "wire/node.h"

#define ENDED_KEPT 1024u
#define ENDED_CHAINS 2048u /* power of two */

struct worker_ended {
	struct attempt_ref ring[ENDED_KEPT];
	uint16_t next[ENDED_KEPT];    /* in the chain: ring index + 1; 0 ends it */
	uint16_t first[ENDED_CHAINS]; /* the same, by hash */
	uint32_t put;                 /* ring index of the next one */
	bool full;                    /* the ring went around: a put forgets the oldest */
};

/* A zeroed struct is empty. */
void worker_ended_put(struct worker_ended *e, struct ulid task, uint32_t attempt);
/* True if this attempt of the task, or a later one, is remembered. */
bool worker_ended_has(const struct worker_ended *e, struct ulid task, uint32_t attempt);
