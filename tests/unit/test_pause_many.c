/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands still of more than one: a task's parts, and its second attempt.
 */
#include "tests/support/pauses.h"
#include "tests/support/twins.h"

/* --- second attempts ------------------------------------------------------------------------------------ */

/* Where nodes can pause, and it is known that tasks take a second. */
static void know(struct kit *k, const char *a, const char *b)
{
	kit_offer(k, a);
	kit_offer(k, b);
	for (int i = 0; i < 8; i++) {
		struct task *t = kit_submit(k, "util.echo");

		kit_pass(k, SEC);
		kit_done(k, t, SPAN_LIT(""));
	}
	kit_offer(k, a);
	kit_offer(k, b);
}

/* Of two attempts neither can be kept where one cannot: both are called back. */
static void test_twins(void **state)
{
	struct kit *k = *state;
	struct task *t = twins_task(k);
	const char *first = kit_node(k, t);

	kit_look_away(k);
	pause_task(k, t);
	assert_null(t->twin);
	assert_int_equal(t->state, STATE_QUEUED);
	twins_called_back(k, twins_other(first), 2);
	twins_called_back(k, first, 1);
	resume_task(k, t);
	assert_int_equal(t->attempt, 3);
}

static void test_no_twin_of_what_stands(void **state)
{
	struct kit *k = *state;

	know(k, "a cpu pauses", "b cpu pauses");
	struct task *t = kit_submit(k, "util.echo");

	kit_up(k, UP_ACCEPT, t);
	pause_task(k, t);
	kit_pass(k, 10 * SEC);
	assert_null(t->twin);
	resume_task(k, t);
	kit_pass(k, TWINS_AGE - SEC);
	assert_null(t->twin); /* what it stood is not what it ran */
	kit_pass(k, 2 * SEC);
	assert_non_null(t->twin);
}

static void test_no_twin_in_its_place(void **state)
{
	struct kit *k = *state;

	know(k, "a cpu pauses", "b cpu pauses");
	struct task *t = kit_submit(k, "util.echo"), *u = kit_submit(k, "util.echo");

	kit_up(k, UP_ACCEPT, t);
	kit_up(k, UP_ACCEPT, u);
	assert_string_not_equal(kit_node(k, t), kit_node(k, u));
	pause_task(k, u);
	kit_pass(k, TWINS_AGE + SEC);
	assert_null(t->twin);
	assert_int_equal(u->state, STATE_RUNNING);
	assert_int_equal(pauses_order(k, ROUTER_CANCEL, "t", u->id), 0);
	kit_pass(k, 2 * SEC);
	assert_non_null(t->twin);
}

/* --- parts -------------------------------------------------------------------------------------------- */

/* llm.chat without anybody for it is split, and its planner is on the node. */
static struct task *split_one(struct kit *k)
{
	struct submit s = kit_task("llm.chat");

	s.allow.rung[s.allow.n++] = RUNG_SPLIT;
	kit_offer(k, "c cpu slots=8 pauses kinds=task.split,util.echo,task.reduce");
	return kit_submit_as(k, "t", &s);
}

static struct task *child_in(struct kit *k, enum task_role role, uint32_t part)
{
	for (uint32_t i = 0; i < k->r->tasks.slots.cap; i++) {
		struct task *t =
			slots_is_taken(&k->r->tasks.slots, i) ? tasks_at(&k->r->tasks, i) : NULL;

		if (t != NULL && t->role == role && t->part == part)
			return t;
	}
	return NULL;
}

static void plan_done(struct kit *k, struct task *plan, unsigned parts)
{
	struct part p = { .kind = SPAN_LIT("util.echo") };
	struct buf b;

	buf_init(&b, 65536);
	while (parts-- > 0)
		split_plan_put_part(&b, &p);
	p.kind = SPAN_LIT("task.reduce");
	split_plan_put_join(&b, &p);
	kit_done(k, plan, buf_span(&b));
	buf_done(&b);
}

static void test_parts_stand_still(void **state)
{
	struct kit *k = *state;
	struct task *t = split_one(k);

	assert_int_equal(t->state, STATE_SPLIT);
	plan_done(k, child_in(k, ROLE_PLAN, 0), 3);
	struct task *part[3];

	for (uint32_t i = 0; i < 3; i++) {
		part[i] = child_in(k, ROLE_PART, i);
		kit_up(k, UP_ACCEPT, part[i]);
	}
	kit_look_away(k);
	pause_task(k, t);
	for (int i = 0; i < 3; i++) {
		kit_next(k, SAID_DOWN, DOWN_PAUSE);
		assert_true(part[i]->paused_ns != 0);
	}
	assert_int_equal(pauses_order(k, ROUTER_PAUSE, "t", part[0]->id), ERR_INVALID);
	assert_int_equal(pauses_order(k, ROUTER_RESUME, "t", part[0]->id), ERR_INVALID);
	for (int i = 0; i < 3; i++) /* they were done: the join is made, but does not begin */
		kit_done(k, part[i], SPAN_LIT(""));
	struct task *join = child_in(k, ROLE_JOIN, 0);

	assert_non_null(join);
	kit_pass(k, SEC);
	assert_int_equal(join->attempt, 0);
	resume_task(k, t);
	assert_int_equal(join->attempt, 1);
	kit_done(k, join, SPAN_LIT("x"));
	assert_int_equal(t->state, STATE_SUCCEEDED);
}

static void test_planner_stands_still(void **state)
{
	struct kit *k = *state;
	struct task *t = split_one(k), *plan = child_in(k, ROLE_PLAN, 0);

	pause_task(k, t);
	plan_done(k, plan, 2);
	assert_int_equal(child_in(k, ROLE_PART, 1)->attempt, 0);
	assert_int_equal(pauses_order(k, ROUTER_CANCEL, "t", t->id), 0);
	assert_int_equal(t->state, STATE_CANCELLED);
	assert_int_equal(child_in(k, ROLE_PART, 1)->state, STATE_CANCELLED);
}

/* A task on its way to the rung split is not cut before it is resumed. */
static void test_split_waits(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("llm.chat");

	s.allow.rung[s.allow.n++] = RUNG_GPU;
	s.allow.rung[s.allow.n++] = RUNG_SPLIT;
	kit_offer(k, "g gpu pauses kinds=llm.chat");
	kit_offer(k, "c cpu kinds=task.split,util.echo,task.reduce");
	struct task *t = kit_submit_as(k, "t", &s);

	pause_task(k, t);
	kit_fails(k, t, ERR_UNSUPPORTED);
	assert_int_equal(task_rung(t), RUNG_SPLIT);
	kit_pass(k, 5 * SEC);
	assert_int_equal(t->state, STATE_QUEUED);
	kit_offer(k, "c cpu kinds=task.split,util.echo,task.reduce");
	resume_task(k, t);
	assert_int_equal(t->state, STATE_SPLIT);
}

/* Parts that cannot go on end at the resume, and their parent with the first of them. */
static void test_parts_end_at_the_resume(void **state)
{
	struct kit *k = *state;
	struct task *t = split_one(k);

	plan_done(k, child_in(k, ROLE_PLAN, 0), 3);
	pause_task(k, t);
	kit_up_from(k, "c", &(struct up){ .kind = UP_BYE, .incarnation = k->incarnation });
	assert_int_equal(t->state, STATE_SPLIT);
	resume_task(k, t);
	kit_pass(k, 61 * SEC);
	assert_true(state_is_final(t->state));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_twins),
		TEST(test_no_twin_of_what_stands),
		TEST(test_no_twin_in_its_place),
		TEST(test_parts_stand_still),
		TEST(test_planner_stands_still),
		TEST(test_split_waits),
		TEST(test_parts_end_at_the_resume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
