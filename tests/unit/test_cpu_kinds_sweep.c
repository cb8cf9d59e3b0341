/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cpu_kinds_sweep: task.sweep; grids as task.map cuts them, beside the grid in one.
 */
#include "tests/support/cpu_map.h"

#include <stdio.h>
#include <stdlib.h>

/* A grid in parts is the grid in one, line for line. */
static void test_grid(void **state)
{
	static const char *const parts[] = { "1", "2", "5", "7", "24", "1000" };
	struct trial whole;

	(void)state;
	trial_open(&whole);
	trial_param(&whole, "kinds", "text.search");
	trial_param(&whole, "sweep.text.search.query", "node,lease, no such word");
	trial_param(&whole, "sweep.text.search.limit", "1..8");
	trial_item(&whole, "a", SPAN_LIT("A node has a lease. It ends."));
	assert_int_equal(trial_run(&whole, "task.sweep", 1), 0);
	assert_int_equal(trial_number(&whole, "points"), 24);
	assert_memory_equal(whole.result.items[0].data.at,
		"{\"point\":0,\"text.search.query\":\"node\",\"text.search.limit\":1,\"hits\":",
		66);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct mapped m;

		open_map(&m, "text.search");
		trial_param(&m.task, "parts", parts[i]);
		trial_param(&m.task, "sweep.text.search.query", "node,lease, no such word");
		trial_param(&m.task, "sweep.text.search.limit", "1..8");
		trial_item(&m.task, "a", SPAN_LIT("A node has a lease. It ends."));
		run_map(&m);
		assert_int_equal(m.parts_n, i < 4 ? (size_t)atoi(parts[i]) : 24);
		assert_string_equal(m.part_kind, "task.sweep");
		expect_same(&m.join, &whole);
		close_map(&m);
	}
	trial_close(&whole);
}

static void test_grid_of_sums(void **state)
{
	struct mapped m;
	int64_t inside = 0;

	(void)state;
	open_map(&m, "compute.montecarlo");
	trial_param(&m.task, "join", "sum");
	trial_param(&m.task, "compute.montecarlo.samples", "100");
	trial_param(&m.task, "sweep.compute.montecarlo.seed", "0..600/3");
	run_map(&m);
	for (int i = 0; i <= 200; i++) {
		struct trial one;
		char seed[8];

		trial_open(&one);
		(void)snprintf(seed, sizeof(seed), "%d", 3 * i);
		trial_param(&one, "samples", "100");
		trial_param(&one, "seed", seed);
		assert_int_equal(trial_run(&one, "compute.montecarlo", 1), 0);
		inside += trial_number(&one, "inside");
		trial_close(&one);
	}
	assert_int_equal(m.parts_n, 5);
	assert_int_equal(trial_number(&m.join, "samples"), 20100);
	assert_int_equal(trial_number(&m.join, "points"), 201);
	assert_int_equal(trial_number(&m.join, "inside"), inside);
	assert_non_null(body_param(&m.join.result, "pi"));
	close_map(&m);
}

/* What no one could count to is refused before there is a part; what one could is cut as fast as anything. */
static void test_grid_without_end(void **state)
{
	static const struct {
		const char *one, *two;
		int code;
		const char *field;
	} rows[] = {
		{ "0..999999", "1..1000000", 0, "" },
		{ "0..999999", "1..1000001", ERR_TOO_BIG, "compute.montecarlo.samples" },
		{ "0..4294967295", "1..4294967296", ERR_TOO_BIG, "compute.montecarlo.samples" },
		{ "0..18446744073709551616", "1", ERR_INVALID, "compute.montecarlo.seed" },
		{ "0..9223372036854775807", "1", ERR_TOO_BIG, "compute.montecarlo.seed" },
		{ "-5..5", "1", ERR_INVALID, "seed" },
		{ "1,2,x", "1", ERR_INVALID, "seed" },
		{ "1", "1..20000000000/10000000000", ERR_INVALID, "samples" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mapped m;
		int r;

		open_map(&m, "compute.montecarlo");
		trial_param(&m.task, "sweep.compute.montecarlo.seed", rows[i].one);
		trial_param(&m.task, "sweep.compute.montecarlo.samples", rows[i].two);
		r = plan_map(&m);
		if (r != rows[i].code || (r < 0 && strcmp(m.split.why.field, rows[i].field) != 0))
			fail_msg("%s: %d %s: %s", rows[i].one, r, m.split.why.field,
				m.split.why.detail);
		close_map(&m);
	}
}

static void refuse_sweep(const char *kinds, const char *key, const char *value, int code,
	const char *field)
{
	struct trial t;

	trial_open(&t);
	trial_param(&t, "kinds", kinds);
	trial_param(&t, key, value);
	trial_item(&t, "x", SPAN_LIT("text"));
	trial_refuse(&t, "task.sweep", code, field, "");
	trial_close(&t);
}

static void test_bad_sweeps(void **state)
{
	struct trial t;

	(void)state;
	refuse_sweep("data.hash", "data.hash.algorithm", "sha256", ERR_INVALID, "kinds");
	refuse_sweep("data.hash", "sweep.text.stats.top", "1..2", ERR_INVALID, "text.stats.top");
	refuse_sweep("data.hash", "sweep.top", "1..2", ERR_INVALID, "top");
	refuse_sweep("data.hash", "sweep.data.hash.nothing", "1..2", ERR_INVALID, "nothing");
	refuse_sweep("task.sweep", "sweep.task.sweep.first", "1..2", ERR_UNSUPPORTED, "kinds");
	refuse_sweep("task.chain", "sweep.task.chain.kinds", "a", ERR_UNSUPPORTED, "kinds");
	refuse_sweep("blob.compress", "sweep.blob.compress.level", "1..2", ERR_UNSUPPORTED,
		"items");
	trial_open(&t);
	trial_param(&t, "kinds", "blob.compress,data.hash");
	trial_param(&t, "sweep.blob.compress.level", "1..3");
	trial_item(&t, "x", SPAN_LIT("text"));
	trial_param(&t, "first", "3");
	trial_refuse(&t, "task.sweep", ERR_INVALID, "first", "3 points");
	trial_param(&t, "first", "1");
	trial_param(&t, "points", "3");
	trial_refuse(&t, "task.sweep", ERR_INVALID, "points", "3 points");
	trial_param(&t, "points", "0");
	assert_int_equal(trial_run(&t, "task.sweep", 1), 0);
	assert_int_equal(trial_number(&t, "points"), 2);
	trial_param(&t, "sweep.blob.compress.level", "1..3");
	trial_refuse(&t, "task.sweep", ERR_INVALID, "blob.compress.level", "twice");
	trial_close(&t);
}

/* Nobody can run many points of it at once: each is a part. */
static void test_foreign_grid(void **state)
{
	struct split_plan plan;
	struct mapped m;
	struct arena a;

	(void)state;
	arena_init(&a, 1 << 20);
	open_map(&m, "x.y");
	trial_param(&m.task, "sweep.x.y.z", "1..3");
	trial_param(&m.task, "sweep.x.y.w", "a,b");
	assert_int_equal(plan_map(&m), 0);
	assert_int_equal(split_plan_decode(&a, buf_span(&m.split.out), &plan, NULL), 0);
	assert_int_equal(plan.parts_n, 6);
	for (size_t i = 0; i < 6; i++) {
		struct body body;

		assert_true(span_is(plan.parts[i].kind, "x.y"));
		assert_int_equal(body_decode(&a, plan.parts[i].body, &body, NULL), 0);
		assert_int_equal(body_param(&body, "z")->value.at[0], '1' + i / 2);
		assert_int_equal(body_param(&body, "w")->value.at[0], 'a' + i % 2);
	}
	trial_param(&m.task, "sweep.x.y.v", "1..1000");
	assert_int_equal(plan_map(&m), ERR_TOO_BIG);
	assert_string_equal(m.split.why.field, "kinds");
	close_map(&m);
	arena_done(&a);
}

static void test_want_of_memory(void **state)
{
	struct mapped m;

	(void)state;
	open_map(&m, "data.hash");
	trial_item(&m.task, "a", SPAN_LIT("one"));
	trial_param(&m.task, "sweep.data.hash.algorithm", "sha256,blake2b");
	assert_int_equal(plan_map(&m), 0);
	assert_true(trial_nth(&m.split, "task.split") > 3);
	assert_true(trial_nth(&m.task, "task.sweep") > 3);
	trial_param(&m.task, "join", "sum");
	assert_true(trial_nth(&m.task, "task.sweep") > 3);
	close_map(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grid),
		cmocka_unit_test(test_grid_of_sums),
		cmocka_unit_test(test_grid_without_end),
		cmocka_unit_test(test_bad_sweeps),
		cmocka_unit_test(test_foreign_grid),
		cmocka_unit_test(test_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
