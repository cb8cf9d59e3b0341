/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_ended: ring and chains.
 */
#include "node/worker_ended.h"

#include "base/pure.h"

/* The product spreads ids that differ in their low bits only. */
static uint32_t chain_of(struct ulid task)
{
	return (uint32_t)(ulid_hash(task) * UINT64_C(0x9E3779B97F4A7C15) >> 32) &
	       (ENDED_CHAINS - 1);
}

static void forget(struct worker_ended *e, uint32_t i)
{
	uint16_t *link = &e->first[chain_of(e->ring[i].task)];

	while (*link != i + 1)
		link = &e->next[*link - 1];
	*link = e->next[i];
}

void worker_ended_put(struct worker_ended *e, struct ulid task, uint32_t attempt)
{
	uint32_t i = e->put;
	uint32_t chain = chain_of(task);

	if (e->full)
		forget(e, i);
	e->ring[i] = (struct attempt_ref){ .task = task, .attempt = attempt };
	e->next[i] = e->first[chain];
	e->first[chain] = (uint16_t)(i + 1);
	e->put = (i + 1) % ENDED_KEPT;
	e->full = e->full || e->put == 0;
}

bool worker_ended_has(const struct worker_ended *e, struct ulid task, uint32_t attempt)
{
	for (uint16_t at = e->first[chain_of(task)]; at != 0; at = e->next[at - 1]) {
		if (ulid_eq(e->ring[at - 1].task, task) && attempt <= e->ring[at - 1].attempt)
			return true;
	}
	return false;
}
