/* SPDX-License-Identifier: Apache-2.0
 *
 * worker: the pure machine of a node: attempts, their leases, the sequence of offers. Events in, actions
 * out; no clock, no I/O.
 */
#pragma once
#include "base/slots.h"
#include "wire/node.h"

enum worker_event_kind {
	WORKER_ASSIGN,   /* order of the router */
	WORKER_CANCEL,
	WORKER_DRAIN,
	WORKER_PING,
	WORKER_DONE,     /* report of the backend */
	WORKER_FAILED,
	WORKER_PROGRESS,
	WORKER_CHUNK,
	WORKER_CHANGED,  /* the backend's offer changed */
	WORKER_BUS_UP,
	WORKER_BUS_LOST,
	WORKER_STOP,     /* drain, then WORKER_LEAVE */
	WORKER_TICK,     /* time passed */
};

struct worker_event {
	enum worker_event_kind kind;
	const struct down *down;   /* ASSIGN, CANCEL, DRAIN, PING */
	struct ulid task;          /* DONE, FAILED, PROGRESS, CHUNK */
	uint32_t attempt;
	const struct fail *fail;   /* FAILED */
	struct span body;          /* DONE; CHUNK: data */
	uint32_t permille;         /* PROGRESS */
	struct span note;
	uint32_t slots;            /* CHANGED: how many the backend has now */
};

enum worker_action_kind {
	WORKER_SEND,   /* `up` to the router */
	WORKER_OFFER,  /* build and send an offer with this seq and the running attempts */
	WORKER_START,  /* hand the assignment in `down` to the backend; if it refuses, step WORKER_FAILED
	                * with that error before anything else: the machine answers with Refuse */
	WORKER_KILL,   /* tell the backend to stop this attempt */
	WORKER_LEAVE,  /* nothing runs any more: the process may end */
};

struct worker_action {
	enum worker_action_kind kind;
	struct up up;            /* SEND; spans borrowed from the event */
	const struct down *down; /* START */
	struct ulid task;        /* KILL */
	uint32_t attempt;        /* KILL */
	uint64_t seq;            /* OFFER */
};

#define WORKER_ACTIONS 64 /* at most from one step; the rest follows from WORKER_TICK, due at once */

struct worker_actions {
	struct worker_action at[WORKER_ACTIONS];
	unsigned n;
};

struct worker;

struct worker_conf {
	uint32_t slots_max;     /* ceiling of attempts held */
	int64_t offer_every_ns;
	uint64_t incarnation;
};

struct worker *worker_new(const struct worker_conf *conf) MUST_USE;
void worker_free(struct worker *w);
/* Resets *ret and fills it; perform the actions in order. */
void worker_step(struct worker *w, int64_t now_ns, const struct worker_event *e, struct worker_actions *ret);
/* When WORKER_TICK is due next. */
int64_t worker_wake(const struct worker *w);
/* Attempts held, and the i-th of them (for the offer's running list). */
uint32_t worker_running(const struct worker *w);
struct attempt_ref worker_running_at(const struct worker *w, uint32_t i);
bool worker_is_draining(const struct worker *w);
uint64_t worker_seq(const struct worker *w);
