/* SPDX-License-Identifier: Apache-2.0
 *
 * machine: what the files of the router machine share. Nobody else includes this.
 *   router.c  steps, submits, time      rung.c    placing, hops, retries
 *   report.c  what nodes say            split.c   parts and their join
 *   finish.c  ends, events, what is kept      replay.c  again, or forgotten
 *   image.c   rows for the journal, and back  graph.c   parts that a submitter named
 *   retry.c   what follows a failure (pure, with a header of its own)
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/fmt.h"
#include "base/mem.h"
#include "router/router.h"
#include "router/wait.h"

struct router {
	struct router_conf conf;
	struct registry registry;
	struct tasks tasks;
	struct tenants tenants;
	struct waits waits;
	struct prng prng;
	struct arena arena; /* for one step */
	struct buf image;   /* an image that is encoded */
	int image_err;
	uint64_t next_row;
	struct router_counts counts;
	const struct place_policy *policy;
	int64_t started_ns;
	bool settled;
	int64_t now_ns;               /* of this step */
	const struct router_out *out; /* of this step */
};

/* Milliseconds that a peer named, as nanoseconds: at most most_ns. */
static inline int64_t peer_ns(int64_t ms, int64_t most_ns)
{
	return ms > most_ns / NS_PER_MS ? most_ns : ms * NS_PER_MS;
}

/* --- rung.c */

/* Put a QUEUED task on its current rung: into the wait queue, or split it, or end it where none is left. */
void rung_arrive(struct router *r, struct task *t);
/* Leave the rung of a QUEUED task for the next one, or end it. */
void rung_hop(struct router *r, struct task *t, int code, const char *reason);
/* A QUEUED task whose attempt failed, again on the same rung after delay_ns; the rung's clock starts anew. */
void rung_again(struct router *r, struct task *t, int64_t delay_ns);
/* A QUEUED task that was refused, again on the same rung; the clock goes on. */
void rung_back(struct router *r, struct task *t);
/* Place what can be placed: looks at all dirty queues. */
void rung_dispatch(struct router *r);
/* A waiting or delayed task's time has come. */
void rung_due(struct router *r, struct task *t);
/* The attempt is over and held its node's slot this long: that is what the tenant's share pays in the end. */
void rung_settle(struct router *r, struct task *t, int64_t used_us);
/* Take a task out of its wait queue, if it stands in one. */
void rung_leave(struct router *r, struct task *t);
/* registry's on_change. */
void rung_on_change(void *ctx, uint32_t kind, enum rung rung);
bool rung_is_last(const struct task *t);
/* How long may the task wait on its rung before it must be tried again? INT64_MAX: until its deadline. */
int64_t rung_may_wait_ns(const struct router *r, const struct task *t);
/* Are there nodes on its rung that could serve it, now or later, and where it did not fail before? */
bool rung_has_other(const struct router *r, const struct task *t);

/* --- report.c */

/* Why an offer was refused, or 0. */
int report_up(struct router *r, struct span node, const struct up *u) MUST_USE;
/* Take the attempt away from its node, the state stays. */
void report_detach(struct router *r, struct task *t);
/* The attempt is lost (silence, restart, goodbye): try again elsewhere. */
void report_lost(struct router *r, struct task *t, const char *why);
/* All attempts of a node are lost. */
void report_node_lost(struct router *r, uint32_t node, const char *why);
void report_order_cancel(struct router *r, struct span node, struct ulid task, uint32_t attempt,
	const char *why, bool fast);

/* --- split.c */

/* Split a QUEUED task at its split rung. */
void split_begin(struct router *r, struct task *t);
/* A child ended. */
void split_child_ended(struct router *r, struct task *child);
/* Can a task with this ladder have children of this kind? 0, ERR_UNKNOWN or ERR_DENIED. */
int split_may(struct router *r, const struct ladder *of_parent, struct span kind) MUST_USE;
/* A child of parent with this kind and what b holds, which may have failed; NULL then, and if there is no room or
 * no such kind. It may cost what is left of the parent's highest price. */
struct task *split_add_child(struct router *r, struct task *parent, struct span kind,
	enum task_role role, struct buf *b);
/* Cancel what still runs of a parent's children and keep them as ended. */
void split_release(struct router *r, struct task *parent);

/* --- finish.c */

/* End a task by this event. fail: why, or NULL if it succeeded. */
void finish(struct router *r, struct task *t, enum task_event e, const struct fail *why);
void finish_keep(struct router *r, struct task *t);
/* Drop kept tasks beyond number, bytes and age. Only at the end of a step: nothing else may hold them. */
void finish_evict(struct router *r);
/* Remember the last failure of a task. */
void finish_note_fail(struct task *t, const struct fail *why);
void event_change(struct router *r, struct task *t, const char *reason);
void event_progress(struct router *r, struct task *t);
void event_chunk(struct router *r, struct task *t, const struct up *u);
/* Write a step into the record. */
void note_step(struct router *r, struct task *t, struct explain_note note);

/* --- router.c */

/* A task with this id, for the tenant; beyond the ceiling of open ones too. NULL without memory. */
struct task *router_add_known(struct router *r, uint32_t tenant, struct ulid id);
/* A new task of a tenant; NULL at the ceiling or without memory. */
struct task *router_add_task(struct router *r, uint32_t tenant);
/* Tell who watches. */
void router_record_accepted(struct router *r, const struct task *t, const struct router_event *e);

/* --- replay.c: as router_step says of these events */

int router_replay(struct router *r, const struct router_event *e);
int router_forget(struct router *r, const struct router_event *e);

/* --- router.c */

/* An open task has its body: it counts from now on, until it ends. */
void router_count_open(struct router *r, struct task *t);
void router_count_end(struct router *r, struct task *t);
/* Forget a task, and its tenant with the last one. */
void router_drop_task(struct router *r, struct task *t);
