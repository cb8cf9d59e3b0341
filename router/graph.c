/* SPDX-License-Identifier: Apache-2.0
 *
 * graph: a task whose submitter named its parts. Each part whose needs have ended becomes a child, up to a number
 * in flight; results of others are part of its body. When all have ended the outputs make up the result; one
 * failure more than allowed ends the graph.
 *
 * The plan (struct graph_run) is not durable: it follows from the graph's body and from what its children have
 * come to, and is made again from these when a router was started anew.
 */
#include "router/graph.h"

#include "router/graph_body.h"
#include "wire/body.h"

#include "base/pure.h"

#define ARENA_BYTES ((size_t)16 << 20)
#define KEY_BYTES (2 * LIMIT_TOKEN_BYTES + 2)

struct graph_run {
	struct arena arena;
	struct graph_order order;
	struct task *
		*child; /* of each node, or NULL; they are not dropped while the graph goes on */
	uint32_t open;
	uint32_t failures;
	bool starting; /* a part that ends on arrival must not start others from within */
};

bool graph_is(const struct router *r, const struct task *t)
{
	return strcmp(registry_kind_at(&r->registry, t->kind)->name, GRAPH_KIND) == 0;
}

void graph_run_free(struct graph_run *run)
{
	if (run == NULL)
		return;
	arena_done(&run->arena);
	mem_free(run);
}

void graph_let_go(struct split *s)
{
	if (s->graph == NULL || s->graph->starting) /* go_on() still looks at it */
		return;
	graph_run_free(s->graph);
	s->graph = NULL;
}

static int read_order(struct arena *a, struct span body, struct graph_order *ret, struct fail *why)
{
	arena_init(a, ARENA_BYTES);
	return graph_body_read(a, body, ret, why);
}

int graph_check(struct router *r, const struct ladder *ladder, struct span body, struct fail *why)
{
	CLEANUP(arena_done) struct arena a = { 0 };
	struct graph_order order = { .in_flight = 0 };
	int err = read_order(&a, body, &order, why);

	for (uint32_t i = 0; i < order.plan.parts_n && err == 0; i++) {
		const struct graph_part *p = &order.plan.parts[i];

		err = split_may(r, ladder, p->kind);
		if (err < 0)
			fail_set(why, err, "graph.kind", 0,
				err == ERR_UNKNOWN
					? "part %.*s: no node offers the kind %.*s and the table "
					  "lacks it"
					: "part %.*s: no rung that is allowed serves %.*s",
				(int)p->name.len, (const char *)p->name.at, (int)p->kind.len,
				(const char *)p->kind.at);
	}
	return err;
}

/* --- the run --------------------------------------------------------------------------------------------- */

static struct graph_run *run_new(const struct task *t, struct fail *why)
{
	struct graph_run *run = mem_alloc(sizeof *run);

	if (run == NULL) {
		fail_set(why, ERR_NO_MEMORY, NULL, 0, "no room for the graph");
		return NULL;
	}
	if (read_order(&run->arena, span_of(t->body, t->body_len), &run->order, why) == 0) {
		run->child =
			arena_alloc(&run->arena, run->order.plan.nodes_n * sizeof(struct task *));
		if (run->child != NULL)
			return run;
		fail_set(why, ERR_NO_MEMORY, NULL, 0, "no room for the graph");
	}
	graph_run_free(run);
	return NULL;
}

static void took(struct graph_run *run, struct task *child)
{
	run->child[child->part] = child;
	run->order.plan.nodes[child->part].begun = true;
	run->open++;
}

static void ended(struct graph_run *run, const struct task *child)
{
	run->open--;
	run->failures += child->state != STATE_SUCCEEDED;
	graph_end(&run->order.plan, child->part);
}

/* After a restart: where the children are is where the graph is. */
static struct graph_run *run_again(struct router *r, const struct task *parent, struct fail *why)
{
	struct graph_run *run = run_new(parent, why);

	for (uint32_t i = 0; run != NULL && i < parent->split->parts_n; i++) {
		struct task *child = tasks_find(&r->tasks, parent->split->parts[i]);

		if (child == NULL || child->part >= run->order.plan.nodes_n)
			continue;
		took(run, child);
		if (state_is_final(child->state))
			ended(run, child);
	}
	return run;
}

/* --- the end --------------------------------------------------------------------------------------------- */

static void end_failed(struct router *r, struct task *parent, const struct fail *why)
{
	if (parent->state == STATE_SPLIT)
		task_move(&r->tasks, parent, TASK_BACK);
	finish(r, parent, retry_end(why->code), why);
}

static struct span part_name(const struct graph_run *run, uint32_t node)
{
	return run->order.plan.parts[run->order.plan.nodes[node].part].name;
}

static void end_for_part(struct router *r, struct task *parent, uint32_t node,
	const struct fail *of)
{
	struct span name = part_name(parent->split->graph, node);
	struct fail why = { 0 };

	fail_set(&why, of->code == 0 ? ERR_NO_MEMORY : of->code, of->field, of->limit,
		"part %.*s: %s", (int)name.len, (const char *)name.at, of->detail);
	note_step(r, parent,
		(struct explain_note){
			.kind = STEP_FAILED,
			.rung = RUNG_SPLIT,
			.node = NODE_NOBODY,
			.code = why.code,
			.reason = span_str(why.detail),
		});
	end_failed(r, parent, &why);
}

/* One of several outputs: its items under the part's name, numbered if they are several, its parameters behind
 * the part's name and a dot. */
static int put_output(struct router *r, struct buf *b, struct span part, const struct task *child)
{
	struct body body;
	char key[KEY_BYTES + 16];
	struct buf name = { 0 };
	struct fail why;
	int err;

	arena_reset(&r->arena);
	err = body_decode(&r->arena, span_of(child->result, child->result_len), &body, &why);
	buf_init(&name, LIMIT_PARAM_BYTES);
	for (size_t i = 0; i < body.params_n && err == 0; i++) {
		buf_reset(&name);
		buf_add(&name, part);
		buf_byte(&name, '.');
		buf_add(&name, body.params[i].key);
		body_put_param(b, buf_span(&name), body.params[i].value);
	}
	for (size_t i = 0; i < body.items_n && err == 0; i++) {
		size_t len = span_copy(part, key, sizeof key);

		if (body.items_n > 1)
			len = (size_t)snprintf(key, sizeof key, "%.*s-%zu", (int)part.len,
				(const char *)part.at, i + 1);
		body.items[i].name = span_of(key, len);
		body_put(b, &body.items[i]);
	}
	if (err == 0)
		err = buf_err(&name);
	buf_done(&name);
	return err;
}

static int put_result(struct router *r, struct buf *b, const struct graph_run *run)
{
	const struct graph *g = &run->order.plan;
	int err = 0;

	for (uint32_t i = 0; i < g->outputs_n && err == 0; i++) {
		const struct task *child = run->child[g->nodes[g->outputs[i]].same];

		if (child->state != STATE_SUCCEEDED)
			continue;
		if (g->outputs_n == 1)
			buf_add(b, span_of(child->result, child->result_len));
		else
			err = put_output(r, b, part_name(run, g->outputs[i]), child);
	}
	return err < 0 ? err : buf_err(b);
}

/* What comes out must be a body that others take. */
static int check_result(struct router *r, struct span bytes, struct fail *why)
{
	struct body body;

	arena_reset(&r->arena);
	return body_decode(&r->arena, bytes, &body, why);
}

static void end_done(struct router *r, struct task *parent)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct fail why = { 0 };
	size_t len = 0;
	int err;

	buf_init(&b, LIMIT_BODY_BYTES);
	err = put_result(r, &b, parent->split->graph);
	if (err < 0)
		fail_set(&why, err, "body", LIMIT_BODY_BYTES, "the outputs together: %s",
			err_row(err)->text);
	else
		err = check_result(r, buf_span(&b), &why);
	if (err < 0) {
		end_failed(r, parent, &why);
		return;
	}
	note_step(r, parent,
		(struct explain_note){
			.kind = STEP_JOIN,
			.rung = RUNG_SPLIT,
			.node = NODE_NOBODY,
			.considered = parent->split->parts_n,
			.reason = SPAN_LIT("all parts have ended"),
		});
	parent->result = buf_take(&b, &len);
	parent->result_len = (uint32_t)len;
	parent->price_ucr = 0; /* what it cost was spent by its children */
	answers_keep(r, parent, span_of(parent->result, parent->result_len), 0);
	finish(r, parent, TASK_DONE, NULL);
}

/* --- parts ----------------------------------------------------------------------------------------------- */

/* task.reduce gets each result as one item, as in a join; others get the results' items. */
static int put_input(struct router *r, struct buf *b, bool whole, const struct task *child)
{
	struct span bytes = span_of(child->result, child->result_len);
	struct body body;
	struct fail why;
	int err;

	if (whole) {
		body_put_item(b, SPAN_LIT("part"), SPAN_LIT(BODY_MEDIA), bytes);
		return 0;
	}
	arena_reset(&r->arena);
	err = body_decode(&r->arena, bytes, &body, &why);
	for (size_t i = 0; i < body.items_n && err == 0; i++)
		body_put(b, &body.items[i]);
	return err;
}

/* What the part has of its own, then the results that it takes, without those that failed. */
static int put_body(struct router *r, struct buf *b, const struct graph_run *run, uint32_t node)
{
	const struct graph_node *n = &run->order.plan.nodes[node];
	const struct graph_part *part = &run->order.plan.parts[n->part];
	bool whole = span_is(part->kind, "task.reduce");
	int err = 0;

	body_encode(b, &run->order.bodies[n->part]);
	for (uint32_t i = 0; i < n->inputs_n && err == 0; i++) {
		const struct task *child = run->child[n->needs[i]];

		if (child->state == STATE_SUCCEEDED)
			err = put_input(r, b, whole, child);
	}
	return err < 0 ? err : buf_err(b);
}

/* What is left of the price, by those that have not begun. */
static int64_t share_ucr(const struct task *parent)
{
	const struct graph_run *run = parent->split->graph;
	int64_t left = parent->max_price_ucr - parent->spent_ucr;
	uint32_t waiting = run->order.plan.runs_n - run->order.plan.ended_n - run->open;

	for (uint32_t i = 0; i < run->order.plan.nodes_n; i++)
		if (run->child[i] != NULL && !state_is_final(run->child[i]->state))
			left -= run->child[i]->max_price_ucr;
	return left < 0 ? 0 : left / (waiting == 0 ? 1 : waiting);
}

static int keep_id(struct split *s, struct ulid id)
{
	struct ulid *ids = mem_grow(s->parts, (s->parts_n + 1) * sizeof *ids);

	if (ids == NULL)
		return ERR_NO_MEMORY;
	s->parts = ids;
	ids[s->parts_n++] = id;
	return 0;
}

/* The node's child, or why there is none. */
static int make_child(struct router *r, struct task *parent, uint32_t node, struct task **ret)
{
	struct graph_run *run = parent->split->graph;
	CLEANUP(buf_done) struct buf b = { 0 };
	int64_t share = share_ucr(parent);
	struct task *t;
	int err;

	buf_init(&b, LIMIT_BODY_BYTES);
	err = put_body(r, &b, run, node);
	if (err < 0)
		return err;
	/* An id for no task is harmless, a task without its id is not: room first. */
	if (keep_id(parent->split, (struct ulid){ 0 }) < 0)
		return ERR_NO_MEMORY;
	parent->split->parts_n--;
	t = split_add_child(r, parent, run->order.plan.parts[run->order.plan.nodes[node].part].kind,
		ROLE_PART, &b);
	if (t == NULL)
		return ERR_BUSY;
	parent->split->parts[parent->split->parts_n++] = t->id;
	t->part = node;
	t->max_price_ucr = share;
	took(run, t);
	task_touch(&r->tasks, parent);
	*ret = t;
	return 0;
}

static void start_one(struct router *r, struct task *parent, uint32_t node)
{
	struct task *child = NULL;
	struct fail why = { 0 };
	int err = make_child(r, parent, node, &child);

	if (err == 0) {
		rung_arrive(r, child);
		return;
	}
	fail_set(&why, err, err == ERR_TOO_BIG ? "body" : NULL,
		err == ERR_TOO_BIG ? LIMIT_BODY_BYTES : 0,
		err == ERR_TOO_BIG ? "what it has and takes is too big for a body"
				   : "no room for another part");
	end_for_part(r, parent, node, &why);
}

/* Start what may start; end the graph where nothing is left to do. */
static void go_on(struct router *r, struct task *parent)
{
	struct split *s = parent->split;
	struct graph_run *run = s->graph;
	uint32_t node;

	if (run->starting)
		return;
	run->starting = true;
	while (!s->released && run->open < run->order.in_flight &&
		(node = graph_next(&run->order.plan)) != GRAPH_NONE)
		start_one(r, parent, node);
	if (!s->released && run->order.plan.ended_n == run->order.plan.runs_n)
		end_done(r, parent);
	run->starting = false;
	if (s->released)
		graph_let_go(s);
}

void graph_begin(struct router *r, struct task *t)
{
	struct fail why = { 0 };
	struct graph_run *run = run_new(t, &why);

	if (run != NULL)
		t->split = mem_alloc(sizeof *t->split);
	if (t->split == NULL) {
		graph_run_free(run);
		if (why.code == 0)
			fail_set(&why, ERR_NO_MEMORY, NULL, 0, "no room for the graph");
		end_failed(r, t, &why);
		return;
	}
	t->split->graph = run;
	task_move(&r->tasks, t, TASK_SPLIT);
	note_step(r, t,
		(struct explain_note){
			.kind = STEP_SPLIT,
			.rung = RUNG_SPLIT,
			.node = NODE_NOBODY,
			.considered = run->order.plan.runs_n,
			.reason = SPAN_LIT("its parts run as they become ready"),
		});
	event_change(r, t, "its parts run as they become ready");
	go_on(r, t);
}

/* What became of a part that did not succeed but may be missing. */
static void note_missing(struct router *r, struct task *parent, const struct task *child)
{
	struct span name = part_name(parent->split->graph, child->part);
	char text[LIMIT_TEXT_BYTES];

	snprintf(text, sizeof text, "part %.*s is left out: %s", (int)name.len,
		(const char *)name.at, child->fail == NULL ? "" : child->fail->detail);
	note_step(r, parent,
		(struct explain_note){
			.kind = STEP_FAILED,
			.rung = RUNG_SPLIT,
			.node = child->node,
			.code = child->fail == NULL ? ERR_NO_MEMORY : child->fail->code,
			.reason = span_str(text),
		});
}

void graph_child_ended(struct router *r, struct task *parent, struct task *child)
{
	struct split *s = parent->split;
	struct fail why = { 0 };

	if (s->graph != NULL) {
		ended(s->graph, child);
	} else {
		s->graph = run_again(r, parent, &why);
		if (s->graph == NULL) {
			end_failed(r, parent, &why);
			return;
		}
	}
	s->parts_done++;
	if (child->state != STATE_SUCCEEDED) {
		if (s->graph->failures > s->graph->order.allow_failures) {
			end_for_part(r, parent, child->part,
				child->fail == NULL ? &why : child->fail);
			return;
		}
		note_missing(r, parent, child);
	}
	parent->permille =
		(uint16_t)(s->parts_done * UINT64_C(1000) / (s->graph->order.plan.runs_n + 1));
	event_progress(r, parent);
	go_on(r, parent);
}
