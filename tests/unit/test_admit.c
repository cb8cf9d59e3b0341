/* SPDX-License-Identifier: Apache-2.0
 *
 * May a tenant hand over one more task?
 */
#include "policy/admit.h"

#include "base/fmt.h"
#include "base/limits.h"
#include "tests/support/test.h"

static struct admit_load load_of(uint64_t tasks, uint64_t all)
{
	return (struct admit_load){
		.tasks = tasks,
		.all_tasks = all,
		.tasks_max = 900,
		.bytes_max = 900,
		.weight = 1,
	};
}

static int try(const struct admit_limits *limits, const struct admit_load *load, uint64_t bytes,
	struct fail *why)
{
	struct admit_rate rate = { 0 };

	*why = (struct fail){ 0 };
	return admit_task(limits, load, bytes, &rate, 0, why);
}

static void tasks_have_limits(void **state)
{
	static const struct {
		uint64_t tasks, all;
		uint32_t own, weight;
		const char *field; /* NULL: it may */
		int64_t limit;
	} rows[] = {
		{ 0, 0, 0, 1, NULL, 0 },
		{ 799, 799, 0, 1, NULL, 0 },
		{ 800, 800, 0, 1, "tenant.tasks", 800 },
		{ 0, 800, 0, 1, NULL, 0 },
		{ 423, 847, 0, 1, NULL, 0 },
		{ 424, 848, 0, 1, "tenant.tasks", 416 },
		{ 424, 848, 0, 2, NULL, 0 },
		{ 0, 899, 0, 1, NULL, 0 },
		{ 7, 899, 0, 1, NULL, 0 },
		{ 8, 899, 0, 1, "tenant.tasks", 8 },
		{ 0, 900, 0, 1, "tasks", 900 },
		{ 0, 1000, 0, LIMIT_WEIGHT, "tasks", 900 },
		{ 4, 4, 5, 1, NULL, 0 },
		{ 5, 5, 5, 1, "tenant.tasks", 5 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct admit_load load = load_of(rows[i].tasks, rows[i].all);
		const struct admit_limits limits = { .tasks = rows[i].own };
		struct fail why;

		load.weight = rows[i].weight;
		assert_int_equal(try(&limits, &load, 1, &why),
			rows[i].field == NULL ? 0 : ERR_BUSY);
		assert_string_equal(why.field, rows[i].field == NULL ? "" : rows[i].field);
		assert_int_equal(why.limit, rows[i].limit);
		assert_true(rows[i].field == NULL || why.retry_after_ms >= ADMIT_RETRY_LEAST_MS);
	}
}

static void bytes_have_limits(void **state)
{
	static const struct {
		uint64_t bytes, all, more, own;
		const char *field;
		int64_t limit;
	} rows[] = {
		{ 0, 0, 900, 0, NULL, 0 }, /* who has nothing may take the last */
		{ 0, 0, 901, 0, "bytes", 900 },
		{ 700, 700, 100, 0, NULL, 0 },
		{ 700, 700, 101, 0, "tenant.bytes", 792 },
		{ 0, 800, 100, 0, NULL, 0 },
		{ 0, 0, 11, 10, "tenant.bytes", 10 },
		{ 4, 4, 6, 10, NULL, 0 },
		{ 5, 5, 6, 10, "tenant.bytes", 10 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct admit_load load = load_of(0, 0);
		const struct admit_limits limits = { .bytes = rows[i].own };
		struct fail why;

		load.bytes = rows[i].bytes;
		load.all_bytes = rows[i].all;
		assert_int_equal(try(&limits, &load, rows[i].more, &why),
			rows[i].field == NULL ? 0 : ERR_BUSY);
		assert_string_equal(why.field, rows[i].field == NULL ? "" : rows[i].field);
		assert_int_equal(why.limit, rows[i].limit);
	}
}

/* However many are greedy, a newcomer finds room. */
static void a_newcomer_finds_room(void **state)
{
	enum { TENANTS = 20, MAX = 10000 };
	const struct admit_limits none = { 0 };

	(void)state;
	for (unsigned greedy = 1; greedy < TENANTS; greedy++) {
		uint64_t has[TENANTS] = { 0 }, all = 0;
		bool more = true;
		struct fail why;

		while (more) {
			more = false;
			for (unsigned i = 0; i < greedy; i++) {
				struct admit_load load = load_of(has[i], all);

				load.tasks_max = MAX;
				if (try(&none, &load, 0, &why) < 0)
					continue;
				has[i]++;
				all++;
				more = true;
			}
		}
		assert_true(MAX - all >= MAX / (ADMIT_SHARE * greedy + 1));
		for (unsigned i = 1; i < greedy; i++)
			assert_true(has[0] - has[i] <= 1);
	}
}

static void a_rate_holds_over_any_second(void **state)
{
	const struct admit_limits limits = { .rate = 100, .burst = 10 };
	const struct admit_load load = load_of(0, 0);
	struct admit_rate rate = { 0 };
	struct prng p;
	int64_t now = NS_PER_S;
	unsigned in_second[100] = { 0 };
	struct fail why = { 0 };

	(void)state;
	rand_start(&p);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(admit_task(&limits, &load, 0, &rate, now, &why), 0);
	assert_int_equal(admit_task(&limits, &load, 0, &rate, now, &why), ERR_BUSY);
	assert_string_equal(why.field, "tenant.rate");
	assert_int_equal(why.limit, 100);
	assert_int_equal(why.retry_after_ms, 100);
	now += 10 * NS_PER_MS;
	assert_int_equal(admit_task(&limits, &load, 0, &rate, now, &why), 0);
	assert_int_equal(admit_task(&limits, &load, 0, &rate, now, &why), ERR_BUSY);
	for (now = 10 * NS_PER_S; now < 60 * NS_PER_S;
		now += (int64_t)prng_below(&p, 3 * NS_PER_MS))
		in_second[now / NS_PER_S] += admit_task(&limits, &load, 0, &rate, now, &why) == 0;
	for (unsigned i = 10; i < 60; i++)
		assert_in_range(in_second[i], 99, 110);
}

static void the_time_to_try_again_follows_the_pace(void **state)
{
	static const struct {
		uint64_t tasks;
		int64_t gap_ns, ms;
	} rows[] = {
		{ 900, 0, 30000 },
		{ 15, 0, 1000 },
		{ 900, NS_PER_MS, 57 },
		{ 900, 10 * NS_PER_MS, 570 },
		{ 900, 1, ADMIT_RETRY_LEAST_MS },
		{ 900, INT64_MAX, ADMIT_RETRY_MOST_MS },
	};
	const struct admit_limits limits = { .tasks = 1 };
	int64_t gap = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct admit_load load = load_of(rows[i].tasks, 0);
		struct fail why;

		load.end_gap_ns = rows[i].gap_ns;
		assert_int_equal(try(&limits, &load, 0, &why), ERR_BUSY);
		assert_int_equal(why.retry_after_ms, rows[i].ms);
	}
	for (int i = 0; i < 100; i++)
		gap = admit_gap(gap, 5 * NS_PER_MS);
	assert_int_equal(gap, 5 * NS_PER_MS);
	assert_int_equal(admit_gap(0, -5), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_have_limits),
		cmocka_unit_test(bytes_have_limits),
		cmocka_unit_test(a_newcomer_finds_room),
		cmocka_unit_test(a_rate_holds_over_any_second),
		cmocka_unit_test(the_time_to_try_again_follows_the_pace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
