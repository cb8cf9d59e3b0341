/* SPDX-License-Identifier: Apache-2.0
 *
 * machine: what the files of the router machine share. Nobody else includes this.
 *   router.c  steps, time               submit.c  what is taken in
 *   rung.c    placing, hops, retries
 *   report.c  what nodes say            split.c   parts and their join
 *   finish.c  ends, events, what is kept      replay.c  again, or forgotten
 *   image.c   rows for the journal, and back  graph.c   parts that a submitter named
 *   deadline.c  when tasks must have ended
 *   pause.c   tasks that stand still
 *   retry.c   what follows a failure (pure, with a header of its own)
 *   straggler.c  who gets a second attempt    twin.c    what becomes of it
 *   flow.c    chunks of tasks that stream
 *   answers.c results that are kept, and equal tasks
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/fmt.h"
#include "base/mem.h"
#include "policy/late.h"
#include "router/answers.h"
#include "router/router.h"
#include "router/wait.h"

struct stragglers {
	struct list late; /* attempts that are late, and have no twin */
	struct late_past *
		*pasts; /* [kind * RUNGS + rung], made when first used, like all of them */
	uint32_t twins_n;
	int64_t look_ns; /* not before */
};

struct router {
	struct router_conf conf;
	struct registry registry;
	struct tasks tasks;
	struct tenants tenants;
	struct waits waits;
	struct stragglers stragglers;
	struct streams streams;
	struct answers answers;
	struct pace pace; /* of parts: not kept over a restart */
	struct prng prng;
	struct arena arena; /* for one step */
	struct buf image;   /* an image that is encoded */
	int image_err;
	uint64_t next_row;
	struct router_counts counts;
	const struct place_policy *policy;
	int64_t started_ns;
	int64_t skew_ns;   /* the wall clock's time minus ours */
	int64_t newest_ns; /* of what the journal told: nothing happened later */
	int64_t back_ns;   /* ROUTER_BACK came last; 0: never */
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
/* The same of a task that waits for something else: its clocks begin, and it stands in no queue. */
void rung_stand(struct router *r, struct task *t);
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

/* What a task needs of a node. */
struct place_need rung_need(const struct task *t);
/* Send an attempt of the task to its node. */
void rung_order(struct router *r, const struct task *t, const struct node *n, uint32_t attempt);
/* A QUEUED task that was paused for so long waits again; its clocks go on. */
void rung_go_on(struct router *r, struct task *t, int64_t stood_ns);

/* --- pause.c */

/* As router_step says of PAUSE and RESUME. */
int pause_begin(struct router *r, const struct router_event *e) MUST_USE;
int pause_end(struct router *r, const struct router_event *e) MUST_USE;
/* Tell the node that has the attempt whether it stands still or runs. */
void pause_order(struct router *r, const struct task *t);
/* Put the attempt of a paused task, which is on no list, among those that stand still on its node. */
void pause_hold(struct router *r, struct task *t);
/* The node cancelled the attempt of a paused task, which it could not let stand still. */
void pause_failed(struct router *r, struct task *t);
/* A slot of the node is to be given out: attempts that stand still and are in the way are called back. */
void pause_make_room(struct router *r, uint32_t node);

/* --- deadline.c */

/* May a submitter name this deadline (0: none)? 0, ERR_EXPIRED or ERR_INVALID. */
int deadline_check(const struct router *r, int64_t deadline_ms, struct fail *why) MUST_USE;
/* The one that was named, or the usual one of its ladder. */
void deadline_set(const struct router *r, struct task *t, int64_t deadline_ms);
/* For its node, whose clock may be another: 1 at least. */
int64_t deadline_left_ms(const struct router *r, const struct task *t);
/* As far away as that of `from` was. */
void deadline_again(const struct router *r, struct task *t, const struct task *from);
/* It has passed: the task ends. */
void deadline_over(struct router *r, struct task *t);

/* --- report.c */

/* Why an offer was refused, or 0. */
int report_up(struct router *r, struct span node, const struct up *u) MUST_USE;
/* Take the attempt away from its node, the state stays. */
void report_detach(struct router *r, struct task *t);
/* The same; the tenant's share pays so much of the node's time. */
void report_release(struct router *r, struct task *t, int64_t used_us);
/* The attempt is lost (silence, restart, goodbye): try again elsewhere. */
void report_lost(struct router *r, struct task *t, const char *why);
/* Was the attempt given out before nobody could be heard for a while, and is that less than a lease ago? Then its loss
 * is nobody's fault: nodes stop what they do not hear of for so long. */
bool report_is_blameless(const struct router *r, int64_t assigned_ns);
/* All attempts of a node are lost. */
void report_node_lost(struct router *r, uint32_t node, const char *why);
void report_order_cancel(struct router *r, struct span node, struct ulid task, uint32_t attempt,
	const char *why, bool fast);

/* The lease is renewed by what was said then; what was said later holds. */
void report_extend(const struct router *r, int64_t *lease_ns, int64_t said_ns);
/* What the node that has the current attempt says about it. */
void report_attempt(struct router *r, struct task *t, const struct up *u);
/* What an attempt that its node refused, and why, or that failed there, means for the node and for where the task
 * goes next. report_refused: true, the node is full for now, and the attempt counts for nothing. */
int report_refusal(const struct up *u);
bool report_refused(struct router *r, struct task *t, uint32_t node, const struct up *u);
void report_failed(struct router *r, struct task *t, uint32_t node, const struct up *u);

/* --- straggler.c */

void stragglers_init(struct stragglers *s);
void stragglers_done(struct router *r);
/* The current attempt is done: what is usual is learned from it. */
void straggler_done(struct router *r, const struct task *t);
/* The task has a new current attempt, or none beside it any more: look at it when it may be late or its lease ends. */
void straggler_watch(struct router *r, struct task *t);
/* Its time may have come. */
void straggler_due(struct router *r, struct task *t);
/* It has sent a chunk. */
void straggler_streams(struct router *r, struct task *t);
/* Give twins to the slowest, if it is time for that. Behind rung_dispatch. */
void stragglers_turn(struct router *r);
int64_t stragglers_wake(const struct router *r);

/* --- twin.c: of a task without a twin nothing is done */

/* Start one on this node. False without memory. */
bool twin_make(struct router *r, struct task *t, uint32_t node) MUST_USE;
/* Its lease may be over. */
void twin_due(struct router *r, struct task *t);
/* A report about an attempt that is not current. False: nor is it that of a twin. */
bool twin_up(struct router *r, struct task *t, uint32_t node, const struct up *u) MUST_USE;
/* The node's last offer lists the attempt. False as above. */
bool twin_listed(const struct router *r, struct task *t, const struct node *n,
	uint32_t attempt) MUST_USE;
/* Those of the node, given out before, that its offer with this number did not list, are lost. */
void twin_not_listed(struct router *r, uint32_t node, uint64_t seq, int64_t before_ns);
void twin_lost(struct router *r, struct task *t, const char *why);
void twin_node_lost(struct router *r, uint32_t node, const char *why);
/* The current attempt failed or is lost, and is detached: the twin becomes current. False: there is none. */
bool twin_takes_over(struct router *r, struct task *t) MUST_USE;
/* The current attempt is done first. */
void twin_outrun(struct router *r, struct task *t);
/* Call it back. */
void twin_end(struct router *r, struct task *t, const char *why);
/* As the journal has it; false without memory. */
bool twin_restore(struct router *r, struct task *t, uint32_t attempt, struct span node,
	bool is_started) MUST_USE;
/* Behind that of the current attempt. */
void twin_resume(struct router *r, struct task *t);
struct span twin_node_name(const struct router *r, const struct task *t);

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
/* May a submitter ask for this (0: it did not)? 0 or ERR_INVALID. */
int finish_check_keep(const struct router *r, int64_t keep_ms, struct fail *why) MUST_USE;
/* An ended task is kept until then. */
int64_t finish_forget_ns(const struct router *r, const struct task *t);
/* The time of an ended one has come. */
void finish_forget(struct router *r, struct task *t);
/* Drop kept tasks until one more is within their number: before one is read back. Not within a step. */
void finish_make_room(struct router *r);
/* Drop kept tasks beyond number, bytes and age. Only at the end of a step: nothing else may hold them. */
void finish_evict(struct router *r);
/* Remember the last failure of a task. */
void finish_note_fail(struct task *t, const struct fail *why);
void event_change(struct router *r, struct task *t, const char *reason);
void event_progress(struct router *r, struct task *t);
void event_chunk(struct router *r, struct task *t, uint64_t seq, struct span data);
void event_beat(struct router *r, struct task *t, uint32_t attempt, uint64_t chunks);
/* Write a step into the record. */
void note_step(struct router *r, struct task *t, struct explain_note note);

/* --- flow.c */

/* A chunk of the current attempt came. */
void flow_chunk(struct router *r, struct task *t, const struct up *u);
/* The node says that the current attempt has sent so many: what did not come is asked for. */
void flow_listed(struct router *r, struct task *t, uint64_t chunks);
/* The node says at the attempt's end that there were so many: as above; they may come behind the end. */
void flow_counted(struct router *r, struct task *t, uint64_t chunks);
/* A chunk that was asked for comes behind the end: it is kept, for those who ask. False if the report is something
 * else. t may be NULL. */
bool flow_late(struct router *r, const struct task *t, uint32_t node, const struct up *u);
/* Another attempt begins. */
void flow_anew(struct router *r, struct task *t);
/* The task has ended. */
void flow_end(struct router *r, struct task *t);
/* The task is forgotten. */
void flow_drop(struct router *r, const struct task *t);
/* Say something of those that were silent for too long. */
void flow_tick(struct router *r);

/* --- router.c */

/* A task with this id, for the tenant; beyond the ceiling of open ones too. NULL without memory. */
struct task *router_add_known(struct router *r, uint32_t tenant, struct ulid id);
/* A new task of a tenant; NULL at the ceiling or without memory. */
struct task *router_add_task(struct router *r, uint32_t tenant);

/* --- submit.c */

/* Take a task in, or refuse it: e->reply says which. */
void router_submit(struct router *r, const struct router_event *e);
/* May the tenant have one more open task, with a body of so many bytes? 0, or ERR_BUSY and *why. Counts as a submit. */
int submit_has_room(const struct router *r, uint32_t tenant, uint64_t body_bytes,
	struct fail *why) MUST_USE;
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
