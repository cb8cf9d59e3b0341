/* SPDX-License-Identifier: Apache-2.0
 *
 * rung: a task on its ladder: waiting for a node of the rung's class, placed, or gone on to the next rung.
 *
 * A rung is left at once if no node of its class could serve the task, and after the not-started-in-time
 * clock if all that could are full. The last rung is not left for fullness: there the deadline rules.
 */
#include "router/machine.h"

#include "base/pure.h"

#define BLOCKED_MAX 16u     /* waiting tasks looked at behind one that cannot be placed */
#define WALK_MAX 1024u      /* the same with those passed by since one before them needs the same */
#define PAY_UNKNOWN_US 1000 /* for an attempt of which nobody knows how long it takes */
#define LOOK_MAX 64u        /* able rows looked at for somebody who could serve it later */
#define EXPLAIN_SCAN_MAX 4096u /* nodes looked at for the record of a hop */

enum tried { TRIED_PLACED, TRIED_FULL, TRIED_NOBODY };

bool rung_is_last(const struct task *t)
{
	return t->rung_at + 1 >= t->ladder.n;
}

void rung_on_change(void *ctx, uint32_t kind, enum rung rung)
{
	struct router *r = ctx;

	waits_touch(&r->waits, kind, rung);
}

static int64_t within_ns(const struct router *r, const struct task *t)
{
	return t->start_within_ns > 0 ? t->start_within_ns : r->conf.start_within_ns[task_rung(t)];
}

int64_t rung_may_wait_ns(const struct router *r, const struct task *t)
{
	return rung_is_last(t) && t->start_within_ns == 0 ? INT64_MAX : within_ns(r, t);
}

/* What the clocks of the task's rung say: they stand still while it is paused. */
static int64_t rung_now(const struct router *r, const struct task *t)
{
	return t->paused_ns != 0 ? t->paused_ns : r->now_ns;
}

/* Start the clock of the rung, after delay_ns. */
static void start_clock(struct router *r, struct task *t, int64_t delay_ns)
{
	t->start_by_ns = rung_now(r, t) + delay_ns + within_ns(r, t);
	tasks_wake_by(&r->tasks, t, t->start_by_ns);
}

void rung_leave(struct router *r, struct task *t)
{
	wait_drop(&r->waits, t);
}

static void enqueue(struct router *r, struct task *t)
{
	if (t->paused_ns != 0 || wait_push(&r->waits, t, &r->tenants) == 0)
		return;
	t->retry_ns =
		r->now_ns + r->conf.retry.backoff_ns; /* no memory for a queue: try again soon */
	task_touch(&r->tasks, t);
	tasks_wake_by(&r->tasks, t, t->retry_ns);
}

/* Queued again: the last attempt and its node stand in the record only. */
static void forget_attempt(struct task *t)
{
	t->blocked_told = false;
	t->node = NODE_NOBODY;
}

static enum tried try_place(struct router *r, struct task *t);

/* Where nobody waits there is no turn to wait for. */
static bool place_at_once(struct router *r, struct task *t)
{
	return t->paused_ns == 0 &&
	       registry_kind_at(&r->registry, t->kind)->of[task_rung(t)].open_n > 0 &&
	       waits_are_idle(&r->waits, t->kind, task_rung(t)) && try_place(r, t) == TRIED_PLACED;
}

void rung_stand(struct router *r, struct task *t)
{
	forget_attempt(t);
	t->rung_ns = rung_now(r, t);
	t->tries = 0;
	t->avoid_n = 0;
	t->retry_ns = 0;
	if (task_rung(t) != RUNG_SPLIT)
		start_clock(r, t, 0);
}

void rung_arrive(struct router *r, struct task *t)
{
	rung_stand(r, t);
	if (task_rung(t) == RUNG_SPLIT)
		split_begin(r, t);
	else if (!place_at_once(r, t))
		enqueue(r, t);
}

void rung_again(struct router *r, struct task *t, int64_t delay_ns)
{
	forget_attempt(t);
	start_clock(r, t, delay_ns);
	task_touch(&r->tasks, t);
	if (delay_ns <= 0) {
		t->retry_ns = 0; /* a restart may have left one that has passed */
		enqueue(r, t);
		return;
	}
	t->retry_ns = r->now_ns + delay_ns;
	tasks_wake_by(&r->tasks, t, t->retry_ns);
}

void rung_back(struct router *r, struct task *t)
{
	forget_attempt(t);
	tasks_wake_by(&r->tasks, t, t->start_by_ns);
	enqueue(r, t);
}

void rung_go_on(struct router *r, struct task *t, int64_t stood_ns)
{
	t->rung_ns += stood_ns;
	t->start_by_ns += stood_ns;
	if (task_rung(t) == RUNG_SPLIT) {
		split_begin(r, t);
		return;
	}
	tasks_wake_by(&r->tasks, t, t->start_by_ns);
	if (t->retry_ns > r->now_ns) {
		tasks_wake_by(&r->tasks, t, t->retry_ns);
		return;
	}
	t->retry_ns = 0;
	enqueue(r, t);
}

/* --- hops ------------------------------------------------------------------------------------------- */

struct place_need rung_need(const struct task *t)
{
	struct place_need n = {
		.max_price_ucr = t->max_price_ucr - t->spent_ucr,
		.model = span_str(t->model),
		.body_bytes = t->body_len,
		.avoid_n = t->avoid_n,
	};

	memcpy(n.avoid, t->avoid, sizeof n.avoid);
	return n;
}

static void explain_node(struct router *r, const struct task *t, struct explain_note *note,
	struct place_seen *seen, struct span *notes, uint32_t node)
{
	struct place_need need = rung_need(t);
	uint32_t i = note->seen_n;

	if (i == PLACE_SEEN)
		return;
	seen[i] = (struct place_seen){ .node = node };
	seen[i].verdict = registry_verdict(&r->registry, node, t->kind, &need, &notes[i]);
	note->seen_n++;
}

/* Why each node of the rung's class was passed by, as candidates of a step: first those that know the kind. */
static void explain_class(struct router *r, const struct task *t, struct explain_note *note,
	struct place_seen *seen, struct span *notes)
{
	enum rung class = note->rung == RUNG_SPLIT ? RUNG_CPU : note->rung;
	const struct registry *g = &r->registry;
	const struct kind_rows *rows = &registry_kind_at(g, t->kind)->of[class];

	note->considered = rows->n;
	for (uint32_t i = 0; i < rows->n && i < PLACE_SEEN; i++)
		explain_node(r, t, note, seen, notes, rows->rows[i].load->node);
	for (uint32_t i = 0; i < g->nodes.cap && i < EXPLAIN_SCAN_MAX; i++) {
		if (!slots_is_taken(&g->nodes, i) || registry_node(g, i)->rung != class ||
			registry_node_kind(g, i, t->kind) != NULL)
			continue;
		note->considered++;
		explain_node(r, t, note, seen, notes, registry_node(g, i)->load.node);
	}
	note->seen = seen;
	note->seen_notes = notes;
}

static void note_hop(struct router *r, struct task *t, enum rung to, int code, const char *reason)
{
	struct place_seen seen[PLACE_SEEN];
	struct span notes[PLACE_SEEN];
	struct explain_note note = {
		.kind = STEP_HOP,
		.rung = task_rung(t),
		.to = to,
		.node = NODE_NOBODY,
		.code = code,
		.reason = span_str(reason),
	};

	if (code == ERR_NO_NODE || code == ERR_TIMEOUT)
		explain_class(r, t, &note, seen, notes);
	note_step(r, t, note);
}

/* No rung is left. What can be tried again later is kept as DEAD; what would fail again is FAILED. */
static void exhaust(struct router *r, struct task *t, int code, const char *reason)
{
	struct fail why = { 0 };

	if (t->fail != NULL)
		why = *t->fail;
	else
		fail_set(&why, code, NULL, 0, "no rung is left: %s", reason);
	finish(r, t, retry_end(why.code), &why);
}

void rung_hop(struct router *r, struct task *t, int code, const char *reason)
{
	enum rung to = rung_is_last(t) ? RUNG_NONE : (enum rung)t->ladder.rung[t->rung_at + 1];

	rung_leave(r, t);
	note_hop(r, t, to, code, reason);
	if (to == RUNG_NONE) {
		exhaust(r, t, code, reason);
		return;
	}
	r->counts.hops++;
	task_move(&r->tasks, t, TASK_HOP);
	t->rung_at++;
	event_change(r, t, reason);
	rung_arrive(r, t);
}

/* --- placing ---------------------------------------------------------------------------------------- */

static void note_placed(struct router *r, struct task *t, const struct place_out *out)
{
	note_step(r, t,
		(struct explain_note){
			.kind = STEP_PLACED,
			.rung = task_rung(t),
			.node = t->node,
			.attempt = t->attempt,
			.policy = r->policy->name,
			.seen = out->seen,
			.seen_n = out->seen_n,
			.considered = out->considered,
		});
}

/* Of a part's result: all of them go into their join's body. */
static uint32_t inline_bytes(struct router *r, const struct task *t)
{
	const struct split *s = t->role == ROLE_PART ? tasks_at(&r->tasks, t->parent)->split : NULL;
	uint32_t n = s == NULL                                 ? 0
		     : s->fan_in > 0 && s->fan_in < s->parts_n ? s->fan_in
							       : s->parts_n;
	uint32_t share = n == 0 ? 0 : LIMIT_BODY_BYTES / 8 * 7 / n;

	return share > LIMIT_PART_BYTES || share == 0 ? share : LIMIT_PART_BYTES;
}

static void send_assign(struct router *r, const struct task *t, const struct node *n,
	uint32_t attempt)
{
	struct down d = {
		.kind = DOWN_ASSIGN,
		.task = t->id,
		.attempt = attempt,
		.task_kind = span_str(registry_kind_at(&r->registry, t->kind)->name),
		.tenant = router_tenant(r, t->tenant),
		.lease_ms = r->conf.lease_ns / NS_PER_MS,
		.deadline_ms = router_wall_ms(r, t->deadline_ns),
		.left_ms = deadline_left_ms(r, t),
		.keep_ms = t->keep_ns / NS_PER_MS,
		.inline_bytes = inline_bytes(r, t),
		.body = span_of(t->body, t->body_len),
		.packs = true,
	};

	r->out->on_down(r->out->ctx, span_str(n->name), &d, t->fast);
}

static void record_assigned(struct router *r, const struct task *t, const struct node *n,
	uint32_t attempt)
{
	const struct journal_record record = {
		.kind = JOURNAL_ASSIGNED,
		.task = t->id,
		.at_ns = r->now_ns,
		.node = span_str(n->name),
		.attempt = attempt,
		.beside = attempt == t->attempt ? 0 : t->attempt,
	};

	r->out->on_record(r->out->ctx, &record);
}

/* The tenant's share pays what the attempt will probably take. */
static void pay(struct router *r, struct task *t, int64_t run_us)
{
	t->paid_us = run_us > 0 ? run_us : PAY_UNKNOWN_US;
	waits_pay(&r->waits, tenant_at(&r->tenants, t->tenant), task_rung(t), t->paid_us);
}

void rung_settle(struct router *r, struct task *t, int64_t used_us)
{
	struct tenant *n = tenant_at(&r->tenants, t->tenant);

	if (used_us > t->paid_us)
		waits_pay(&r->waits, n, task_rung(t), used_us - t->paid_us);
	else
		waits_give_back(&r->waits, n, task_rung(t), t->paid_us - used_us);
	t->paid_us = 0;
}

void rung_order(struct router *r, const struct task *t, const struct node *n, uint32_t attempt)
{
	record_assigned(r, t, n, attempt);
	send_assign(r, t, n, attempt);
}

static void assign(struct router *r, struct task *t, const struct place_row *row,
	const struct place_out *out)
{
	uint32_t node = row->load->node;
	struct node *n = registry_node(&r->registry, node);

	pause_make_room(r, node);
	task_move(&r->tasks, t, TASK_PLACE);
	r->counts.placed++;
	t->attempt = ++t->attempts;
	t->permille = 0;
	flow_anew(r, t);
	t->node = node;
	t->price_ucr = row->price_ucr;
	t->assigned_ns = r->now_ns;
	t->offer_seq = n->seq;
	t->lease_ns = r->now_ns + r->conf.lease_ns;
	list_push(&n->tasks, &t->on_node);
	registry_busy(&r->registry, node, 1);
	pay(r, t, row->run_us);
	straggler_watch(r, t);
	note_placed(r, t, out);
	rung_order(r, t, n, t->attempt);
	event_change(r, t, NULL);
}

/* Could anybody of the able rows from this one on serve it? Where there are too many to ask all of them: yes. */
static bool somebody(const struct place_need *need, const struct kind_rows *rows, uint32_t from)
{
	for (uint32_t i = from; i < rows->able_n; i++)
		if (i - from == LOOK_MAX || place_filter(need, &rows->rows[i]) == VERDICT_NONE)
			return true;
	return false;
}

/* Is there anybody who could serve it, though not now? */
static bool somebody_later(const struct task *t, const struct kind_rows *rows)
{
	struct place_need need = rung_need(t);

	need.avoid_n = 0;
	return somebody(&need, rows, rows->open_n);
}

bool rung_has_other(const struct router *r, const struct task *t)
{
	const struct place_need need = rung_need(t);

	return somebody(&need, &registry_kind_at(&r->registry, t->kind)->of[task_rung(t)], 0);
}

static enum tried try_place(struct router *r, struct task *t)
{
	struct kind_rows *rows = &registry_kind_at(&r->registry, t->kind)->of[task_rung(t)];
	struct place_need need = rung_need(t);
	struct place_in in = { &need, rows->rows, rows->open_n, &rows->cursor, &r->prng };
	struct place_out out;

	out.considered = out.seen_n = 0;
	out.pick = PLACE_NONE;
	if (rows->open_n > 0)
		r->policy->pick(&in, &out);
	if (out.pick == PLACE_NONE && rows->open_n > 0 && need.avoid_n > 0) {
		need.avoid_n = 0; /* rather where it failed before than nowhere */
		out.considered = out.seen_n = 0;
		r->policy->pick(&in, &out);
	}
	if (out.pick != PLACE_NONE) {
		rung_leave(r, t);
		assign(r, t, &rows->rows[out.pick], &out);
		return TRIED_PLACED;
	}
	return somebody_later(t, rows) ? TRIED_FULL : TRIED_NOBODY;
}

/* Nobody could be found for a waiting task: hop, or go on waiting. */
static void not_placed(struct router *r, struct task *t, enum tried tried)
{
	if (tried == TRIED_NOBODY && r->settled && !rung_is_last(t)) {
		rung_hop(r, t, ERR_NO_NODE, "no node of this class can serve it");
		return;
	}
	if (t->blocked_told || tried != TRIED_FULL)
		return;
	t->blocked_told = true;
	note_step(r, t,
		(struct explain_note){
			.kind = STEP_REFUSED,
			.rung = task_rung(t),
			.node = NODE_NOBODY,
			.code = ERR_BUSY,
			.reason = SPAN_LIT("waits: all nodes that could serve it are full"),
		});
}

static bool same_model(const struct task *a, const struct task *b)
{
	return a->model == b->model ||
	       (a->model != NULL && b->model != NULL && strcmp(a->model, b->model) == 0);
}

static bool is_missed(const struct walk *k, const struct task *t, enum tried *ret)
{
	for (unsigned i = 0; i < k->missed_n; i++) {
		const struct task *other = k->missed[i].task;

		if (other->max_price_ucr - other->spent_ucr == t->max_price_ucr - t->spent_ucr &&
			same_model(other, t)) {
			*ret = (enum tried)k->missed[i].tried;
			return true;
		}
	}
	return false;
}

static void miss(struct walk *k, const struct task *t, enum tried tried)
{
	if (k->missed_n == WAIT_MISSES)
		return;
	k->missed[k->missed_n].task = t;
	k->missed[k->missed_n++].tried = (int)tried;
}

/* Try one task; true if it stays where it waits. */
static bool stays(struct router *r, struct walk *k, struct task *t, bool any_open)
{
	const struct lane *l = t->lane;
	enum tried tried;
	bool known = is_missed(k, t, &tried);

	if (!known)
		tried = try_place(r, t);
	if (tried == TRIED_PLACED)
		return false;
	not_placed(r, t, tried);
	if (t->lane != l) { /* it hopped, and may have changed what others need */
		k->missed_n = 0;
		return false;
	}
	k->walked++;
	k->blocked += !known || !any_open;
	if (!known)
		miss(k, t, tried);
	return true;
}

static struct walk *walk_of(struct wait *w)
{
	if (w->walk.look != w->look)
		w->walk = (struct walk){ .look = w->look };
	return &w->walk;
}

/* One lane's turn, in order of urgency, until none of those looked at last can be placed or it is another one's
 * turn. While rows are open the look goes further, past those of whose like one was tried in vain: they must
 * not keep others from idle nodes. */
static void take_turn(struct router *r, struct lane *l)
{
	struct wait *w = l->wait;
	const struct kind_rows *rows = &registry_kind_at(&r->registry, w->kind)->of[w->rung];
	struct walk *k = walk_of(w);
	unsigned blocked = 0;

	while (blocked < BLOCKED_MAX && k->walked < WALK_MAX) {
		unsigned before = k->blocked;
		struct task *t = lane_next(l);

		if (t == NULL)
			break;
		if (!stays(r, k, t, rows->open_n > 0) && waits_turn(&r->waits) != l)
			return;
		blocked += k->blocked - before;
	}
	if (k->walked >= WALK_MAX || (rows->open_n == 0 && k->blocked >= BLOCKED_MAX))
		wait_rest(w);
	else
		lane_pass(&r->waits, l, rows->open_n > 0);
}

void rung_dispatch(struct router *r)
{
	struct lane *l;

	while ((l = waits_turn(&r->waits)) != NULL)
		take_turn(r, l);
}

/* --- time ------------------------------------------------------------------------------------------- */

void rung_due(struct router *r, struct task *t)
{
	if (t->paused_ns != 0 || answers_is_follower(t))
		return;
	if (t->retry_ns != 0) {
		if (r->now_ns < t->retry_ns) {
			tasks_wake_by(&r->tasks, t, t->retry_ns);
			return;
		}
		t->retry_ns = 0;
		task_touch(&r->tasks, t);
		enqueue(r, t);
	}
	if (r->now_ns < t->start_by_ns) {
		tasks_wake_by(&r->tasks, t, t->start_by_ns);
		return;
	}
	if (!rung_is_last(t) || t->start_within_ns > 0) {
		rung_hop(r, t, ERR_TIMEOUT, "not started in time on this rung");
		return;
	}
	/* The last rung: full nodes are waited for, absent ones are not. */
	switch (try_place(r, t)) {
	case TRIED_PLACED:
		break;
	case TRIED_FULL:
		start_clock(r, t, 0);
		break;
	case TRIED_NOBODY:
		rung_hop(r, t, ERR_NO_NODE, "no node of this class can serve it");
		break;
	}
}
