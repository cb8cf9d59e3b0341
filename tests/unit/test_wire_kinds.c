/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/kinds.h"

#include "base/fmt.h"
#include "tests/support/test.h"

#define T(s) SPAN_LIT(s)

static void test_the_table_is_sound(void **state)
{
	unsigned n = 0;

	(void)state;
	for (const struct kind_row *k = kind_at(0); k != NULL; k = kind_at(++n)) {
		struct ladder l = { 0 };

		assert_true(fmt_is_kind(span_str(k->name)));
		assert_ptr_equal(kind_find(span_str(k->name)), k);
		assert_int_equal(ladder_parse(span_str(k->ladder_text), &l), 0);
		assert_memory_equal(&l, &k->ladder, sizeof(l));
		for (unsigned i = 0; i < k->params_n; i++) {
			assert_true(k->params[i].low <= k->params[i].high);
			assert_true(k->params[i].key[0] != 0 && k->params[i].text[0] != 0);
		}
	}
	assert_true(n >= 11);
	assert_null(kind_at(n));
	assert_null(kind_find(T("")));
	assert_null(kind_find(T("util.ech")));
	assert_null(kind_find(T("util.echo2")));
}

static void test_a_row_has_its_own_parameters(void **state)
{
	const struct kind_row *k = kind_find(T("compute.matmul"));

	(void)state;
	assert_non_null(k);
	assert_int_equal(k->params_n, 3);
	assert_string_equal(k->params[0].key, "m");
	assert_string_equal(k->params[2].key, "n");
	assert_int_equal(k->ladder.n, 2);
	assert_int_equal(k->ladder.rung[0], RUNG_GPU);
	assert_int_equal(k->ladder.rung[1], RUNG_CPU);
}

/* kind_check of one parameter. */
static int check(const char *kind, struct span key, struct span value, struct fail *why)
{
	struct param p = { key, value };
	struct body body = { .params = &p, .params_n = 1 };

	*why = (struct fail){ 0 };
	return kind_check(kind_find(span_str(kind)), &body, why);
}

static void test_values_are_checked(void **state)
{
	static char text[16385];
	static const struct {
		const char *kind, *key, *value;
		int code;
		int64_t limit;
	} cases[] = {
		{ "blob.compress", "level", "1", 0, 0 },
		{ "blob.compress", "level", "19", 0, 0 },
		{ "blob.compress", "level", "0", ERR_INVALID, 1 },
		{ "blob.compress", "level", "20", ERR_INVALID, 19 },
		{ "blob.compress", "level", "", ERR_INVALID, 1 },
		{ "blob.compress", "level", "3 ", ERR_INVALID, 1 },
		{ "blob.compress", "level", "x", ERR_INVALID, 1 },
		{ "blob.compress", "leve", "3", ERR_INVALID, 0 },
		{ "blob.compress", "split.kind", "facts of the mesh pass", 0, 0 },
		{ "compute.montecarlo", "seed", "9223372036854775807", 0, 0 },
		{ "compute.montecarlo", "seed", "9223372036854775808", ERR_INVALID, INT64_MAX },
		{ "util.echo", "fail", "once", 0, 0 },
		{ "util.echo", "fail", "on", ERR_INVALID, 0 },
		{ "util.echo", "fail", "", ERR_INVALID, 0 },
		{ "util.echo", "fail", "no,once", ERR_INVALID, 0 },
		{ "human.ask", "prompt", "", ERR_INVALID, 1 },
		{ "human.ask", "prompt", "x", 0, 0 },
		{ "task.split", "split.kind", "", ERR_INVALID, 1 },
	};
	struct fail why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int r = check(cases[i].kind, span_str(cases[i].key), span_str(cases[i].value),
			&why);

		if (r != cases[i].code ||
			(r != 0 && cases[i].limit != 0 && why.limit != cases[i].limit))
			fail_msg("%s %s=%s: %d, limit %lld (%s)", cases[i].kind, cases[i].key,
				cases[i].value, r, (long long)why.limit, why.detail);
		if (r != 0)
			assert_string_equal(why.field, cases[i].key);
	}
	memset(text, 'x', sizeof(text));
	assert_int_equal(check("llm.chat", T("prompt"), span_of(text, 16384), &why), 0);
	assert_int_equal(check("llm.chat", T("prompt"), span_of(text, 16385), &why), ERR_INVALID);
	assert_int_equal(why.limit, 16384);
}

static void test_what_has_no_default_must_be_given(void **state)
{
	struct fail why = { 0 };

	(void)state;
	assert_int_equal(kind_check(kind_find(T("llm.chat")), &(struct body){ 0 }, &why),
		ERR_INVALID);
	assert_string_equal(why.field, "prompt");
	assert_int_equal(check("compute.matmul", T("m"), T("2"), &why), ERR_INVALID);
	assert_string_equal(why.field, "k");
	assert_int_equal(kind_check(kind_find(T("util.echo")), &(struct body){ 0 }, NULL), 0);
}

static void test_values_and_defaults(void **state)
{
	struct param params[] = { { T("sleep_ms"), T("1") }, { T("fail"), T("always") },
		{ T("sleep_ms"), T("70") } };
	const struct body body = { .params = params, .params_n = 3 };
	const struct body none = { 0 };
	const struct kind_row *echo = kind_find(T("util.echo"));
	const struct kind_row *chat = kind_find(T("llm.chat"));

	(void)state;
	assert_int_equal(kind_int(echo, &body, "sleep_ms"), 70); /* the last one counts */
	assert_int_equal(kind_int(echo, &none, "sleep_ms"), 0);
	assert_int_equal(kind_choice(echo, &body, "fail"), 2);
	assert_int_equal(kind_choice(echo, &none, "fail"), 0);
	assert_int_equal(kind_int(chat, &none, "max_tokens"), 512);
	assert_int_equal(kind_text(chat, &none, "model").len, 0);
	params[0] = (struct param){ T("model"), T("m") };
	assert_true(span_is(kind_text(chat, &body, "model"), "m"));
	expect_assert_failure((void)kind_int(echo, &none, "fail"));
	expect_assert_failure((void)kind_int(echo, &none, "nothing"));
}

static bool has_rung(const struct kind_row *row, enum rung rung)
{
	for (unsigned i = 0; i < row->ladder.n; i++) {
		if (row->ladder.rung[i] == (uint8_t)rung)
			return true;
	}
	return false;
}

/* Where no GPU is free, a CPU node does it, or cuts it into what CPU nodes do. */
static void test_gpu_kinds_have_a_cpu_rung(void **state)
{
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; kind_at(i) != NULL; i++) {
		const struct kind_row *row = kind_at(i);

		if (!has_rung(row, RUNG_GPU))
			continue;
		n++;
		if (!has_rung(row, RUNG_CPU) && !has_rung(row, RUNG_SPLIT))
			fail_msg("%s needs a GPU", row->name);
	}
	assert_true(n >= 4);
}

static void test_ladders(void **state)
{
	static const char *const wrong[] = { "", ",", "cpu,", ",cpu", "cpu,cpu", "cpu gpu", "none",
		"CPU", "cpu,gpu,api,split,human,cpu", "cpux" };
	struct ladder l = { 0 };

	(void)state;
	assert_int_equal(ladder_parse(T("human,split,api,gpu,cpu"), &l), 0);
	assert_int_equal(l.n, 5);
	assert_int_equal(l.rung[0], RUNG_HUMAN);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(ladder_parse(span_str(wrong[i]), &l), ERR_INVALID);
	assert_int_equal(l.n, 5);
	for (unsigned i = 1; i < RUNGS; i++)
		assert_int_equal(rung_parse(span_str(rung_name((enum rung)i))), i);
	assert_string_equal(rung_name(RUNG_NONE), "none");
	assert_string_equal(state_name(STATE_DEAD), "DEAD");
	assert_string_equal(state_name(STATE_NONE), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_table_is_sound),
		cmocka_unit_test(test_a_row_has_its_own_parameters),
		cmocka_unit_test(test_values_are_checked),
		cmocka_unit_test(test_what_has_no_default_must_be_given),
		cmocka_unit_test(test_values_and_defaults),
		cmocka_unit_test(test_gpu_kinds_have_a_cpu_rung),
		cmocka_unit_test(test_ladders),
	};

	return cmocka_run_group_tests_name("wire kinds", tests, NULL, NULL);
}
