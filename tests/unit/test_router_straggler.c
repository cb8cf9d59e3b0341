/* SPDX-License-Identifier: Apache-2.0
 *
 * Which attempts get a second one, and which do not.
 */
#include <stdio.h>

#include "tests/support/test.h"
#include "tests/support/twins.h"
#include "wire/body.h"

/* --- who gets one --------------------------------------------------------------------------------- */

static void test_a_straggler_gets_a_twin(void **state)
{
	struct kit *k = *state;
	struct explain_note why;

	twins_know(k);
	struct task *t = kit_submit(k, "util.echo");
	const char *node = kit_node(k, t);

	kit_up(k, UP_ACCEPT, t);
	kit_pass(k, TWINS_AGE - MS);
	assert_null(t->twin);
	kit_look_away(k);
	kit_pass(k, 300 * MS);
	assert_non_null(t->twin);
	assert_string_equal(twins_node(k, t), twins_other(node));
	assert_string_equal(kit_node(k, t), node);
	assert_int_equal(t->attempt, 1);
	assert_int_equal(t->twin->attempt, 2);
	const struct kit_said *order = kit_next(k, SAID_DOWN, DOWN_ASSIGN);

	assert_string_equal(order->to, twins_other(node));
	assert_int_equal(order->attempt, 2);
	assert_string_equal(order->text, "util.echo");
	assert_int_equal(k->r->counts.twins, 1);
	assert_int_equal(k->r->counts.twins_won, 0);
	assert_true(kit_none(k, SAID_EVENT, EVENT_CHANGE)); /* its tenant knows of one attempt */
	assert_int_equal(kit_steps(t, STEP_TWIN, &why), 1);
	assert_int_equal(why.attempt, 2);
	assert_int_equal(why.seen_n, 1);
	if (memcmp(why.reason.at, "runs for 2 s, where 1 s is usual; about 2 s to go there, ",
		    57) != 0)
		fail_msg("%.*s", (int)why.reason.len, (const char *)why.reason.at);
	kit_pass(k, 5 * SEC);
	assert_int_equal(k->r->counts.twins, 1);
}

/* One whose acceptance never came is as late as one that is silent. */
static void test_not_accepted_is_late_too(void **state)
{
	struct kit *k = *state;

	twins_know(k);
	struct task *t = kit_submit(k, "util.echo");

	kit_pass(k, TWINS_AGE + SEC);
	assert_non_null(t->twin);
	twins_up(k, t, UP_ACCEPT, 0);
	kit_fails(k, t, ERR_IO);
	assert_int_equal(t->state, STATE_RUNNING);
	assert_int_equal(t->attempt, 2);
}

static void stays_alone(struct kit *k, struct task *t)
{
	kit_up(k, UP_ACCEPT, t);
	kit_pass(k, 10 * SEC);
	assert_null(t->twin);
	assert_int_equal(t->state, STATE_RUNNING);
	assert_int_equal(t->attempts, 1);
	assert_int_equal(k->r->counts.twins, 0);
}

static void no_speculation(struct router_conf *conf)
{
	conf->speculation = false;
}

static void test_only_if_it_is_on(void **state)
{
	struct kit *k = kit_new(no_speculation);

	(void)state;
	twins_know(k);
	stays_alone(k, kit_submit(k, "util.echo"));
	kit_free(k);
}

static void test_not_while_little_is_known(void **state)
{
	struct kit *k = *state;

	twins_offer(k);
	for (int i = 0; i < 7; i++) {
		struct task *t = kit_submit(k, "util.echo");

		kit_pass(k, SEC);
		kit_done(k, t, (struct span){ NULL, 0 });
	}
	twins_offer(k);
	struct task *t = kit_submit(k, "util.echo");
	struct task *other = kit_submit(k, "util.echo");

	kit_up(k, UP_ACCEPT, t);
	kit_pass(k, 5 * SEC);
	assert_null(t->twin);
	kit_done(k, other, (struct span){ NULL, 0 });
	kit_pass(k, 5 * SEC); /* it is looked at again, without being told */
	assert_non_null(t->twin);
}

static void test_not_where_somebody_pays(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("util.echo");

	twins_know(k);
	kit_offer(k, "a cpu slots=4 price=1");
	kit_offer(k, "b cpu slots=4 price=1");
	s.max_price_ucr = 5;
	struct task *t = kit_submit_as(k, "t", &s);

	kit_up(k, UP_ACCEPT, t);
	kit_pass(k, 8 * SEC);
	assert_null(t->twin);
}

/* The first is free, all others cost something. */
static void test_not_onto_one_that_costs(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("util.echo");
	char line[64];

	twins_know(k);
	s.max_price_ucr = 5;
	struct task *t = kit_submit_as(k, "t", &s);

	snprintf(line, sizeof line, "%s cpu slots=4 price=1", twins_other(kit_node(k, t)));
	kit_offer(k, line);
	kit_pass(k, 8 * SEC);
	assert_null(t->twin);
}

static void test_not_of_apis_and_people(void **state)
{
	struct kit *k = *state;
	static const char *const lines[][2] = {
		{ "x api slots=4 kinds=llm.chat", "y api slots=4 kinds=llm.chat" },
		{ "x human slots=4 kinds=human.ask", "y human slots=4 kinds=human.ask" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
		const char *kind = i == 0 ? "llm.chat" : "human.ask";

		for (int n = 0; n < 9; n++) {
			kit_offer(k, lines[i][0]);
			kit_offer(k, lines[i][1]);
			struct task *t = kit_submit(k, kind);

			assert_int_equal(t->state, STATE_ASSIGNED);
			kit_pass(k, n < 8 ? SEC : 10 * SEC);
			assert_null(t->twin);
			kit_done(k, t, (struct span){ NULL, 0 });
		}
	}
}

static void test_not_of_one_that_streams(void **state)
{
	struct kit *k = *state;

	twins_know(k);
	struct task *t = kit_submit(k, "util.echo");

	kit_up(k, UP_CHUNK, t);
	stays_alone(k, t);
}

/* A first chunk, of either, leaves one attempt. */
static void test_one_that_begins_to_stream(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct kit *k = kit_new(NULL);
		struct task *t = twins_task(k);

		kit_look_away(k);
		if (i == 0)
			kit_up(k, UP_CHUNK, t);
		else
			twins_up(k, t, UP_CHUNK, 0);
		assert_null(t->twin);
		twins_called_back(k, twins_other(kit_node(k, t)), 2);
		assert_int_equal(kit_none(k, SAID_EVENT, EVENT_CHUNK), i == 1 || k->seen > 1);
		kit_pass(k, 5 * SEC);
		assert_null(t->twin);
		assert_int_equal(t->state, STATE_RUNNING);
		kit_done(k, t, (struct span){ NULL, 0 });
		kit_free(k);
	}
}

static void test_onto_a_slow_node_if_it_pays(void **state)
{
	struct kit *k = *state;

	for (int n = 0; n < 8; n++) {
		kit_offer(k, "a cpu slots=4");
		struct task *t = kit_submit(k, "util.echo");

		kit_pass(k, SEC);
		kit_done(k, t, (struct span){ NULL, 0 });
	}
	kit_offer(k, "a cpu slots=4");
	struct task *t = kit_submit(k, "util.echo");

	kit_offer(k, "b cpu slots=4 run_us=8000000");
	kit_pass(k, 9 * SEC);
	assert_null(t->twin);
	kit_pass(k, 2 * SEC);
	assert_non_null(t->twin);
}

/* It says that it is nearly done: another attempt would not be done before. */
static void test_not_if_it_does_not_pay(void **state)
{
	struct kit *k = *state;
	struct up u = { .kind = UP_PROGRESS, .permille = 980 };

	twins_know(k);
	struct task *t = kit_submit(k, "util.echo");

	kit_pass(k, TWINS_AGE - SEC / 2);
	u.task = t->id;
	u.attempt = 1;
	kit_up_from(k, kit_node(k, t), &u);
	kit_pass(k, 2 * SEC); /* 3.5 s for 98 %: 0.07 s to go */
	assert_null(t->twin);
	u.permille = 500; /* or not nearly */
	kit_up_from(k, kit_node(k, t), &u);
	kit_pass(k, SEC);
	assert_non_null(t->twin);
}

/* What waits goes first. */
static void test_not_while_others_wait(void **state)
{
	struct kit *k = *state;
	struct task *t[9];

	twins_know(k);
	for (unsigned i = 0; i < ARRAY_LEN(t); i++)
		t[i] = kit_submit(k, "util.echo");
	assert_int_equal(t[8]->state, STATE_QUEUED);
	kit_pass(k, 4 * SEC);
	assert_int_equal(k->r->counts.twins, 0);
	kit_done(k, t[0], (struct span){ NULL, 0 });
	assert_int_equal(t[8]->state, STATE_ASSIGNED);
	kit_pass(k, SEC);
	assert_int_equal(k->r->counts.twins, 0);
	kit_done(k, t[1], (struct span){ NULL, 0 });
	kit_pass(k, SEC);
	assert_int_equal(k->r->counts.twins, 1);
}

/* A tenth of all attempts, and those with most to go. */
static void test_the_slowest_and_no_more_than_a_share(void **state)
{
	struct kit *k = *state;
	struct task *t[30];
	unsigned n = 0;

	twins_know(k);
	kit_offer(k, "a cpu slots=64");
	kit_offer(k, "b cpu slots=64");
	for (unsigned i = 0; i < ARRAY_LEN(t); i++) {
		struct up u = { .kind = UP_PROGRESS, .attempt = 1 };

		t[i] = kit_submit(k, "util.echo");
		u.task = t[i]->id;
		u.permille = 300 - (i % 7 == 3 ? 200 : 0); /* 5 of them are slower */
		kit_up_from(k, kit_node(k, t[i]), &u);
	}
	kit_pass(k, TWINS_AGE + SEC);
	assert_int_equal(k->r->counts.twins, 3);
	for (unsigned i = 0; i < ARRAY_LEN(t); i++)
		if (t[i]->twin != NULL) {
			assert_int_equal(i % 7, 3);
			n++;
		}
	assert_int_equal(n, 3);
	for (unsigned i = 0; i < ARRAY_LEN(t) && n > 1;
		i++) /* two are done: of 28 the next gets one */
		if (t[i]->twin != NULL) {
			twins_up(k, t[i], UP_DONE, 0);
			n--;
		}
	kit_pass(k, SEC);
	assert_int_equal(k->r->counts.twins, 4);
}

/* --- parts ------------------------------------------------------------------------------------------ */

/* Of eight parts six are done: the last ones are measured by their siblings, though these are fewer than eight. */
static void test_parts_are_measured_by_their_siblings(void **state)
{
	struct kit *k = *state;
	CLEANUP(buf_done) struct buf body = { 0 };
	struct submit s = kit_task("task.graph");

	buf_init(&body, LIMIT_BODY_BYTES);
	for (unsigned i = 0; i < 4; i++) {
		CLEANUP(buf_done) struct buf b = { 0 };
		char name[16];

		snprintf(name, sizeof name, "p%u", i);
		buf_init(&b, LIMIT_BODY_BYTES);
		body_put_param(&b, SPAN_LIT("graph.kind"), SPAN_LIT("util.echo"));
		body_put_param(&b, SPAN_LIT("graph.inputs"), SPAN_LIT(""));
		body_put_int(&b, "sleep_ms", i); /* equal parts are one */
		body_put_item(&body, span_str(name), SPAN_LIT(BODY_MEDIA), buf_span(&b));
	}
	s.body = buf_span(&body);
	twins_offer(k);
	struct task *t = kit_submit_as(k, "t", &s), *last = NULL;

	assert_non_null(t);
	kit_pass(k, SEC);
	for (unsigned i = 0; i < 4; i++) {
		last = tasks_find(&k->r->tasks, t->split->parts[i]);
		assert_int_equal(last->state, STATE_ASSIGNED);
		if (i < 3)
			kit_done(k, last, (struct span){ NULL, 0 });
	}
	kit_pass(k, 2 * SEC);
	assert_non_null(last->twin);
	twins_up(k, last, UP_DONE, 0);
	assert_int_equal(t->state, STATE_SUCCEEDED);
}

/* Without memory for a twin there is none, and nothing else happens; later there is one. */
static void test_lack_of_memory(void **state)
{
	struct kit *k = *state;
	struct task *t;

	twins_know(k);
	t = kit_submit(k, "util.echo");
	kit_up(k, UP_ACCEPT, t);
	kit_pass(k, TWINS_AGE - MS);
	mem_fail_at(1, 1);
	kit_pass(k, SEC);
	assert_true(mem_failed() > 0);
	mem_fail_at(0, 0);
	assert_null(t->twin);
	assert_int_equal(t->state, STATE_RUNNING);
	kit_pass(k, SEC);
	assert_non_null(t->twin);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_straggler_gets_a_twin),
		TEST(test_not_accepted_is_late_too),
		cmocka_unit_test(test_only_if_it_is_on),
		TEST(test_not_while_little_is_known),
		TEST(test_not_where_somebody_pays),
		TEST(test_not_onto_one_that_costs),
		TEST(test_not_of_apis_and_people),
		TEST(test_not_of_one_that_streams),
		cmocka_unit_test(test_one_that_begins_to_stream),
		TEST(test_onto_a_slow_node_if_it_pays),
		TEST(test_not_if_it_does_not_pay),
		TEST(test_not_while_others_wait),
		TEST(test_the_slowest_and_no_more_than_a_share),
		TEST(test_parts_are_measured_by_their_siblings),
		TEST(test_lack_of_memory),
	};

	return cmocka_run_group_tests_name("router_straggler", tests, NULL, NULL);
}
