/* SPDX-License-Identifier: Apache-2.0 */
#include "run/metric.h"

#include "tests/support/test.h"

struct metrics {
	uint64_t tasks;
	int64_t free_slots;
	struct hist wait_us;
};

static const struct metric_row rows[] = {
	{ "tasks", METRIC_COUNTER, offsetof(struct metrics, tasks), "", "tasks taken" },
	{ "free_slots", METRIC_GAUGE, offsetof(struct metrics, free_slots), "", "slots free" },
	{ "wait_us", METRIC_HIST, offsetof(struct metrics, wait_us), "us", "time in the queue" },
	{ 0 },
};

static void is_json(struct buf *b, const char *wanted)
{
	buf_byte(b, '\0');
	assert_int_equal(buf_err(b), 0);
	assert_string_equal((const char *)b->at, wanted);
	buf_reset(b);
}

static void shows_every_type(void **state)
{
	CLEANUP(buf_done) struct buf b = { .max = 4096 };
	struct metrics m = { .tasks = UINT64_MAX, .free_slots = -3 };
	struct metric_set set = { "cpu-node", rows, &m };

	(void)state;
	for (int i = 1; i <= 10; i++)
		hist_add(&m.wait_us, i);
	metric_json(&b, &set);
	is_json(&b, "{\"spu_cpu_node_tasks\":18446744073709551615,\"spu_cpu_node_free_slots\":-3,"
		    "\"spu_cpu_node_wait_us\":{\"count\":10,\"p50\":5,\"p99\":10,\"max\":10}}");
}

static void joins_sets_and_skips_empty_ones(void **state)
{
	CLEANUP(buf_done) struct buf b = { .max = 4096 };
	struct metrics m = { .tasks = 7 };
	struct metric_row one[] = { rows[0], { 0 } };
	struct metric_set sets[] = { { 0 }, { "a", one, &m }, { "b", &rows[3], &m },
		{ "c", one, &m } };

	(void)state;
	metric_json_all(&b, sets, 4);
	is_json(&b, "{\"spu_a_tasks\":7,\"spu_c_tasks\":7}");
	metric_json(&b, &sets[0]);
	is_json(&b, "{}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_every_type),
		cmocka_unit_test(joins_sets_and_skips_empty_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
