/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_held: the attempts that the worker machine holds: slots, found by task in a map, with their next due
 * instants in a heap and the running ones in a dense list. It knows no rules.
 */
#pragma once
#include "base/heap.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/slots.h"
#include "wire/node.h"

/* Why an attempt was killed, which decides what is told at its end. */
enum killed {
	KILLED_NOT,
	KILLED_CANCELLED, /* Failed(CANCELLED) */
	KILLED_EXPIRED,   /* Failed(EXPIRED) */
	KILLED_CLOSED,    /* Failed(CLOSED) */
	KILLED_SILENTLY,  /* nothing: the router has given this attempt up */
};

struct attempt {
	struct ulid task;
	uint32_t attempt;
	uint32_t tag; /* the caller's */
	char tenant[LIMIT_TOKEN_BYTES + 1];
	uint32_t place; /* in worker_held.running; SLOT_NONE: not listed */
	int64_t began_ns;
	int64_t paused_ns;        /* since when it stands still; 0: it runs */
	int64_t deadline_ns;      /* INT64_MAX: none */
	int64_t keep_ns;          /* of its result; 0: the usual time */
	uint32_t inline_bytes;    /* the same, in a message; 0: the usual limit */
	int64_t lease_ns;         /* counts while the bus is lost */
	uint64_t chunks;          /* that the backend gave so far */
	struct slot_id stream_id; /* the last of them, in the worker's streams */
	enum killed killed;
	bool accepted; /* Accept was sent */
};

struct worker_held {
	struct slots attempts; /* struct attempt */
	struct map by_task;    /* hash of task -> slot */
	struct heap due;       /* slots; those without an instant are absent */
	uint32_t *running;     /* slots */
	uint32_t running_n;
};

/* At most running_max attempts run, and as many again may be on their way out. 0 or ERR_NO_MEMORY. */
int worker_held_init(struct worker_held *h, uint32_t running_max) MUST_USE;
void worker_held_done(struct worker_held *h);
/* The slot of one attempt, or SLOT_NONE. */
uint32_t worker_held_find(const struct worker_held *h, struct ulid task, uint32_t attempt);
/* The slot of the task's newest attempt, or SLOT_NONE. */
uint32_t worker_held_newest(const struct worker_held *h, struct ulid task);
/* Take an attempt in, as running; less than running_max run. ERR_BUSY, ERR_NO_MEMORY. */
int worker_held_put(struct worker_held *h, struct ulid task, uint32_t attempt,
	uint32_t *ret_slot) MUST_USE;
void worker_held_drop(struct worker_held *h, uint32_t slot);
/* It counts as running no more; nothing happens if it did not. */
void worker_held_unlist(struct worker_held *h, uint32_t slot);
/* INT64_MAX: never. */
void worker_held_set_due(struct worker_held *h, uint32_t slot, int64_t due_ns);

static inline struct attempt *worker_held_at(const struct worker_held *h, uint32_t slot)
{
	return slots_at(&h->attempts, slot);
}
