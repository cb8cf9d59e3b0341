/* SPDX-License-Identifier: Apache-2.0
 *
 * Stragglers: the table in tests/cases/policy/late.txt, the figures against a plain sort, and what holds of any
 * numbers.
 */
#include "policy/late.h"

#include <stdlib.h>

#include "base/fmt.h"
#include "tests/support/test.h"

static int64_t us_of(struct case_line *c, const char *key, const char *fallback)
{
	return case_duration(c, key, fallback) / 1000;
}

/* "1s*8,2s": so many of each, in order. */
static void fill(struct case_line *c, struct late_past *p)
{
	struct span all = case_value(c, "past", NULL);
	uint64_t bytes = (uint64_t)case_int(c, "usual_bytes", "0");

	while (all.len > 0) {
		struct span n = span_cut(&all, ',');
		struct span time = span_cut(&n, '*');
		int64_t ns, times = 1;

		if (fmt_duration(time, &ns) < 0 || (n.len > 0 && fmt_int(n, &times) < 0))
			case_fail(c, "no times: past");
		while (times-- > 0)
			late_note(p, ns / 1000, bytes);
	}
}

static void same_us(struct case_line *c, int64_t got)
{
	int64_t wanted = INT64_MAX;

	if (!span_is(case_word(c, 1), "never")) {
		if (fmt_duration(case_word(c, 1), &wanted) < 0)
			case_fail(c, "no time");
		wanted /= 1000;
	}
	case_same_int(c, "microseconds", got, wanted);
}

static struct late_run run_of(struct case_line *c)
{
	struct span all = case_value(c, "siblings", "0/0");
	struct span done = span_cut(&all, '/');
	int64_t n = 0, of = 0;

	if (fmt_int(done, &n) < 0 || fmt_int(all, &of) < 0)
		case_fail(c, "no numbers: siblings");
	return (struct late_run){
		.elapsed_us = us_of(c, "elapsed", "0"),
		.permille = (uint32_t)case_int(c, "permille", "0"),
		.bytes = (uint64_t)case_int(c, "bytes", "0"),
		.siblings = (uint32_t)of,
		.siblings_done = (uint32_t)n,
	};
}

static void run_age(struct case_line *c)
{
	const struct late_conf conf = { .after_us = us_of(c, "after", "500ms") };
	struct late_past p = { 0 };
	struct late_run run = run_of(c);

	fill(c, &p);
	same_us(c, late_age_us(&conf, &p, &run));
}

static void run_anew(struct case_line *c)
{
	struct late_past p = { 0 };
	struct late_run run = run_of(c);

	fill(c, &p);
	same_us(c, late_anew_us(&p, &run, us_of(c, "node", "0"), us_of(c, "other", "0")));
}

static void run_case(struct case_line *c)
{
	struct span what = case_word(c, 0);
	bool yes = span_is(case_word(c, 1), "yes");

	if (span_is(what, "age")) {
		run_age(c);
	} else if (span_is(what, "left")) {
		struct late_run run = run_of(c);

		same_us(c, late_left_us(&run));
	} else if (span_is(what, "anew")) {
		run_anew(c);
	} else if (span_is(what, "pays")) {
		case_same_int(c, "pays", late_pays(us_of(c, "left", NULL), us_of(c, "anew", NULL)),
			yes);
	} else if (span_is(what, "most")) {
		struct late_conf conf = { .share_percent = (uint32_t)case_int(c, "share", "10") };
		int64_t wanted = 0;

		if (fmt_int(case_word(c, 1), &wanted) < 0)
			case_fail(c, "no number");
		case_same_int(c, "most", late_most(&conf, (uint32_t)case_int(c, "of", NULL)),
			wanted);
	} else {
		case_fail(c, "what is %.*s?", (int)what.len, (const char *)what.at);
	}
}

/* --- the figures ------------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Of what is remembered the figures are those of a sort, from a round ago at most. */
static void test_figures(void **state)
{
	struct prng rand;

	(void)state;
	rand_start(&rand);
	for (int round = 0; round < 200; round++) {
		struct late_past p = { 0 };
		uint32_t n = 1 + (uint32_t)prng_below(&rand, 300);
		int64_t sorted[LATE_PAST];

		for (uint32_t i = 0; i < n || p.fresh != 0; i++)
			late_note(&p, (int64_t)prng_below(&rand, 1 + prng_below(&rand, 5000)), 0);
		uint32_t of = p.n < LATE_PAST ? p.n : LATE_PAST;
		uint32_t p95 = (of * 95 + 99) / 100 - 1;
		int64_t sum = 0;

		memcpy(sorted, p.us, of * sizeof *sorted);
		qsort(sorted, of, sizeof *sorted, by_value);
		for (uint32_t i = 0; i <= p95; i++)
			sum += sorted[i];
		assert_int_equal(p.median_us, sorted[(of - 1) / 2]);
		assert_int_equal(p.p95_us, sorted[p95]);
		assert_int_equal(p.mean_us, sum / (p95 + 1));
	}
}

/* A node that gets slower is known within a round of what is remembered. */
static void test_figures_follow(void **state)
{
	struct late_past p = { 0 };

	(void)state;
	for (int i = 0; i < 5000000; i++)
		late_note(&p, 1000, 100);
	assert_true(p.n > LATE_PAST);
	assert_int_equal(p.median_us, 1000);
	for (unsigned i = 0; i < 2 * LATE_PAST; i++)
		late_note(&p, 9000, 900);
	assert_int_equal(p.median_us, 9000);
	assert_in_range(p.bytes, 890, 900);
	for (unsigned i = 0; i < 2 * LATE_PAST; i++)
		late_note(&p, 9000, 0);
	assert_in_range(p.bytes, 0, 10);
}

/* --- any numbers ------------------------------------------------------------------------------------ */

/* Of all sizes, and below zero now and then: peers say what they like. */
static int64_t any(struct prng *rand)
{
	int64_t n = (int64_t)(prng_next(rand) >> (1 + prng_below(rand, 63)));

	return prng_chance(rand, 1, 10) ? -n : n;
}

static void test_any_numbers(void **state)
{
	struct prng rand;

	(void)state;
	rand_start(&rand);
	for (int round = 0; round < 20000; round++) {
		struct late_conf conf = { (int64_t)prng_below(&rand, 3600000000u),
			(uint32_t)prng_below(&rand, 101) };
		struct late_run run = { any(&rand), (uint32_t)prng_below(&rand, 1100),
			prng_next(&rand) >> prng_below(&rand, 64), (uint32_t)prng_below(&rand, 9),
			(uint32_t)prng_below(&rand, 9) };
		struct late_past p = { 0 };
		uint32_t n = (uint32_t)prng_below(&rand, 20);

		for (uint32_t i = 0; i < n; i++)
			late_note(&p, any(&rand), prng_next(&rand) >> prng_below(&rand, 64));
		int64_t node_us = any(&rand), other_us = any(&rand);
		int64_t age = late_age_us(&conf, &p, &run);
		int64_t left = late_left_us(&run);
		int64_t anew = late_anew_us(&p, &run, node_us, other_us);

		assert_true(age >= conf.after_us && left >= 0 && anew >= 0);
		assert_true(n >= LATE_SIBLINGS || age == INT64_MAX);
		assert_true(n < LATE_SAMPLES || age < INT64_MAX / 1000); /* fits as nanoseconds */
		if (late_pays(left, anew))
			assert_true(left >= anew + LATE_WORTH_US);
		/* What pays, pays still when more is left. */
		run.permille /= 2;
		if (late_pays(left, anew) && run.permille > 0)
			assert_true(late_pays(late_left_us(&run), anew));
		/* More input never makes a straggler earlier. */
		run.bytes |= run.bytes << 1;
		assert_true(late_age_us(&conf, &p, &run) >= age);
		assert_in_range(late_most(&conf, n), 1, n < 1 ? 1 : n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_figures_follow),
		cmocka_unit_test(test_any_numbers),
	};
	int failed = cases_run("tests/cases/policy/late.txt", run_case);

	return failed + cmocka_run_group_tests_name("late", tests, NULL, NULL);
}
