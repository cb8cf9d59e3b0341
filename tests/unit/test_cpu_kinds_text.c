/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cpu_kinds_text: the kinds about texts and data, as a node runs them.
 */
#include "tests/support/cpu_trial.h"

#include <stdio.h>

static const char text[] = "The mesh places tasks. A silent node loses its lease after thirty "
			   "seconds. Lunch was good. "
			   "The router then places the task again.";

static void expect_item(const struct trial *t, size_t i, const char *name, const char *data)
{
	assert_true(i < t->result.items_n);
	assert_true(span_is(t->result.items[i].name, name));
	if (!span_is(t->result.items[i].data, data))
		fail_msg("\"%.*s\", not \"%s\"", (int)t->result.items[i].data.len,
			(const char *)t->result.items[i].data.at, data);
}

static void expect_part(const struct trial *t, const char *part)
{
	struct span data = t->result.items[0].data;

	if (memmem(data.at, data.len, part, strlen(part)) == NULL)
		fail_msg("\"%.*s\" lacks \"%s\"", (int)data.len, (const char *)data.at, part);
}

static void test_summarize(void **state)
{
	static char prose[20000];
	struct trial t;
	size_t at = 0;

	(void)state;
	while (at + 80 < sizeof(prose))
		at += (size_t)snprintf(prose + at, sizeof(prose) - at,
			"Sentence %zu is about leases and nodes. ", at);
	trial_open(&t);
	trial_item(&t, "a", span_of(prose, at));
	trial_item(&t, "b", SPAN_LIT("Short. Text."));
	assert_int_equal(trial_run(&t, "text.summarize", 1), 0);
	assert_int_equal(t.result.items_n, 1);
	assert_true(span_is(t.result.items[0].name, "summary"));
	assert_in_range(t.result.items[0].data.len, at / 15, at / 10 + 2);
	assert_int_equal(trial_number(&t, "bytes_in"), at + 12);
	assert_int_equal(trial_number(&t, "bytes_out"), t.result.items[0].data.len);
	trial_param(&t, "of", "each");
	assert_int_equal(trial_run(&t, "text.summarize", 1), 0);
	assert_int_equal(t.result.items_n, 2);
	expect_item(&t, 1, "b", "Short. Text.");
	trial_close(&t);
}

static void test_search(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_item(&t, "news", SPAN_LIT("Nothing new."));
	trial_item(&t, "rules", span_str(text));
	trial_param(&t, "query", "lease of a node");
	assert_int_equal(trial_run(&t, "text.search", 1), 0);
	assert_int_equal(trial_number(&t, "hits"), 1);
	assert_int_equal(t.result.items_n, 1);
	expect_part(&t, "{\"item\":2,\"name\":\"rules\",\"score_milli\":");
	expect_part(&t, "\"terms\":2,\"offset\":0,\"bytes\":129,\"text\":\"The mesh");
	trial_param(&t, "unit", "document");
	trial_param(&t, "query", "new lease");
	trial_param(&t, "limit", "1");
	assert_int_equal(trial_run(&t, "text.search", 1), 0);
	assert_int_equal(trial_number(&t, "hits"), 2);
	assert_int_equal(trial_number(&t, "shown"), 1);
	trial_param(&t, "query", "the");
	trial_refuse(&t, "text.search", ERR_INVALID, "query", "no word");
	trial_close(&t);
}

static void test_dedupe(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_item(&t, "a", SPAN_LIT("\n\nOne line of words.\n\nAnother paragraph here.\n\n"));
	trial_item(&t, "b", SPAN_LIT("one line of words\nAnother paragraph here.\nNew it is."));
	trial_item(&t, "c", SPAN_LIT("\n\nOne line of words.\n\nAnother paragraph here.\n\n"));
	assert_int_equal(trial_run(&t, "text.dedupe", 1), 0);
	assert_int_equal(t.result.items_n, 2);
	expect_item(&t, 0, "a", "\n\nOne line of words.\n\nAnother paragraph here.\n\n");
	trial_param(&t, "unit", "line");
	trial_param(&t, "report", "yes");
	assert_int_equal(trial_run(&t, "text.dedupe", 1), 0);
	assert_int_equal(t.result.items_n, 3);
	expect_item(&t, 0, "a", "\n\nOne line of words.\n\nAnother paragraph here.\n\n");
	expect_item(&t, 1, "b", "New it is.");
	expect_item(&t, 2, "repeats",
		"{\"piece\":3,\"item\":2,\"repeats\":1,\"of_item\":1,\"similar_permille\":1000}\n"
		"{\"piece\":4,\"item\":2,\"repeats\":2,\"of_item\":1,\"similar_permille\":1000}\n"
		"{\"piece\":6,\"item\":3,\"repeats\":1,\"of_item\":1,\"similar_permille\":1000}\n"
		"{\"piece\":7,\"item\":3,\"repeats\":2,\"of_item\":1,\"similar_permille\":1000}\n");
	assert_int_equal(trial_number(&t, "pieces_in"), 7);
	assert_int_equal(trial_number(&t, "pieces_out"), 3);
	trial_param(&t, "unit", "paragraph");
	assert_int_equal(trial_run(&t, "text.dedupe", 1), 0);
	assert_int_equal(trial_number(&t, "pieces_in"), 5);
	assert_int_equal(trial_number(&t, "pieces_out"), 3);
	trial_close(&t);
}

static void test_dedupe_of_too_many(void **state)
{
	static char lines[140000];
	struct trial t;

	(void)state;
	for (size_t i = 0; i < sizeof(lines); i++)
		lines[i] = i % 2 == 0 ? 'x' : '\n';
	trial_open(&t);
	trial_item(&t, "", span_of(lines, sizeof(lines)));
	trial_param(&t, "unit", "line");
	trial_refuse(&t, "text.dedupe", ERR_TOO_BIG, "unit", "at most 65536");
	trial_close(&t);
}

static void test_stats(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_item(&t, "", span_str(text));
	trial_param(&t, "top", "1");
	assert_int_equal(trial_run(&t, "text.stats", 1), 0);
	assert_int_equal(trial_number(&t, "items"), 1);
	assert_int_equal(trial_number(&t, "bytes"), sizeof(text) - 1);
	assert_int_equal(trial_number(&t, "words"), 23);
	assert_int_equal(trial_number(&t, "sentences"), 4);
	expect_item(&t, 0, "top", "{\"word\":\"places\",\"count\":2}\n");
	trial_close(&t);
}

static void test_language(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_item(&t, "a \"b\"", span_str(text));
	trial_item(&t, "", SPAN_LIT("42"));
	assert_int_equal(trial_run(&t, "text.language", 1), 0);
	assert_true(span_is(body_param(&t.result, "language")->value, "en"));
	assert_true(span_is(body_param(&t.result, "script")->value, "latin"));
	expect_part(&t, "{\"item\":1,\"name\":\"a \\\"b\\\"\",\"language\":\"en\",");
	expect_part(&t, "\"language\":\"unknown\",\"script\":\"none\"");
	trial_close(&t);
}

/* The published examples (FIPS 180, RFC 7693 with 32 bytes as b2sum prints it). */
static void test_hash(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_item(&t, "abc.txt", SPAN_LIT("abc"));
	trial_item(&t, "", SPAN_LIT(""));
	trial_item(&t, "a\nb", SPAN_LIT(""));
	assert_int_equal(trial_run(&t, "data.hash", 1), 0);
	expect_item(&t, 0, "hashes",
		"bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319  abc.txt\n"
		"0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8  -\n"
		"0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8  \"a\\nb\"\n");
	trial_param(&t, "algorithm", "sha256");
	assert_int_equal(trial_run(&t, "data.hash", 1), 0);
	expect_item(&t, 0, "hashes",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  abc.txt\n"
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  -\n"
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  \"a\\nb\"\n");
	trial_close(&t);
}

/* Longer than a slice; checked against another implementation. */
static void test_hash_of_much(void **state)
{
	static unsigned char data[3000000];
	struct trial t;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7 % 251);
	trial_open(&t);
	buf_done(&t.in);
	buf_init(&t.in, sizeof(data) + 1000);
	trial_item(&t, "m", span_of(data, sizeof(data)));
	assert_int_equal(trial_run(&t, "data.hash", 1), 0);
	expect_item(&t, 0, "hashes",
		"ed2ea460a4db29ef08f6e2ae2ad7f0cf6909969b347f6d482fbfd47cf1184f90  m\n");
	trial_param(&t, "algorithm", "sha256");
	assert_int_equal(trial_run(&t, "data.hash", 1), 0);
	expect_item(&t, 0, "hashes",
		"3f373df6c0a5a6c30b2e54e392d4914341a43be89d43bacde82bd48506cba305  m\n");
	trial_close(&t);
}

static void test_diff(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_item(&t, "old", SPAN_LIT("1\n2\n"));
	trial_refuse(&t, "data.diff", ERR_INVALID, "items", "two are compared");
	trial_item(&t, "new", SPAN_LIT("1\n3\n4\n"));
	assert_int_equal(trial_run(&t, "data.diff", 1), 0);
	expect_item(&t, 0, "diff", "--- old\n+++ new\n@@ -1,2 +1,3 @@\n 1\n-2\n+3\n+4\n");
	assert_int_equal(trial_number(&t, "removed"), 1);
	assert_int_equal(trial_number(&t, "added"), 2);
	trial_param(&t, "max_edits", "2");
	trial_refuse(&t, "data.diff", ERR_TOO_BIG, "max_edits", "more than 2 lines");
	assert_int_equal(t.why.limit, 2);
	trial_close(&t);
}

static const char *const kinds[] = { "text.summarize", "text.search", "text.dedupe", "text.stats",
	"text.language", "data.hash", "data.diff" };

/* What each of them may be given by anybody: nothing, bytes, one endless line, only ends of lines. */
static void test_bad_input(void **state)
{
	static char large[500000];
	static const char fills[] = { 'x', '\n', ' ', '\xFF', '(' };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct trial t;

		trial_open(&t);
		trial_param(&t, "query", "word");
		trial_refuse(&t, kinds[k], ERR_INVALID, "items", "");
		trial_close(&t);
		for (size_t f = 0; f < ARRAY_LEN(fills); f++) {
			bool is_text = fills[f] != '\xFF' || strcmp(kinds[k], "data.hash") == 0;
			int r;

			memset(large, fills[f], sizeof(large));
			trial_open(&t);
			trial_param(&t, "query", "word");
			trial_item(&t, "a", span_of(large, sizeof(large)));
			trial_item(&t, "b", SPAN_LIT(""));
			r = trial_run(&t, kinds[k], 1);
			if (is_text ? r < 0 && r != ERR_TOO_BIG : r != ERR_UNSUPPORTED)
				fail_msg("%s of '%c': %s: %s", kinds[k], fills[f], err_row(r)->name,
					t.why.detail);
			trial_close(&t);
		}
	}
}

static void test_want_of_memory(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_item(&t, "a", span_str(text));
	trial_item(&t, "b", SPAN_LIT("A silent node. One more."));
	trial_param(&t, "query", "node");
	trial_param(&t, "report", "yes");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		assert_true(trial_nth(&t, kinds[i]) >= 2);
	}
	trial_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_summarize),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_dedupe),
		cmocka_unit_test(test_dedupe_of_too_many),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_language),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_hash_of_much),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
