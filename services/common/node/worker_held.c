/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_held: slots, map, heap and list kept in step.
 */
#include "node/worker_held.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/pure.h"

int worker_held_init(struct worker_held *h, uint32_t running_max)
{
	uint32_t held_max = 2 * running_max;

	slots_init(&h->attempts, sizeof(struct attempt), held_max);
	map_init(&h->by_task);
	heap_init(&h->due);
	h->running_n = 0;
	h->running = mem_alloc(running_max * sizeof(*h->running));
	if (h->running == NULL || heap_reserve(&h->due, held_max) < 0 ||
		map_reserve(&h->by_task) < 0) {
		worker_held_done(h);
		return ERR_NO_MEMORY;
	}
	return 0;
}

void worker_held_done(struct worker_held *h)
{
	slots_done(&h->attempts);
	map_done(&h->by_task);
	heap_done(&h->due);
	mem_free(h->running);
	h->running = NULL;
}

uint32_t worker_held_find(const struct worker_held *h, struct ulid task, uint32_t attempt)
{
	uint32_t at = 0, slot;

	while (map_next(&h->by_task, ulid_hash(task), &at, &slot)) {
		const struct attempt *a = worker_held_at(h, slot);

		if (ulid_eq(a->task, task) && a->attempt == attempt)
			return slot;
	}
	return SLOT_NONE;
}

uint32_t worker_held_newest(const struct worker_held *h, struct ulid task)
{
	uint32_t at = 0, slot, newest = SLOT_NONE;

	while (map_next(&h->by_task, ulid_hash(task), &at, &slot)) {
		const struct attempt *a = worker_held_at(h, slot);

		if (!ulid_eq(a->task, task))
			continue;
		if (newest == SLOT_NONE || a->attempt > worker_held_at(h, newest)->attempt)
			newest = slot;
	}
	return newest;
}

int worker_held_put(struct worker_held *h, struct ulid task, uint32_t attempt, uint32_t *ret_slot)
{
	struct attempt *a;
	uint32_t slot;

	if (map_reserve(&h->by_task) < 0)
		return ERR_NO_MEMORY;
	slot = slots_take(&h->attempts);
	if (slot == SLOT_NONE)
		return ERR_BUSY;
	a = worker_held_at(h, slot);
	a->task = task;
	a->attempt = attempt;
	a->place = h->running_n;
	h->running[h->running_n++] = slot;
	map_put(&h->by_task, ulid_hash(task), slot);
	*ret_slot = slot;
	return 0;
}

void worker_held_drop(struct worker_held *h, uint32_t slot)
{
	struct ulid task = worker_held_at(h, slot)->task;

	worker_held_unlist(h, slot);
	heap_drop(&h->due, slot);
	CHECK(map_drop(&h->by_task, ulid_hash(task), slot));
	slots_drop(&h->attempts, slot);
}

void worker_held_unlist(struct worker_held *h, uint32_t slot)
{
	struct attempt *a = worker_held_at(h, slot);
	uint32_t last;

	if (a->place == SLOT_NONE)
		return;
	last = h->running[--h->running_n];
	h->running[a->place] = last;
	worker_held_at(h, last)->place = a->place;
	a->place = SLOT_NONE;
}

void worker_held_set_due(struct worker_held *h, uint32_t slot, int64_t due_ns)
{
	if (due_ns == INT64_MAX)
		heap_drop(&h->due, slot);
	else
		heap_set(&h->due, slot, due_ns);
}
