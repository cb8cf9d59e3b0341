/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cpu_kinds_map: task.map's plans run as the router does it, beside the same kind over the whole; task.chain.
 */
#include "tests/support/cpu_map.h"

#include <stdio.h>

static void test_range(void **state)
{
	struct mapped m;
	struct trial whole;

	(void)state;
	trial_open(&whole);
	trial_param(&whole, "samples", "3000001");
	trial_param(&whole, "first", "10");
	assert_int_equal(trial_run(&whole, "compute.montecarlo", 1), 0);
	open_map(&m, "compute.montecarlo");
	trial_param(&m.task, "compute.montecarlo.samples", "3000001");
	trial_param(&m.task, "compute.montecarlo.first", "10");
	run_map(&m);
	assert_int_equal(m.parts_n, 3);
	assert_int_equal(trial_number(&m.join, "samples"), 3000001);
	assert_int_equal(trial_number(&m.join, "inside"), trial_number(&whole, "inside"));
	assert_true(span_eq(body_param(&m.join.result, "pi")->value,
		body_param(&whole.result, "pi")->value));
	trial_param(&whole, "first", "11");
	trial_refuse(&whole, "compute.montecarlo", ERR_INVALID, "first", "even");
	close_map(&m);
	trial_close(&whole);
}

/* The largest range is cut as fast as any. */
static void test_range_without_end(void **state)
{
	struct mapped m;

	(void)state;
	open_map(&m, "compute.montecarlo");
	trial_param(&m.task, "compute.montecarlo.samples", "10000000000");
	trial_param(&m.task, "parts", "1024");
	assert_int_equal(plan_map(&m), 0);
	trial_param(&m.task, "compute.montecarlo.samples", "18446744073709551616");
	assert_int_equal(plan_map(&m), ERR_INVALID);
	assert_string_equal(m.split.why.field, "samples");
	close_map(&m);
}

static void test_tiles(void **state)
{
	float numbers[7 * 3 + 3 * 2];
	struct span a = span_of(numbers, sizeof(float) * 21),
		    b = span_of(numbers + 21, sizeof(float) * 6);
	struct mapped m;
	struct trial whole;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		numbers[i] = (float)(i * i % 17);
	trial_open(&whole);
	open_map(&m, "compute.matmul");
	trial_param(&whole, "m", "7");
	trial_param(&whole, "k", "3");
	trial_param(&whole, "n", "2");
	trial_param(&m.task, "compute.matmul.m", "7");
	trial_param(&m.task, "compute.matmul.k", "3");
	trial_param(&m.task, "compute.matmul.n", "2");
	trial_item(&whole, "a", a);
	trial_item(&whole, "b", b);
	trial_item(&m.task, "a", a);
	trial_item(&m.task, "b", b);
	assert_int_equal(trial_run(&whole, "compute.matmul", 1), 0);
	run_map(&m);
	assert_int_equal(m.parts_n, 5);
	expect_same(&m.join, &whole);
	trial_param(&m.task, "compute.matmul.m", "8");
	assert_int_equal(plan_map(&m), ERR_INVALID);
	assert_string_equal(m.split.why.field, "a");
	close_map(&m);
	trial_close(&whole);
}

static void test_items(void **state)
{
	static const char *const kinds[] = { "data.hash", "text.language", "util.echo" };
	static const char words[] = "some words of a text";
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i" };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct mapped m;
		struct trial whole;

		trial_open(&whole);
		open_map(&m, kinds[k]);
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			trial_item(&whole, names[i], span_str(&words[i]));
			trial_item(&m.task, names[i], span_str(&words[i]));
		}
		assert_int_equal(trial_run(&whole, kinds[k], 1), 0);
		run_map(&m);
		assert_int_equal(m.parts_n, 5);
		expect_same(&m.join, &whole);
		close_map(&m);
		trial_close(&whole);
	}
}

static size_t write_lines(char *to, size_t room, unsigned lines)
{
	size_t at = 0;

	for (unsigned i = 0; i < lines; i++)
		at += (size_t)snprintf(to + at, room - at, "Entry %u of node %u says so.\n", i % 97,
			i % 97 * 7);
	return at;
}

/* What is left of each part's lines is compared once more. */
static void test_records(void **state)
{
	static char log[100000];
	size_t len = write_lines(log, sizeof(log), 2000);
	struct mapped m;
	struct trial whole;

	(void)state;
	trial_open(&whole);
	open_map(&m, "text.dedupe");
	trial_param(&whole, "unit", "line");
	trial_param(&m.task, "text.dedupe.unit", "line");
	trial_item(&whole, "log", span_of(log, len));
	trial_item(&m.task, "log", span_of(log, len));
	assert_int_equal(trial_run(&whole, "text.dedupe", 1), 0);
	run_map(&m);
	assert_int_equal(m.parts_n, 5);
	assert_string_equal(m.part_kind, "text.dedupe");
	assert_string_equal(m.join_kind, "task.chain");
	expect_same(&m.join, &whole);
	assert_int_equal(trial_number(&m.join, "pieces_out"), 97);
	close_map(&m);
	trial_close(&whole);
}

static void test_docs(void **state)
{
	static char doc[60000];
	size_t at = 0;
	struct mapped m;

	(void)state;
	while (at < sizeof(doc) - 200)
		at += (size_t)snprintf(doc + at, sizeof(doc) - at, "%s",
			at / 100 == 200 ? "Leases end at noon. " : "Words about other things. ");
	open_map(&m, "text.extract");
	trial_param(&m.task, "text.extract.query", "leases");
	trial_param(&m.task, "text.extract.sentences", "1");
	trial_item(&m.task, "doc", span_of(doc, at));
	run_map(&m);
	assert_int_equal(m.parts_n, 5);
	assert_true(span_is(m.join.result.items[0].data, "Leases end at noon."));
	close_map(&m);
	open_map(&m, "text.summarize");
	trial_item(&m.task, "doc", span_of(doc, at));
	run_map(&m);
	assert_int_equal(m.join.result.items_n, 1);
	assert_in_range(m.join.result.items[0].data.len, 1, at / 10 + 5);
	close_map(&m);
}

/* Several kinds in a row, and more of them over all results. */
static void test_chain_over_parts(void **state)
{
	static char log[100000];
	size_t len = write_lines(log, sizeof(log), 2000);
	struct mapped m;

	(void)state;
	open_map(&m, "text.dedupe, blob.compress,blob.decompress");
	trial_param(&m.task, "join", "concat,text.stats");
	trial_param(&m.task, "text.dedupe.unit", "line");
	trial_param(&m.task, "blob.compress.level", "9");
	trial_param(&m.task, "text.stats.top", "1");
	trial_param(&m.task, "parts", "3");
	trial_item(&m.task, "log", span_of(log, len));
	run_map(&m);
	assert_int_equal(m.parts_n, 3);
	assert_string_equal(m.part_kind, "task.chain");
	assert_int_equal(trial_number(&m.join, "lines"), 3 * 97);
	close_map(&m);
}

static void refuse_map(const char *kinds, const char *key, const char *value, int code,
	const char *field)
{
	struct mapped m;

	open_map(&m, kinds);
	trial_item(&m.task, "x", SPAN_LIT("some text"));
	if (key != NULL)
		trial_param(&m.task, key, value);
	if (plan_map(&m) != code || strcmp(m.split.why.field, field) != 0)
		fail_msg("%s %s: %s %s", kinds, key, m.split.why.field, m.split.why.detail);
	close_map(&m);
}

static void test_bad_maps(void **state)
{
	struct mapped m;

	(void)state;
	refuse_map("text.stats", NULL, NULL, ERR_UNSUPPORTED, "by");
	refuse_map("data.hash", "by", "range", ERR_UNSUPPORTED, "by");
	refuse_map("task.map", NULL, NULL, ERR_UNSUPPORTED, "kinds");
	refuse_map("task.split", NULL, NULL, ERR_UNSUPPORTED, "kinds");
	refuse_map("data.hash,llm.chat", NULL, NULL, ERR_UNSUPPORTED, "kinds");
	refuse_map("a,,b", NULL, NULL, ERR_INVALID, "kinds");
	refuse_map("a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", NULL, NULL, ERR_INVALID, "kinds");
	refuse_map("data.hash", "join", "concat,no kind", ERR_INVALID, "join");
	refuse_map("data.hash", "join", "concat,task.chain", ERR_UNSUPPORTED, "join");
	refuse_map("data.hash", "text.stats.top", "1", ERR_INVALID, "kinds");
	refuse_map("data.hash", "data.hash.nothing", "1", ERR_INVALID, "nothing");
	refuse_map("data.hash", "data.hash.algorithm", "md5", ERR_INVALID, "algorithm");
	refuse_map("data.hash", "parts", "1025", ERR_INVALID, "parts");
	open_map(&m, "data.hash");
	assert_int_equal(plan_map(&m), ERR_INVALID);
	assert_string_equal(m.split.why.field, "items");
	trial_param(&m.task, "by", "records");
	trial_item(&m.task, "", SPAN_LIT(""));
	assert_int_equal(plan_map(&m), ERR_INVALID);
	close_map(&m);
}

/* A kind that no CPU node has is somebody else's business. */
static void test_foreign_kinds(void **state)
{
	struct split_plan plan;
	struct mapped m;
	struct arena a;

	(void)state;
	arena_init(&a, 1 << 20);
	open_map(&m, "x.y");
	trial_param(&m.task, "x.y.z", "1");
	trial_param(&m.task, "cache.mode", "off");
	trial_item(&m.task, "1", SPAN_LIT("x"));
	trial_item(&m.task, "2", SPAN_LIT("y"));
	assert_int_equal(plan_map(&m), 0);
	assert_int_equal(split_plan_decode(&a, buf_span(&m.split.out), &plan, NULL), 0);
	assert_int_equal(plan.parts_n, 2);
	for (size_t i = 0; i < 2; i++) {
		struct body body;

		assert_true(span_is(plan.parts[i].kind, "x.y"));
		assert_int_equal(body_decode(&a, plan.parts[i].body, &body, NULL), 0);
		assert_true(span_is(body_param(&body, "z")->value, "1"));
		assert_true(span_is(body_param(&body, "cache.mode")->value, "off"));
		assert_int_equal(body.items_n, 1);
	}
	close_map(&m);
	arena_done(&a);
}

static void test_chain(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_param(&t, "kinds", "text.dedupe,data.hash");
	trial_param(&t, "text.dedupe.unit", "item");
	trial_item(&t, "a", SPAN_LIT("abc"));
	trial_item(&t, "b", SPAN_LIT("abc"));
	assert_int_equal(trial_run(&t, "task.chain", 1), 0);
	assert_int_equal(t.result.items_n, 1);
	assert_true(span_is(t.result.items[0].data,
		"bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319  a\n"));
	trial_param(&t, "data.hash.algorithm", "md5");
	trial_refuse(&t, "task.chain", ERR_INVALID, "algorithm", "data.hash: ");
	trial_param(&t, "kinds", "data.hash,task.chain");
	trial_refuse(&t, "task.chain", ERR_UNSUPPORTED, "kinds", "task.chain cannot");
	trial_param(&t, "kinds", "llm.chat");
	trial_refuse(&t, "task.chain", ERR_UNSUPPORTED, "kinds", "llm.chat cannot");
	t.cancel = true;
	trial_param(&t, "kinds", "data.hash");
	trial_refuse(&t, "task.chain", ERR_CANCELLED, "", "");
	trial_close(&t);
}

/* What the router knows of such work makes the number of parts; what the task says goes before. */
static void test_paces(void **state)
{
	static const struct {
		const char *unit, *unit_ps, *nodes, *parts;
		size_t n;
	} rows[] = {
		{ "sample", "0", "4", "0", 5 },     /* as the router is set */
		{ "byte", "5000", "4", "0", 5 },    /* of something else */
		{ "sample", "5000", "1", "0", 51 }, /* 50 s */
		{ "sample", "5000", "40", "0", 120 },
		{ "sample", "1", "40", "0", 1 },
		{ "sample", "1000000000", "1", "0", 992 },
		{ "sample", "5000", "40", "7", 7 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct split_plan plan;
		struct mapped m;
		struct arena a;
		uint64_t units = 0;

		arena_init(&a, 4 << 20);
		open_map(&m, "compute.montecarlo");
		trial_param(&m.task, "compute.montecarlo.samples", "10000000000");
		trial_param(&m.task, "parts", rows[i].parts);
		trial_param(&m.split, "split.kind", "task.map");
		trial_param(&m.split, "split.parts", "5");
		trial_param(&m.split, "split.unit", rows[i].unit);
		trial_param(&m.split, "split.unit_ps", rows[i].unit_ps);
		trial_param(&m.split, "split.nodes", rows[i].nodes);
		trial_nested(&m.split, "task", buf_span(&m.task.in));
		assert_int_equal(trial_run(&m.split, "task.split", 1), 0);
		assert_int_equal(split_plan_decode(&a, buf_span(&m.split.out), &plan, NULL), 0);
		assert_int_equal(plan.parts_n, rows[i].n);
		for (size_t k = 0; k < plan.parts_n; k++)
			units += plan.parts[k].units;
		assert_true(units == 10000000000 && span_is(plan.parts[0].unit, "sample"));
		assert_int_equal(plan.join.fan_in, 32);
		close_map(&m);
		arena_done(&a);
	}
}

static void test_sums(void **state)
{
	struct trial t, part;

	(void)state;
	trial_open(&t);
	trial_open(&part);
	trial_param(&part, "n", "4611686018427387904");
	trial_param(&part, "word", "x");
	trial_param(&t, "how", "sum");
	trial_nested(&t, "part", buf_span(&part.in));
	assert_int_equal(trial_run(&t, "task.reduce", 1), 0);
	assert_int_equal(t.result.params_n, 1);
	assert_int_equal(trial_number(&t, "n"), INT64_C(4611686018427387904));
	trial_nested(&t, "part", buf_span(&part.in));
	trial_refuse(&t, "task.reduce", ERR_TOO_BIG, "n", "too large");
	trial_item(&t, "x", SPAN_LIT("x"));
	trial_refuse(&t, "task.reduce", ERR_INVALID, "items", "item 3 is no result");
	trial_close(&part);
	trial_close(&t);
}

static void test_want_of_memory(void **state)
{
	struct mapped m;

	(void)state;
	open_map(&m, "text.dedupe,data.hash");
	trial_param(&m.task, "text.dedupe.unit", "line");
	trial_item(&m.task, "a", SPAN_LIT("one\ntwo\none\n"));
	trial_item(&m.task, "b", SPAN_LIT("three\n"));
	assert_int_equal(plan_map(&m), 0);
	assert_true(trial_nth(&m.split, "task.split") > 3);
	assert_true(trial_nth(&m.task, "task.chain") > 3);
	close_map(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_range_without_end),
		cmocka_unit_test(test_tiles),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_docs),
		cmocka_unit_test(test_chain_over_parts),
		cmocka_unit_test(test_bad_maps),
		cmocka_unit_test(test_foreign_kinds),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_paces),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
