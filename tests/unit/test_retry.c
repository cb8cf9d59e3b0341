/* SPDX-License-Identifier: Apache-2.0
 *
 * Retries: the table in tests/cases/retry/rules.txt, and what holds of any failure.
 */
#include "router/retry.h"

#include "base/fmt.h"
#include "tests/support/test.h"

static const struct retry_conf conf = {
	.attempts_max = { 0, 10, 3, 3, 1, 3 },
	.backoff_ns = NS_PER_S,
	.backoff_max_ns = 100 * NS_PER_S,
};

/* --- cases ------------------------------------------------------------------------------------------ */

static int code_of(struct case_line *c, struct span name)
{
	for (unsigned i = 0; err_at(i) != NULL; i++)
		if (span_is(name, err_at(i)->name))
			return -err_at(i)->wire;
	case_fail(c, "no such error");
}

static uint64_t draw_of(struct case_line *c)
{
	struct span name = case_value(c, "draw", "high");

	if (span_is(name, "low"))
		return 0;
	return span_is(name, "half") ? UINT64_MAX / 2 : UINT64_MAX;
}

/* A time, or the longest of all. */
static int64_t time_of(struct case_line *c, const char *key, const char *longest,
	const char *fallback)
{
	return span_is(case_value(c, key, fallback), longest) ? INT64_MAX
							      : case_duration(c, key, fallback);
}

static struct retry_case read_case(struct case_line *c, unsigned at)
{
	return (struct retry_case){
		.code = code_of(c, case_word(c, at)),
		.rung = rung_parse(case_word(c, at + 1)),
		.tries = (uint32_t)case_int(c, "tries", "1"),
		.asked_ns = time_of(c, "asked", "292y", "0s"),
		.others = span_is(case_value(c, "others", "no"), "yes"),
		.may_wait_ns = time_of(c, "wait", "last", "60s"),
		.left_ns = case_duration(c, "left", "10m"),
		.draw = draw_of(c),
	};
}

static void rule(struct case_line *c)
{
	static const char *const
		thens[] = { [RETRY_HERE] = "here", [RETRY_RUNG] = "rung", [RETRY_END] = "end" };
	bool here = span_is(case_word(c, 0), "here");
	const struct retry_case in = read_case(c, here ? 2 : 1);
	const struct retry got = retry_after(&conf, &in);
	int64_t wanted_ns = 0;

	case_same_text(c, "what follows", span_str(thens[got.then]), case_word(c, 0));
	if (here && fmt_duration(case_word(c, 1), &wanted_ns) < 0)
		case_fail(c, "no time");
	case_same_int(c, "the pause", got.after_ns, wanted_ns);
	assert_non_null(got.reason);
}

/* --- properties --------------------------------------------------------------------------------------- */

static struct retry_case draw_case(struct prng *p)
{
	unsigned errors = 0;

	while (err_at(errors) != NULL)
		errors++;
	return (struct retry_case){
		.code = -err_at((unsigned)prng_below(p, errors))->wire,
		.rung = (enum rung)(1 + prng_below(p, RUNGS - 1)),
		.tries = 1 + (uint32_t)prng_below(p, 40),
		.asked_ns = prng_chance(p, 1, 2)
				    ? 0
				    : (int64_t)(prng_next(p) >> prng_below(p, 63) >> 1),
		.others = prng_chance(p, 1, 2),
		.may_wait_ns =
			prng_chance(p, 1, 3) ? INT64_MAX : (int64_t)prng_below(p, 100 * NS_PER_S),
		.left_ns = 1 + (int64_t)(prng_next(p) >> (12 + prng_below(p, 50))),
		.draw = prng_next(p),
	};
}

/* Each decision has a reason, is the same for the same case, tries no more often than allowed, never again what
 * would fail again, and pauses neither beyond the deadline nor less than asked for. */
static void any_failure(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int i = 0; i < 200000; i++) {
		const struct retry_case c = draw_case(&p);
		const struct retry got = retry_after(&conf, &c), twice = retry_after(&conf, &c);
		enum blame blame = err_row(c.code)->blame;

		assert_non_null(got.reason);
		assert_true(got.then == twice.then && got.after_ns == twice.after_ns);
		assert_true((got.then == RETRY_END) == (blame == BLAME_REQUEST));
		if (got.then != RETRY_HERE) {
			assert_int_equal(got.after_ns, 0);
			continue;
		}
		assert_true(blame == BLAME_NODE || blame == BLAME_MOMENT);
		assert_true(c.tries < conf.attempts_max[c.rung] || !retry_counts(c.code));
		assert_true(got.after_ns >= 0 && got.after_ns < c.left_ns);
		if (c.asked_ns < c.left_ns && c.asked_ns <= c.may_wait_ns && !c.others)
			assert_true(got.after_ns >= c.asked_ns);
		else
			assert_true(got.after_ns <= conf.backoff_max_ns);
	}
}

/* The pauses of those who failed together lie anywhere in the span, and nowhere more than elsewhere. */
static void jitter_is_full(void **state)
{
	struct retry_case c = { .code = ERR_IO, .rung = RUNG_CPU, .left_ns = 3600 * NS_PER_S };
	unsigned in[10];
	struct prng p;

	(void)state;
	rand_start(&p);
	for (c.tries = 1; c.tries < 10; c.tries++) {
		int64_t most_ns = c.tries < 8 ? NS_PER_S << (c.tries - 1) : 100 * NS_PER_S;

		memset(in, 0, sizeof in);
		for (int i = 0; i < 10000; i++) {
			c.draw = prng_next(&p);
			in[retry_after(&conf, &c).after_ns * 10 / (most_ns + 1)]++;
		}
		for (int i = 0; i < 10; i++)
			assert_in_range(in[i], 850, 1150); /* five deviations of 30 */
	}
}

/* Whoever may try as often as there is time for ends in time all the same, and a shift does not overflow. */
static void any_number_of_tries(void **state)
{
	struct retry_conf most = conf;
	struct retry_case c = { .code = ERR_IO,
		.rung = RUNG_CPU,
		.left_ns = INT64_MAX,
		.draw = UINT64_MAX };

	(void)state;
	most.attempts_max[RUNG_CPU] = UINT32_MAX;
	most.backoff_ns = 3600 * NS_PER_S;
	most.backoff_max_ns = 24 * 3600 * NS_PER_S;
	for (c.tries = 1; c.tries < 200; c.tries++)
		assert_in_range(retry_after(&most, &c).after_ns, most.backoff_ns,
			most.backoff_max_ns);
}

/* However often its nodes are told to end, a task goes on. */
static void a_node_that_is_told_to_end(void **state)
{
	struct retry_case c = { .code = ERR_CLOSED, .rung = RUNG_HUMAN, .left_ns = NS_PER_S };

	(void)state;
	assert_false(retry_counts(ERR_CLOSED));
	assert_true(retry_counts(ERR_LOST) && retry_counts(ERR_IO));
	for (c.tries = 1; c.tries < 100; c.tries++) {
		struct retry r = retry_after(&conf, &c);

		assert_int_equal(r.then, RETRY_HERE);
		assert_int_equal(r.after_ns, 0);
	}
}

static void refusals(void **state)
{
	(void)state;
	assert_true(retry_is_free(ERR_BUSY) && retry_is_free(ERR_CLOSED) &&
		    retry_is_free(ERR_NO_MEMORY));
	assert_false(retry_is_free(ERR_UNSUPPORTED) || retry_is_free(ERR_LOST) ||
		     retry_is_free(ERR_INVALID));
	assert_int_equal(retry_leave_ns(0), 250 * NS_PER_MS);
	assert_int_equal(retry_leave_ns(NS_PER_S), NS_PER_S);
}

static void ends(void **state)
{
	(void)state;
	assert_int_equal(retry_end(ERR_IO), TASK_EXHAUST);
	assert_int_equal(retry_end(ERR_NO_NODE), TASK_EXHAUST);
	assert_int_equal(retry_end(ERR_INVALID), TASK_FAIL);
	assert_int_equal(retry_end(ERR_UNSUPPORTED), TASK_FAIL);
	assert_true(retry_blames_node(ERR_DEVICE));
	assert_false(retry_blames_node(ERR_INVALID));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_failure),
		cmocka_unit_test(jitter_is_full),
		cmocka_unit_test(any_number_of_tries),
		cmocka_unit_test(a_node_that_is_told_to_end),
		cmocka_unit_test(refusals),
		cmocka_unit_test(ends),
	};

	return cases_run("tests/cases/retry/rules.txt", rule) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
