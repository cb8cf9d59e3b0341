/* SPDX-License-Identifier: Apache-2.0
 *
 * twin: the second attempt of a task beside its current one (straggler.c says who gets one).
 *
 * The current attempt is what the rest of the machine and the tenant know of. Whichever of the two is done first
 * ends the task, the other is called back from its node, and what that says later does not pass the fence. If the
 * current attempt fails or is lost, the twin becomes current. If the twin does, nothing else happens.
 */
#include "router/machine.h"

#include "base/pure.h"

bool twin_make(struct router *r, struct task *t, uint32_t node)
{
	struct node *n = registry_node(&r->registry, node);
	struct twin *w = mem_alloc(sizeof *w);

	if (w == NULL)
		return false;
	w->task = t->index;
	w->attempt = ++t->attempts;
	w->node = node;
	w->assigned_ns = r->now_ns;
	w->lease_ns = r->now_ns + r->conf.lease_ns;
	w->offer_seq = n->seq;
	t->twin = w;
	t->twins++;
	r->stragglers.twins_n++;
	r->counts.twins++;
	r->counts.placed++;
	list_init(&w->on_node);
	list_push(&n->twins, &w->on_node);
	registry_busy(&r->registry, node, 1);
	tasks_wake_by(&r->tasks, t, w->lease_ns);
	return true;
}

static void note(struct router *r, struct task *t, enum step_kind kind, int code,
	struct span reason)
{
	note_step(r, t,
		(struct explain_note){
			.kind = kind,
			.rung = task_rung(t),
			.node = t->twin->node,
			.attempt = t->twin->attempt,
			.code = code,
			.reason = reason,
		});
}

/* The twin is no more; where it was is not told. */
static void drop(struct router *r, struct task *t)
{
	struct twin *w = t->twin;

	if (!list_is_empty(&w->on_node)) {
		list_drop(&w->on_node);
		registry_busy(&r->registry, w->node, -1);
	}
	r->stragglers.twins_n--;
	task_forget_twin(t);
	task_touch(&r->tasks, t);
}

static void call_back(struct router *r, struct task *t, const char *why)
{
	const struct twin *w = t->twin;

	if (!list_is_empty(&w->on_node))
		report_order_cancel(r, registry_name(&r->registry, w->node), t->id, w->attempt, why,
			t->fast);
	drop(r, t);
}

void twin_lost(struct router *r, struct task *t, const char *why)
{
	r->counts.lost++;
	note(r, t, STEP_LOST, ERR_LOST, span_str(why));
	if (!report_is_blameless(r, t->twin->assigned_ns))
		registry_ended(&r->registry, t->twin->node, t->kind, ENDED_LOST, 0);
	call_back(r, t, why);
	straggler_watch(r, t);
}

void twin_node_lost(struct router *r, uint32_t node, const char *why)
{
	struct node *n = registry_node(&r->registry, node);

	while (!list_is_empty(&n->twins)) {
		const struct twin *w = CONTAINER(n->twins.next, struct twin, on_node);

		twin_lost(r, tasks_at(&r->tasks, w->task), why);
	}
}

void twin_due(struct router *r, struct task *t)
{
	if (t->twin == NULL)
		return;
	if (r->now_ns >= t->twin->lease_ns)
		twin_lost(r, t, "no sign of life within the lease");
	else
		tasks_wake_by(&r->tasks, t, t->twin->lease_ns);
}

static bool is_twin(const struct task *t, uint32_t node, uint32_t attempt)
{
	return t != NULL && t->twin != NULL && t->twin->node == node && t->twin->attempt == attempt;
}

bool twin_listed(const struct router *r, struct task *t, const struct node *n, uint32_t attempt)
{
	if (!is_twin(t, n->load.node, attempt))
		return false;
	report_extend(r, &t->twin->lease_ns, n->said_ns);
	t->twin->offer_seq = n->seq;
	return true;
}

void twin_not_listed(struct router *r, uint32_t node, uint64_t seq, int64_t before_ns)
{
	struct node *n = registry_node(&r->registry, node);
	struct list *next;

	for (struct list *l = n->twins.next; l != &n->twins; l = next) {
		const struct twin *w = CONTAINER(l, struct twin, on_node);

		next = l->next;
		if (w->offer_seq != seq && w->assigned_ns <= before_ns)
			twin_lost(r, tasks_at(&r->tasks, w->task), "the node does not hold it");
	}
}

/* A detached task goes on as its twin. */
static void promote(struct router *r, struct task *t)
{
	struct twin *w = t->twin;

	CHECK(list_is_empty(&t->on_node));
	t->attempt = w->attempt;
	flow_anew(r, t);
	t->node = w->node;
	t->permille = w->permille;
	t->assigned_ns = w->assigned_ns;
	t->started_ns = w->started_ns;
	t->lease_ns = w->lease_ns;
	t->offer_seq = w->offer_seq;
	list_drop(&w->on_node);
	list_push(&registry_node(&r->registry, w->node)->tasks, &t->on_node);
	if (t->state == STATE_RUNNING && !w->is_started) {
		task_move(&r->tasks, t, TASK_BACK);
		task_move(&r->tasks, t, TASK_PLACE);
	} else if (t->state == STATE_ASSIGNED && w->is_started) {
		task_move(&r->tasks, t, TASK_ACCEPT);
	}
	r->counts.twins_won++;
	drop(r, t);
	straggler_watch(r, t);
}

bool twin_takes_over(struct router *r, struct task *t)
{
	if (t->twin == NULL)
		return false;
	note(r, t, STEP_TWIN, 0, SPAN_LIT("goes on alone"));
	promote(r, t);
	event_change(r, t, "its second attempt goes on");
	return true;
}

/* The twin is done before the current attempt, which is called back. Its node is as slow as that, at least. */
static void outrun(struct router *r, struct task *t)
{
	const struct node *n = registry_node(&r->registry, t->node);

	note_step(r, t,
		(struct explain_note){
			.kind = STEP_OUTRUN,
			.rung = task_rung(t),
			.node = t->node,
			.attempt = t->attempt,
			.reason = SPAN_LIT("the second attempt was faster"),
		});
	report_order_cancel(r, span_str(n->name), t->id, t->attempt, "another attempt was faster",
		t->fast);
	registry_outrun(&r->registry, t->node, t->kind, (r->now_ns - t->assigned_ns) / NS_PER_US);
	report_release(r, t, 0); /* that it is slow is not the tenant's fault */
	promote(r, t);
}

void twin_outrun(struct router *r, struct task *t)
{
	if (t->twin == NULL)
		return;
	note(r, t, STEP_OUTRUN, 0, SPAN_LIT("the first attempt was faster"));
	call_back(r, t, "another attempt was faster");
}

void twin_end(struct router *r, struct task *t, const char *why)
{
	if (t->twin != NULL)
		call_back(r, t, why);
}

/* --- what its node says ---------------------------------------------------------------------------- */

static void started(struct router *r, struct task *t)
{
	struct twin *w = t->twin;

	if (w->is_started)
		return;
	w->is_started = true;
	w->started_ns = r->now_ns;
	registry_accepted(&r->registry, w->node, (r->now_ns - w->assigned_ns) / NS_PER_US);
	task_touch(&r->tasks, t);
}

static void refused(struct router *r, struct task *t, const struct up *u)
{
	note(r, t, STEP_REFUSED, report_refusal(u), span_str(u->fail.detail));
	(void)report_refused(r, t, t->twin->node, u);
	drop(r, t);
	straggler_watch(r, t);
}

static void failed(struct router *r, struct task *t, const struct up *u)
{
	note(r, t, STEP_FAILED, u->fail.code, span_str(u->fail.detail));
	report_failed(r, t, t->twin->node, u);
	drop(r, t);
	straggler_watch(r, t);
}

bool twin_up(struct router *r, struct task *t, uint32_t node, const struct up *u)
{
	if (!is_twin(t, node, u->attempt))
		return false;
	t->twin->lease_ns = r->now_ns + r->conf.lease_ns;
	switch (u->kind) {
	case UP_ACCEPT:
		started(r, t);
		break;
	case UP_REFUSE:
		refused(r, t, u);
		break;
	case UP_PROGRESS:
		started(r, t);
		t->twin->permille = (uint16_t)(u->permille > 1000 ? 1000 : u->permille);
		break;
	case UP_CHUNK:
		straggler_streams(r, t);
		break;
	case UP_DONE:
		outrun(r, t);
		report_attempt(r, t, u);
		break;
	case UP_FAILED:
		failed(r, t, u);
		break;
	case UP_NONE:
	case UP_OFFER:
	case UP_BYE:
		break;
	}
	return true;
}

/* --- after a restart ------------------------------------------------------------------------------- */

bool twin_restore(struct router *r, struct task *t, uint32_t attempt, struct span node,
	bool is_started)
{
	struct twin *w = mem_alloc(sizeof *w);

	if (w == NULL)
		return false;
	list_init(&w->on_node);
	w->task = t->index;
	w->attempt = attempt;
	w->node = NODE_NOBODY;
	w->is_started = is_started;
	w->was_on = mem_str(node);
	t->twin = w;
	r->stragglers.twins_n++;
	return w->was_on != NULL;
}

void twin_resume(struct router *r, struct task *t)
{
	struct twin *w = t->twin;
	uint32_t node;

	if (w == NULL)
		return;
	node = registry_expect(&r->registry, r->now_ns, span_str(w->was_on));
	if (node == NODE_NOBODY || node == t->node || list_is_empty(&t->on_node)) {
		drop(r, t); /* who has it hears that it is not current */
		return;
	}
	w->node = node;
	w->assigned_ns = r->now_ns;
	w->lease_ns = r->now_ns + r->conf.lease_ns;
	w->started_ns = r->now_ns;
	list_push(&registry_node(&r->registry, node)->twins, &w->on_node);
	registry_busy(&r->registry, node, 1);
	tasks_wake_by(&r->tasks, t, w->lease_ns);
}

struct span twin_node_name(const struct router *r, const struct task *t)
{
	struct span name = registry_name(&r->registry, t->twin->node);

	return name.len > 0 ? name : span_str(t->twin->was_on);
}
