/* SPDX-License-Identifier: Apache-2.0
 *
 * worker: the rules, one function for each event; the attempts themselves are in worker_held.
 */
#include "node/worker.h"

#include "base/limits.h"
#include "base/mem.h"
#include "node/worker_ended.h"
#include "node/worker_held.h"
#include "node/worker_stream.h"

#include "base/pure.h"

#define NS_PER_MS INT64_C(1000000)

struct worker {
	struct worker_conf conf;
	struct worker_held held;
	struct worker_ended ended;
	struct worker_stream stream;
	uint32_t slots; /* that the backend has, at most conf.slots_max */
	uint64_t seq;
	int64_t offered_ns; /* when the last offer left; INT64_MIN: never */
	int64_t offer_due_ns;
	int64_t lost_ns; /* since when the bus is lost; INT64_MAX: it is up */
	int64_t stop_ns; /* when what still runs is killed; INT64_MAX: not told to stop */
	bool draining;
	bool stopping;
	bool left; /* WORKER_LEAVE was given */
};

/* One call of worker_step. */
struct step {
	int64_t now_ns;
	const struct worker_event *e;
	struct worker_actions *ret;
};

static int64_t later(int64_t at_ns, int64_t by_ns)
{
	int64_t sum;

	return __builtin_add_overflow(at_ns, by_ns, &sum) ? INT64_MAX : sum;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

struct worker *worker_new(const struct worker_conf *conf)
{
	struct worker *w = mem_alloc(sizeof(*w));

	CHECK(conf->slots_max >= 1 && conf->slots_max <= LIMIT_OFFER_SLOTS);
	if (w == NULL)
		return NULL;
	w->conf = *conf;
	w->offered_ns = INT64_MIN;
	w->offer_due_ns = INT64_MIN;
	w->lost_ns = INT64_MAX;
	w->stop_ns = INT64_MAX;
	worker_stream_init(&w->stream);
	if (worker_held_init(&w->held, conf->slots_max) < 0) {
		mem_free(w);
		return NULL;
	}
	return w;
}

void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	worker_held_done(&w->held);
	worker_stream_done(&w->stream);
	mem_free(w);
}

static struct attempt *attempt_at(const struct worker *w, uint32_t slot)
{
	return worker_held_at(&w->held, slot);
}

/* The attempt of the event; NULL if it is not held or nobody waits for its reports any more. */
static struct attempt *reporting(const struct worker *w, const struct step *s)
{
	uint32_t slot = worker_held_find(&w->held, s->e->task, s->e->attempt);
	struct attempt *a = slot == SLOT_NONE ? NULL : attempt_at(w, slot);

	return a == NULL || a->killed != KILLED_NOT ? NULL : a;
}

/* Actions. */

static struct worker_action *act(struct step *s, enum worker_action_kind kind)
{
	struct worker_action *act;

	CHECK(s->ret->n < WORKER_ACTIONS);
	act = &s->ret->at[s->ret->n++];
	*act = (struct worker_action){ .kind = kind };
	return act;
}

static struct up *act_send(struct step *s, enum up_kind kind, const struct attempt *a)
{
	struct worker_action *send = act(s, WORKER_SEND);

	send->tag = a->tag;
	send->up.kind = kind;
	send->up.task = a->task;
	send->up.attempt = a->attempt;
	return &send->up;
}

static void act_refuse(struct step *s, int code, const char *detail)
{
	const struct down *d = s->e->down;
	struct up *up = &act(s, WORKER_SEND)->up;

	up->kind = UP_REFUSE;
	up->task = d->task;
	up->attempt = d->attempt;
	fail_set(&up->fail, code, NULL, 0, "%s", detail);
	if (code == ERR_BUSY)
		up->fail.retry_after_ms = WORKER_RETRY_AFTER_MS;
}

static void act_accept(struct step *s, struct attempt *a)
{
	a->accepted = true;
	act_send(s, UP_ACCEPT, a);
}

static void act_offer(struct worker *w, struct step *s)
{
	if (w->left || w->lost_ns != INT64_MAX)
		return;
	act(s, WORKER_OFFER)->seq = ++w->seq;
	w->offered_ns = s->now_ns;
	w->offer_due_ns = later(s->now_ns, w->conf.offer_every_ns);
}

/* What still runs is finished; then the process may go. */
static void act_leave(struct worker *w, struct step *s)
{
	struct up *up;

	if (!w->stopping || w->left || w->held.attempts.used > 0)
		return;
	w->left = true;
	up = &act(s, WORKER_SEND)->up;
	up->kind = UP_BYE;
	up->incarnation = w->conf.incarnation;
	up->reason = SPAN_LIT("told to stop");
	act(s, WORKER_LEAVE);
}

/* Attempts. */

/* Put the attempt's next due instant into the heap. What stands still is not waited for by a node that stops. */
static void set_due(struct worker *w, uint32_t slot)
{
	const struct attempt *a = attempt_at(w, slot);
	int64_t due_ns =
		least(a->deadline_ns, w->stopping && a->paused_ns != 0 ? INT64_MIN : w->stop_ns);

	if (w->lost_ns != INT64_MAX)
		due_ns = least(due_ns, later(w->lost_ns, a->lease_ns));
	worker_held_set_due(&w->held, slot, a->killed == KILLED_NOT ? due_ns : INT64_MAX);
}

static void set_all_due(struct worker *w)
{
	for (uint32_t i = 0; i < w->held.running_n; i++)
		set_due(w, w->held.running[i]);
}

static void act_on(struct step *s, enum worker_action_kind kind, const struct attempt *a)
{
	struct worker_action *to = act(s, kind);

	to->task = a->task;
	to->attempt = a->attempt;
}

static void kill_slot(struct worker *w, struct step *s, uint32_t slot, enum killed why)
{
	struct attempt *a = attempt_at(w, slot);

	worker_stream_drop(&w->stream, a);
	if (why == KILLED_SILENTLY)
		worker_held_unlist(&w->held, slot);
	if (a->killed == KILLED_NOT)
		act_on(s, WORKER_KILL, a);
	a->killed = why;
	worker_held_set_due(&w->held, slot, INT64_MAX);
}

/* Milliseconds of a peer as nanoseconds; `none` for 0 and for what is too long to be one. */
static int64_t ns_or(int64_t ms, int64_t none)
{
	return ms > 0 && ms < INT64_MAX / NS_PER_MS ? ms * NS_PER_MS : none;
}

static int hold(struct worker *w, const struct step *s)
{
	const struct down *d = s->e->down;
	struct attempt *a;
	uint32_t slot;
	int r = worker_held_put(&w->held, d->task, d->attempt, &slot);

	if (r < 0)
		return r;
	a = attempt_at(w, slot);
	a->tag = s->e->tag;
	span_copy(d->tenant, a->tenant, sizeof(a->tenant));
	a->began_ns = s->now_ns;
	a->deadline_ns = ns_or(d->deadline_ms, INT64_MAX);
	a->keep_ns = ns_or(d->keep_ms, 0);
	a->inline_bytes = d->inline_bytes;
	a->lease_ns = ns_or(d->lease_ms, WORKER_LEASE_NS);
	set_due(w, slot);
	return 0;
}

/* Orders of the router. */

/* Whether a new attempt may be taken; if not, it was refused. */
static bool admit(const struct worker *w, struct step *s)
{
	const struct down *d = s->e->down;

	if (w->stopping)
		act_refuse(s, ERR_CLOSED, "the node is shutting down");
	else if (w->draining)
		act_refuse(s, ERR_BUSY, "the node is draining");
	else if (w->held.running_n >= w->slots)
		act_refuse(s, ERR_BUSY, "every slot of the node is taken");
	else if (d->deadline_ms > 0 && d->deadline_ms <= s->now_ns / NS_PER_MS)
		act_refuse(s, ERR_EXPIRED, "the deadline passed before the node got the task");
	else
		return true;
	return false;
}

static void on_assign(struct worker *w, struct step *s)
{
	const struct down *d = s->e->down;
	uint32_t slot = worker_held_newest(&w->held, d->task);
	struct attempt *a = slot == SLOT_NONE ? NULL : attempt_at(w, slot);
	int r;

	if (a != NULL && a->attempt == d->attempt && a->accepted && a->killed == KILLED_NOT)
		act_accept(s, a); /* the first Accept may have been lost */
	if ((a != NULL && a->attempt >= d->attempt) ||
		worker_ended_has(&w->ended, d->task, d->attempt))
		return;
	if (a != NULL) /* frees its place in the list for the new one */
		kill_slot(w, s, slot, KILLED_SILENTLY);
	if (!admit(w, s))
		return;
	r = hold(w, s);
	if (r < 0) {
		act_refuse(s, r, err_row(r)->text);
		return;
	}
	act(s, WORKER_START)->down = d;
}

/* The attempt of an order that runs or stands still; SLOT_NONE if it does neither. */
static uint32_t ordered(const struct worker *w, const struct step *s)
{
	uint32_t slot = worker_held_find(&w->held, s->e->down->task, s->e->down->attempt);

	return slot == SLOT_NONE || attempt_at(w, slot)->killed != KILLED_NOT ? SLOT_NONE : slot;
}

static void on_cancel(struct worker *w, struct step *s)
{
	uint32_t slot = ordered(w, s);

	if (slot != SLOT_NONE)
		kill_slot(w, s, slot, KILLED_CANCELLED);
}

static void on_pause(struct worker *w, struct step *s)
{
	uint32_t slot = ordered(w, s);

	if (slot == SLOT_NONE || attempt_at(w, slot)->paused_ns != 0)
		return;
	attempt_at(w, slot)->paused_ns = s->now_ns;
	act_on(s, WORKER_HOLD, attempt_at(w, slot));
	set_due(w, slot);
}

static void on_resume(struct worker *w, struct step *s)
{
	uint32_t slot = ordered(w, s);
	struct attempt *a = slot == SLOT_NONE ? NULL : attempt_at(w, slot);

	if (a == NULL || a->paused_ns == 0)
		return;
	a->began_ns += s->now_ns - a->paused_ns;
	a->paused_ns = 0;
	act_on(s, WORKER_GO, a);
	set_due(w, slot);
}

static void on_drain(struct worker *w, struct step *s)
{
	if (w->draining == s->e->down->on)
		return;
	w->draining = s->e->down->on;
	act_offer(w, s);
}

/* Reports of the backend. */

static void on_started(struct worker *w, struct step *s)
{
	struct attempt *a = reporting(w, s);

	if (a != NULL && !a->accepted)
		act_accept(s, a);
}

static void on_resend(struct worker *w, struct step *s)
{
	const struct down *d = s->e->down;

	worker_stream_resend(&w->stream, d->task, d->attempt, d->chunk_seq);
}

/* What the router is told of an end. */
static void report_end(struct step *s, const struct attempt *a)
{
	static const struct {
		int code;
		const char *detail;
	} ends[] = {
		[KILLED_CANCELLED] = { ERR_CANCELLED, "the router cancelled the attempt" },
		[KILLED_EXPIRED] = { ERR_EXPIRED, "the deadline passed while the attempt ran" },
		[KILLED_CLOSED] = { ERR_CLOSED, "the node shut down before the attempt was done" },
	};
	bool refused = s->e->kind == WORKER_REFUSED && !a->accepted;
	int64_t now_ns;
	struct up *up;

	if (a->killed == KILLED_SILENTLY)
		return;
	if (a->killed == KILLED_NOT && s->e->kind == WORKER_DONE) {
		up = act_send(s, UP_DONE, a);
		up->body = s->e->body;
		up->cache_hit = s->e->cache_hit;
		up->cache_age_ms = s->e->cache_age_ms;
		up->usage = s->e->usage;
		up->note = s->e->note;
	} else {
		up = act_send(s, refused && a->killed == KILLED_NOT ? UP_REFUSE : UP_FAILED, a);
		if (a->killed == KILLED_NOT)
			up->fail = *s->e->fail;
		else
			fail_set(&up->fail, ends[a->killed].code, NULL, 0, "%s",
				ends[a->killed].detail);
	}
	up->chunk_seq = a->chunks;
	now_ns = a->paused_ns != 0 ? a->paused_ns : s->now_ns;
	up->run_us = now_ns > a->began_ns ? (now_ns - a->began_ns) / 1000 : 0;
}

static void on_end(struct worker *w, struct step *s)
{
	uint32_t slot = worker_held_find(&w->held, s->e->task, s->e->attempt);

	if (slot == SLOT_NONE)
		return;
	report_end(s, attempt_at(w, slot));
	worker_stream_end(&w->stream, s->now_ns, attempt_at(w, slot));
	worker_ended_put(&w->ended, s->e->task, s->e->attempt);
	worker_held_drop(&w->held, slot);
	act_leave(w, s);
}

/* What an attempt tells while it runs: to be filled by the caller. */
static struct up *act_tell(struct step *s, enum up_kind kind, struct attempt *a)
{
	if (!a->accepted)
		act_accept(s, a);
	return act_send(s, kind, a);
}

static void on_progress(struct worker *w, struct step *s)
{
	struct attempt *a = reporting(w, s);
	struct up *up;

	if (a == NULL)
		return;
	up = act_tell(s, UP_PROGRESS, a);
	up->permille = s->e->permille > 1000 ? 1000 : s->e->permille;
	up->note = s->e->note;
}

static void on_chunk(struct worker *w, struct step *s)
{
	struct attempt *a = reporting(w, s);
	uint64_t oldest;
	struct up *up;

	if (a == NULL)
		return;
	a->chunks++;
	if (!worker_stream_put(&w->stream, s->now_ns, a, s->e->body, &oldest))
		return;
	up = act_tell(s, UP_CHUNK, a);
	up->chunk_seq = a->chunks;
	up->chunk_oldest = oldest;
	up->data = s->e->body;
}

static void on_changed(struct worker *w, struct step *s)
{
	w->slots = s->e->slots < w->conf.slots_max ? s->e->slots : w->conf.slots_max;
	if (w->offered_ns == INT64_MIN || s->now_ns >= later(w->offered_ns, WORKER_OFFER_GAP_NS))
		act_offer(w, s);
	else
		w->offer_due_ns = least(w->offer_due_ns, later(w->offered_ns, WORKER_OFFER_GAP_NS));
}

/* The world. */

static void on_ping(struct worker *w, struct step *s)
{
	act_offer(w, s);
}

static void on_bus_up(struct worker *w, struct step *s)
{
	if (w->lost_ns != INT64_MAX) {
		w->lost_ns = INT64_MAX;
		set_all_due(w);
	}
	act_offer(w, s);
}

static void on_bus_lost(struct worker *w, struct step *s)
{
	if (w->lost_ns != INT64_MAX)
		return;
	w->lost_ns = s->now_ns;
	set_all_due(w);
}

static void on_stop(struct worker *w, struct step *s)
{
	if (w->stopping)
		return;
	w->stopping = true;
	w->stop_ns = later(s->now_ns, w->conf.drain_ns);
	set_all_due(w);
	if (w->held.attempts.used > 0)
		act_offer(w, s);
	act_leave(w, s);
}

static enum killed why_due(const struct worker *w, const struct attempt *a, int64_t now_ns)
{
	if (a->deadline_ns <= now_ns)
		return KILLED_EXPIRED;
	if (w->stop_ns <= now_ns || (w->stopping && a->paused_ns != 0))
		return KILLED_CLOSED;
	return KILLED_SILENTLY;
}

static void on_tick(struct worker *w, struct step *s)
{
	const struct heap_row *top;
	struct up again = { .kind = UP_NONE };

	if (w->offer_due_ns <= s->now_ns)
		act_offer(w, s);
	worker_stream_tick(&w->stream, s->now_ns);
	while (s->ret->n < WORKER_ACTIONS && worker_stream_next(&w->stream, &again))
		act(s, WORKER_SEND)->up = again;
	if (again.kind ==
		UP_CHUNK) /* they are lent: what may drop them comes with the next tick, due at once */
		return;
	for (top = heap_top(&w->held.due);
		top != NULL && top->key <= s->now_ns && s->ret->n < WORKER_ACTIONS;
		top = heap_top(&w->held.due))
		kill_slot(w, s, top->item, why_due(w, attempt_at(w, top->item), s->now_ns));
}

void worker_step(struct worker *w, int64_t now_ns, const struct worker_event *e,
	struct worker_actions *ret)
{
	static void (*const on_event[])(struct worker * w, struct step * s) = {
		[WORKER_ASSIGN] = on_assign,
		[WORKER_CANCEL] = on_cancel,
		[WORKER_PAUSE] = on_pause,
		[WORKER_RESUME] = on_resume,
		[WORKER_DRAIN] = on_drain,
		[WORKER_PING] = on_ping,
		[WORKER_RESEND] = on_resend,
		[WORKER_STARTED] = on_started,
		[WORKER_REFUSED] = on_end,
		[WORKER_DONE] = on_end,
		[WORKER_FAILED] = on_end,
		[WORKER_PROGRESS] = on_progress,
		[WORKER_CHUNK] = on_chunk,
		[WORKER_CHANGED] = on_changed,
		[WORKER_BUS_UP] = on_bus_up,
		[WORKER_BUS_LOST] = on_bus_lost,
		[WORKER_STOP] = on_stop,
		[WORKER_TICK] = on_tick,
	};
	struct step s = { .now_ns = now_ns, .e = e, .ret = ret };

	CHECK((unsigned)e->kind < ARRAY_LEN(on_event));
	ret->n = 0;
	on_event[e->kind](w, &s);
}

int64_t worker_wake(const struct worker *w)
{
	const struct heap_row *top = heap_top(&w->held.due);
	int64_t due_ns = top == NULL ? INT64_MAX : top->key;

	if (w->left)
		return due_ns;
	due_ns = least(due_ns, worker_stream_wake(&w->stream));
	if (w->lost_ns != INT64_MAX)
		return due_ns;
	return least(due_ns, w->offer_due_ns);
}

uint32_t worker_running(const struct worker *w)
{
	return w->held.running_n;
}

struct attempt_ref worker_running_at(const struct worker *w, uint32_t i)
{
	const struct attempt *a;

	CHECK(i < w->held.running_n);
	a = attempt_at(w, w->held.running[i]);
	return (struct attempt_ref){
		.task = a->task,
		.attempt = a->attempt,
		.chunks = worker_stream_sent(&w->stream, a),
		.paused = a->paused_ns != 0,
	};
}

uint32_t worker_held(const struct worker *w)
{
	return w->held.attempts.used;
}

bool worker_has(const struct worker *w, struct ulid task, uint32_t attempt)
{
	return worker_held_find(&w->held, task, attempt) != SLOT_NONE;
}

bool worker_about(const struct worker *w, struct ulid task, uint32_t attempt,
	struct worker_about *ret)
{
	uint32_t slot = worker_held_find(&w->held, task, attempt);
	const struct attempt *a = slot == SLOT_NONE ? NULL : attempt_at(w, slot);

	if (a != NULL)
		*ret = (struct worker_about){ a->tenant, a->tag, a->deadline_ns, a->keep_ns,
			a->inline_bytes };
	return a != NULL;
}

bool worker_is_paused(const struct worker *w, struct ulid task, uint32_t attempt)
{
	uint32_t slot = worker_held_find(&w->held, task, attempt);

	return slot != SLOT_NONE && attempt_at(w, slot)->paused_ns != 0;
}

bool worker_is_draining(const struct worker *w)
{
	return w->draining || w->stopping;
}

uint64_t worker_seq(const struct worker *w)
{
	return w->seq;
}
