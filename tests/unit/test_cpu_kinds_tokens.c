/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cpu_kinds_tokens: text.compress with a vocabulary. Its tokens are single bytes, so that a count is the length: far
 * from any estimate.
 */
#include <stdlib.h>

#include "tests/support/cpu_trial.h"
#include "tests/support/vocabulary.h"

static struct tokenizers ts;

static int setup(void **state)
{
	CLEANUP(buf_done) struct buf file = { 0 };

	(void)state;
	buf_init(&file, 1 << 16);
	vocabulary_bytes(&file);
	ts.of[TOKENS_O200K] = tokenizer_read(TOKENS_O200K, buf_span(&file), NULL);
	return ts.of[TOKENS_O200K] == NULL;
}

static int teardown(void **state)
{
	(void)state;
	tokenizers_close(&ts);
	return 0;
}

static void put_texts(struct trial *t)
{
	struct buf text;

	buf_init(&text, 1 << 20);
	for (unsigned k = 0; k < 2; k++) {
		buf_reset(&text);
		for (unsigned i = 0; i < 150; i++)
			buf_fmt(&text, "Line %u of %u tells of roads, rivers and %s. ", i * 7919, k,
				i == 77 ? "the gate" : "mountains");
		trial_item(t, k == 0 ? "a" : "b", buf_span(&text));
	}
	buf_done(&text);
	t->tokenizers = &ts;
}

static size_t out_bytes(const struct trial *t)
{
	return t->result.items[0].data.len + t->result.items[1].data.len;
}

static void test_budgets_are_exact(void **state)
{
	static const char *const budgets[] = { "1", "200", "1000", "1001", "4321", "8000" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(budgets); i++) {
		int64_t budget = strtol(budgets[i], NULL, 10);
		struct trial t;

		trial_open(&t);
		trial_param(&t, "query", "Where is the gate?");
		trial_param(&t, "tokens", budgets[i]);
		put_texts(&t);
		assert_int_equal(trial_run(&t, "text.compress", 1), 0);
		assert_true(span_is(body_param(&t.result, "count")->value, "exact"));
		assert_int_equal(trial_number(&t, "tokens_out"), out_bytes(&t));
		assert_true(trial_number(&t, "tokens_out") <= budget);
		if (budget >= 1000)
			assert_true(trial_number(&t, "tokens_out") * 10 >= budget * 9);
		trial_close(&t);
	}
}

static void test_ratio_prefix_and_lossless(void **state)
{
	struct trial t;
	size_t in;

	(void)state;
	trial_open(&t);
	put_texts(&t);
	trial_param(&t, "ratio_milli", "5000");
	trial_param(&t, "prefix_bytes", "500");
	assert_int_equal(trial_run(&t, "text.compress", 1), 0);
	in = (size_t)trial_number(&t, "tokens_in");
	assert_in_range(trial_number(&t, "tokens_out"), (in - 500) / 5 * 9 / 10 + 500,
		(in - 500) / 5 + 500);
	assert_true(t.result.items[0].data.len >= 500);
	trial_param(&t, "ratio_milli", "1000");
	trial_param(&t, "tokens", "499");
	trial_refuse(&t, "text.compress", ERR_TOO_BIG, "prefix_bytes", "prefix");
	trial_param(&t, "prefix_bytes", "0");
	trial_param(&t, "mode", "lossless");
	trial_refuse(&t, "text.compress", ERR_TOO_BIG, "tokens", "without a loss");
	trial_param(&t, "tokens", "1000000");
	assert_int_equal(trial_run(&t, "text.compress", 1), 0);
	assert_int_equal(trial_number(&t, "tokens_out"), out_bytes(&t));
	trial_param(&t, "mode", "extract");
	assert_int_equal(trial_run(&t, "text.compress", 1), 0);
	assert_int_equal(trial_number(&t, "whole"), 1);
	assert_int_equal(trial_number(&t, "tokens_in"), in);
	assert_int_equal(trial_number(&t, "tokens_out"), in);
	trial_close(&t);
}

static void test_other_models_are_estimated(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	put_texts(&t);
	trial_param(&t, "model", "claude-4");
	trial_param(&t, "tokens", "500");
	assert_int_equal(trial_run(&t, "text.compress", 1), 0);
	assert_true(span_is(body_param(&t.result, "count")->value, "estimate"));
	assert_true(out_bytes(&t) > 1000);
	trial_close(&t);
}

static void test_the_map_is_of_the_last_try(void **state)
{
	struct trial t, back;

	(void)state;
	trial_open(&t);
	trial_open(&back);
	put_texts(&t);
	put_texts(&back);
	trial_param(&t, "tokens", "2000");
	trial_param(&t, "map", "yes");
	assert_int_equal(trial_run(&t, "text.compress", 1), 0);
	trial_item(&back, "map", t.result.items[2].data);
	trial_param(&back, "from", "0");
	trial_param(&back, "to", "20");
	assert_int_equal(trial_run(&back, "text.expand", 1), 0);
	assert_non_null(
		memmem(back.result.items[0].data.at, back.result.items[0].data.len, "Line", 4));
	trial_close(&back);
	trial_close(&t);
}

static void test_without_memory(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	put_texts(&t);
	trial_param(&t, "tokens", "2000");
	assert_true(trial_nth(&t, "text.compress") > 5);
	trial_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budgets_are_exact),
		cmocka_unit_test(test_ratio_prefix_and_lossless),
		cmocka_unit_test(test_other_models_are_estimated),
		cmocka_unit_test(test_the_map_is_of_the_last_try),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
