/* SPDX-License-Identifier: Apache-2.0
 *
 * streams: the chunks of attempts that stream, as many as the limits allow, so that who lost some can have them
 * again: the router keeps them for tenants, a node for the router. It knows no rules.
 *
 * When all together hold too much, streams that have ended go first, the oldest before; then the oldest chunks of
 * those that were silent for longest.
 */
#pragma once
#include "base/chunks.h"
#include "base/list.h"
#include "base/slots.h"
#include "base/ulid.h"

struct streams_conf {
	uint32_t max;         /* streams known at once */
	size_t bytes_max;     /* of chunks of one */
	size_t all_bytes_max; /* of all */
	int64_t beat_ns; /* of silence, until something is said of one that lives; INT64_MAX: never */
	int64_t keep_ns; /* after the end */
};

struct stream {
	struct list link; /* in live or in ended, by told_ns */
	uint32_t index;   /* of itself */
	struct ulid task;
	uint32_t attempt;
	bool ended;
	int64_t told_ns; /* when something was said of it last; when it ended */
	uint64_t mark;   /* the owner's own: a number of a chunk, 0 at first ... */
	int64_t mark_ns; /* ... and a time */
	struct chunks chunks;
};

struct streams {
	struct streams_conf conf;
	struct slots slots;
	struct list live;
	struct list ended;
	size_t bytes;
};

void streams_init(struct streams *s, const struct streams_conf *conf);
void streams_done(struct streams *s);
/* NULL if it is gone, or never was. */
static inline struct stream *streams_find(const struct streams *s, struct slot_id id)
{
	return slots_find(&s->slots, id);
}
/* By what it is of, those that live first; O(streams). NULL if there is none. */
struct stream *streams_search(const struct streams *s, struct ulid task, uint32_t attempt);
/* A stream without chunks; one that has ended makes room, if need be. False without room. */
bool streams_open(struct streams *s, int64_t now_ns, struct ulid task, uint32_t attempt,
	struct slot_id *ret) MUST_USE;
/* The task's next attempt: its chunks count from 1. */
void streams_restart(struct streams *s, struct stream *st, uint32_t attempt);
/* Keep the chunk if the limits allow it; its number is known in any case. Other streams may be gone then. */
void streams_put(struct streams *s, int64_t now_ns, struct stream *st, uint64_t seq,
	struct span data);
/* No more will come, but what was lost. */
void streams_end(struct streams *s, int64_t now_ns, struct stream *st);
void streams_drop(struct streams *s, struct stream *st);
/* The next of which something must be said now, which counts as done; NULL if there is none. Drops what was kept
 * for long enough, too. */
struct stream *streams_tick(struct streams *s, int64_t now_ns);
/* When streams_tick has something to do; INT64_MAX: never. */
int64_t streams_wake(const struct streams *s);
