/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/compress.h"

#include <stdlib.h>

#include "base/fmt.h"
#include "policy/text.h"
#include "policy/trace.h"
#include "tests/support/test.h"

#define OUT_BYTES ((size_t)64 << 20)

/* One call and what came of it. */
struct trial {
	struct arena arena;
	struct buf out;
	struct buf map;
	struct compress_facts facts;
	struct fail why;
};

static void trial_open(struct trial *t)
{
	*t = (struct trial){ .facts = { 0 } };
	arena_init(&t->arena, COMPRESS_ARENA_BYTES);
	buf_init(&t->out, OUT_BYTES);
	buf_init(&t->map, OUT_BYTES);
}

static void trial_close(struct trial *t)
{
	arena_done(&t->arena);
	buf_done(&t->out);
	buf_done(&t->map);
}

static int press(struct trial *t, struct span text, const struct compress_want *want)
{
	buf_reset(&t->out);
	buf_reset(&t->map);
	return compress_texts(&t->arena, &text, 1, want, &t->out, &t->map, &t->facts, &t->why);
}

static struct compress_want by_ratio(const char *query, uint32_t ratio_milli)
{
	return (struct compress_want){
		.query = span_str(query),
		.mode = GUARD_EXTRACT,
		.tokens = UINT64_MAX,
		.ratio_milli = ratio_milli,
		.marks = true,
	};
}

static struct compress_want by_tokens(const char *query, uint64_t tokens)
{
	struct compress_want want = by_ratio(query, 1000);

	want.tokens = tokens;
	return want;
}

static bool has(const struct trial *t, const char *what)
{
	return t->out.len > 0 && memmem(t->out.at, t->out.len, what, strlen(what)) != NULL;
}

static void check_text(const char *text, const struct compress_want *want, const char *wanted)
{
	struct trial t;

	trial_open(&t);
	assert_int_equal(press(&t, span_str(text), want), 0);
	if (!span_is(buf_span(&t.out), wanted))
		fail_msg("got <%.*s>, wanted <%s>", (int)t.out.len, (char *)t.out.at, wanted);
	trial_close(&t);
}

/* Sentences of made-up words: everyone is different, and long enough. */
static void put_prose(struct buf *b, struct prng *p, unsigned sentences)
{
	for (unsigned i = 0; i < sentences; i++) {
		unsigned words = 6 + (unsigned)prng_below(p, 14);

		buf_byte(b, (unsigned char)('A' + prng_below(p, 26)));
		for (unsigned w = 0; w < words; w++) {
			unsigned letters = 2 + (unsigned)prng_below(p, 7);

			for (unsigned l = 0; l < letters; l++)
				buf_byte(b, (unsigned char)('a' + prng_below(p, 12)));
			buf_byte(b, w + 1 < words ? ' ' : '.');
		}
		buf_str(b, prng_below(p, 5) == 0 ? "\n\n" : prng_below(p, 4) == 0 ? "\n" : " ");
	}
}

/* --- what is kept --------------------------------------------------------------------------------- */

static void test_needle(void **state)
{
	static const char needle[] = "The access code of the north gate is 4417.";
	struct compress_want want = by_ratio("What is the code for the north gate?", 5000);
	struct prng p;

	(void)state;
	rand_start(&p);
	for (unsigned before = 0; before <= 200; before += 25) {
		struct trial t;
		struct buf b;

		trial_open(&t);
		buf_init(&b, OUT_BYTES);
		put_prose(&b, &p, before);
		buf_str(&b, needle);
		buf_byte(&b, ' ');
		put_prose(&b, &p, 200 - before);
		assert_int_equal(press(&t, buf_span(&b), &want), 0);
		assert_true(has(&t, needle));
		assert_int_equal(t.facts.terms, 3);
		assert_int_equal(t.facts.kept, t.facts.found);
		buf_done(&b);
		trial_close(&t);
	}
}

static void test_small_texts_stay(void **state)
{
	struct compress_want want = by_ratio("", 5000);

	(void)state;
	check_text("A few words.  And\n\n a few more.\n", &want,
		"A few words.  And\n\n a few more.\n");
	check_text("", &want, "");
	want = by_tokens("", 1000);
	check_text("Short   enough.", &want, "Short   enough.");
}

static void test_marks(void **state)
{
	static const char text[] =
		"Alpha one two three. Beta four five six. Gamma seven eight nine.\n\n"
		"Delta ten eleven twelve.";
	struct compress_want want = by_tokens("gamma", 10);

	(void)state;
	check_text(text, &want, "[...] Gamma seven eight nine. [...]");
	want.query = SPAN_LIT("alpha delta");
	want.tokens = 15;
	check_text(text, &want, "Alpha one two three. [...]\nDelta ten eleven twelve.");
	want.marks = false;
	want.tokens = 11;
	check_text(text, &want, "Alpha one two three.\nDelta ten eleven twelve.");
}

/* A block of code, an example with its answer, a table's head: all of it or nothing. */
static void test_guards(void **state)
{
	static const char code[] = "```c\nint gate(void)\n{\n\n\treturn 4417;\n}\n```";
	static const char example[] = "Q: Where is the gate?\nA: In the north. It is open.";
	static const char table[] = "| place | code |\n|---|---|\n";
	struct compress_want want = by_ratio("gate 4417 north", 4000);
	struct trial t;
	struct prng p;
	struct buf b;

	(void)state;
	rand_start(&p);
	trial_open(&t);
	buf_init(&b, OUT_BYTES);
	put_prose(&b, &p, 40);
	buf_fmt(&b, "\n\n%s\n\n%s\n\n%s", code, example, table);
	for (int i = 0; i < 20; i++)
		buf_fmt(&b, "| place%d | %d |\n", i, i == 9 ? 4417 : 100 + i);
	put_prose(&b, &p, 40);
	assert_int_equal(press(&t, buf_span(&b), &want), 0);
	assert_true(has(&t, code));
	assert_true(has(&t, example));
	assert_true(has(&t, "| place | code |\n|---|---|") && has(&t, "| place9 | 4417 |"));
	for (uint64_t tokens = 1; tokens < 60; tokens++) {
		want = by_tokens("gate 4417 north", tokens);
		assert_int_equal(press(&t, buf_span(&b), &want), 0);
		assert_int_equal(has(&t, "int gate"), has(&t, code));
		assert_int_equal(has(&t, "Q: Where"), has(&t, "It is open."));
		assert_true(!has(&t, "| place9") || has(&t, "| place | code |"));
	}
	buf_done(&b);
	trial_close(&t);
}

static void test_prefix(void **state)
{
	struct compress_want want = by_ratio("", 4000);
	struct trial t;
	struct prng p;
	struct buf b;

	(void)state;
	rand_start(&p);
	trial_open(&t);
	buf_init(&b, OUT_BYTES);
	put_prose(&b, &p, 100);
	for (size_t n = 0; n < 700; n += 13) {
		want.prefix_bytes = n;
		assert_int_equal(press(&t, buf_span(&b), &want), 0);
		assert_true(t.out.len > n && memcmp(t.out.at, b.at, n) == 0);
	}
	want = by_tokens("", 20);
	want.prefix_bytes = 700;
	assert_int_equal(press(&t, buf_span(&b), &want), ERR_TOO_BIG);
	assert_string_equal(t.why.field, "prefix_bytes");
	want.tokens = 1000000;
	want.prefix_bytes = SIZE_MAX;
	assert_int_equal(press(&t, buf_span(&b), &want), 0);
	assert_true(span_eq(buf_span(&t.out), buf_span(&b)));
	buf_done(&b);
	trial_close(&t);
}

/* --- modes ---------------------------------------------------------------------------------------- */

static void test_lossless(void **state)
{
	struct compress_want want = { .mode = GUARD_LOSSLESS, .tokens = UINT64_MAX };

	(void)state;
	check_text("One   two.  \n\n\n\nThree\tfour.\n", &want, "One two.\nThree four.");
	check_text("```\na   b\n\n\nc\n```\n", &want, "```\na   b\n\n\nc\n```");
	check_text("{ \"a\": 1.50,\n \"b\": [ 12345678901234567890, \"x  y\" ] }\n", &want,
		"\"a\":1.50\n\"b\":[12345678901234567890,\"x  y\"]");
	check_text("[{\"id\": 1, \"unit\": \"EUR\"}, {\"id\": 2, \"unit\": \"EUR\"},\n"
		   " {\"unit\": \"EUR\", \"id\": null}]",
		&want, "3 rows of \"id\"; in each \"unit\":\"EUR\"\n1\n2\nnull");
	want.tokens = 2;
	struct trial t;
	trial_open(&t);
	assert_int_equal(press(&t, SPAN_LIT("One two three four."), &want), ERR_TOO_BIG);
	assert_string_equal(t.why.field, "tokens");
	trial_close(&t);
}

static void test_telegraphic(void **state)
{
	struct compress_want want = { .mode = GUARD_TELEGRAPHIC, .tokens = 45 };

	(void)state;
	check_text(
		"The lease is not the thing that is lost. \"The end is the end\" (the book). It "
		"may be "
		"that a node has no slot. The value of `the x` is 12, and there are ten of them in "
		"the mesh.",
		&want,
		"lease not thing lost. \"The end is the end\" (the book). It may node no slot. "
		"value `the x` "
		"12, and ten them in mesh.");
}

static void test_log(void **state)
{
	struct compress_want want = { .mode = GUARD_EXTRACT, .tokens = 150 };
	struct trial t;
	struct buf b;

	(void)state;
	trial_open(&t);
	buf_init(&b, OUT_BYTES);
	for (int i = 0; i < 500; i++)
		buf_fmt(&b, "2026-01-01 10:%02d:%02d %s\n", i / 60, i % 60,
			i == 7     ? "INFO started on port 8080"
			: i == 250 ? "ERROR disk 3 is full\n  at write (disk.c:55)"
				   : "INFO request served in 12 ms");
	assert_int_equal(press(&t, buf_span(&b), &want), 0);
	assert_true(has(&t, "INFO request served in 12 ms [x497]"));
	assert_true(has(&t, "ERROR disk 3 is full\n  at write (disk.c:55)"));
	assert_true(has(&t, "started on port 8080"));
	assert_true(has(&t, "10:08:19 INFO request"));
	buf_done(&b);
	trial_close(&t);
}

/* --- properties ----------------------------------------------------------------------------------- */

/* Lines of anything, from the bits that the readers look for. */
static void put_anything(struct buf *b, struct prng *p, size_t bytes)
{
	static const char *const bits[] = { "word", "Another", " ", " ", "\n", "\n\n", ". ", "? ",
		"```\n", "# Head\n", "- item\n", "| a | b |\n|---|---|\n", "| 1 | 2 |\n",
		"{\"a\": 1}\n", "[{\"a\":1,\"b\":2},{\"a\":1,\"b\":3},{\"a\":1,\"b\":4}]\n", "[[[",
		"]", "{", "\"", "2026-01-01 10:00:00 INFO x\n", "ERROR: y\n", "Q: what?\n",
		"A: that.\n", "\xE4\xB8\xAD", "\xE6\x96\x87\xE3\x80\x82", "\xFF", "\xC3", "9",
		"the", "x", "\t", "(", "12.5" };

	while (b->len < bytes)
		buf_str(b, bits[prng_below(p, ARRAY_LEN(bits))]);
}

/* Are the ranges of the map in order, do they lie in the texts, and is what is kept what stands there? */
static void check_map(const struct trial *t, struct span doc)
{
	struct trace_want want = { .gap = 0 };
	struct trace_range found, last = { 0, 0 };

	for (size_t at = 0; at < t->out.len; at += 1 + t->out.len / 50) {
		want.out = (struct trace_range){ at, at + 1 };
		int r = trace_find(buf_span(&t->map), &doc, 1, &want, &found, NULL);

		if (r == ERR_UNKNOWN) /* a separator */
			continue;
		assert_int_equal(r, 0);
		assert_true(found.from <= found.to && found.to <= doc.len);
		assert_true(found.from >= last.from);
		last = found;
	}
}

static void test_budget_is_kept(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 1500; round++) {
		struct compress_want want =
			by_tokens(round % 2 ? "word item 9" : "", 1 + prng_below(&p, 300));
		struct trial t;
		struct buf b;

		trial_open(&t);
		buf_init(&b, OUT_BYTES);
		put_anything(&b, &p, prng_below(&p, round % 5 == 0 ? 30000 : 4000));
		want.mode = round % 3 == 0 ? GUARD_TELEGRAPHIC : GUARD_EXTRACT;
		want.marks = prng_below(&p, 2) != 0;
		want.family = (enum tokens_family)prng_below(&p, TOKENS_FAMILIES);
		want.batch_bytes = round % 5 == 0 ? 4096 : 0;
		assert_int_equal(press(&t, buf_span(&b), &want), 0);
		if (t.facts.tokens_out > want.tokens)
			fail_msg("round %d: %u tokens of %u", round, (unsigned)t.facts.tokens_out,
				(unsigned)want.tokens);
		assert_int_equal(t.facts.tokens_out,
			tokens_whole(tokens_of(want.family, buf_span(&t.out))));
		check_map(&t, buf_span(&b));
		buf_done(&b);
		trial_close(&t);
	}
}

/* What is left out between two batches has its mark, too. */
static void test_budget_of_batches(void **state)
{
	static const char *const lines[] = { "a;\n", "One word.\n\n", "x, y, z\n", "- i\n" };
	struct compress_want want = by_tokens("", 0);

	(void)state;
	want.batch_bytes = 4096;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct buf b;

		buf_init(&b, OUT_BYTES);
		for (unsigned n = 0; b.len < 60000; n++) {
			if (n % 8 < i)
				buf_fmt(&b, "%u ", n);
			buf_str(&b, lines[i]);
		}
		for (uint64_t tokens = 1; tokens < 3000; tokens += 1 + tokens / 30) {
			struct trial t;

			trial_open(&t);
			want.tokens = tokens;
			assert_int_equal(press(&t, buf_span(&b), &want), 0);
			assert_true(t.facts.tokens_out <= tokens);
			trial_close(&t);
		}
		buf_done(&b);
	}
}

/* What is kept of prose is its sentences, in their order; a mark stands where the map has a gap, and all kept parts
 * and all gaps together are the text. */
static void test_expand_gives_the_original(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 200; round++) {
		struct compress_want want = by_ratio("", 1500 + (uint32_t)prng_below(&p, 9000));
		struct trace_want ask = { .gap = 0 };
		struct trace_range found;
		struct trial t;
		struct buf b;
		size_t at = 0, from = 0;

		trial_open(&t);
		buf_init(&b, OUT_BYTES);
		put_prose(&b, &p, 60);
		assert_int_equal(press(&t, buf_span(&b), &want), 0);
		struct span doc = buf_span(&b), out = buf_span(&t.out);
		while (at < out.len) {
			const unsigned char *mark = memmem(out.at + at, out.len - at, COMPRESS_MARK,
				strlen(COMPRESS_MARK));
			size_t end = mark == NULL ? out.len : (size_t)(mark - out.at);

			if (end > at) {
				ask = (struct trace_want){ .out = { at, end } };
				assert_int_equal(
					trace_find(buf_span(&t.map), &doc, 1, &ask, &found, NULL),
					0);
				assert_true(found.from >= from);
				from = found.to;
				struct buf flat;
				buf_init(&flat, OUT_BYTES);
				text_flatten(&flat,
					span_part(doc, found.from, found.to - found.from));
				for (size_t i = 0, k = at; i < flat.len; i++, k++) {
					while (k < end && (out.at[k] == '\n' || out.at[k] == ' ') &&
						flat.at[i] != ' ')
						k++;
					assert_true(k < end);
					assert_true(flat.at[i] == out.at[k] || out.at[k] == '\n');
				}
				buf_done(&flat);
			}
			at = mark == NULL ? out.len : end + strlen(COMPRESS_MARK);
		}
		for (ask = (struct trace_want){ .gap = 1 };
			trace_find(buf_span(&t.map), &doc, 1, &ask, &found, NULL) == 0; ask.gap++)
			assert_true(found.to > found.from);
		buf_done(&b);
		trial_close(&t);
	}
}

/* The same bytes wherever they lie, whatever the arena looks like, and with any batch that holds them all. */
static void test_deterministic(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 100; round++) {
		struct compress_want want = by_ratio("word item", 3000);
		struct trial one, two;
		struct buf b;

		trial_open(&one);
		trial_open(&two);
		buf_init(&b, OUT_BYTES);
		put_anything(&b, &p, 3000 + prng_below(&p, 3000));
		unsigned char *copy = malloc(b.len + 7);
		memcpy(copy + 7, b.at, b.len);
		assert_int_equal(press(&one, buf_span(&b), &want), 0);
		assert_non_null(arena_raw(&two.arena, 1 + prng_below(&p, 100000)));
		want.batch_bytes = b.len + prng_below(&p, 1000);
		assert_int_equal(press(&two, span_of(copy + 7, b.len), &want), 0);
		assert_true(span_eq(buf_span(&one.out), buf_span(&two.out)));
		free(copy);
		buf_done(&b);
		trial_close(&one);
		trial_close(&two);
	}
}

static void test_ratio(void **state)
{
	static const uint32_t ratios[] = { 2000, 3000, 5000, 10000 };
	struct prng p;

	(void)state;
	rand_start(&p);
	for (size_t i = 0; i < ARRAY_LEN(ratios); i++) {
		for (unsigned sentences = 100; sentences <= 3000; sentences *= 3) {
			struct compress_want want = by_ratio("", ratios[i]);
			struct trial t;
			struct buf b;

			trial_open(&t);
			buf_init(&b, OUT_BYTES);
			put_prose(&b, &p, sentences);
			assert_int_equal(press(&t, buf_span(&b), &want), 0);
			uint64_t target = t.facts.tokens_in * 1000 / ratios[i];
			assert_true(t.facts.tokens_out <= target + 1);
			if (t.facts.tokens_out * 100 < target * 97 &&
				t.facts.tokens_out + 5 < target)
				fail_msg("%u sentences, ratio %u: %u of %u tokens", sentences,
					(unsigned)ratios[i], (unsigned)t.facts.tokens_out,
					(unsigned)target);
			buf_done(&b);
			trial_close(&t);
		}
	}
}

/* --- bad input ------------------------------------------------------------------------------------ */

static void check_monster(const unsigned char *bytes, size_t n)
{
	static const char *const queries[] = { "", "a0 word query" };

	for (size_t i = 0; i < 2; i++) {
		struct compress_want want = by_ratio(queries[i], 5000);
		struct trial t;

		trial_open(&t);
		assert_int_equal(press(&t, span_of(bytes, n), &want), 0);
		assert_true(t.facts.tokens_out <= t.facts.tokens_in);
		trial_close(&t);
	}
}

static void test_monsters(void **state)
{
	static const char *const units[] = { "x", " ", "A0.\n", "a ", "a\n\n", "[",
		"{\"a\":", "[{},", "[\n", "{\n", "| a |\n", "```\n", "Q: \n", "\"", "10:00:00 x\n",
		"\xE4\xB8\xAD", "\xFF", "{\"a\":1}\n", "# a\n", "\xE3\x80\x82", "(the ",
		"[[1],[2]]\n" };
	size_t n = (size_t)600 << 10;
	unsigned char *bytes = malloc(n);
	struct prng p;

	(void)state;
	rand_start(&p);
	assert_non_null(bytes);
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		for (size_t at = 0; at < n; at++)
			bytes[at] = (unsigned char)units[i][at % strlen(units[i])];
		check_monster(bytes, n);
	}
	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)prng_next(&p);
	check_monster(bytes, n);
	for (size_t i = 0; i < n / 2; i++)
		bytes[i] = '[', bytes[n - 1 - i] = ']';
	check_monster(bytes, n);
	free(bytes);
}

static int run_nth(void *arg)
{
	struct compress_want want = by_tokens("words", 12);
	struct trial t;
	int r;

	trial_open(&t);
	r = press(&t, span_str(arg), &want);
	trial_close(&t);
	return r;
}

static void test_want_of_memory(void **state)
{
	static char text[] = "One sentence. Another one with more words.\n\n| a |\n|--|\n| 1 |\n"
			     "[{\"a\":1},{\"a\":2},{\"a\":3},{\"a\":4},{\"a\":5}]\n";
	struct compress_want want = by_tokens("", 5);
	struct trial t;

	(void)state;
	assert_true(nth_alloc(run_nth, text) > 2);
	trial_open(&t);
	arena_done(&t.arena);
	arena_init(&t.arena, 512);
	assert_int_equal(press(&t, span_str(text), &want), ERR_NO_MEMORY);
	trial_close(&t);
	trial_open(&t);
	t.out.max = 4;
	want.tokens = 12;
	assert_int_equal(press(&t, span_str(text), &want), ERR_TOO_BIG);
	trial_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_needle),
		cmocka_unit_test(test_small_texts_stay),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_guards),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_lossless),
		cmocka_unit_test(test_telegraphic),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_budget_is_kept),
		cmocka_unit_test(test_budget_of_batches),
		cmocka_unit_test(test_expand_gives_the_original),
		cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_ratio),
		cmocka_unit_test(test_monsters),
		cmocka_unit_test(test_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
