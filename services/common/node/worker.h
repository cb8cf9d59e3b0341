/* SPDX-License-Identifier: Apache-2.0
 *
 * worker: the pure machine of a node: attempts, their leases, the sequence of offers. Events in, actions
 * out; no clock, no I/O.
 *
 * A paused attempt is held, listed and counted as running; the time it stands still is no part of its run_us. It is
 * given up when the node is told to stop.
 *
 * An attempt is held from WORKER_START until the backend's end for it. What was killed is held until then
 * too, but is no longer listed as running if nobody waits for its report: a newer attempt of its task came,
 * or its lease ran out while the bus was lost. An attempt that ended is remembered for a while, so that an
 * order that comes twice or late does not run it again. Every step is O(log held) or better, but for what is sent
 * again of streams.
 */
#pragma once
#include "base/slots.h"
#include "wire/node.h"

enum worker_event_kind {
	WORKER_ASSIGN, /* order of the router */
	WORKER_CANCEL,
	WORKER_PAUSE,
	WORKER_RESUME,
	WORKER_DRAIN,
	WORKER_PING,
	WORKER_RESEND,  /* the router lost chunks */
	WORKER_STARTED, /* the backend took what WORKER_START gave it */
	WORKER_REFUSED, /* or it did not */
	WORKER_DONE,    /* report of the backend; may come before STARTED */
	WORKER_FAILED,
	WORKER_PROGRESS,
	WORKER_CHUNK,
	WORKER_CHANGED, /* the backend's offer changed */
	WORKER_BUS_UP,
	WORKER_BUS_LOST,
	WORKER_STOP, /* drain, then WORKER_LEAVE */
	WORKER_TICK, /* time passed */
};

struct worker_event {
	enum worker_event_kind kind;
	const struct down *down; /* ASSIGN to RESEND */
	uint32_t tag;     /* ASSIGN: the caller's own mark, given back with what is sent of it */
	struct ulid task; /* STARTED to CHUNK */
	uint32_t attempt;
	const struct fail *fail; /* REFUSED, FAILED */
	struct span body;        /* DONE; CHUNK: data */
	bool cache_hit;          /* DONE */
	int64_t cache_age_ms;    /* DONE */
	struct usage usage;      /* DONE */
	uint32_t permille;       /* PROGRESS */
	struct span note;        /* PROGRESS, DONE */
	uint32_t slots;          /* CHANGED: how many the backend has now */
};

enum worker_action_kind {
	WORKER_SEND, /* `up` to the router, before the next step: its chunk may be the machine's own copy */
	WORKER_OFFER, /* build and send an offer with this seq and the running attempts */
	WORKER_START, /* hand the assignment in `down` to the backend; then step WORKER_STARTED (answered
	                * with Accept, unless the end came first) or WORKER_REFUSED (answered with Refuse) */
	WORKER_KILL, /* tell the backend to stop this attempt */
	WORKER_HOLD, /* tell it to let this attempt stand still; if it cannot, step WORKER_CANCEL for it */
	WORKER_GO,    /* tell it to let this attempt go on */
	WORKER_LEAVE, /* nothing runs any more: the process may end */
};

struct worker_action {
	enum worker_action_kind kind;
	struct up up;            /* SEND; spans borrowed from the event or the machine */
	uint32_t tag;            /* SEND of a held attempt: of its ASSIGN */
	const struct down *down; /* START */
	struct ulid task;        /* KILL, HOLD, GO */
	uint32_t attempt;        /* the same */
	uint64_t seq;            /* OFFER */
};

#define WORKER_ACTIONS                                                                             \
	64 /* at most from one step; the rest follows from WORKER_TICK, due at once */

struct worker_actions {
	struct worker_action at[WORKER_ACTIONS];
	unsigned n;
};

struct worker;

#define WORKER_RETRY_AFTER_MS 100             /* told with BUSY */
#define WORKER_OFFER_GAP_NS INT64_C(50000000) /* changes are gathered for this long */
#define WORKER_LEASE_NS INT64_C(30000000000)  /* of an order that names none */

struct worker_conf {
	uint32_t slots_max; /* ceiling of attempts running, at most LIMIT_OFFER_SLOTS */
	int64_t offer_every_ns;
	int64_t drain_ns; /* after STOP what still runs may take this long; then it fails with CLOSED */
	uint64_t incarnation;
};

/* NULL without memory. The backend has no slots until WORKER_CHANGED tells how many. */
struct worker *worker_new(const struct worker_conf *conf) MUST_USE;
void worker_free(struct worker *w);
/* Resets *ret and fills it; perform the actions in order. While performing one it is fine to step again
 * (a backend that reports from inside start or cancel), with other actions. */
void worker_step(struct worker *w, int64_t now_ns, const struct worker_event *e,
	struct worker_actions *ret);
/* When WORKER_TICK is due next; INT64_MAX: never. */
int64_t worker_wake(const struct worker *w);
/* Attempts running, and the i-th of them in no particular order (for the offer's list). */
uint32_t worker_running(const struct worker *w);
struct attempt_ref worker_running_at(const struct worker *w, uint32_t i);
/* Attempts that the backend still has to end: the running ones and those killed in silence. */
uint32_t worker_held(const struct worker *w);
/* True if the backend is expected to end this attempt: reports of others are fenced off. */
bool worker_has(const struct worker *w, struct ulid task, uint32_t attempt);
/* What its ASSIGN said. */
struct worker_about {
	const char *tenant; /* lives as long as the attempt is held */
	uint32_t tag;
	int64_t deadline_ns;   /* INT64_MAX: none */
	int64_t keep_ns;       /* of the result, from the end on; 0: the usual time */
	uint32_t inline_bytes; /* of the result in a message; 0: LIMIT_BODY_BYTES */
};
/* False if there is no such attempt. */
bool worker_about(const struct worker *w, struct ulid task, uint32_t attempt,
	struct worker_about *ret);
/* Is it held, and does it stand still? */
bool worker_is_paused(const struct worker *w, struct ulid task, uint32_t attempt);
bool worker_is_draining(const struct worker *w);
uint64_t worker_seq(const struct worker *w);
