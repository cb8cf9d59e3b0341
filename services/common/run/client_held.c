/* SPDX-License-Identifier: Apache-2.0
 *
 * client_held: each event is kept encoded, which needs one copy for all of its spans. The map gives the events
 * of a task in no order, so the one with the least sequence number is looked for: they are few.
 */
#include "run/client_held.h"

#include "base/mem.h"

struct held_event {
	struct list link;
	struct ulid task;
	uint64_t seq;
	uint64_t batch;
	struct buf bytes;
};

void client_held_init(struct client_held *h)
{
	slots_init(&h->events, sizeof(struct held_event), CLIENT_HELD_MAX);
	map_init(&h->by_task);
	list_init(&h->order);
	h->bytes = 0;
}

static void drop(struct client_held *h, uint32_t index)
{
	struct held_event *held = slots_at(&h->events, index);

	(void)map_drop(&h->by_task, ulid_hash(held->task), index);
	list_drop(&held->link);
	h->bytes -= held->bytes.len;
	buf_done(&held->bytes);
	slots_drop(&h->events, index);
}

static struct held_event *oldest(struct client_held *h)
{
	return list_is_empty(&h->order) ? NULL : CONTAINER(h->order.next, struct held_event, link);
}

/* The slot of a held event. */
static uint32_t index_of(const struct client_held *h, const struct held_event *held)
{
	uint32_t at = 0, index;

	while (map_next(&h->by_task, ulid_hash(held->task), &at, &index))
		if (slots_at(&h->events, index) == held)
			return index;
	CHECK(!"a held event that is not in the map");
	return SLOT_NONE;
}

void client_held_done(struct client_held *h)
{
	struct held_event *held;

	while ((held = oldest(h)) != NULL)
		drop(h, index_of(h, held));
	map_done(&h->by_task);
	slots_done(&h->events);
}

void client_held_put(struct client_held *h, const struct event *e, uint64_t batch)
{
	struct held_event *held;
	uint32_t index;

	while ((held = oldest(h)) != NULL &&
		(h->events.used == CLIENT_HELD_MAX || h->bytes > CLIENT_HELD_BYTES))
		drop(h, index_of(h, held));
	if (map_reserve(&h->by_task) < 0)
		return;
	index = slots_take(&h->events);
	if (index == SLOT_NONE)
		return;
	held = slots_at(&h->events, index);
	*held = (struct held_event){ .task = e->task, .seq = e->seq, .batch = batch };
	buf_init(&held->bytes, LIMIT_MESSAGE_BYTES);
	events_put(&held->bytes, e);
	h->bytes += held->bytes.len;
	list_init(&held->link);
	list_push(&h->order, &held->link);
	map_put(&h->by_task, ulid_hash(e->task), index);
	if (buf_err(&held->bytes) != 0)
		drop(h, index);
}

bool client_held_take(struct client_held *h, struct ulid task, struct arena *a, struct event *ret)
{
	uint32_t at = 0, index, first = SLOT_NONE;
	uint64_t least = UINT64_MAX;
	struct event *events = NULL;
	size_t n = 0;
	int r;

	while (map_next(&h->by_task, ulid_hash(task), &at, &index)) {
		const struct held_event *held = slots_at(&h->events, index);

		if (!ulid_eq(held->task, task) || (first != SLOT_NONE && held->seq >= least))
			continue;
		first = index;
		least = held->seq;
	}
	if (first == SLOT_NONE)
		return false;
	/* The decoder copies what its spans point to: the bytes may go. */
	r = events_decode(a, buf_span(&((struct held_event *)slots_at(&h->events, first))->bytes),
		&events, &n, NULL);
	drop(h, first);
	if (r < 0 || n != 1)
		return false;
	*ret = events[0];
	return true;
}

void client_held_drop(struct client_held *h, uint64_t oldest_batch)
{
	struct held_event *held;

	while ((held = oldest(h)) != NULL && held->batch < oldest_batch)
		drop(h, index_of(h, held));
}
