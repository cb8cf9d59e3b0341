/* SPDX-License-Identifier: Apache-2.0
 *
 * Task graphs in the router machine: what is refused at the door, which part runs when and with what, failures,
 * budget, cancel, and a router that is started anew in the middle.
 */
#include "router/graph.h"
#include "tests/support/router_kit.h"
#include "tests/support/test.h"
#include "wire/body.h"

#define WORKER "c cpu kinds=util.echo,task.reduce slots=16"

static void put_part(struct buf *body, const char *name, const char *kind, const char *inputs,
	const char *extra, const char *value)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, LIMIT_BODY_BYTES);
	body_put_param(&b, SPAN_LIT("graph.kind"), span_str(kind));
	body_put_param(&b, SPAN_LIT("graph.inputs"), span_str(inputs));
	if (extra != NULL)
		body_put_param(&b, span_str(extra), span_str(value));
	body_put_item(body, span_str(name), SPAN_LIT(BODY_MEDIA), buf_span(&b));
	assert_int_equal(buf_err(body), 0);
}

/* Two echoes and what reduces them. */
static void put_diamond(struct buf *body)
{
	buf_init(body, LIMIT_BODY_BYTES);
	put_part(body, "a", "util.echo", "", "sleep_ms", "1");
	put_part(body, "b", "util.echo", "", "sleep_ms", "2");
	put_part(body, "join", "task.reduce", "a b", NULL, NULL);
}

static struct task *submit(struct kit *k, struct buf *body)
{
	struct submit s = kit_task("task.graph");

	s.body = buf_span(body);
	return kit_submit_as(k, "t", &s);
}

static struct task *child(struct router *r, uint32_t node)
{
	for (uint32_t i = 0; i < r->tasks.slots.cap; i++) {
		struct task *t = slots_is_taken(&r->tasks.slots, i) ? tasks_at(&r->tasks, i) : NULL;

		if (t != NULL && t->role == ROLE_PART && t->part == node &&
			!state_is_final(t->state))
			return t;
	}
	return NULL;
}

static void done_with(struct kit *k, uint32_t node, const char *item)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, LIMIT_BODY_BYTES);
	body_put_item(&b, SPAN_LIT("x"), SPAN_LIT("text/plain"), span_str(item));
	assert_non_null(child(k->r, node));
	kit_done(k, child(k->r, node), buf_span(&b));
}

static struct body decode(struct arena *a, const unsigned char *at, size_t len)
{
	struct body body;

	assert_int_equal(body_decode(a, span_of(at, len), &body, NULL), 0);
	return body;
}

static void test_parts_run_when_ready(void **state)
{
	struct kit *k = *state;
	CLEANUP(buf_done) struct buf body = { 0 };
	CLEANUP(arena_done) struct arena a = { 0 };
	struct task *t;

	arena_init(&a, 1 << 20);
	kit_offer(k, WORKER);
	put_diamond(&body);
	t = submit(k, &body);
	assert_int_equal(t->state, STATE_SPLIT);
	assert_non_null(child(k->r, 0));
	assert_null(child(k->r, 2));
	done_with(k, 1, "from b");
	assert_null(child(k->r, 2));
	done_with(k, 0, "from a");
	assert_non_null(child(k->r, 2));

	struct body joined = decode(&a, child(k->r, 2)->body, child(k->r, 2)->body_len);

	assert_int_equal(joined.params_n, 0); /* how it stands in the graph is not its business */
	assert_int_equal(joined.items_n, 2);
	assert_true(span_is(joined.items[0].name, "part"));
	assert_true(
		span_is(decode(&a, joined.items[0].data.at, joined.items[0].data.len).items[0].data,
			"from a"));
	done_with(k, 2, "all");
	assert_int_equal(t->state, STATE_SUCCEEDED);
	assert_true(span_is(decode(&a, t->result, t->result_len).items[0].data, "all"));
	assert_int_equal(router_open(k->r), 0);
	assert_null(t->split->graph);
}

static void test_refused_at_the_door(void **state)
{
	static const struct {
		const char *kind, *inputs, *extra, *value, *field, *detail;
		int code;
	} rows[] = {
		{ "util.echo", "p", NULL, NULL, "graph.inputs", "each other: p", ERR_INVALID },
		{ "util.echo", "q", NULL, NULL, "graph.inputs", "needs q", ERR_INVALID },
		{ "no.such", "", NULL, NULL, "graph.kind", "part p: no node offers", ERR_UNKNOWN },
		{ "No Kind", "", NULL, NULL, "graph.kind", "part p: ", ERR_INVALID },
		{ "util.echo", "", "graph.fan_in", "1", "graph.fan_in", "2 to 64", ERR_INVALID },
		{ "util.echo", "", "graph.output", "maybe", "graph.output", "yes or no",
			ERR_INVALID },
		{ "util.echo", "", "graph.other", "1", "graph.", "graph.other", ERR_INVALID },
		{ "util.echo", "", "sleep_ms", "x", "sleep_ms", "part p: ", ERR_INVALID },
	};
	struct kit *k = *state;

	kit_offer(k, WORKER);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_done) struct buf body = { 0 };

		buf_init(&body, LIMIT_BODY_BYTES);
		put_part(&body, "p", rows[i].kind, rows[i].inputs, rows[i].extra, rows[i].value);
		assert_null(submit(k, &body));
		assert_int_equal(k->reply.fail.code, rows[i].code);
		assert_string_equal(k->reply.fail.field, rows[i].field);
		assert_non_null(strstr(k->reply.fail.detail, rows[i].detail));
	}
	assert_int_equal(router_open(k->r), 0);
}

static void test_a_failure_ends_it(void **state)
{
	struct kit *k = *state;
	CLEANUP(buf_done) struct buf body = { 0 };
	struct task *t;

	kit_offer(k, WORKER);
	put_diamond(&body);
	t = submit(k, &body);
	kit_fails(k, child(k->r, 1), ERR_INVALID);
	assert_int_equal(t->state, STATE_FAILED);
	assert_int_equal(t->fail->code, ERR_INVALID);
	assert_non_null(strstr(t->fail->detail, "part b: "));
	assert_int_equal(router_open(k->r), 0);
	assert_int_equal(registry_node(&k->r->registry, 0)->load.busy, 0);
}

static void test_a_failure_may_be_allowed(void **state)
{
	struct kit *k = *state;
	CLEANUP(buf_done) struct buf body = { 0 };
	CLEANUP(arena_done) struct arena a = { 0 };
	struct task *t;

	arena_init(&a, 1 << 20);
	kit_offer(k, WORKER);
	put_diamond(&body);
	body_put_int(&body, "allow_failures", 1);
	t = submit(k, &body);
	kit_fails(k, child(k->r, 0), ERR_INVALID);
	done_with(k, 1, "from b");
	assert_int_equal(decode(&a, child(k->r, 2)->body, child(k->r, 2)->body_len).items_n, 1);
	kit_fails(k, child(k->r, 2), ERR_INVALID); /* one too many */
	assert_int_equal(t->state, STATE_FAILED);
	assert_int_equal(kit_steps(t, STEP_FAILED, NULL), 2);
}

static void test_flight_cancel_and_several_outputs(void **state)
{
	struct kit *k = *state;
	CLEANUP(buf_done) struct buf body = { 0 };
	CLEANUP(arena_done) struct arena a = { 0 };
	struct task *t;

	arena_init(&a, 1 << 20);
	kit_offer(k, WORKER);
	buf_init(&body, LIMIT_BODY_BYTES);
	put_part(&body, "a", "util.echo", "", "sleep_ms", "1");
	put_part(&body, "b", "util.echo", "", "sleep_ms", "2");
	put_part(&body, "a2", "util.echo", "", "sleep_ms", "1"); /* shares a's run */
	body_put_int(&body, "in_flight", 1);
	t = submit(k, &body);
	assert_null(child(k->r, 1));
	done_with(k, 0, "A");
	done_with(k, 1, "B");
	assert_int_equal(t->state, STATE_SUCCEEDED);
	assert_int_equal(t->split->parts_n, 2);

	struct body result = decode(&a, t->result, t->result_len);

	assert_int_equal(result.items_n, 3);
	assert_true(span_is(result.items[2].name, "a2"));
	assert_true(span_is(result.items[2].data, "A"));
	t = submit(k, &body);
	assert_int_equal(kit_step(k, &(struct router_event){ .kind = ROUTER_CANCEL,
					     .who = SPAN_LIT("t"),
					     .task = t->id }),
		0);
	assert_int_equal(t->state, STATE_CANCELLED);
	assert_int_equal(router_open(k->r), 0);
	assert_null(t->split->graph);
}

/* --- a new router ---------------------------------------------------------------------------------------- */

static void test_a_new_router_goes_on(void **state)
{
	struct kit *k = *state;
	CLEANUP(buf_done) struct buf body = { 0 };
	struct submit s = kit_task("task.graph");

	kit_keep(k);
	kit_offer(k, WORKER);
	put_diamond(&body);
	s.body = buf_span(&body);
	struct ulid id = kit_submit_as(k, "t", &s)->id;

	kit_done(k, child(k->r, 0), (struct span){ NULL, 0 });
	kit_restart(k);
	assert_null(child(k->r, 0)); /* that one has ended already */
	kit_done(k, child(k->r, 1), (struct span){ NULL, 0 });
	assert_non_null(child(k->r, 2));
	const struct task *t = tasks_find(&k->r->tasks, id);

	assert_int_equal(t->state, STATE_SPLIT);
	assert_int_equal(t->split->parts_n, 3);
	assert_int_equal(t->permille, 2 * 1000 / 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_parts_run_when_ready),
		TEST(test_refused_at_the_door),
		TEST(test_a_failure_ends_it),
		TEST(test_a_failure_may_be_allowed),
		TEST(test_flight_cancel_and_several_outputs),
		TEST(test_a_new_router_goes_on),
	};

	return cmocka_run_group_tests_name("router_graph", tests, NULL, NULL);
}
