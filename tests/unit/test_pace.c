/* SPDX-License-Identifier: Apache-2.0
 *
 * test_pace: what is learned of parts, and how many of them it makes.
 */
#include "policy/pace.h"

#include "tests/support/test.h"

static void test_parts(void **state)
{
	static const struct {
		uint64_t units;
		int64_t unit_ps;
		uint32_t nodes, most, parts;
	} rows[] = {
		{ 0, 1, 1, 1024, 1 },
		{ 1000000, 5000, 4, 1024, 1 },          /* 5 ms */
		{ 50000000, 5000, 1, 1024, 2 },         /* 250 ms: none below 100 */
		{ 100000000, 5000, 10, 1024, 5 },       /* 500 ms */
		{ 1000000000, 5000, 1, 1024, 6 },       /* 5 s: a part of 1 s at most */
		{ 1000000000, 5000, 10, 1024, 30 },     /* three for each node */
		{ 10000000000, 5000, 2, 1024, 51 },     /* 50 s */
		{ 10000000000, 5000, 1000, 1024, 500 }, /* none below 100 ms */
		{ UINT64_MAX, PACE_UNIT_PS_MAX, 1, 1024, 1024 },
		{ 10000000000, 5000, 2, 7, 7 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			pace_parts(rows[i].units, rows[i].unit_ps, rows[i].nodes, rows[i].most),
			rows[i].parts);
}

static void test_learning(void **state)
{
	static struct pace p;

	(void)state;
	assert_null(pace_find(&p, 1));
	pace_learn(&p, 1, SPAN_LIT("byte"), 0, 1000);
	pace_learn(&p, 1, SPAN_LIT(""), 1, 1000);
	assert_null(pace_find(&p, 1));
	pace_learn(&p, 1, SPAN_LIT("byte"), 1000, 1000);
	assert_int_equal(pace_find(&p, 1)->unit_ps, 1000000);
	pace_learn(&p, 1, SPAN_LIT("byte"), 1000, 9000);
	assert_int_equal(pace_find(&p, 1)->unit_ps, 2000000);
	for (int i = 0; i < 200; i++)
		pace_learn(&p, 1, SPAN_LIT("byte"), 1000, 500);
	assert_in_range(pace_find(&p, 1)->unit_ps, 500000, 500010);
	pace_learn(&p, 1, SPAN_LIT("point"), 1, 3);
	assert_int_equal(pace_find(&p, 1)->unit_ps, 3000000);
	assert_string_equal(pace_find(&p, 1)->unit, "point");
	pace_learn(&p, 2, SPAN_LIT("byte"), UINT64_MAX, -1);
	assert_int_equal(pace_find(&p, 2)->unit_ps, 1);
	pace_learn(&p, 3, SPAN_LIT("byte"), 1, INT64_MAX);
	assert_int_equal(pace_find(&p, 3)->unit_ps, PACE_UNIT_PS_MAX);
}

/* Who was not asked for longest gives way. */
static void test_bounded(void **state)
{
	static struct pace p;

	(void)state;
	for (uint64_t key = 1; key <= PACE_ROWS; key++)
		pace_learn(&p, key, SPAN_LIT("byte"), 1, (int64_t)key);
	assert_non_null(pace_find(&p, 1));
	pace_learn(&p, 1000, SPAN_LIT("byte"), 1, 1);
	assert_non_null(pace_find(&p, 1));
	assert_null(pace_find(&p, 2));
	assert_non_null(pace_find(&p, 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_learning),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
