/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sweep: what is an axis; points against nested loops; grids beyond any size.
 */
#include "policy/sweep.h"

#include <stdio.h>

#include "base/prng.h"
#include "tests/support/test.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, (size_t)1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

static void test_axes(void **state)
{
	static const struct {
		const char *text;
		int code;
		uint64_t n;
		const char *first, *last;
	} rows[] = {
		{ "1..10", 0, 10, "1", "10" },
		{ "-3..3/2", 0, 4, "-3", "3" },
		{ "-3..4/2", 0, 4, "-3", "3" },
		{ "5..5", 0, 1, "5", "5" },
		{ "0..999999999999", 0, 1000000000000, "0", "999999999999" },
		{ "-9223372036854775808..9223372036854775807/9223372036854775807", 0, 3,
			"-9223372036854775808", "9223372036854775806" },
		{ "a,b, c", 0, 3, "a", "c" },
		{ "", 0, 1, "", "" },
		{ "one..two", 0, 1, "one..two", "one..two" },
		{ "1.5,2.5", 0, 2, "1.5", "2.5" },
		{ "0..1000000000000", ERR_TOO_BIG, 0, 0, 0 },
		{ "-9223372036854775808..9223372036854775807", ERR_TOO_BIG, 0, 0, 0 },
		{ "0..18446744073709551616", ERR_INVALID, 0, 0, 0 },
		{ "2..1", ERR_INVALID, 0, 0, 0 },
		{ "..", ERR_INVALID, 0, 0, 0 },
		{ "1..", ERR_INVALID, 0, 0, 0 },
		{ "..9", ERR_INVALID, 0, 0, 0 },
		{ "1...9", ERR_INVALID, 0, 0, 0 },
		{ "1..9/0", ERR_INVALID, 0, 0, 0 },
		{ "1..9/-1", ERR_INVALID, 0, 0, 0 },
		{ "1..9/", ERR_INVALID, 0, 0, 0 },
		{ "1..9/2/3", ERR_INVALID, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char room[SWEEP_VALUE_BYTES];
		struct fail why = { 0 };
		struct sweep s;
		int r;

		sweep_init(&s);
		r = sweep_add(&arena, &s, SPAN_LIT("k.n"), span_str(rows[i].text), &why);
		if (r != rows[i].code)
			fail_msg("%s: %d %s", rows[i].text, r, why.detail);
		if (r < 0) {
			assert_string_equal(why.field, "k.n");
			assert_int_equal(s.points, 1);
			continue;
		}
		assert_int_equal(s.points, rows[i].n);
		assert_true(span_is(sweep_value(&s, 0, 0, room), rows[i].first));
		assert_true(span_is(sweep_value(&s, 0, s.points - 1, room), rows[i].last));
	}
}

/* Each point once, in the order of nested loops. */
static void loop_over(const struct sweep *s, uint32_t axis, char *name, size_t len, uint64_t *point)
{
	char room[SWEEP_VALUE_BYTES], here[128] = "";

	if (axis == s->axes_n) {
		size_t at = 0;

		for (uint32_t i = 0; i < s->axes_n; i++) {
			struct span v = sweep_value(s, i, *point, room);

			at += (size_t)snprintf(here + at, sizeof(here) - at, "%.*s ", (int)v.len,
				(const char *)v.at);
		}
		assert_string_equal(here, name);
		(*point)++;
		return;
	}
	for (uint64_t i = 0; i < s->axes[axis].n; i++) {
		struct span v = sweep_axis_value(&s->axes[axis], i, room);

		(void)snprintf(name + len, 128 - len, "%.*s ", (int)v.len, (const char *)v.at);
		loop_over(s, axis + 1, name, strlen(name), point);
		name[len] = '\0';
	}
}

static void test_points(void **state)
{
	static const char *const texts[] = { "0..4", "-7..7/3", "x,y,z", "one", "10..16/2" };
	uint64_t seed = 20261121;
	struct prng p;

	(void)state;
	prng_seed(&p, seed);
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int round = 0; round < 50; round++) {
		char name[128] = "";
		uint64_t points = 0;
		struct sweep s;

		sweep_init(&s);
		for (uint64_t n = prng_below(&p, 5); n > 0; n--)
			assert_int_equal(sweep_add(&arena, &s, SPAN_LIT("k.n"),
						 span_str(texts[prng_below(&p, ARRAY_LEN(texts))]),
						 NULL),
				0);
		loop_over(&s, 0, name, 0, &points);
		assert_int_equal(points, s.points);
	}
}

/* 2^64 points, and more: neither wraps around. */
static void test_too_many(void **state)
{
	struct fail why = { 0 };
	struct sweep s;
	int r = 0;

	(void)state;
	sweep_init(&s);
	for (int i = 0; i < 4 && r == 0; i++)
		r = sweep_add(&arena, &s, SPAN_LIT("k.n"), SPAN_LIT("0..65535"), &why);
	assert_int_equal(r, ERR_TOO_BIG);
	assert_int_equal(why.limit, SWEEP_POINTS_MAX);
	assert_int_equal(s.axes_n, 2);
	sweep_init(&s);
	for (uint32_t i = 0; i < SWEEP_AXES_MAX; i++)
		assert_int_equal(sweep_add(&arena, &s, SPAN_LIT("k.n"), SPAN_LIT("1"), &why), 0);
	assert_int_equal(sweep_add(&arena, &s, SPAN_LIT("k.n"), SPAN_LIT("1"), &why), ERR_TOO_BIG);
	assert_int_equal(why.limit, SWEEP_AXES_MAX);
}

static int add_list(void *arg)
{
	struct arena a;
	struct sweep s;
	int r;

	(void)arg;
	arena_init(&a, 1 << 16);
	sweep_init(&s);
	r = sweep_add(&a, &s, SPAN_LIT("k.n"), SPAN_LIT("a,b"), NULL);
	arena_done(&a);
	return r;
}

static void test_want_of_memory(void **state)
{
	(void)state;
	assert_int_equal(nth_alloc(add_list, NULL), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_axes),
		TEST(test_points),
		TEST(test_too_many),
		TEST(test_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
