/* SPDX-License-Identifier: Apache-2.0
 *
 * The matrix of states and the table.
 */
#include "router/task.h"

#include "tests/support/test.h"

/* The whole matrix, as design 5 draws it: one row per state, one column per event in the order of enum
 * task_event; '.' cannot happen. */
static const char *const drawn[STATES] = {
	/*                 PABHS+DFCXE */
	[STATE_NONE] = "...........",
	[STATE_QUEUED] = "A..QPS.FCXD",
	[STATE_ASSIGNED] = ".RQ...SFCX.",
	[STATE_RUNNING] = "..Q...SFCX.",
	[STATE_SPLIT] = "..Q...S.CX.",
	[STATE_SUCCEEDED] = "...........",
	[STATE_FAILED] = "...........",
	[STATE_CANCELLED] = "...........",
	[STATE_EXPIRED] = "...........",
	[STATE_DEAD] = "...........",
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
	tasks_init(&ts, 4, 1);
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
	tasks_init(&ts, 2, 1);
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

/* The hash under which the table has the only key in it. */
static uint64_t hash_of_key(uint64_t seed, const char *key)
{
	unsigned char content[TASK_HASH] = { 7 };
	struct tasks ts;
	uint64_t hash = 0;

	tasks_init(&ts, 1, seed);
	assert_int_equal(
		tasks_set_key(&ts, tasks_add(&ts, (struct ulid){ 1, 1 }), span_str(key), content),
		0);
	for (uint32_t i = 0; i < ts.by_key.cap; i++)
		hash += ts.by_key.rows[i].hash; /* the others are 0 */
	tasks_done(&ts);
	return hash;
}

/* These were made for a seed that was the same everywhere: the second eight of sixteen bytes meet what the hash has come
 * to by then, which makes it forget all that it read. */
static void test_keys_that_were_chosen_to_meet(void **state)
{
	static const char *const keys[] = {
		"IF_BUtkBvMugnOB4any-eig1sFw3NtI2whatever",
		"IF_BUtkBvMugnOB4any-eig2sFw3NtI2whatever",
		"IF_BUtkBvMugnOB4--------sFw3NtI2whatever",
	};

	(void)state;
	for (unsigned i = 1; i < ARRAY_LEN(keys); i++) {
		assert_int_equal(hash_of_key(11, keys[i]), hash_of_key(11, keys[0]));
		assert_int_not_equal(hash_of_key(12, keys[i]), hash_of_key(12, keys[0]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matrix),
		cmocka_unit_test(test_illegal_moves_are_refused),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_keys_that_were_chosen_to_meet),
	};

	return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
