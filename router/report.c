/* SPDX-License-Identifier: Apache-2.0
 *
 * report: what nodes say. Every report about an attempt passes the fence first: the task must be ASSIGNED or
 * RUNNING, on this node, with this attempt; anything else changes nothing and pays nothing.
 */
#include "router/machine.h"

#include "base/pure.h"

#define LIST_GRACE_NS (2 * NS_PER_S) /* an offer may have left before the assignment arrived */

void report_order_cancel(struct router *r, struct span node, struct ulid task, uint32_t attempt,
	const char *why, bool fast)
{
	struct down d = {
		.kind = DOWN_CANCEL,
		.task = task,
		.attempt = attempt,
		.reason = span_str(why),
	};

	r->out->on_down(r->out->ctx, node, &d, fast);
}

void report_release(struct router *r, struct task *t, int64_t used_us)
{
	list_drop(&t->late);
	if (t->node == NODE_NOBODY || list_is_empty(&t->on_node))
		return;
	list_drop(&t->on_node);
	if (t->paused_ns != 0)
		registry_node(&r->registry, t->node)->paused_n--;
	else
		registry_busy(&r->registry, t->node, -1);
	rung_settle(r, t, used_us);
}

/* What stands still has used nothing since. */
void report_detach(struct router *r, struct task *t)
{
	int64_t until_ns = t->paused_ns != 0 ? t->paused_ns : r->now_ns;

	report_release(r, t,
		until_ns > t->assigned_ns ? (until_ns - t->assigned_ns) / NS_PER_US : 0);
}

static void note(struct router *r, struct task *t, enum step_kind kind, int code,
	struct span reason)
{
	note_step(r, t,
		(struct explain_note){
			.kind = kind,
			.rung = task_rung(t),
			.node = t->node,
			.attempt = t->attempt,
			.code = code,
			.reason = reason,
		});
}

/* --- failures --------------------------------------------------------------------------------------- */

/* Rather another node next. */
static void avoid(struct task *t, uint32_t node)
{
	t->avoid[t->avoid_n % PLACE_AVOID] = node;
	if (t->avoid_n < PLACE_AVOID)
		t->avoid_n++;
}

static struct retry decide(struct router *r, const struct task *t, const struct fail *why)
{
	int64_t left_ns = t->deadline_ns - r->now_ns;
	const struct retry_case c = {
		.code = why->code,
		.rung = task_rung(t),
		.tries = t->tries + 1u,
		.asked_ns = peer_ns(why->retry_after_ms, INT64_MAX),
		.others = why->retry_after_ms > 0 && rung_has_other(r, t),
		.may_wait_ns = rung_may_wait_ns(r, t),
		.left_ns = left_ns > 0 ? left_ns : 1,
		.draw = prng_next(&r->prng),
	};

	return retry_after(&r->conf.retry, &c);
}

static void again(struct router *r, struct task *t, const struct fail *why,
	const struct retry *then)
{
	char reason[LIMIT_TEXT_BYTES], in[24];
	int len = snprintf(reason, sizeof reason, "%s, in %s", then->reason,
		fmt_duration_text(then->after_ns, in));

	r->counts.retries++;
	note(r, t, STEP_RETRY, why->code, span_of(reason, (size_t)len));
	event_change(r, t, why->detail[0] != 0 ? why->detail : err_row(why->code)->text);
	rung_again(r, t, then->after_ns);
}

/* A detached attempt failed: again here, the next rung, or the end. */
static void failed(struct router *r, struct task *t, const struct fail *said)
{
	struct fail why = *said;
	struct retry then;

	if (why.code == 0)
		fail_set(&why, ERR_BUG, NULL, 0, "the node failed without a reason");
	finish_note_fail(t, &why);
	then = decide(r, t, &why);
	if (then.then != RETRY_END &&
		r->now_ns >= t->deadline_ns) { /* the tick comes behind this */
		deadline_over(r, t);
		return;
	}
	if (then.then != RETRY_END && twin_takes_over(r, t)) {
		t->tries += retry_counts(why.code);
		return;
	}
	if (then.then == RETRY_END) {
		note(r, t, STEP_HOP, why.code, span_str(then.reason));
		finish(r, t, TASK_FAIL, &why);
		return;
	}
	task_move(&r->tasks, t, TASK_BACK);
	t->tries += retry_counts(why.code);
	if (then.then == RETRY_HERE)
		again(r, t, &why, &then);
	else
		rung_hop(r, t, why.code, then.reason);
}

bool report_is_blameless(const struct router *r, int64_t assigned_ns)
{
	return assigned_ns <= r->back_ns && r->now_ns - r->back_ns < r->conf.lease_ns;
}

void report_lost(struct router *r, struct task *t, const char *why)
{
	struct fail fail = { 0 };
	const struct node *n = registry_node(&r->registry, t->node);
	bool is_blameless = report_is_blameless(r, t->assigned_ns);

	if (is_blameless)
		fail_set(&fail, ERR_CLOSED, NULL, 0,
			"%s; before, nobody could be heard for a while", why);
	else
		fail_set(&fail, ERR_LOST, NULL, 0, "%s", why);
	r->counts.lost++;
	note(r, t, STEP_LOST, fail.code, span_str(fail.detail));
	report_order_cancel(r, span_str(n->name), t->id, t->attempt, why, t->fast);
	report_release(r, t, 0); /* it is not the tenant's fault */
	if (!is_blameless) {
		registry_ended(&r->registry, t->node, t->kind, ENDED_LOST, 0);
		avoid(t, t->node);
	}
	failed(r, t, &fail);
}

void report_node_lost(struct router *r, uint32_t node, const char *why)
{
	struct node *n = registry_node(&r->registry, node);

	twin_node_lost(r, node, why);
	while (!list_is_empty(&n->tasks))
		report_lost(r, CONTAINER(n->tasks.next, struct task, on_node), why);
	while (!list_is_empty(&n->paused))
		report_lost(r, CONTAINER(n->paused.next, struct task, on_node), why);
}

/* --- offers ----------------------------------------------------------------------------------------- */

static bool is_current(const struct task *t, uint32_t node, uint32_t attempt)
{
	return t != NULL && (t->state == STATE_ASSIGNED || t->state == STATE_RUNNING) &&
	       t->node == node && t->attempt == attempt;
}

void report_extend(const struct router *r, int64_t *lease_ns, int64_t said_ns)
{
	if (said_ns + r->conf.lease_ns > *lease_ns)
		*lease_ns = said_ns + r->conf.lease_ns;
}

/* The offer lists what the node holds: extend those leases, order the rest to be dropped. */
static void listed(struct router *r, uint32_t node, const struct offer *o)
{
	const struct node *n = registry_node(&r->registry, node);

	for (size_t i = 0; i < o->running_n; i++) {
		struct task *t = tasks_find(&r->tasks, o->running[i].task);

		if (twin_listed(r, t, n, o->running[i].attempt))
			continue;
		if (!is_current(t, node, o->running[i].attempt)) {
			r->counts.stale++;
			report_order_cancel(r, span_str(n->name), o->running[i].task,
				o->running[i].attempt, "the attempt is not current", true);
			continue;
		}
		report_extend(r, &t->lease_ns, n->said_ns);
		t->offer_seq = o->seq;
		flow_listed(r, t, o->running[i].chunks);
		if (o->running[i].paused !=
			(t->paused_ns != 0)) /* an order was lost, or is on its way */
			pause_order(r, t);
	}
}

/* Those that were given out before, and that the offer with this number does not list. */
static void gather_lost(struct list *held, uint64_t seq, int64_t before_ns, struct list *lost)
{
	struct list *next;

	for (struct list *l = held->next; l != held; l = next) {
		const struct task *t = CONTAINER(l, struct task, on_node);

		next = l->next;
		if (t->offer_seq == seq || t->assigned_ns > before_ns)
			continue;
		list_drop(l);
		list_push(lost, l);
	}
}

/* What should be on the node and is not listed was lost on the way. A loss may end others on the same node:
 * so they are gathered first, and each that ends meanwhile leaves that list by itself. */
static void not_listed(struct router *r, uint32_t node, const struct offer *o, int64_t before_ns,
	const char *why)
{
	struct node *n = registry_node(&r->registry, node);
	struct list lost;

	twin_not_listed(r, node, o->seq, before_ns);
	list_init(&lost);
	gather_lost(&n->tasks, o->seq, before_ns, &lost);
	gather_lost(&n->paused, o->seq, before_ns, &lost);
	while (!list_is_empty(&lost))
		report_lost(r, CONTAINER(lost.next, struct task, on_node), why);
}

/* In its new life it may have begun what was ordered since: what its offer lists it holds. */
static void restarted(struct router *r, uint32_t node, const struct offer *o)
{
	const struct node *n = registry_node(&r->registry, node);

	for (struct list *l = n->tasks.next; l != &n->tasks; l = l->next)
		CONTAINER(l, struct task, on_node)->offer_seq = ~o->seq;
	for (struct list *l = n->paused.next; l != &n->paused; l = l->next)
		CONTAINER(l, struct task, on_node)->offer_seq = ~o->seq;
	for (struct list *l = n->twins.next; l != &n->twins; l = l->next)
		CONTAINER(l, struct twin, on_node)->offer_seq = ~o->seq;
	listed(r, node, o);
	not_listed(r, node, o, r->now_ns, "the node was restarted");
}

static int on_offer(struct router *r, struct span name, const struct offer *o)
{
	enum heard heard;
	uint32_t node;
	int err = registry_offer(&r->registry, r->now_ns, name, o, &heard, &node);

	if (err < 0) {
		r->counts.offers_refused++;
		return err;
	}
	if (heard == HEARD_OLD) {
		r->counts.stale++;
		return 0;
	}
	if (heard == HEARD_RESTARTED) {
		restarted(r, node, o);
		return 0;
	}
	listed(r, node, o);
	not_listed(r, node, o, registry_node(&r->registry, node)->said_ns - LIST_GRACE_NS,
		"the node does not hold it");
	return 0;
}

/* A detached attempt never began: its twin goes on, or the task waits again. */
static void back(struct router *r, struct task *t)
{
	if (twin_takes_over(r, t))
		return;
	task_move(&r->tasks, t, TASK_BACK);
	rung_back(r, t);
}

/* What a node was ordered and had not begun when it left: another gets it, as if it had been refused. */
static void not_begun(struct router *r, struct node *n)
{
	struct list *next;

	for (struct list *l = n->tasks.next; l != &n->tasks; l = next) {
		struct task *t = CONTAINER(l, struct task, on_node);

		next = l->next;
		if (t->state != STATE_ASSIGNED)
			continue;
		note(r, t, STEP_REFUSED, ERR_CLOSED, SPAN_LIT("the node said goodbye"));
		report_release(r, t, 0);
		back(r, t);
	}
}

static void on_bye(struct router *r, uint32_t node, const struct up *u)
{
	struct node *n = registry_node(&r->registry, node);

	if (u->incarnation != n->incarnation)
		return;
	registry_leave(&r->registry, node, NODE_GONE);
	not_begun(r, n);
	report_node_lost(r, node, "the node said goodbye");
}

/* --- attempts --------------------------------------------------------------------------------------- */

static void started(struct router *r, struct task *t)
{
	if (t->state != STATE_ASSIGNED)
		return;
	task_move(&r->tasks, t, TASK_ACCEPT);
	t->started_ns = r->now_ns;
	registry_accepted(&r->registry, t->node, (r->now_ns - t->assigned_ns) / NS_PER_US);
	event_change(r, t, NULL);
}

int report_refusal(const struct up *u)
{
	return u->fail.code == 0 ? ERR_BUSY : u->fail.code;
}

bool report_refused(struct router *r, struct task *t, uint32_t node, const struct up *u)
{
	int64_t asked_ns = peer_ns(u->fail.retry_after_ms, r->conf.lease_ns);
	bool is_free = retry_is_free(report_refusal(u));

	if (is_free)
		registry_close(&r->registry, node, r->now_ns + retry_leave_ns(asked_ns));
	else
		avoid(t, node);
	return is_free;
}

static void on_refuse(struct router *r, struct task *t, const struct up *u)
{
	note(r, t, STEP_REFUSED, report_refusal(u), span_str(u->fail.detail));
	report_release(r, t, 0);
	if (report_refused(r, t, t->node, u))
		back(r, t);
	else
		failed(r, t, &u->fail);
}

/* A result that fits takes the place of the body, which is not needed any more: that asks for no memory. */
static int keep_result(struct task *t, struct span result)
{
	if (result.len == 0)
		return 0;
	if (result.len > t->body_len) {
		t->result = mem_dup(result);
	} else {
		memcpy(t->body, result.at, result.len);
		t->result = t->body;
		if (result.len < t->body_len)
			t->result = mem_grow(t->body, result.len);
		if (t->result == NULL) /* then it keeps all of it */
			t->result = t->body;
		t->body = NULL;
		t->body_len = 0;
	}
	if (t->result == NULL)
		return ERR_NO_MEMORY;
	t->result_len = (uint32_t)result.len;
	return 0;
}

/* What a language model used, and how the node says it was done. */
static void count_usage(struct router *r, struct task *t, const struct up *u)
{
	r->counts.tokens_in += u->usage.tokens_in;
	r->counts.tokens_out += u->usage.tokens_out;
	r->counts.tokens_saved += u->usage.tokens_saved;
	if (u->note.len > 0)
		note(r, t, STEP_DONE, 0, u->note);
}

static void on_done(struct router *r, struct task *t, const struct up *u)
{
	t->run_us = u->run_us;
	flow_counted(r, t, u->chunk_seq);
	if (!u->cache_hit)
		straggler_done(r, t);
	answers_keep(r, t, u->body, u->cache_hit ? u->cache_age_ms : 0);
	if (keep_result(t, u->body) < 0) {
		report_lost(r, t, "no memory for the result");
		return;
	}
	t->cache_hit = u->cache_hit;
	t->cache_age_ms = u->cache_hit ? u->cache_age_ms : 0;
	/* what a cache gave says nothing about how long the kind takes */
	registry_ended(&r->registry, t->node, t->kind, ENDED_DONE, u->cache_hit ? 0 : u->run_us);
	count_usage(r, t, u);
	report_detach(r, t);
	finish(r, t, TASK_DONE, NULL);
}

void report_failed(struct router *r, struct task *t, uint32_t node, const struct up *u)
{
	registry_ended(&r->registry, node, t->kind,
		retry_blames_node(u->fail.code) ? ENDED_FAILED : ENDED_DONE, 0);
	avoid(t, node);
}

static void on_failed(struct router *r, struct task *t, const struct up *u)
{
	t->run_us = u->run_us;
	if (t->paused_ns != 0 && u->fail.code == ERR_CANCELLED) {
		pause_failed(r, t);
		return;
	}
	flow_counted(r, t, u->chunk_seq);
	note(r, t, STEP_FAILED, u->fail.code, span_str(u->fail.detail));
	report_failed(r, t, t->node, u);
	report_detach(r, t);
	failed(r, t, &u->fail);
}

static void on_progress(struct router *r, struct task *t, const struct up *u)
{
	started(r, t);
	t->permille = (uint16_t)(u->permille > 1000 ? 1000 : u->permille);
	if (u->note.len > 0) {
		mem_free(t->note);
		t->note = mem_str(u->note);
	}
	event_progress(r, t);
}

void report_attempt(struct router *r, struct task *t, const struct up *u)
{
	t->lease_ns = r->now_ns + r->conf.lease_ns;
	if (t->paused_ns != 0 && (u->kind == UP_PROGRESS || u->kind == UP_CHUNK))
		pause_order(r, t); /* it does not know, or not yet */
	switch (u->kind) {
	case UP_ACCEPT:
		started(r, t);
		break;
	case UP_REFUSE:
		on_refuse(r, t, u);
		break;
	case UP_PROGRESS:
		on_progress(r, t, u);
		break;
	case UP_CHUNK:
		started(r, t);
		straggler_streams(r, t);
		flow_chunk(r, t, u);
		break;
	case UP_DONE:
		on_done(r, t, u);
		break;
	case UP_FAILED:
		on_failed(r, t, u);
		break;
	case UP_NONE:
	case UP_OFFER:
	case UP_BYE:
		break;
	}
}

/* A report of an attempt that is not current: nothing changes; a node that still works on it is told. */
static void stale(struct router *r, struct span name, const struct up *u)
{
	r->counts.stale++;
	if (u->kind == UP_ACCEPT || u->kind == UP_PROGRESS || u->kind == UP_CHUNK)
		report_order_cancel(r, name, u->task, u->attempt, "the attempt is not current",
			true);
}

int report_up(struct router *r, struct span name, const struct up *u)
{
	uint32_t node;

	if (u->kind == UP_OFFER)
		return on_offer(r, name, u->offer);
	node = registry_find(&r->registry, name);
	if (node == NODE_NOBODY) { /* after a restart of the router: it should introduce itself */
		r->counts.stale++;
		if (u->kind != UP_BYE && u->kind != UP_DONE && u->kind != UP_FAILED)
			r->out->on_down(r->out->ctx, name,
				&(struct down){ .kind = DOWN_PING, .router = r->conf.incarnation },
				true);
		return 0;
	}
	if (u->kind == UP_BYE) {
		on_bye(r, node, u);
		return 0;
	}
	registry_heard(&r->registry, r->now_ns, node);
	struct task *t = tasks_find(&r->tasks, u->task);

	if (is_current(t, node, u->attempt))
		report_attempt(r, t, u);
	else if (!twin_up(r, t, node, u) && !flow_late(r, t, node, u))
		stale(r, name, u);
	return 0;
}
