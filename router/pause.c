/* SPDX-License-Identifier: Apache-2.0
 *
 * pause: a task that its tenant stops for a while. It keeps its state and stands still in it: QUEUED it leaves its
 * queue, ASSIGNED or RUNNING its attempt stands still on the node, SPLIT all its parts are paused. The deadline goes
 * on, the clocks of the rung do not.
 *
 * An attempt whose node cannot pause its kind is called back, and begins anew. One that stands still takes no slot in
 * our books: its node gets others, and when it needs the place, or has none at the resume, this one is called back.
 */
#include "router/machine.h"

#include "base/pure.h"

/* The reason, which is returned, as a step. */
static const char *note(struct router *r, struct task *t, enum step_kind kind, const char *reason)
{
	note_step(r, t,
		(struct explain_note){
			.kind = kind,
			.rung = task_rung(t),
			.node = t->node,
			.attempt = t->node == NODE_NOBODY ? 0 : t->attempt,
			.reason = span_str(reason),
		});
	return reason;
}

/* --- attempts ------------------------------------------------------------------------------------------ */

void pause_order(struct router *r, const struct task *t)
{
	struct down d = {
		.kind = t->paused_ns != 0 ? DOWN_PAUSE : DOWN_RESUME,
		.task = t->id,
		.attempt = t->attempt,
	};

	r->out->on_down(r->out->ctx, registry_name(&r->registry, t->node), &d, t->fast);
}

void pause_hold(struct router *r, struct task *t)
{
	struct node *n = registry_node(&r->registry, t->node);

	list_push(&n->paused, &t->on_node);
	n->paused_n++;
}

/* The attempt is over and costs nothing; its task is queued, and paused if it was. */
static void call_back(struct router *r, struct task *t, const char *why)
{
	report_order_cancel(r, registry_name(&r->registry, t->node), t->id, t->attempt, why,
		t->fast);
	report_detach(r, t);
	task_move(&r->tasks, t, TASK_BACK);
}

void pause_make_room(struct router *r, uint32_t node)
{
	const struct node *n = registry_node(&r->registry, node);

	while (n->paused_n > 0 && n->load.busy + n->paused_n >= n->load.slots) {
		struct task *t = CONTAINER(n->paused.next, struct task, on_node);

		const char *why =
			note(r, t, STEP_PAUSE, "the node needs its place: it will begin anew");

		call_back(r, t, why);
		rung_again(r, t, 0);
		event_change(r, t, why);
	}
}

static const char *begin_attempt(struct router *r, struct task *t)
{
	const struct node_kind *nk = registry_node_kind(&r->registry, t->node, t->kind);
	const char *why;

	list_drop(&t->late);
	twin_end(r, t, "paused");
	if (nk != NULL && nk->pauses) {
		why = note(r, t, STEP_PAUSE, "it stands still on its node");
		list_drop(&t->on_node);
		registry_busy(&r->registry, t->node, -1);
		t->paused_ns = r->now_ns;
		pause_hold(r, t);
		pause_order(r, t);
	} else {
		why = note(r, t, STEP_PAUSE, "its node cannot pause it: it will begin anew");
		call_back(r, t, why);
		t->paused_ns = r->now_ns;
		rung_again(r, t, 0);
	}
	return why;
}

void pause_failed(struct router *r, struct task *t)
{
	const char *why = note(r, t, STEP_PAUSE, "its node could not pause it: it will begin anew");

	report_detach(r, t);
	task_move(&r->tasks, t, TASK_BACK);
	rung_again(r, t, 0);
	event_change(r, t, why);
}

static const char *end_attempt(struct router *r, struct task *t)
{
	struct node *n = registry_node(&r->registry, t->node);
	const char *why;

	if (n->load.busy >= n->load.slots) {
		why = note(r, t, STEP_RESUME, "its node is full by now: it begins anew");
		call_back(r, t, why);
		rung_again(r, t, 0);
	} else {
		why = note(r, t, STEP_RESUME, "it goes on on its node");
		list_drop(&t->on_node);
		n->paused_n--;
		t->assigned_ns += r->now_ns - t->paused_ns; /* nothing was used meanwhile */
		t->paused_ns = 0;
		list_push(&n->tasks, &t->on_node);
		registry_busy(&r->registry, t->node, 1);
		straggler_watch(r, t);
		pause_order(r, t);
	}
	return why;
}

/* --- one task, with all its parts -------------------------------------------------------------------- */

/* Of a parent that still waits for them. Any of them may end in f, and the parent with it. */
static void each_child(struct router *r, struct task *parent,
	void (*f)(struct router *r, struct task *t))
{
	const struct split *s = parent->split;

	for (uint32_t i = 0; i < s->parts_n + 2 && !s->released; i++) {
		struct ulid id = i < s->parts_n ? s->parts[i] : i == s->parts_n ? s->plan : s->join;
		struct task *child = ulid_is_zero(id) ? NULL : tasks_find(&r->tasks, id);

		if (child != NULL && !state_is_final(child->state))
			f(r, child);
	}
}

static bool is_on_node(const struct task *t)
{
	return t->state == STATE_ASSIGNED || t->state == STATE_RUNNING;
}

static void begin(struct router *r, struct task *t)
{
	const char *why;

	if (t->paused_ns != 0)
		return;
	answers_leave(r, t);
	if (is_on_node(t)) {
		why = begin_attempt(r, t);
	} else {
		why = note(r, t, STEP_PAUSE,
			t->state == STATE_SPLIT ? "its parts stand still" : "it waits no longer");
		rung_leave(r, t);
		t->paused_ns = r->now_ns;
	}
	task_touch(&r->tasks, t);
	event_change(r, t, why);
	if (t->state == STATE_SPLIT)
		each_child(r, t, begin);
}

static void end(struct router *r, struct task *t)
{
	int64_t stood_ns = r->now_ns - t->paused_ns;
	const char *why;

	if (t->paused_ns == 0)
		return;
	if (is_on_node(t))
		why = end_attempt(r, t);
	else
		why = note(r, t, STEP_RESUME,
			t->state == STATE_SPLIT ? "its parts go on" : "it waits again");
	t->paused_ns = 0;
	task_touch(&r->tasks, t);
	event_change(r, t, why);
	if (t->state == STATE_QUEUED)
		rung_go_on(r, t, stood_ns);
	else if (t->state == STATE_SPLIT)
		each_child(r, t, end);
}

/* --- orders of tenants --------------------------------------------------------------------------------- */

/* A whole task of the tenant, or NULL and why not: parts stand still with their parent only. */
static struct task *find(struct router *r, const struct router_event *e, int *ret_err)
{
	struct task *t = tasks_find(&r->tasks, e->task);
	bool is_its = t != NULL && span_eq(router_tenant(r, t->tenant), e->who);

	*ret_err = !is_its ? ERR_UNKNOWN : t->role != ROLE_TASK ? ERR_INVALID : 0;
	return *ret_err == 0 ? t : NULL;
}

int pause_begin(struct router *r, const struct router_event *e)
{
	int err;
	struct task *t = find(r, e, &err);

	if (t != NULL && !state_is_final(t->state))
		begin(r, t);
	return err;
}

int pause_end(struct router *r, const struct router_event *e)
{
	int err;
	struct task *t = find(r, e, &err);

	if (t != NULL)
		end(r, t);
	return err;
}
