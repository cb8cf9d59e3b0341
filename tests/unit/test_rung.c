/* SPDX-License-Identifier: Apache-2.0
 *
 * The ladder: when a rung is left, when it is waited for, and what the end of the ladder means.
 */
#include "tests/support/router_kit.h"
#include "tests/support/test.h"

static const char *const chat = "llm.chat"; /* gpu, api, split, human */

static void test_free_node_is_used_at_once(void **state)
{
	struct kit *k = *state;
	struct explain_note note;

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	assert_int_equal(t->state, STATE_ASSIGNED);
	assert_string_equal(kit_next(k, SAID_DOWN, DOWN_ASSIGN)->to, "a");
	assert_int_equal(kit_steps(t, STEP_PLACED, &note), 1);
	assert_string_equal(note.policy, "p2c");
	assert_int_equal(note.considered, 1);
	kit_up(k, UP_ACCEPT, t);
	assert_int_equal(t->state, STATE_RUNNING);
	kit_done(k, t, SPAN_LIT("x"));
	assert_int_equal(t->state, STATE_SUCCEEDED);
	assert_string_equal(kit_next(k, SAID_EVENT, EVENT_END)->text, "x");
}

static void test_hops_at_once_when_nobody_serves(void **state)
{
	struct kit *k = *state;
	struct explain_note note;

	kit_offer(k, "g gpu kinds=llm.chat !ready why=nomodel");
	kit_offer(k, "h human kinds=llm.chat");
	struct task *t = kit_submit(k, chat);

	assert_int_equal(t->state, STATE_ASSIGNED);
	assert_int_equal(task_rung(t), RUNG_HUMAN);
	assert_int_equal(kit_steps(t, STEP_HOP, &note), 3);
	assert_int_equal(note.to, RUNG_HUMAN);
	assert_int_equal(note.code, ERR_NO_NODE);
	assert_int_equal(k->r->counts.hops, 3);
}

static void test_hop_says_why_of_each_node(void **state)
{
	struct kit *k = *state;
	const struct explain_seen *seen;
	struct explain_note note;
	uint32_t at = 0;

	kit_offer(k, "g gpu kinds=llm.chat !ready why=nomodel");
	kit_offer(k, "m gpu kinds=compute.matmul");
	kit_offer(k, "h human kinds=llm.chat");
	struct task *t = kit_submit(k, chat);

	assert_true(explain_next(&t->explain, &at, &note, &seen));
	assert_int_equal(note.kind, STEP_HOP);
	assert_int_equal(note.considered, 2);
	assert_int_equal(note.seen_n, 2);
	assert_int_equal(seen[0].verdict, VERDICT_NOT_READY);
	assert_true(span_is(explain_seen_note(seen, 2, 0), "nomodel"));
	assert_int_equal(seen[1].verdict, VERDICT_KIND);
}

static void test_full_nodes_are_waited_for_until_the_clock(void **state)
{
	struct kit *k = *state;
	struct explain_note note;

	kit_offer(k, "g gpu kinds=llm.chat");
	kit_offer(k, "api api kinds=llm.chat");
	struct task *first = kit_submit(k, chat);
	struct task *t = kit_submit(k, chat);

	assert_int_equal(t->state, STATE_QUEUED);
	assert_int_equal(task_rung(t), RUNG_GPU);
	assert_int_equal(kit_steps(t, STEP_REFUSED, &note), 1);
	kit_up(k, UP_ACCEPT, first);
	kit_pass(k, 12 * SEC);
	kit_up(k, UP_PROGRESS, first);
	kit_offer_running(k, "g gpu kinds=llm.chat",
		&(struct attempt_ref){ .task = first->id, .attempt = 1 }, 1);
	kit_offer(k, "api api kinds=llm.chat");
	kit_pass(k, 12 * SEC);
	kit_offer_running(k, "g gpu kinds=llm.chat",
		&(struct attempt_ref){ .task = first->id, .attempt = 1 }, 1);
	kit_offer(k, "api api kinds=llm.chat");
	kit_pass(k, 5 * SEC);
	assert_int_equal(task_rung(t), RUNG_GPU);
	kit_pass(k, SEC);
	assert_int_equal(task_rung(t), RUNG_API);
	assert_int_equal(t->state, STATE_ASSIGNED);
	assert_int_equal(kit_steps(t, STEP_HOP, &note), 1);
	assert_int_equal(note.code, ERR_TIMEOUT);
}

static void test_own_start_clock(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task(chat);

	kit_offer(k, "g gpu kinds=llm.chat");
	kit_offer(k, "api api kinds=llm.chat");
	kit_submit(k, chat);
	s.start_within_ms = 100;
	struct task *t = kit_submit_as(k, "t", &s);

	kit_pass(k, 99 * MS);
	assert_int_equal(task_rung(t), RUNG_GPU);
	kit_pass(k, MS);
	assert_int_equal(task_rung(t), RUNG_API);
}

/* A clock that was asked for holds on the last rung, too. */
static void test_own_start_clock_ends_the_last_rung(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("util.echo");

	kit_offer(k, "a cpu");
	kit_submit(k, "util.echo");
	s.start_within_ms = 100;
	struct task *t = kit_submit_as(k, "t", &s);

	kit_pass(k, 100 * MS);
	assert_int_equal(t->state, STATE_DEAD);
	assert_int_equal(t->fail->code, ERR_TIMEOUT);
}

static void test_start_clock_of_any_length_is_no_fault(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("util.echo");

	s.start_within_ms = INT64_MAX;
	struct task *t = kit_submit_as(k, "t", &s);

	assert_int_equal(k->reply.fail.code, 0);
	kit_pass(k, 599 * SEC);
	assert_int_equal(t->state, STATE_QUEUED);
	kit_pass(k, SEC);
	assert_int_equal(t->state, STATE_EXPIRED);
}

static void test_last_rung_waits_for_full_nodes(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu");
	struct task *first = kit_submit(k, "util.echo");
	struct task *t = kit_submit(k, "util.echo");

	for (int i = 0; i < 20; i++) {
		kit_pass(k, 10 * SEC);
		kit_offer_running(k, "a cpu",
			&(struct attempt_ref){ .task = first->id, .attempt = 1 }, 1);
	}
	assert_int_equal(t->state, STATE_QUEUED);
	kit_done(k, first, SPAN_LIT(""));
	assert_int_equal(t->state, STATE_ASSIGNED);
}

static void test_last_rung_ends_without_nodes(void **state)
{
	struct kit *k = *state;
	struct task *t = kit_submit(k, "util.echo");

	kit_pass(k, 59 * SEC);
	assert_int_equal(t->state, STATE_QUEUED); /* one may come */
	kit_pass(k, SEC);
	assert_int_equal(t->state, STATE_DEAD);
	assert_int_equal(t->fail->code, ERR_NO_NODE);
	assert_int_equal(kit_next(k, SAID_EVENT, EVENT_END)->code, ERR_NO_NODE);
}

static void test_late_node_is_used(void **state)
{
	struct kit *k = *state;
	struct task *t = kit_submit(k, "util.echo");

	kit_pass(k, 30 * SEC);
	kit_offer(k, "a cpu");
	assert_string_equal(kit_node(k, t), "a");
}

static void test_allow_list(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task(chat);

	kit_offer(k, "g gpu kinds=llm.chat");
	kit_offer(k, "h human kinds=llm.chat");
	s.allow = (struct ladder){ { RUNG_HUMAN }, 1 };
	struct task *t = kit_submit_as(k, "t", &s);

	assert_string_equal(kit_node(k, t), "h");
	assert_int_equal(t->ladder.n, 1);
	/* The kind's order rules, not the list's. */
	s.allow = (struct ladder){ { RUNG_HUMAN, RUNG_GPU }, 2 };
	t = kit_submit_as(k, "t", &s);
	assert_string_equal(kit_node(k, t), "g");
	s.allow = (struct ladder){ { RUNG_CPU }, 1 };
	assert_null(kit_submit_as(k, "t", &s));
	assert_int_equal(k->reply.fail.code, ERR_INVALID);
	assert_string_equal(k->reply.fail.field, "allow");
}

/* Right after the start the nodes have not told of themselves yet. */
static void test_settle_time(void **state)
{
	struct router_conf conf;
	struct kit *k = *state;

	router_conf_default(&conf);
	router_free(k->r);
	k->r = router_new(&conf, k->now_ns);
	struct task *t = kit_submit(k, chat);

	assert_int_equal(task_rung(t), RUNG_GPU);
	kit_pass(k, 999 * MS);
	assert_int_equal(task_rung(t), RUNG_GPU);
	kit_offer(k, "api api kinds=llm.chat");
	assert_int_equal(task_rung(t), RUNG_GPU);
	kit_pass(k, MS);
	assert_string_equal(kit_node(k, t), "api");
}

/* However many wait: when their class turns out empty, all of them go on. */
static void test_all_who_wait_hop(void **state)
{
	struct router_conf conf;
	struct kit *k = *state;
	struct task *tasks[100];

	router_conf_default(&conf);
	router_free(k->r);
	k->r = router_new(&conf, k->now_ns);
	for (int i = 0; i < 100; i++)
		tasks[i] = kit_submit(k, chat);
	kit_offer(k, "api api kinds=llm.chat");
	kit_pass(k, SEC);
	for (int i = 0; i < 100; i++)
		assert_int_equal(task_rung(tasks[i]), RUNG_API);
}

static void test_hops_when_the_last_node_leaves(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "g gpu kinds=llm.chat");
	kit_offer(k, "api api kinds=llm.chat slots=3");
	struct task *first = kit_submit(k, chat);
	struct task *t = kit_submit(k, chat);

	assert_int_equal(task_rung(t), RUNG_GPU);
	kit_up_from(k, "g", &(struct up){ .kind = UP_BYE, .incarnation = 1 });
	assert_int_equal(task_rung(t), RUNG_API);
	assert_int_equal(task_rung(first), RUNG_API);
}

/* Tasks that no free node may serve do not keep those behind them from it. */
static void test_tasks_that_fit_nowhere_block_nobody(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("util.echo");
	struct task *t;

	kit_offer(k, "dear cpu price=5");
	for (int i = 0; i < 200; i++)
		kit_submit_as(k, "poor", &s);
	s.max_price_ucr = 5;
	t = kit_submit_as(k, "t", &s);
	assert_string_equal(kit_node(k, t), "dear");
}

static void test_full_free_nodes_keep_nobody_from_dear_ones(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("util.echo");

	kit_offer(k, "free cpu");
	for (int i = 0; i < 200; i++)
		kit_submit_as(k, "poor", &s);
	kit_offer(k, "dear cpu price=5");
	s.max_price_ucr = 5;
	assert_string_equal(kit_node(k, kit_submit_as(k, "t", &s)), "dear");
}

static void test_priorities(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("util.echo");

	kit_offer(k, "a cpu");
	struct task *running = kit_submit(k, "util.echo");
	struct task *low = kit_submit(k, "util.echo");

	s.priority = 5;
	struct task *high = kit_submit_as(k, "t", &s);

	kit_done(k, running, SPAN_LIT(""));
	assert_int_equal(high->state, STATE_ASSIGNED);
	assert_int_equal(low->state, STATE_QUEUED);
}

static void test_ageing(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("util.echo");

	kit_offer(k, "a cpu");
	struct task *running = kit_submit(k, "util.echo");
	struct task *low = kit_submit(k, "util.echo");

	kit_pass(k, 11 * SEC);
	s.priority = 1;
	struct task *high = kit_submit_as(k, "t", &s);

	kit_done(k, running, SPAN_LIT(""));
	assert_int_equal(low->state, STATE_ASSIGNED);
	assert_int_equal(high->state, STATE_QUEUED);
}

static void test_prices(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task(chat);
	struct task *t;

	kit_offer(k, "g gpu kinds=llm.chat price=10");
	kit_offer(k, "h human kinds=llm.chat");
	s.max_price_ucr = 9;
	t = kit_submit_as(k, "t", &s);
	assert_string_equal(kit_node(k, t), "h");
	s.max_price_ucr = 10;
	t = kit_submit_as(k, "t", &s);
	assert_string_equal(kit_node(k, t), "g");
	kit_done(k, t, SPAN_LIT(""));
	struct result res;

	finish_result(k->r, t, &res);
	assert_int_equal(res.price_ucr, 10);
}

static void test_models(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task(chat);
	struct submit_reply reply;

	kit_offer(k, "g gpu kinds=llm.chat model=small,big");
	kit_offer(k, "h human kinds=llm.chat");
	for (int i = 0; i < 2; i++) {
		kit_step(k, &(struct router_event){
				    .kind = ROUTER_SUBMIT,
				    .who = SPAN_LIT("t"),
				    .submit = &s,
				    .model = i == 0 ? SPAN_LIT("big") : SPAN_LIT("huge"),
				    .reply = &reply,
			    });
		assert_string_equal(kit_node(k, tasks_find(&k->r->tasks, reply.task)),
			i == 0 ? "g" : "h");
	}
}

/* Nodes are shut down as often as their owners like: that uses up no task's attempts. */
static void test_nodes_that_are_shut_down(void **state)
{
	struct kit *k = *state;
	struct task *t;

	kit_offer(k, "a cpu");
	t = kit_submit(k, "util.echo");
	for (uint32_t i = 1; i <= 50; i++) {
		assert_int_equal(t->attempt, i);
		kit_up(k, UP_ACCEPT, t);
		kit_offer_running(k, "a cpu draining",
			&(struct attempt_ref){ .task = t->id, .attempt = i }, 1);
		kit_fails(k, t, ERR_CLOSED);
		kit_up_from(k, "a", &(struct up){ .kind = UP_BYE, .incarnation = k->incarnation });
		k->incarnation++;
		kit_offer(k, "a cpu");
	}
	kit_done(k, t, SPAN_LIT("x"));
	assert_int_equal(t->state, STATE_SUCCEEDED);
	assert_int_equal(k->r->counts.lost, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_free_node_is_used_at_once),
		TEST(test_hops_at_once_when_nobody_serves),
		TEST(test_hop_says_why_of_each_node),
		TEST(test_full_nodes_are_waited_for_until_the_clock),
		TEST(test_own_start_clock),
		TEST(test_own_start_clock_ends_the_last_rung),
		TEST(test_start_clock_of_any_length_is_no_fault),
		TEST(test_last_rung_waits_for_full_nodes),
		TEST(test_last_rung_ends_without_nodes),
		TEST(test_late_node_is_used),
		TEST(test_allow_list),
		TEST(test_settle_time),
		TEST(test_all_who_wait_hop),
		TEST(test_hops_when_the_last_node_leaves),
		TEST(test_tasks_that_fit_nowhere_block_nobody),
		TEST(test_full_free_nodes_keep_nobody_from_dear_ones),
		TEST(test_priorities),
		TEST(test_ageing),
		TEST(test_prices),
		TEST(test_models),
		TEST(test_nodes_that_are_shut_down),
	};

	return cmocka_run_group_tests_name("rung", tests, NULL, NULL);
}
