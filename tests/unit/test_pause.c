/* SPDX-License-Identifier: Apache-2.0
 *
 * Tasks that stand still: queued, on their nodes; what ends them.
 */
#include "tests/support/pauses.h"

/* The node's word that it holds the attempt. */
static void offer_with(struct kit *k, const char *line, const struct task *t, bool paused)
{
	kit_offer_running(k, line,
		&(struct attempt_ref){ .task = t->id, .attempt = t->attempt, .paused = paused }, 1);
}

/* --- queued ------------------------------------------------------------------------------------------- */

static void test_queued(void **state)
{
	struct kit *k = *state;
	const struct kit_said *said;

	kit_offer(k, "a cpu");
	struct task *first = kit_submit(k, "util.echo");
	struct task *t = kit_submit(k, "util.echo");

	assert_non_null(t->lane);
	kit_look_away(k);
	pause_task(k, t);
	assert_null(t->lane);
	said = kit_next(k, SAID_EVENT, EVENT_CHANGE);
	assert_int_equal(said->state, STATE_QUEUED);
	assert_true(said->paused);
	assert_string_equal(said->text, "it waits no longer");
	kit_done(k, first, SPAN_LIT(""));
	assert_int_equal(t->state, STATE_QUEUED);
	kit_look_away(k);
	resume_task(k, t);
	assert_int_equal(t->state, STATE_ASSIGNED);
	said = kit_next(k, SAID_EVENT, EVENT_CHANGE);
	assert_int_equal(said->state, STATE_QUEUED);
	assert_false(said->paused);
	assert_int_equal(kit_steps(t, STEP_PAUSE, NULL), 1);
	assert_int_equal(kit_steps(t, STEP_RESUME, NULL), 1);
}

/* Nothing of the rung's clock passes while a task stands still. */
static void test_clocks_stand_still(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("util.echo");

	s.start_within_ms = 10000;
	kit_offer(k, "a cpu");
	struct task *first = kit_submit(k, "util.echo");
	struct task *t = kit_submit_as(k, "t", &s);
	int64_t since_ns = t->rung_ns;

	kit_pass(k, 9 * SEC);
	offer_with(k, "a cpu", first, false);
	pause_task(k, t);
	for (int i = 0; i < 10; i++) {
		kit_pass(k, 10 * SEC);
		kit_offer(k, "a cpu draining");
	}
	assert_int_equal(t->state, STATE_QUEUED);
	resume_task(k, t);
	assert_int_equal(t->rung_ns - since_ns, 100 * SEC);
	assert_int_equal(t->start_by_ns, k->now_ns + SEC);
}

static void test_again_and_again(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu pauses");
	struct task *t = kit_submit(k, "util.echo");

	kit_look_away(k);
	pause_task(k, t);
	kit_pass(k, SEC);
	assert_int_equal(pauses_order(k, ROUTER_PAUSE, "t", t->id), 0);
	assert_int_equal(t->paused_ns, k->now_ns - SEC);
	assert_int_equal(kit_steps(t, STEP_PAUSE, NULL), 1);
	resume_task(k, t);
	resume_task(k, t);
	assert_int_equal(kit_steps(t, STEP_RESUME, NULL), 1);
	kit_next(k, SAID_DOWN, DOWN_PAUSE);
	kit_next(k, SAID_DOWN, DOWN_RESUME);
	assert_true(kit_none(k, SAID_DOWN, DOWN_RESUME));
}

static void test_whose_it_is_not(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	assert_int_equal(pauses_order(k, ROUTER_PAUSE, "u", t->id), ERR_UNKNOWN);
	assert_int_equal(pauses_order(k, ROUTER_RESUME, "u", t->id), ERR_UNKNOWN);
	assert_int_equal(pauses_order(k, ROUTER_PAUSE, "t", (struct ulid){ 1, 2 }), ERR_UNKNOWN);
	assert_int_equal(t->paused_ns, 0);
	kit_done(k, t, SPAN_LIT(""));
	assert_int_equal(pauses_order(k, ROUTER_PAUSE, "t", t->id), 0);
	assert_int_equal(t->paused_ns, 0);
	assert_int_equal(t->state, STATE_SUCCEEDED);
}

static void test_before_a_retry(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	kit_fails(k, t, ERR_IO);
	pause_task(k, t);
	kit_pass(k, 5 * SEC);
	kit_offer(k, "a cpu");
	assert_int_equal(t->attempt, 1);
	resume_task(k, t);
	assert_int_equal(t->attempt, 2); /* the pause before the retry went on */
}

/* --- on a node ---------------------------------------------------------------------------------------- */

static void test_stands_still_on_its_node(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu pauses");
	struct task *t = kit_submit(k, "util.echo");

	kit_up(k, UP_ACCEPT, t);
	kit_look_away(k);
	pause_task(k, t);
	assert_int_equal(t->state, STATE_RUNNING);
	const struct kit_said *said = kit_next(k, SAID_DOWN, DOWN_PAUSE);

	assert_string_equal(said->to, "a");
	assert_int_equal(said->attempt, 1);
	for (int i = 0; i < 20; i++) { /* its lease goes on with the offers that list it */
		kit_pass(k, 5 * SEC);
		offer_with(k, "a cpu pauses", t, true);
	}
	assert_int_equal(t->state, STATE_RUNNING);
	assert_int_equal(t->attempt, 1);
	assert_true(kit_none(k, SAID_DOWN, DOWN_PAUSE));
	kit_look_away(k);
	resume_task(k, t);
	assert_string_equal(kit_next(k, SAID_DOWN, DOWN_RESUME)->to, "a");
	kit_done(k, t, SPAN_LIT("x"));
	assert_int_equal(t->state, STATE_SUCCEEDED);
	assert_int_equal(t->attempt, 1);
}

/* Who cannot pause loses the attempt, which costs the task none of its tries. */
static void test_node_that_cannot(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	kit_up(k, UP_ACCEPT, t);
	kit_look_away(k);
	pause_task(k, t);
	assert_int_equal(t->state, STATE_QUEUED);
	assert_string_equal(kit_next(k, SAID_DOWN, DOWN_CANCEL)->to, "a");
	assert_int_equal(t->tries, 0);
	kit_pass(k, 100 * MS);
	kit_up_from(k, "a", /* its last word, which is of no account */
		&(struct up){ .kind = UP_DONE,
			.task = t->id,
			.attempt = 1,
			.body = SPAN_LIT("x") });
	assert_int_equal(t->state, STATE_QUEUED);
	struct task *next = kit_submit(k, "util.echo");

	assert_string_equal(kit_node(k, next), "a");
	kit_done(k, next, SPAN_LIT(""));
	resume_task(k, t);
	assert_int_equal(t->state, STATE_ASSIGNED);
	assert_int_equal(t->attempt, 2);
}

/* The same of one that thought that it could. */
static void test_node_that_could_not(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu pauses");
	struct task *t = kit_submit(k, "util.echo");

	kit_up(k, UP_ACCEPT, t);
	pause_task(k, t);
	assert_int_equal(t->state, STATE_RUNNING);
	kit_fails(k, t, ERR_CANCELLED);
	assert_int_equal(t->state, STATE_QUEUED);
	assert_true(t->paused_ns != 0);
	assert_int_equal(t->tries, 0);
	assert_int_equal(t->avoid_n, 0);
	assert_int_equal(kit_steps(t, STEP_FAILED, NULL), 0);
	resume_task(k, t);
	assert_int_equal(t->attempt, 2);
	assert_string_equal(kit_node(k, t), "a");
}

static void test_orders_that_were_lost(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu pauses");
	struct task *t = kit_submit(k, "util.echo");

	pause_task(k, t);
	kit_look_away(k);
	offer_with(k, "a cpu pauses", t, false);
	kit_next(k, SAID_DOWN, DOWN_PAUSE);
	kit_up(k, UP_PROGRESS, t);
	kit_next(k, SAID_DOWN, DOWN_PAUSE);
	resume_task(k, t);
	kit_look_away(k);
	offer_with(k, "a cpu pauses", t, true);
	kit_next(k, SAID_DOWN, DOWN_RESUME);
	offer_with(k, "a cpu pauses", t, false);
	assert_true(kit_none(k, SAID_DOWN, DOWN_RESUME));
}

/* It was done before it stood still: nothing is wasted. */
static void test_done_while_paused(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu pauses");
	struct task *t = kit_submit(k, "util.echo");

	pause_task(k, t);
	kit_done(k, t, SPAN_LIT("x"));
	assert_int_equal(t->state, STATE_SUCCEEDED);
	assert_int_equal(t->paused_ns, 0);
	assert_int_equal(kit_submit(k, "util.echo")->state, STATE_ASSIGNED);
}

static void test_fails_while_paused(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "g gpu pauses kinds=image.filter");
	kit_offer(k, "c cpu kinds=image.filter");
	struct task *t = kit_submit(k, "image.filter");

	pause_task(k, t);
	kit_fails(k, t, ERR_UNSUPPORTED);
	assert_int_equal(t->state, STATE_QUEUED);
	assert_int_equal(task_rung(t), RUNG_CPU);
	kit_pass(k, 70 * SEC);
	kit_offer(k, "c cpu kinds=image.filter");
	assert_int_equal(t->attempt, 1);
	resume_task(k, t);
	assert_string_equal(kit_node(k, t), "c");
	assert_int_equal(t->start_by_ns, k->now_ns + 60 * SEC);
}

static void test_node_is_lost(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu pauses");
	struct task *t = kit_submit(k, "util.echo");

	pause_task(k, t);
	kit_pass(k, 31 * SEC);
	assert_int_equal(t->state, STATE_QUEUED);
	assert_true(t->paused_ns != 0);
	assert_int_equal(k->r->counts.lost, 1);
	kit_offer(k, "b cpu pauses");
	kit_pass(k, 5 * SEC);
	assert_int_equal(t->attempt, 1);
	resume_task(k, t);
	assert_string_equal(kit_node(k, t), "b");
}

static void test_goodbye_and_restart(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu pauses slots=2");
	struct task *t = kit_submit(k, "util.echo"), *u = kit_submit(k, "util.echo");

	pause_task(k, t);
	k->incarnation++;
	kit_offer(k, "a cpu pauses slots=2");
	assert_int_equal(t->state, STATE_QUEUED);
	assert_int_equal(u->attempt, 2);
	pause_task(k, u);
	kit_up_from(k, "a", &(struct up){ .kind = UP_BYE, .incarnation = k->incarnation });
	assert_int_equal(u->state, STATE_QUEUED);
	assert_int_equal(k->r->counts.lost, 3);
}

static void test_offer_without_it(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu pauses");
	struct task *t = kit_submit(k, "util.echo");

	pause_task(k, t);
	kit_pass(k, 3 * SEC);
	kit_offer(k, "a cpu pauses");
	assert_int_equal(t->state, STATE_QUEUED);
	assert_true(t->paused_ns != 0);
}

/* --- places ------------------------------------------------------------------------------------------- */

/* One that stands still is in nobody's way, and goes when its place is needed. */
static void test_gives_its_place(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu pauses slots=2");
	struct task *t = kit_submit(k, "util.echo"), *second, *third;

	pause_task(k, t);
	second = kit_submit(k, "util.echo");
	assert_string_equal(kit_node(k, second), "a");
	assert_int_equal(t->state, STATE_ASSIGNED);
	kit_look_away(k);
	third = kit_submit(k, "util.echo");
	assert_string_equal(kit_node(k, third), "a");
	assert_int_equal(kit_next(k, SAID_DOWN, DOWN_CANCEL)->task.lo, t->id.lo);
	kit_next(k, SAID_DOWN, DOWN_ASSIGN); /* behind it: the node has room then */
	assert_int_equal(t->state, STATE_QUEUED);
	assert_true(t->paused_ns != 0);
	assert_int_equal(t->tries, 0);
	resume_task(k, t);
	assert_non_null(t->lane);
	kit_done(k, third, SPAN_LIT(""));
	assert_int_equal(t->attempt, 2);
}

static void test_no_place_to_go_on(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu pauses slots=2");
	struct task *t = kit_submit(k, "util.echo");

	pause_task(k, t);
	kit_submit(k, "util.echo");
	offer_with(k, "a cpu pauses slots=1", t, true);
	kit_look_away(k);
	resume_task(k, t);
	assert_int_equal(kit_next(k, SAID_DOWN, DOWN_CANCEL)->attempt, 1);
	assert_int_equal(t->state, STATE_QUEUED);
	assert_non_null(t->lane);
}

/* --- ends --------------------------------------------------------------------------------------------- */

static void test_deadline_goes_on(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("util.echo");

	s.deadline_ms = (k->now_ns + 20 * SEC) / MS;
	kit_offer(k, "a cpu pauses");
	struct task *on_node = kit_submit_as(k, "t", &s);
	struct task *queued = kit_submit_as(k, "t", &s);

	pause_task(k, queued);
	pause_task(k, on_node);
	kit_look_away(k);
	kit_pass(k, 20 * SEC);
	assert_int_equal(on_node->state, STATE_EXPIRED);
	assert_int_equal(queued->state, STATE_EXPIRED);
	kit_next(k, SAID_DOWN, DOWN_CANCEL);
}

static void test_cancel(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu pauses");
	struct task *on_node = kit_submit(k, "util.echo"), *queued = kit_submit(k, "util.echo");

	pause_task(k, queued);
	pause_task(k, on_node);
	kit_look_away(k);
	assert_int_equal(pauses_order(k, ROUTER_CANCEL, "t", on_node->id), 0);
	assert_string_equal(kit_next(k, SAID_DOWN, DOWN_CANCEL)->to, "a");
	assert_int_equal(pauses_order(k, ROUTER_CANCEL, "t", queued->id), 0);
	assert_int_equal(queued->state, STATE_CANCELLED);
	assert_int_equal(queued->paused_ns, 0);
	struct ulid again;

	assert_int_equal(kit_step(k, &(struct router_event){ .kind = ROUTER_REPLAY,
					     .who = SPAN_LIT("t"),
					     .task = queued->id,
					     .ret_task = &again }),
		0);
	assert_int_equal(tasks_find(&k->r->tasks, again)->paused_ns, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_queued),
		TEST(test_clocks_stand_still),
		TEST(test_again_and_again),
		TEST(test_whose_it_is_not),
		TEST(test_before_a_retry),
		TEST(test_stands_still_on_its_node),
		TEST(test_node_that_cannot),
		TEST(test_node_that_could_not),
		TEST(test_orders_that_were_lost),
		TEST(test_done_while_paused),
		TEST(test_fails_while_paused),
		TEST(test_node_is_lost),
		TEST(test_goodbye_and_restart),
		TEST(test_offer_without_it),
		TEST(test_gives_its_place),
		TEST(test_no_place_to_go_on),
		TEST(test_deadline_goes_on),
		TEST(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
