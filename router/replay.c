/* SPDX-License-Identifier: Apache-2.0
 *
 * replay: what a tenant does with tasks that have ended. A replay is a new task with the same content: the old one has
 * ended once and for all, and its record stays.
 */
#include "router/image.h"
#include "router/machine.h"

#include "base/pure.h"

/* An ended task of the tenant, or NULL and why not. */
static struct task *find_ended(struct router *r, const struct router_event *e, int *ret_err)
{
	struct task *t = tasks_find(&r->tasks, e->task);
	bool is_its = t != NULL && span_eq(router_tenant(r, t->tenant), e->who);

	*ret_err = is_its ? ERR_INVALID : ERR_UNKNOWN;
	return is_its && state_is_final(t->state) && t->role == ROLE_TASK ? t : NULL;
}

/* What the submitter of `from` asked for; the deadline is as far away as it was. */
static int copy_order(struct router *r, struct task *t, const struct task *from)
{
	t->kind = from->kind;
	t->ladder = from->ladder;
	t->priority = from->priority;
	t->fast = from->fast;
	t->max_price_ucr = from->max_price_ucr;
	t->start_within_ns = from->start_within_ns;
	deadline_again(r, t, from);
	t->keep_ns = from->keep_ns;
	t->body = mem_dup(span_of(from->body, from->body_len));
	t->body_len = from->body_len;
	t->model = from->model == NULL ? NULL : mem_str(span_str(from->model));
	return t->body == NULL || (from->model != NULL && t->model == NULL) ? ERR_NO_MEMORY : 0;
}

static void note_origin(struct router *r, struct task *t, const struct task *from)
{
	char reason[] = "replay of 00000000000000000000000000";

	ulid_text(from->id, reason + sizeof reason - 1 - ULID_TEXT);
	note_step(r, t,
		(struct explain_note){
			.kind = STEP_RETRY,
			.rung = task_rung(t),
			.node = NODE_NOBODY,
			.code = from->fail == NULL ? 0 : from->fail->code,
			.reason = span_str(reason),
		});
}

int router_replay(struct router *r, const struct router_event *e)
{
	int err;
	const struct task *from = find_ended(r, e, &err);
	struct fail why = { 0 };
	struct task *t;

	if (from == NULL || from->body == NULL)
		return err;
	err = submit_has_room(r, from->tenant, from->body_len, &why);
	if (err < 0 && e->why != NULL)
		*e->why = why;
	if (err < 0)
		return err;
	t = router_add_task(r, from->tenant);
	if (t == NULL)
		return ERR_BUSY;
	if (copy_order(r, t, from) < 0) {
		router_drop_task(r, t);
		return ERR_BUSY;
	}
	const struct submit s = {
		.kind = span_str(registry_kind_at(&r->registry, t->kind)->name),
		.body = span_of(t->body, t->body_len),
		.fast = t->fast,
	};

	router_count_open(r, t);
	r->counts.accepted++;
	*e->ret_task = t->id;
	router_record_accepted(r, t, &(struct router_event){ .who = e->who, .submit = &s });
	task_touch(&r->tasks, t);
	note_origin(r, t, from);
	tasks_wake_by(&r->tasks, t, t->deadline_ns);
	rung_arrive(r, t);
	return 0;
}

int router_forget(struct router *r, const struct router_event *e)
{
	int err;
	struct task *t = find_ended(r, e, &err);

	if (t == NULL)
		return err;
	const struct journal_record record = { .kind = JOURNAL_FORGOTTEN,
		.task = t->id,
		.at_ns = r->now_ns };

	r->out->on_record(r->out->ctx, &record);
	image_gone(r, t);
	router_drop_task(r, t);
	return 0;
}
