/* SPDX-License-Identifier: Apache-2.0
 *
 * Sections and their crushers: the table in tests/cases/policy/section.txt, and what holds of any documents.
 */
#include "policy/section.h"

#include <stdio.h>

#include "base/fmt.h"
#include "policy/compress.h"
#include "policy/patch.h"
#include "policy/source.h"
#include "policy/text.h"
#include "policy/trace.h"
#include "tests/support/cases.h"
#include "tests/support/test.h"

#define BYTES ((size_t)16 << 20)

/* --- the table ------------------------------------------------------------------------------------ */

static void run_are(struct case_line *c, struct span text)
{
	struct section_reader r = section_read(text);
	struct section s;
	struct buf got;

	buf_init(&got, BYTES);
	while (section_next(&r, &s)) {
		if (got.len > 0)
			buf_byte(&got, ',');
		buf_str(&got, section_kind_name(s.kind));
	}
	case_same_text(c, "sections", buf_span(&got), case_word(c, 1));
	buf_done(&got);
}

static void run_crush(struct case_line *c, struct span text)
{
	struct compress_want want = {
		.query = case_value(c, "query", ""),
		.mode = span_is(case_value(c, "mode", NULL), "lossless") ? GUARD_LOSSLESS
									 : GUARD_EXTRACT,
		.tokens = (uint64_t)case_int(c, "tokens", "1000000"),
		.marks = true,
	};
	struct compress_facts facts;
	struct buf out, wanted;
	struct arena a;

	arena_init(&a, COMPRESS_ARENA_BYTES);
	buf_init(&out, BYTES);
	buf_init(&wanted, BYTES);
	for (int i = 1; i < 10; i++) {
		char key[24];

		snprintf(key, sizeof(key), i == 1 ? "into" : "into%d", i);
		if (!case_has(c, key))
			break;
		if (i > 1)
			buf_byte(&wanted, '\n');
		buf_add(&wanted, case_value(c, key, NULL));
	}
	assert_int_equal(compress_texts(&a, &text, 1, &want, &out, NULL, &facts, NULL), 0);
	case_same_text(c, "text", buf_span(&out), buf_span(&wanted));
	arena_done(&a);
	buf_done(&out);
	buf_done(&wanted);
}

static void run_case(struct case_line *c)
{
	bool are = span_is(case_word(c, 0), "are");
	struct buf text;

	buf_init(&text, BYTES);
	for (unsigned i = are ? 2 : 1; i < c->words; i++) {
		buf_add(&text, case_word(c, i));
		buf_byte(&text, '\n');
	}
	if (are)
		run_are(c, buf_span(&text));
	else
		run_crush(c, buf_span(&text));
	buf_done(&text);
}

/* --- documents of all sorts ----------------------------------------------------------------------- */

/* Things that are kept or left as a whole: each begins with "begin<n>" and ends with "end<n>" somewhere inside; rows
 * that need a head name it "head<n>". */
struct things {
	unsigned n;
	unsigned heads;
};

static void put_words(struct buf *b, struct prng *p, unsigned words)
{
	for (unsigned w = 0; w < words; w++) {
		for (unsigned l = 2 + (unsigned)prng_below(p, 7); l > 0; l--)
			buf_byte(b, (unsigned char)('a' + prng_below(p, 14)));
		if (w + 1 < words)
			buf_byte(b, ' ');
	}
}

static void put_fence(struct buf *b, struct prng *p, struct things *t)
{
	buf_fmt(b, "```c\nint begin%u(void)\n{\n", t->n);
	for (uint64_t i = prng_below(p, 9); i > 0; i--)
		buf_fmt(b, "\tx%u = %u;\n\n", (unsigned)prng_below(p, 99), (unsigned)i);
	buf_fmt(b, "\treturn end%u;\n}\n```\n\n", t->n++);
}

static void put_function(struct buf *b, struct prng *p, struct things *t)
{
	buf_fmt(b, "static int begin%u(int a)\n{\n", t->n);
	for (uint64_t i = 2 + prng_below(p, 9); i > 0; i--)
		buf_fmt(b, "\ta = f%u(a, %u);\n%s", (unsigned)prng_below(p, 99), (unsigned)i,
			prng_below(p, 4) == 0 ? "\n" : "");
	buf_fmt(b, "\treturn end%u(a);\n}\n\n", t->n++);
}

static void put_example(struct buf *b, struct prng *p, struct things *t)
{
	buf_fmt(b, "Q: begin%u ", t->n);
	put_words(b, p, 5);
	buf_str(b, "?\nA: It is so. ");
	put_words(b, p, 5);
	buf_fmt(b, " end%u.\n\n", t->n++);
}

static void put_table(struct buf *b, struct prng *p, struct things *t)
{
	bool csv = prng_below(p, 2) == 0;

	buf_fmt(b, csv ? "head%u,price,place\n" : "| head%u | price | place |\n|---|---|---|\n",
		t->heads);
	for (uint64_t i = 4 + prng_below(p, 20); i > 0; i--, t->n++)
		buf_fmt(b, csv ? "begin%u,row%u %u,end%u\n" : "| begin%u | row%u %u | end%u |\n",
			t->n, t->heads, (unsigned)prng_below(p, 999), t->n);
	t->heads++;
	buf_byte(b, '\n');
}

static void put_json(struct buf *b, struct prng *p, struct things *t)
{
	buf_byte(b, '[');
	for (uint64_t i = 0, n = 3 + prng_below(p, 20); i < n; i++, t->n++)
		buf_fmt(b, "%s{\"head%u\": \"begin%u\", \"row\": \"row%u\",\n \"n\": \"end%u\"}",
			i > 0 ? ", " : "", t->heads, t->n, t->heads, t->n);
	t->heads++;
	buf_str(b, "]\n\n");
}

static void put_diff(struct buf *b, struct prng *p, struct things *t)
{
	unsigned before = (unsigned)prng_below(p, 6), after = (unsigned)prng_below(p, 6),
		 lines = 1 + (unsigned)prng_below(p, 5);

	buf_fmt(b, "--- a/head%u\n+++ b/head%u\n", t->heads, t->heads);
	buf_fmt(b, "@@ -1,%u +1,%u @@\n", before + after + 1, before + after + lines + 1);
	for (unsigned i = 0; i < before; i++)
		buf_fmt(b, " row%u %u\n", t->heads, (unsigned)prng_below(p, 999));
	buf_fmt(b, "-begin%u\n", t->n);
	for (unsigned i = 0; i < lines; i++)
		buf_fmt(b, "+x%u\n", (unsigned)prng_below(p, 999));
	buf_fmt(b, "+row%u end%u\n", t->heads, t->n++);
	for (unsigned i = 0; i < after; i++)
		buf_fmt(b, " row%u %u\n", t->heads, (unsigned)prng_below(p, 999));
	t->heads++;
	buf_byte(b, '\n');
}

static void put_prose(struct buf *b, struct prng *p, struct things *t)
{
	(void)t;
	for (uint64_t i = 1 + prng_below(p, 12); i > 0; i--) {
		buf_byte(b, (unsigned char)('A' + prng_below(p, 26)));
		put_words(b, p, 4 + (unsigned)prng_below(p, 12));
		buf_str(b, i == 1 ? ".\n\n" : prng_below(p, 4) == 0 ? ".\n" : ". ");
	}
}

static void (*const puts_of[])(struct buf *b, struct prng *p, struct things *t) = { put_fence,
	put_function, put_example, put_table, put_json, put_diff, put_prose };

static struct things put_all(struct buf *b, struct prng *p, unsigned sorts)
{
	struct things t = { 0, 0 };

	for (unsigned i = 0; i < sorts; i++) {
		puts_of[prng_below(p, ARRAY_LEN(puts_of))](b, p, &t);
		if (prng_below(p, 2) == 0)
			put_prose(b, p, &t);
	}
	return t;
}

/* Lines from which the readers tell, at random. */
static void put_lines(struct buf *b, struct prng *p, unsigned lines)
{
	static const char *const bits[] = { "word", "@@ -1,3 +1,4 @@", "@@ -1 +1 @@", "-old",
		"+new", " same", "--- a", "+++ b", "diff --git a b", "index 1..2", "\\ No newline",
		"", "a,b,c", "1,2,3", "1,\"2,3", "a\tb", "1\t2", "int f(void)", "{", "}",
		"\tx = 1;", "return 0;", "import os", "def f(x):", "    return x", "# remark",
		"```", "| a | b |", "|---|---|", "| 1 | 2 |",
		"{\"a\": 1, \"b\": \"cdefghijklmnopqrstuvw\"}", "[1,", "10:00:00 x", "INFO y",
		"Q: z?", "A: z.", "One sentence. Another.", "\xFF", "\r" };

	for (unsigned i = 0; i < lines; i++) {
		buf_str(b, bits[prng_below(p, ARRAY_LEN(bits))]);
		buf_byte(b, '\n');
	}
}

/* --- properties ----------------------------------------------------------------------------------- */

/* The parts of a section follow each other, and all that lies between them is white space. */
static void check_parts(const struct section *s)
{
	struct source_reader code = source_read(s->text);
	struct patch_reader diff = patch_read(s->text);
	struct source_part function;
	struct patch_part part;
	size_t at = 0;

	while (s->kind == SECTION_DIFF && patch_next(&diff, &part)) {
		assert_ptr_equal(part.text.at, s->text.at + at);
		assert_true(part.text.len > 0);
		assert_true(at > 0 || part.kind == PATCH_FILE || part.kind == PATCH_HUNK);
		at += part.text.len;
	}
	assert_int_equal(at, s->kind == SECTION_DIFF ? s->text.len : 0);
	for (at = 0; s->kind == SECTION_CODE && source_next(&code, &function);) {
		size_t from = (size_t)(function.text.at - s->text.at);

		assert_true(from >= at && function.text.len > 0);
		assert_int_equal(span_trim(span_part(s->text, at, from - at)).len, 0);
		at = from + function.text.len;
	}
	assert_true(
		s->kind != SECTION_CODE || span_trim(span_part(s->text, at, s->text.len)).len == 0);
}

static void test_sections_are_the_document(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 3000; round++) {
		struct section_reader r;
		struct things none;
		struct section s;
		struct buf b;
		size_t at = 0;

		buf_init(&b, BYTES);
		if (round % 3 == 0)
			none = put_all(&b, &p, (unsigned)prng_below(&p, 6));
		else
			put_lines(&b, &p, (unsigned)prng_below(&p, 60));
		(void)none;
		for (r = section_read(buf_span(&b)); section_next(&r, &s); at += s.text.len) {
			assert_ptr_equal(s.text.at, b.at + at);
			assert_true(s.text.len > 0);
			assert_true(s.text.at[s.text.len - 1] == '\n');
			check_parts(&s);
		}
		assert_int_equal(at, b.len);
		buf_done(&b);
	}
}

struct trial {
	struct arena arena;
	struct buf doc, out, map;
	struct compress_facts facts;
};

static void trial_open(struct trial *t)
{
	*t = (struct trial){ .facts = { 0 } };
	arena_init(&t->arena, COMPRESS_ARENA_BYTES);
	buf_init(&t->doc, BYTES);
	buf_init(&t->out, BYTES);
	buf_init(&t->map, BYTES);
}

static void trial_close(struct trial *t)
{
	arena_done(&t->arena);
	buf_done(&t->doc);
	buf_done(&t->out);
	buf_done(&t->map);
}

static void press(struct trial *t, const struct compress_want *want)
{
	struct span doc = buf_span(&t->doc);

	assert_int_equal(
		compress_texts(&t->arena, &doc, 1, want, &t->out, &t->map, &t->facts, NULL), 0);
}

/* Is the word there, not as the start of a longer number? */
static bool has(struct span text, const char *word, unsigned n)
{
	char what[32];
	int len = snprintf(what, sizeof(what), "%s%u", word, n);
	const unsigned char *at = text.at, *end = text.at + text.len;

	while (at != NULL && at < end) {
		at = memmem(at, (size_t)(end - at), what, (size_t)len);
		if (at == NULL)
			return false;
		at += len;
		if (at == end || *at < '0' || *at > '9')
			return true;
	}
	return false;
}

static void test_nothing_is_cut(void **state)
{
	static const char *const queries[] = { "", "begin3 end5 price", "return x7" };
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 600; round++) {
		struct compress_want want = { .tokens = 20 + prng_below(&p, 1500), .marks = true };
		struct things things;
		struct trial t;

		trial_open(&t);
		things = put_all(&t.doc, &p, 1 + (unsigned)prng_below(&p, 12));
		want.query = span_str(queries[prng_below(&p, ARRAY_LEN(queries))]);
		want.mode = round % 2 == 0 ? GUARD_EXTRACT : GUARD_TELEGRAPHIC;
		press(&t, &want);
		assert_true(t.facts.tokens_out <= want.tokens);
		for (unsigned i = 0; i < things.n; i++) {
			if (has(buf_span(&t.out), "begin", i) != has(buf_span(&t.out), "end", i))
				fail_msg("round %d: thing %u was cut:\n%.*s", round, i,
					(int)t.out.len, (char *)t.out.at);
		}
		for (unsigned i = 0; i < things.heads; i++) {
			if (has(buf_span(&t.out), "row", i) && !has(buf_span(&t.out), "head", i))
				fail_msg("round %d: rows without head%u:\n%.*s", round, i,
					(int)t.out.len, (char *)t.out.at);
		}
		trial_close(&t);
	}
}

static bool same_but_for_blanks(struct span a, struct span b)
{
	for (size_t i = 0, k = 0;; i++, k++) {
		while (i < a.len && a.at[i] <= ' ')
			i++;
		while (k < b.len && b.at[k] <= ' ')
			k++;
		if (i == a.len || k == b.len)
			return i == a.len && k == b.len;
		if (a.at[i] != b.at[k])
			return false;
	}
}

/* Without loss: all but white space and JSON stays as it is, and the map leads back to all of it. */
static void test_lossless(void **state)
{
	struct compress_want want = { .mode = GUARD_LOSSLESS, .tokens = UINT64_MAX };
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 1000; round++) {
		struct trace_want all = { .doc = 0 };
		struct trace_range found;
		struct trial t;

		trial_open(&t);
		if (round % 3 == 0)
			(void)put_all(&t.doc, &p, 1 + (unsigned)prng_below(&p, 8));
		else
			put_lines(&t.doc, &p, 1 + (unsigned)prng_below(&p, 60));
		want.marks = round % 2 == 0;
		press(&t, &want);
		struct span doc = buf_span(&t.doc);
		if (t.facts.sections[SECTION_JSON] == 0 &&
			!same_but_for_blanks(doc, buf_span(&t.out)))
			fail_msg("round %d: of <%.*s> came <%.*s>", round, (int)doc.len,
				(char *)doc.at, (int)t.out.len, (char *)t.out.at);
		all.out = (struct trace_range){ 0, t.out.len };
		if (span_trim(doc).len > 0) {
			assert_int_equal(trace_find(buf_span(&t.map), &doc, 1, &all, &found, NULL),
				0);
			assert_true(span_eq(
				span_trim(span_part(doc, found.from, found.to - found.from)),
				span_trim(doc)));
		}
		all = (struct trace_want){ .gap = 1 };
		assert_int_equal(trace_find(buf_span(&t.map), &doc, 1, &all, &found, NULL),
			ERR_UNKNOWN);
		trial_close(&t);
	}
}

/* Code, logs, diffs and tables by themselves: byte for byte. */
static void test_lossless_is_exact(void **state)
{
	static void (*const sorts[])(struct buf * b, struct prng * p,
		struct things * t) = { put_function, put_table, put_diff };
	struct compress_want want = { .mode = GUARD_LOSSLESS, .tokens = UINT64_MAX };
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 300; round++) {
		struct things things = { 0, 0 };
		struct trial t;

		trial_open(&t);
		sorts[round % 3](&t.doc, &p, &things);
		press(&t, &want);
		assert_true(span_eq(span_trim(buf_span(&t.doc)), buf_span(&t.out)));
		trial_close(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections_are_the_document),
		cmocka_unit_test(test_nothing_is_cut),
		cmocka_unit_test(test_lossless),
		cmocka_unit_test(test_lossless_is_exact),
	};
	int failed = cases_run("tests/cases/policy/section.txt", run_case);

	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
