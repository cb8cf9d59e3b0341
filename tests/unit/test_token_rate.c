/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/err.h"
#include "policy/token_count.h"
#include "tests/support/test.h"

static void learn(struct token_rate *r, unsigned times, uint64_t estimated, uint64_t actual)
{
	for (unsigned i = 0; i < times; i++)
		assert_true(token_rate_learn(r, estimated, actual));
}

static uint32_t permille(const struct token_rate *r)
{
	return (uint32_t)(((uint64_t)token_rate_get(r) * 1000 + TOKEN_RATE_ONE / 2) /
			  TOKEN_RATE_ONE);
}

static void test_what_it_learns(void **state)
{
	static const struct {
		uint64_t estimated, actual;
		unsigned times;
		uint32_t low, high; /* permille */
	} rows[] = {
		{ 1000, 1000, 1, 1000, 1000 },
		{ 1000, 1200, 1, 1200, 1200 }, /* the first one counts whole */
		{ 1000, 800, 100, 800, 800 },
		{ 64, 96, 1, 1500, 1500 },
		{ 1000, 1, 100, 250, 250 }, /* nothing below a quarter */
		{ 1000, 1000000, 100, 4000, 4000 },
		{ UINT64_MAX, UINT64_MAX, 20, 999, 1000 },
		{ 64, UINT64_MAX, 3, 4000, 4000 },
		{ UINT64_MAX, 1, 3, 250, 250 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct token_rate r = { 0 };

		learn(&r, rows[i].times, rows[i].estimated, rows[i].actual);
		if (permille(&r) < rows[i].low || permille(&r) > rows[i].high)
			fail_msg("row %zu: %u", i, permille(&r));
	}
}

static void test_what_it_ignores(void **state)
{
	struct token_rate r = { 0 };

	(void)state;
	assert_int_equal(token_rate_get(&r), TOKEN_RATE_ONE);
	assert_false(token_rate_learn(&r, 0, 100));
	assert_false(token_rate_learn(&r, TOKEN_RATE_LEAST - 1, 100));
	assert_false(token_rate_learn(&r, 1000, 0));
	assert_int_equal(token_rate_get(&r), TOKEN_RATE_ONE);
	assert_int_equal(r.seen, 0);
}

static void test_an_odd_answer_changes_little(void **state)
{
	struct token_rate r = { 0 };

	(void)state;
	learn(&r, 20, 1000, 1100);
	learn(&r, 1, 1000, 10);
	assert_in_range(permille(&r), 1070, 1100);
	learn(&r, 1, 1000, 1000000);
	assert_in_range(permille(&r), 1070, 1130);
	/* but what stays so is learned */
	learn(&r, 200, 1000, 2200);
	assert_in_range(permille(&r), 2190, 2200);
}

/* Whatever comes, the rate is within its bounds; of one ratio with noise it comes near. */
static void test_random_samples(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (unsigned round = 0; round < 50; round++) {
		struct token_rate wild = { 0 }, tame = { 0 };
		uint64_t ratio = 500 + prng_below(&p, 1500);

		for (unsigned i = 0; i < 200; i++) {
			uint64_t estimated = 100 + prng_below(&p, 20000);

			(void)token_rate_learn(&wild, prng_next(&p) >> prng_below(&p, 64),
				prng_next(&p) >> prng_below(&p, 64));
			assert_in_range(token_rate_get(&wild), TOKEN_RATE_LOW, TOKEN_RATE_HIGH);
			learn(&tame, 1, estimated,
				estimated * ratio * (950 + prng_below(&p, 101)) / 1000000 + 1);
		}
		assert_in_range(permille(&tame), ratio * 96 / 100, ratio * 104 / 100 + 1);
	}
}

static void test_models_are_told_apart(void **state)
{
	struct token_rates rs = { .uses = 0 };
	char name[32];

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_true(token_rates_learn(&rs, SPAN_LIT("gpt-4o"), 1000, 1500));
		assert_true(token_rates_learn(&rs, SPAN_LIT("qwen-3"), 1000, 500));
	}
	assert_int_equal(token_rates_get(&rs, SPAN_LIT("gpt-4o")), TOKEN_RATE_ONE / 2 * 3);
	assert_int_equal(token_rates_get(&rs, SPAN_LIT("qwen-3")), TOKEN_RATE_ONE / 2);
	/* one of a known family; one of which nothing is known */
	assert_int_equal(token_rates_get(&rs, SPAN_LIT("qwen-2")), TOKEN_RATE_ONE / 2);
	assert_int_equal(token_rates_get(&rs, SPAN_LIT("claude")), TOKEN_RATE_ONE);
	assert_false(token_rates_learn(&rs, SPAN_LIT("claude"), 10, 500));
	/* many others come: the one that was used last stays */
	for (unsigned i = 0; i < 3 * TOKEN_RATE_MODELS; i++) {
		snprintf(name, sizeof(name), "claude-%u", i);
		assert_true(token_rates_learn(&rs, span_str(name), 1000, 1000));
		assert_true(token_rates_learn(&rs, SPAN_LIT("qwen-3"), 1000, 500));
	}
	assert_int_equal(token_rates_get(&rs, SPAN_LIT("qwen-3")), TOKEN_RATE_ONE / 2);
}

static int64_t count_bytes(const void *vocabulary, struct span s)
{
	return vocabulary == NULL ? ERR_NO_MEMORY : (int64_t)s.len;
}

static void test_counts(void **state)
{
	const struct span texts[] = { SPAN_LIT("one two three four"), SPAN_LIT("five, six"),
		SPAN_LIT("") };
	struct token_count c = { TOKENS_O200K, TOKEN_RATE_ONE, NULL, NULL };

	(void)state;
	assert_true(token_count_is_plain(&c));
	assert_int_equal(token_count(&c, texts[0]), 4);
	assert_int_equal(token_count_all(&c, texts, 3), 7);
	c.rate = TOKEN_RATE_ONE * 3 / 2;
	assert_false(token_count_is_plain(&c));
	assert_int_equal(token_count(&c, texts[0]), 6);
	assert_int_equal(token_count_all(&c, texts, 3), 11);
	assert_int_equal(token_count_all(&c, texts, 0), 0);
	c.exact = count_bytes;
	c.vocabulary = &c;
	assert_int_equal(token_count_all(&c, texts, 3), 27);
	c.vocabulary = NULL;
	assert_int_equal(token_count(&c, texts[0]), ERR_NO_MEMORY);
	assert_int_equal(token_count_all(&c, texts, 3), ERR_NO_MEMORY);
	assert_true(token_rate_apply(TOKEN_RATE_HIGH, UINT64_MAX) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_it_learns),
		cmocka_unit_test(test_what_it_ignores),
		cmocka_unit_test(test_an_odd_answer_changes_little),
		cmocka_unit_test(test_random_samples),
		cmocka_unit_test(test_models_are_told_apart),
		cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
