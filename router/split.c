/* SPDX-License-Identifier: Apache-2.0
 *
 * split: the rung where a task is cut into parts. A CPU node plans (kind task.split), the parts run as tasks
 * of their own, a last one joins their results; its result is the parent's. If any of them does not succeed
 * the rest is called off and the parent goes down the ladder; a task.map, which is its parts, ends.
 *
 *	parent SPLIT:  plan -> parts, all at once -> join -> SUCCEEDED
 *
 * A task's body travels inside the planner's as one item, and each part's result inside the join's: parameters
 * of several bodies never meet in one, and nothing is decoded here but the plan.
 */
#include "router/graph.h"
#include "router/split_pace.h"
#include "wire/body.h"
#include "wire/node.h"

#include "base/pure.h"

static struct task *parent_of(struct router *r, const struct task *child)
{
	return tasks_at(&r->tasks, child->parent);
}

static int64_t left_ucr(const struct task *t)
{
	return t->max_price_ucr - t->spent_ucr;
}

/* Where a task may not go, its children may not go either; but a task that is split is cut, and may be
 * worked on, by CPU nodes. */
static struct ladder child_ladder(const struct ladder *of_kind, const struct ladder *of_parent)
{
	struct ladder l = { .n = 0 };

	for (uint8_t i = 0; i < of_kind->n; i++) {
		bool may = of_kind->rung[i] == RUNG_CPU;

		for (uint8_t k = 0; k < of_parent->n; k++)
			may = may || of_parent->rung[k] == of_kind->rung[i];
		if (may)
			l.rung[l.n++] = of_kind->rung[i];
	}
	return l;
}

int split_may(struct router *r, const struct ladder *of_parent, struct span kind)
{
	uint32_t k = registry_kind(&r->registry, kind);

	if (k == KIND_UNKNOWN)
		return ERR_UNKNOWN;
	return child_ladder(&registry_kind_at(&r->registry, k)->ladder, of_parent).n == 0
		       ? ERR_DENIED
		       : 0;
}

/* A child of parent with this kind and a body that it takes over; NULL (and the body freed) if there is no
 * room or no such kind. It may cost what is left of the parent's highest price. */
static struct task *add_child(struct router *r, struct task *parent, struct span kind,
	enum task_role role, unsigned char *body, size_t body_len)
{
	bool may = body != NULL && split_may(r, &parent->ladder, kind) == 0;
	uint32_t k = may ? registry_kind(&r->registry, kind) : KIND_UNKNOWN;
	struct task *t = may ? router_add_task(r, parent->tenant) : NULL;

	if (t == NULL) {
		mem_free(body);
		return NULL;
	}
	t->kind = k;
	t->role = (uint8_t)role;
	t->ladder = child_ladder(&registry_kind_at(&r->registry, k)->ladder, &parent->ladder);
	t->depth = (uint8_t)(parent->depth + 1);
	t->parent = parent->index;
	t->priority = parent->priority;
	t->fast = parent->fast;
	t->max_price_ucr = left_ucr(parent);
	t->deadline_ns = parent->deadline_ns;
	t->deadline_is_wall = parent->deadline_is_wall;
	t->paused_ns = parent->paused_ns == 0 ? 0 : r->now_ns;
	t->keep_ns = parent->keep_ns;
	t->body = body;
	t->body_len = (uint32_t)body_len;
	router_count_open(r, t);
	tasks_wake_by(&r->tasks, t, t->deadline_ns);
	task_touch(&r->tasks, t);
	return t;
}

struct task *split_add_child(struct router *r, struct task *parent, struct span kind,
	enum task_role role, struct buf *b)
{
	size_t len = 0;
	unsigned char *body = buf_err(b) == 0 ? buf_take(b, &len) : NULL;

	return add_child(r, parent, kind, role, body, len);
}

/* Is there nothing to it but its parts? Nobody offers such a kind: the other rungs of its ladder are theirs. */
static bool is_map(const struct router *r, const struct task *t)
{
	return strcmp(registry_kind_at(&r->registry, t->kind)->name, MAP_KIND) == 0;
}

/* Give the split up: what runs is called off, the parent leaves the rung. */
static void give_up(struct router *r, struct task *parent, int code, const char *reason)
{
	struct fail why = { 0 };

	split_release(r, parent);
	task_move(&r->tasks, parent, TASK_BACK);
	if (!is_map(r, parent)) {
		rung_hop(r, parent, code, reason);
		return;
	}
	if (parent->fail != NULL)
		why = *parent->fail;
	else
		fail_set(&why, code, NULL, 0, "%s", reason);
	finish(r, parent, retry_end(why.code), &why);
}

/* --- plan --------------------------------------------------------------------------------------------- */

static void put_plan_body(struct buf *b, struct router *r, const struct task *parent)
{
	body_put_param(b, SPAN_LIT("split.kind"),
		span_str(registry_kind_at(&r->registry, parent->kind)->name));
	body_put_int(b, "split.parts", r->conf.split_parts);
	split_pace_put(b, r, parent);
	body_put_item(b, SPAN_LIT("task"), SPAN_LIT(BODY_MEDIA),
		span_of(parent->body, parent->body_len));
}

static bool has_planner(struct router *r)
{
	uint32_t k = registry_kind(&r->registry, SPAN_LIT("task.split"));

	return k != KIND_UNKNOWN && registry_kind_at(&r->registry, k)->of[RUNG_CPU].able_n > 0;
}

void split_begin(struct router *r, struct task *t)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	struct task *plan = NULL;

	buf_init(&body, LIMIT_BODY_BYTES);
	if (t->paused_ns != 0)
		return;
	task_forget_split(t); /* a replayed task was split before */
	if (t->depth >= LIMIT_SPLIT_DEPTH) {
		rung_hop(r, t, ERR_UNSUPPORTED, "a part of a part is not split again");
		return;
	}
	if (graph_is(r, t)) {
		graph_begin(r, t);
		return;
	}
	if (r->settled && !has_planner(r) && !is_map(r, t)) {
		rung_hop(r, t, ERR_NO_NODE, "no CPU node can split it");
		return;
	}
	put_plan_body(&body, r, t);
	if (buf_err(&body) == ERR_TOO_BIG) {
		rung_hop(r, t, ERR_TOO_BIG,
			"too big to be split: inside the planner's body it is above the limit");
		return;
	}
	t->split = mem_alloc(sizeof *t->split);
	if (t->split != NULL)
		plan = split_add_child(r, t, SPAN_LIT("task.split"), ROLE_PLAN, &body);
	if (plan == NULL) {
		mem_free(t->split);
		t->split = NULL;
		rung_hop(r, t, ERR_NO_MEMORY, "no room to split it");
		return;
	}
	t->split->plan = plan->id;
	t->split->told_ps = split_pace_told(r, t);
	task_move(&r->tasks, t, TASK_SPLIT);
	note_step(r, t,
		(struct explain_note){
			.kind = STEP_SPLIT,
			.rung = RUNG_SPLIT,
			.node = NODE_NOBODY,
			.reason = SPAN_LIT("a CPU node plans the parts"),
		});
	event_change(r, t, "a CPU node plans the parts");
	rung_arrive(r, plan);
}

/* --- parts -------------------------------------------------------------------------------------------- */

/* Are all kinds of the plan such that children can be of them? */
static int check_plan(struct router *r, const struct task *parent, const struct split_plan *plan)
{
	int err = split_may(r, &parent->ladder, plan->join.kind);

	for (size_t i = 0; i < plan->parts_n && err == 0; i++)
		err = split_may(r, &parent->ladder, plan->parts[i].kind);
	return err;
}

/* Runs of the levels of a tree over n results, besides the join itself. */
static uint32_t levels_of(uint32_t n, uint32_t fan_in)
{
	uint32_t runs = 0;

	while (fan_in > 1 && n > fan_in) {
		n = (n + fan_in - 1) / fan_in;
		runs += n;
	}
	return runs;
}

/* Make the parts of a plan, each with an equal share of the price, and one kept for the join. They are queued only when all are made. */
static int make_parts(struct router *r, struct task *parent, const struct split_plan *plan)
{
	struct split *s = parent->split;
	int64_t share = left_ucr(parent) / ((int64_t)plan->parts_n + 1);

	s->parts = mem_alloc(plan->parts_n * sizeof *s->parts);
	s->join_body = mem_dup(plan->join.body);
	if (s->parts == NULL || s->join_body == NULL)
		return ERR_NO_MEMORY;
	s->join_len = plan->join.body.len;
	span_copy(plan->join.kind, s->join_kind, sizeof s->join_kind);
	if (plan->parts_n + levels_of((uint32_t)plan->parts_n, plan->join.fan_in) <= LIMIT_PARTS)
		s->fan_in = plan->join.fan_in;
	for (size_t i = 0; i < plan->parts_n; i++) {
		const struct part *p = &plan->parts[i];
		struct task *t =
			add_child(r, parent, p->kind, ROLE_PART, mem_dup(p->body), p->body.len);

		if (t == NULL)
			return ERR_BUSY;
		t->part = (uint32_t)i;
		t->max_price_ucr = share;
		s->parts[s->parts_n++] = t->id;
	}
	return 0;
}

static void on_planned(struct router *r, struct task *parent, const struct task *planner)
{
	struct split_plan plan;
	struct fail why = { 0 };
	struct split *s = parent->split;
	int err;

	arena_reset(&r->arena);
	err = split_plan_decode(&r->arena, span_of(planner->result, planner->result_len), &plan,
		&why);
	if (err == 0)
		err = check_plan(r, parent, &plan);
	if (err == 0)
		err = make_parts(r, parent, &plan);
	if (err == 0)
		split_pace_note(r, parent, &plan);
	if (err < 0) {
		give_up(r, parent, err,
			err == ERR_BUSY ? "no room for its parts" : "the plan cannot be used");
		return;
	}
	note_step(r, parent,
		(struct explain_note){
			.kind = STEP_SPLIT,
			.rung = RUNG_SPLIT,
			.node = planner->node,
			.considered = s->parts_n,
			.reason = span_str(split_pace_say(s, why.detail, sizeof why.detail)),
		});
	event_progress(r, parent);
	/* A part may end on arrival, and so may its parent then. */
	for (uint32_t i = 0; i < s->parts_n && !s->released; i++)
		rung_arrive(r, tasks_find(&r->tasks, s->parts[i]));
}

/* --- join --------------------------------------------------------------------------------------------- */

/* The plan's body for the join, then the results of parts in order. */
static void put_join_body(struct buf *b, struct router *r, const struct split *s, uint32_t from,
	uint32_t to)
{
	buf_add(b, span_of(s->join_body, s->join_len));
	for (uint32_t i = from; i < to; i++) {
		const struct task *t = tasks_find(&r->tasks, s->parts[i]);

		body_put_item(b, SPAN_LIT("part"), SPAN_LIT(BODY_MEDIA),
			span_of(t->result, t->result_len));
	}
}

/* Join this many results from `from` on to one that is joined with others next. */
static int add_inner(struct router *r, struct task *parent, uint32_t from, uint32_t n,
	int64_t share)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	struct split *s = parent->split;
	struct task *t;

	buf_init(&body, LIMIT_BODY_BYTES);
	put_join_body(&body, r, s, from, from + n);
	if (buf_err(&body) < 0)
		return buf_err(&body);
	t = split_add_child(r, parent, span_str(s->join_kind), ROLE_PART, &body);
	if (t == NULL)
		return ERR_BUSY;
	t->part = s->parts_n;
	t->max_price_ucr = share;
	s->parts[s->parts_n++] = t->id;
	return 0;
}

/* More results than the join takes: a level of its tree, whose runs are parts like others. */
static void begin_level(struct router *r, struct task *parent)
{
	struct split *s = parent->split;
	uint32_t end = s->parts_n, n = (end - s->level_at + s->fan_in - 1) / s->fan_in;
	struct ulid *ids = mem_grow(s->parts, (end + n) * sizeof *ids);
	int err = ids == NULL ? ERR_NO_MEMORY : 0;

	if (ids != NULL)
		s->parts = ids;
	for (uint32_t at = s->level_at; at < end && err == 0; at += s->fan_in)
		err = add_inner(r, parent, at, end - at < s->fan_in ? end - at : s->fan_in,
			left_ucr(parent) / (n + 1));
	if (err < 0) {
		give_up(r, parent, err,
			err == ERR_TOO_BIG
				? "results of parts are together above the limit of a body"
				: "no room to join the parts");
		return;
	}
	s->level_at = end;
	task_touch(&r->tasks, parent);
	note_step(r, parent,
		(struct explain_note){
			.kind = STEP_JOIN,
			.rung = RUNG_SPLIT,
			.node = NODE_NOBODY,
			.considered = n,
			.reason = SPAN_LIT("results are joined in a tree"),
		});
	for (uint32_t i = end; i < end + n && !s->released; i++)
		rung_arrive(r, tasks_find(&r->tasks, s->parts[i]));
}

static void begin_join(struct router *r, struct task *parent)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	struct split *s = parent->split;
	struct task *t;

	buf_init(&body, LIMIT_BODY_BYTES);
	put_join_body(&body, r, s, s->level_at, s->parts_n);
	if (buf_err(&body) == ERR_TOO_BIG) {
		give_up(r, parent, ERR_TOO_BIG,
			"the parts' results are together above the limit of a body");
		return;
	}
	t = split_add_child(r, parent, span_str(s->join_kind), ROLE_JOIN, &body);
	if (t == NULL) {
		give_up(r, parent, ERR_BUSY, "no room to join the parts");
		return;
	}
	s->join = t->id;
	task_touch(&r->tasks, parent);
	note_step(r, parent,
		(struct explain_note){
			.kind = STEP_JOIN,
			.rung = RUNG_SPLIT,
			.node = NODE_NOBODY,
			.considered = s->parts_n - s->level_at,
			.reason = SPAN_LIT("all parts are done"),
		});
	rung_arrive(r, t);
}

static void on_part(struct router *r, struct task *parent, const struct task *part)
{
	struct split *s = parent->split;
	uint32_t level = s->parts_n - s->level_at;
	bool is_tree = s->fan_in > 1 && level > s->fan_in;

	split_pace_learn(r, s, part);

	s->parts_done++;
	task_touch(&r->tasks, parent);
	parent->permille =
		(uint16_t)(s->parts_done * 1000 / (s->parts_n + levels_of(level, s->fan_in) + 1));
	event_progress(r, parent);
	if (s->parts_done < s->parts_n)
		return;
	if (is_tree)
		begin_level(r, parent);
	else
		begin_join(r, parent);
}

static void on_joined(struct router *r, struct task *parent, struct task *join)
{
	parent->result = join->result;
	parent->result_len = join->result_len;
	parent->node = join->node;
	parent->run_us = join->run_us;
	parent->price_ucr = 0; /* what it cost was spent by its children */
	answers_keep(r, parent, span_of(parent->result, parent->result_len), 0);
	join->result = NULL;
	join->result_len = 0;
	finish(r, parent, TASK_DONE, NULL);
}

/* --- children's ends ---------------------------------------------------------------------------------- */

static void on_child_failed(struct router *r, struct task *parent, const struct task *child)
{
	struct fail why = { 0 };

	if (child->fail != NULL)
		why = *child->fail;
	else
		fail_set(&why, ERR_NO_MEMORY, NULL, 0, NULL);
	finish_note_fail(parent, &why);
	note_step(r, parent,
		(struct explain_note){
			.kind = STEP_FAILED,
			.rung = RUNG_SPLIT,
			.node = child->node,
			.code = why.code,
			.reason = span_str(why.detail),
		});
	give_up(r, parent, why.code,
		child->role == ROLE_PLAN ? "it cannot be split" : "a part did not succeed");
}

void split_child_ended(struct router *r, struct task *child)
{
	struct task *parent = parent_of(r, child);
	enum task_role role = child->role;

	/* A child that ends because its parent lets it go changes nothing. */
	if (parent->split->released)
		return;
	if (child->state == STATE_SUCCEEDED)
		parent->spent_ucr += child->price_ucr + child->spent_ucr;
	task_touch(&r->tasks, parent);
	if (child->state == STATE_EXPIRED) { /* their deadline is one */
		deadline_over(r, parent);
		return;
	}
	if (graph_is(r, parent))
		graph_child_ended(r, parent, child);
	else if (child->state != STATE_SUCCEEDED)
		on_child_failed(r, parent, child);
	else if (role == ROLE_PLAN)
		on_planned(r, parent, child);
	else if (role == ROLE_PART)
		on_part(r, parent, child);
	else
		on_joined(r, parent, child);
}

/* End a child that still runs, and keep its record among the ended ones. */
static void release(struct router *r, struct ulid id)
{
	struct task *child = tasks_find(&r->tasks, id);
	struct fail why = { 0 };

	if (child == NULL)
		return;
	fail_set(&why, ERR_CANCELLED, NULL, 0, "its parent has ended or goes another way");
	if (!state_is_final(child->state))
		finish(r, child, TASK_CANCEL, &why);
	mem_free(child->result);
	child->result = NULL;
	child->result_len = 0;
	finish_keep(r, child);
	task_touch(&r->tasks, child);
}

void split_release(struct router *r, struct task *parent)
{
	struct split *s = parent->split;

	if (s->released)
		return;
	s->released = true;
	task_touch(&r->tasks, parent);
	for (uint32_t i = 0; i < s->parts_n; i++)
		release(r, s->parts[i]);
	release(r, s->plan);
	if (!ulid_is_zero(s->join))
		release(r, s->join);
	mem_free(s->pace);
	s->pace = NULL;
	graph_let_go(s);
}
