/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/select.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/fmt.h"
#include "policy/words.h"
#include "tests/support/nth.h"
#include "tests/support/rand.h"
#include "tests/support/test.h"

#define ARENA_BYTES ((size_t)128 << 20)

/* Words. */

static void check_words(const char *text, const char *want)
{
	struct words w = words_of(span_str(text));
	struct word word;
	struct buf b;

	buf_init(&b, 1000);
	while (words_next(&w, &word)) {
		if (b.len > 0)
			buf_byte(&b, '|');
		buf_add(&b, word.text);
		if (word.is_stop)
			buf_byte(&b, '-');
	}
	assert_true(span_is(buf_span(&b), want));
	buf_done(&b);
}

static void test_words(void **state)
{
	(void)state;
	check_words("The lease's 30 s, re-sent: don't!", "The-|lease|30|s-|re|sent|don");
	check_words("snake_case x86_64", "snake_case|x86_64");
	check_words("caf\xC3\xA9 \xC2\xAB"
		    "d\xC3\xA9j\xC3\xA0\xC2\xBB",
		"caf\xC3\xA9|d\xC3\xA9j\xC3\xA0");
	/* pairs of characters where there are no spaces; the full-width stop separates */
	check_words("\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E\xE3\x80\x82\xE7\x8A\xAC",
		"\xE6\x97\xA5\xE6\x9C\xAC|\xE6\x9C\xAC\xE8\xAA\x9E|\xE7\x8A\xAC");
	check_words("\xFF\xFE"
		    "a1\x80"
		    "b2\xE3",
		"a1|b2");
	check_words("", "");
}

static uint64_t hash_of(const char *text)
{
	struct words w = words_of(span_str(text));
	struct word word;

	assert_true(words_next(&w, &word));
	return word.hash;
}

static void test_stems(void **state)
{
	static const char *const same[][2] = { { "Router", "routers" }, { "query", "queries" },
		{ "run", "running" }, { "compute", "computing" }, { "compute", "Computed" },
		{ "box", "boxes" }, { "fill", "filled" }, { "lease", "leases" },
		{ "match", "matches" } };
	static const char *const other[][2] = { { "bus", "bu" }, { "ring", "r" },
		{ "class", "clas" }, { "status", "statu" }, { "red", "r" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		assert_int_equal(hash_of(same[i][0]), hash_of(same[i][1]));
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		assert_int_not_equal(hash_of(other[i][0]), hash_of(other[i][1]));
}

/* Sentences. */

static void check_sentences(const char *text, const char *want)
{
	static const char kinds[] = { 'p', 'h', 'i', 'c' };
	struct text_reader r = text_read(span_str(text));
	struct sentence s;
	struct buf b;

	buf_init(&b, 10000);
	while (text_next(&r, &s)) {
		buf_fmt(&b, "%c%u<", kinds[s.kind], (unsigned)s.block);
		buf_add(&b, s.text);
		buf_str(&b, ">");
	}
	if (!span_is(buf_span(&b), want))
		fail_msg("got %.*s, wanted %s", (int)b.len, (char *)b.at, want);
	buf_done(&b);
}

static void test_sentences(void **state)
{
	(void)state;
	check_sentences("", "");
	check_sentences(" \n\t\n", "");
	check_sentences("One. Two! Three?", "p0<One.>p0<Two!>p0<Three?>");
	check_sentences("It is v. 3.14 of Mr. Smith, e.g. this. Next one.",
		"p0<It is v. 3.14 of Mr. Smith, e.g. this.>p0<Next one.>");
	check_sentences("He said \"no.\" Then (he left.) He\ncame back",
		"p0<He said \"no.\">p0<Then (he left.)>p0<He\ncame back>");
	check_sentences("First para\ngoes on\n\nSecond one.",
		"p0<First para\ngoes on>p1<Second one.>");
	check_sentences("# Title\nText here.\n## Sub\n\nMore.",
		"h0<# Title>p1<Text here.>h2<## Sub>p3<More.>");
	check_sentences("Title\n=====\nText.", "h0<Title\n=====>p1<Text.>");
	check_sentences("Preamble\n\nThe text is here.", "h0<Preamble>p1<The text is here.>");
	check_sentences("Text:\n- one. Two.\n  more\n- three",
		"p0<Text:>i1<- one.>i1<Two.\n  more>i2<- three>");
	check_sentences("1. Scope is all. And so on.\n2) Other",
		"i0<1. Scope is all.>i0<And so on.>i1<2) Other>");
	check_sentences("Code:\n```\nint x. Y;\n\n\tz;\n```\nAfter.",
		"p0<Code:>c1<```\nint x. Y;\n\n\tz;\n```>p2<After.>");
	check_sentences("\xE3\x81\x82\xE3\x80\x82\xE3\x81\x84\xEF\xBC\x9F\xE3\x81\x86",
		"p0<\xE3\x81\x82\xE3\x80\x82>p0<\xE3\x81\x84\xEF\xBC\x9F>p0<\xE3\x81\x86>");
}

/* Only white space is lost, nothing is longer than the limit, and any bytes come to an end. */
static void check_reading(struct span text)
{
	struct text_reader r = text_read(text);
	const unsigned char *at = text.at;
	struct sentence s;

	while (text_next(&r, &s)) {
		assert_true(s.text.len > 0 && s.text.len <= TEXT_SENTENCE_MAX + 16);
		assert_true(s.text.at >= at && s.text.at + s.text.len <= text.at + text.len);
		assert_true(text_is_blank(span_of(at, (size_t)(s.text.at - at))));
		at = s.text.at + s.text.len;
	}
	assert_true(at == NULL || text_is_blank(span_of(at, (size_t)(text.at + text.len - at))));
}

static void test_reading_of_anything(void **state)
{
	static const char bits[] = "ab .\n#-`1)A\t=\xE3\x80\x82\xFF";
	static unsigned char bytes[6000];
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 3000; round++) {
		size_t n = prng_below(&p, 1 + prng_below(&p, sizeof(bytes))),
		       of = 1 + prng_below(&p, sizeof(bits) - 1);

		for (size_t i = 0; i < n; i++)
			bytes[i] = (unsigned char)bits[prng_below(&p, of)];
		check_reading(span_of(bytes, n));
	}
}

/* Selection. */

/* The selection as text, in b. */
static struct select_result pick(struct arena *a, struct buf *b, struct span doc, const char *query,
	uint32_t sentences, size_t bytes)
{
	struct select_want want = {
		.query = span_str(query),
		.sentences_max = sentences,
		.bytes_max = bytes,
	};
	struct select_result r;

	arena_init(a, ARENA_BYTES);
	buf_init(b, 1 << 21);
	assert_int_equal(select_sentences(a, &doc, 1, &want, &r), 0);
	select_emit(b, &r);
	assert_int_equal(buf_err(b), 0);
	assert_true(r.picks_n <= sentences);
	assert_true(b->len <= bytes);
	return r;
}

static const char filler[] = "The weather was mild that day and people walked along the river. "
			     "Somebody sold bread and cheese at the corner of the market. "
			     "A dog barked at the boats while the bells rang in the tower. ";
static const char needle[] = "The lease of a silent node ends after thirty seconds. ";

/* filler, the needle after `before` of them, filler */
static void plant(struct buf *b, int before, int all)
{
	buf_init(b, 1 << 20);
	for (int i = 0; i < all; i++)
		buf_str(b, i == before ? needle : filler);
}

static void test_needle_is_found(void **state)
{
	static const char *const queries[] = { "How long does a lease last?", "silent nodes",
		"leases ending" };

	(void)state;
	for (int before = 0; before < 50; before += 7) {
		for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
			struct buf doc, out;
			struct arena a;

			plant(&doc, before, 50);
			(void)pick(&a, &out, buf_span(&doc), queries[i], 1, 4096);
			assert_true(span_eq(buf_span(&out), span_trim(span_str(needle))));
			arena_done(&a);
			buf_done(&out);
			buf_done(&doc);
		}
	}
}

/* What was said once is not said again: the three sentences of the filler come once each. */
static void test_no_repetition(void **state)
{
	struct buf doc, out;
	struct arena a;

	(void)state;
	plant(&doc, 20, 40);
	(void)pick(&a, &out, buf_span(&doc), "", 4, 4096);
	assert_int_equal(out.len, strlen(filler) + strlen(needle) - 1);
	arena_done(&a);
	buf_done(&out);
	buf_done(&doc);
}

/* Without a query: what the text speaks of most, not the asides. */
static void test_centroid(void **state)
{
	static const char text[] =
		"Yesterday it rained. Routers place tasks on nodes. My cousin likes pears. "
		"A router sees each node through its offers, and each task has a ladder. Shoes "
		"were cheap then. "
		"When a node is lost, its router places the task on another node. Someone lost a "
		"green hat.";
	struct buf out;
	struct arena a;

	(void)state;
	(void)pick(&a, &out, span_str(text), "", 3, 4096);
	assert_non_null(memmem(out.at, out.len, "Routers place", 13));
	assert_non_null(memmem(out.at, out.len, "A router sees", 13));
	assert_non_null(memmem(out.at, out.len, "When a node", 11));
	arena_done(&a);
	buf_done(&out);
}

static void test_emit(void **state)
{
	struct buf out;
	struct arena a;

	(void)state;
	(void)pick(&a, &out, SPAN_LIT("  One\n  two.  Three   four.\n\n```\na  b\n```\n"), "", 9,
		4096);
	assert_true(span_is(buf_span(&out), "One two. Three four.\n```\na  b\n```"));
	arena_done(&a);
	buf_done(&out);
}

static void test_scripts_without_spaces(void **state)
{
	/* "It is fine today. The router assigns tasks. I like cats." and "about routers?" */
	static const char text[] =
		"\xE4\xBB\x8A\xE6\x97\xA5\xE3\x81\xAF\xE6\x99\xB4\xE3\x82\x8C\xE3\x80\x82"
		"\xE7\xB5\x8C\xE8\xB7\xAF\xE5\x99\xA8\xE3\x81\xAF\xE4\xBB\x95\xE4\xBA\x8B\xE3\x82"
		"\x92\xE5\x89\xB2\xE3\x82\x8A\xE5\xBD\x93\xE3\x81\xA6\xE3\x82\x8B\xE3\x80\x82"
		"\xE7\x8C\xAB\xE3\x81\x8C\xE5\xA5\xBD\xE3\x81\x8D\xE3\x80\x82";
	struct buf out;
	struct arena a;

	(void)state;
	(void)pick(&a, &out, span_str(text), "\xE7\xB5\x8C\xE8\xB7\xAF\xE5\x99\xA8", 1, 4096);
	assert_true(span_eq(buf_span(&out), span_of(text + 18, 39)));
	arena_done(&a);
	buf_done(&out);
}

static void test_budgets(void **state)
{
	struct prng p;
	struct buf doc;

	(void)state;
	rand_start(&p);
	plant(&doc, 10, 100);
	for (int round = 0; round < 300; round++) {
		struct buf out;
		struct arena a;
		struct select_result r = pick(&a, &out, buf_span(&doc), round % 2 ? "lease" : "",
			1 + (uint32_t)prng_below(&p, 400), 1 + prng_below(&p, 3000));

		assert_true(r.picks_n > 0);
		assert_int_equal(r.sentences_in, 99 * 3 + 1);
		for (size_t i = 1; i < r.picks_n; i++)
			assert_true(r.picks[i].index > r.picks[i - 1].index);
		assert_true(fmt_is_text(buf_span(&out)));
		arena_done(&a);
		buf_done(&out);
	}
	buf_done(&doc);
}

static void test_all_if_it_fits(void **state)
{
	struct buf out;
	struct arena a;
	struct select_result r;

	(void)state;
	r = pick(&a, &out, SPAN_LIT("One thing. Two things. Three things."), "", 100, 4096);
	assert_int_equal(r.picks_n, 3);
	arena_done(&a);
	buf_done(&out);
	r = pick(&a, &out, (struct span){ 0 }, "query", 100, 4096);
	assert_int_equal(r.picks_n, 0);
	assert_int_equal(out.len, 0);
	arena_done(&a);
	buf_done(&out);
}

/* Does it end in time, inside its limits, and the same twice? */
static void check_monster(unsigned char *bytes, size_t n, const char *query)
{
	struct buf one, two;
	struct arena a, b;

	(void)pick(&a, &one, span_of(bytes, n), query, 1000, 100000);
	(void)pick(&b, &two, span_of(bytes, n), query, 1000, 100000);
	assert_true(span_eq(buf_span(&one), buf_span(&two)));
	arena_done(&a);
	arena_done(&b);
	buf_done(&one);
	buf_done(&two);
}

static void test_monsters(void **state)
{
	const size_t n = 1 << 20;
	unsigned char *bytes = malloc(n);
	struct prng p;

	(void)state;
	rand_start(&p);
	assert_non_null(bytes);
	memset(bytes, 'x', n); /* one endless word */
	check_monster(bytes, n, "xx");
	memset(bytes, ' ', n);
	check_monster(bytes, n, "xx");
	for (size_t i = 0; i < n; i++) /* one endless line of words */
		bytes[i] = i % 4 == 3 ? ' ' : (unsigned char)('a' + prng_below(&p, 26));
	check_monster(bytes, n, "abc def");
	for (size_t i = 0; i < n; i++) /* the most sentences: "A. " */
		bytes[i] = (unsigned char)"A0.\n"[i % 4];
	check_monster(bytes, n, "a0");
	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)prng_next(&p);
	check_monster(bytes, n, "query");
	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)".!?\n`-#= "[prng_below(&p, 9)];
	check_monster(bytes, n, "query");
	free(bytes);
}

static int run_nth(void *arg)
{
	struct span doc = SPAN_LIT("One sentence. Another one with more words. A third.");
	struct select_want want = {
		.query = SPAN_LIT("words"),
		.sentences_max = 2,
		.bytes_max = 1000,
	};
	struct select_result r;
	struct arena a;
	int err;

	(void)arg;
	arena_init(&a, ARENA_BYTES);
	err = select_sentences(&a, &doc, 1, &want, &r);
	arena_done(&a);
	return err;
}

static void test_want_of_memory(void **state)
{
	struct select_want want = { .sentences_max = 2, .bytes_max = 1000 };
	struct span doc = span_str(filler);
	struct select_result r;
	struct arena a;

	(void)state;
	assert_true(nth_alloc(run_nth, NULL) > 2);
	arena_init(&a, 512);
	assert_int_equal(select_sentences(&a, &doc, 1, &want, &r), ERR_NO_MEMORY);
	arena_done(&a);
}

/* What a body can hold at most, made of the shortest sentences and words, in the memory that nodes give. */
static void test_the_most_sentences(void **state)
{
	static const char *const units[] = { ".\n", "a.\n", "a\n\n", "a ", "# a\n", "- a\n", "a. ",
		"\xE3\x80\x82", "a\xE4\xB8\xAD", "\xC3\xA9 " };
	static char text[512 << 10];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		struct select_want want = { .sentences_max = 8, .bytes_max = 4096 };
		struct span doc = span_of(text, sizeof(text));
		struct select_result r;
		struct arena a;

		for (size_t at = 0; at < sizeof(text); at++)
			text[at] = units[i][at % strlen(units[i])];
		arena_init(&a, 64 << 20);
		assert_int_equal(select_sentences(&a, &doc, 1, &want, &r), 0);
		assert_true(r.picks_n > 0);
		arena_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_stems),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_reading_of_anything),
		cmocka_unit_test(test_needle_is_found),
		cmocka_unit_test(test_no_repetition),
		cmocka_unit_test(test_centroid),
		cmocka_unit_test(test_emit),
		cmocka_unit_test(test_scripts_without_spaces),
		cmocka_unit_test(test_budgets),
		cmocka_unit_test(test_all_if_it_fits),
		cmocka_unit_test(test_monsters),
		cmocka_unit_test(test_want_of_memory),
		cmocka_unit_test(test_the_most_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
