/* SPDX-License-Identifier: Apache-2.0
 *
 * The matrix of states, and the queues of waiting tasks.
 */
#include "router/task.h"

#include "router/wait.h"
#include "tests/support/test.h"

/* The whole matrix, as design 5 draws it: one row per state, one column per event in the order of enum
 * task_event; '.' cannot happen. */
static const char *const drawn[STATES] = {
	/*                 PABHSDFCXE */
	[STATE_NONE] = "..........",
	[STATE_QUEUED] = "A..QP.FCXD",
	[STATE_ASSIGNED] = ".RQ..SFCX.",
	[STATE_RUNNING] = "..Q..SFCX.",
	[STATE_SPLIT] = "..Q..S.CX.",
	[STATE_SUCCEEDED] = "..........",
	[STATE_FAILED] = "..........",
	[STATE_CANCELLED] = "..........",
	[STATE_EXPIRED] = "..........",
	[STATE_DEAD] = "..........",
};

static enum state state_of(char c)
{
	static const char letters[] = ".QARPSFCXD";

	return (enum state)(strchr(letters, c) - letters);
}

static void test_matrix(void **state)
{
	(void)state;
	for (int s = 0; s < STATES; s++)
		for (int e = 0; e < TASK_EVENTS; e++)
			assert_int_equal(task_next((enum state)s, (enum task_event)e),
				state_of(drawn[s][e]));
	assert_int_equal(task_next(STATES, TASK_PLACE), STATE_NONE);
	assert_int_equal(task_next(STATE_QUEUED, TASK_EVENTS), STATE_NONE);
	for (int e = 0; e < TASK_EVENTS; e++)
		assert_string_not_equal(task_event_name((enum task_event)e), "?");
	assert_string_equal(task_event_name(TASK_EVENTS), "?");
}

static void try_move(struct tasks *ts, struct task *t, enum state from, enum task_event e)
{
	ts->count[t->state]--;
	t->state = (uint8_t)from;
	ts->count[t->state]++;
	if (task_next(from, e) == STATE_NONE) {
		expect_assert_failure(task_move(ts, t, e));
		assert_int_equal(t->state, from);
	} else {
		task_move(ts, t, e);
	}
}

static void test_illegal_moves_are_refused(void **state)
{
	struct tasks ts;
	uint32_t sum = 0;

	(void)state;
	tasks_init(&ts, 4);
	struct task *t = tasks_add(&ts, (struct ulid){ 1, 1 });

	assert_non_null(t);
	for (int i = STATE_QUEUED * TASK_EVENTS; i < STATES * TASK_EVENTS; i++)
		try_move(&ts, t, (enum state)(i / TASK_EVENTS), (enum task_event)(i % TASK_EVENTS));
	for (int s = 0; s < STATES; s++)
		sum += ts.count[s];
	assert_int_equal(sum, 1);
	tasks_done(&ts);
}

static void test_table(void **state)
{
	struct tasks ts;
	unsigned char hash[TASK_HASH] = { 7 };

	(void)state;
	tasks_init(&ts, 2);
	struct task *a = tasks_add(&ts, (struct ulid){ 1, 1 });
	struct task *b = tasks_add(&ts, (struct ulid){ 1, 2 });

	assert_null(tasks_add(&ts, (struct ulid){ 1, 3 }));
	a->tenant = 1;
	b->tenant = 2;
	assert_int_equal(tasks_set_key(&ts, a, SPAN_LIT("k"), hash), 0);
	assert_int_equal(tasks_set_key(&ts, b, SPAN_LIT("k"), hash), 0);
	assert_ptr_equal(tasks_find_key(&ts, 1, SPAN_LIT("k")), a);
	assert_ptr_equal(tasks_find_key(&ts, 2, SPAN_LIT("k")), b);
	assert_null(tasks_find_key(&ts, 3, SPAN_LIT("k")));
	tasks_drop(&ts, a);
	assert_null(tasks_find_key(&ts, 1, SPAN_LIT("k")));
	assert_null(tasks_find(&ts, (struct ulid){ 1, 1 }));
	assert_ptr_equal(tasks_find(&ts, (struct ulid){ 1, 2 }), b);
	tasks_wake_by(&ts, b, 100);
	tasks_wake_by(&ts, b, 200);
	assert_int_equal(heap_top(&ts.due)->key, 100);
	tasks_wake_by(&ts, b, 50);
	assert_int_equal(heap_top(&ts.due)->key, 50);
	tasks_done(&ts);
}

/* --- waiting ------------------------------------------------------------------------------------ */

#define WAITING 200

/* The most urgent of the heads of the levels, the slow way. */
static struct task *model_next(struct task *tasks, const uint32_t *order, uint32_t n, bool *taken)
{
	struct task *best = NULL;
	uint32_t best_at = 0;

	for (uint32_t p = 0; p <= LIMIT_PRIORITY; p++)
		for (uint32_t i = 0; i < n; i++) {
			struct task *t = &tasks[order[i]];

			if (taken[i] || t->priority != p)
				continue;
			if (best == NULL || t->rung_ns - t->priority * WAIT_AGE_NS <
						    best->rung_ns - best->priority * WAIT_AGE_NS) {
				best = t;
				best_at = i;
			}
			break; /* only the head of a level counts */
		}
	if (best != NULL)
		taken[best_at] = true;
	return best;
}

static void test_order_of_waiting(void **state)
{
	static struct task tasks[WAITING];
	uint32_t order[WAITING];
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 50; round++) {
		struct wait_cursor c = { .begun = false };
		struct wait w;
		bool taken[WAITING] = { false };
		uint32_t n = 1 + (uint32_t)prng_below(&p, WAITING);
		struct task *t;

		wait_init(&w, 1, RUNG_CPU);
		for (uint32_t i = 0; i < n; i++) {
			tasks[i] = (struct task){
				.priority = (uint8_t)prng_below(&p, 10),
				.rung_ns = (int64_t)i * WAIT_AGE_NS / 20,
			};
			list_init(&tasks[i].queued);
			wait_push(&w, &tasks[i]);
			order[i] = i;
		}
		while ((t = wait_next(&w, &c)) != NULL) {
			assert_ptr_equal(t, model_next(tasks, order, n, taken));
			if (prng_below(&p, 2) == 0)
				wait_drop(&w, t);
		}
		assert_null(model_next(tasks, order, n, taken));
	}
}

static void test_waiting_twice_is_refused(void **state)
{
	struct task t = { .priority = 3 };
	struct wait w;

	(void)state;
	wait_init(&w, 1, RUNG_CPU);
	list_init(&t.queued);
	wait_push(&w, &t);
	expect_assert_failure(wait_push(&w, &t));
	wait_drop(&w, &t);
	expect_assert_failure(wait_drop(&w, &t));
	t.priority = WAIT_LEVELS;
	expect_assert_failure(wait_push(&w, &t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matrix),
		cmocka_unit_test(test_illegal_moves_are_refused),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_order_of_waiting),
		cmocka_unit_test(test_waiting_twice_is_refused),
	};

	return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
