/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/split.h"

#include "base/err.h"
#include "base/fmt.h"
#include "tests/support/nth.h"
#include "tests/support/rand.h"
#include "tests/support/test.h"

#define DOCS_MAX 6
#define DOC_BYTES_MAX 4000

/* The pieces in order are the documents; parts are numbered without gaps. Returns how many parts. */
static uint32_t check_whole(const struct span *docs, size_t docs_n, const struct split_piece *p,
	size_t n)
{
	size_t at = 0, doc = 0;
	uint32_t part = 0;

	for (size_t i = 0; i < n; i++) {
		while (doc < docs_n && at == docs[doc].len) {
			at = 0;
			doc++;
		}
		assert_true(doc < docs_n);
		assert_int_equal(p[i].doc, doc);
		assert_ptr_equal(p[i].text.at, docs[doc].at + at);
		assert_true(p[i].text.len > 0);
		at += p[i].text.len;
		assert_true(p[i].part == part || (i > 0 && p[i].part == part + 1));
		part = p[i].part;
	}
	while (doc < docs_n && at == docs[doc].len) {
		at = 0;
		doc++;
	}
	assert_int_equal(doc, docs_n);
	return n == 0 ? 0 : part + 1;
}

/* Bytes that make words, lines, headings and characters of several bytes likely. */
static void fill(unsigned char *to, size_t n, struct prng *p)
{
	static const char *const bits[] = { " ", "\n", "\n\n", ". ", "# ", "word", "a",
		"\xE3\x81\x82", "\xC3\xA9", "- " };

	for (size_t at = 0; at < n;) {
		const char *bit = bits[prng_below(p, ARRAY_LEN(bits))];
		size_t len = strlen(bit);

		if (len > n - at) {
			bit = "x";
			len = 1;
		}
		memcpy(to + at, bit, len);
		at += len;
	}
}

/* However long they are, lines stay whole, and parts similar where lines are short. */
static void test_lines_stay_whole(void **state)
{
	static unsigned char text[DOC_BYTES_MAX];
	struct prng prng;

	(void)state;
	rand_start(&prng);
	for (unsigned round = 0; round < 500; round++) {
		struct split_want want = {
			.parts_max = 1 + (uint32_t)prng_below(&prng, 20),
			.part_min = 1,
			.lines = true,
		};
		size_t line_max = 1 + prng_below(&prng, 200), n;
		struct split_piece *pieces;
		struct arena a;
		struct span docs[2];

		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = prng_chance(&prng, 1, (uint32_t)line_max) ? '\n' : 'x';
		docs[0] = span_of(text, prng_below(&prng, sizeof(text)));
		docs[1] = span_of(text + docs[0].len, sizeof(text) - docs[0].len);
		arena_init(&a, 1 << 20);
		assert_int_equal(split_docs(&a, docs, 2, &want, &pieces, &n), 0);
		assert_in_range(check_whole(docs, 2, pieces, n), 1, want.parts_max);
		for (size_t i = 0; i < n; i++) {
			const unsigned char *end = pieces[i].text.at + pieces[i].text.len;
			struct span doc = docs[pieces[i].doc];

			assert_true(end == doc.at + doc.len || end[-1] == '\n');
		}
		arena_done(&a);
	}
}

static void test_no_byte_is_lost(void **state)
{
	static unsigned char bytes[DOCS_MAX][DOC_BYTES_MAX];
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 2000; round++) {
		struct split_want want = {
			.parts_max = 1 + (uint32_t)prng_below(&p, 20),
			.part_min = 1 + prng_below(&p, 500),
		};
		size_t docs_n = prng_below(&p, DOCS_MAX + 1), n, total = 0;
		struct span docs[DOCS_MAX];
		struct split_piece *pieces;
		struct arena a;
		uint32_t parts;

		for (size_t i = 0; i < docs_n; i++) {
			docs[i] = span_of(bytes[i],
				prng_below(&p, 1 + prng_below(&p, DOC_BYTES_MAX)));
			fill(bytes[i], docs[i].len, &p);
			total += docs[i].len;
		}
		arena_init(&a, 1 << 20);
		assert_int_equal(split_docs(&a, docs, docs_n, &want, &pieces, &n), 0);
		parts = check_whole(docs, docs_n, pieces, n);
		assert_true(parts <= want.parts_max);
		assert_true(parts <= 1 || parts * want.part_min <= total);
		for (size_t i = 0; i < n; i++)
			assert_true(fmt_is_text(pieces[i].text)); /* no character was cut */
		arena_done(&a);
	}
}

static void test_similar_sizes(void **state)
{
	static unsigned char bytes[100000];
	struct split_want want = { .parts_max = 8, .part_min = 2048 };
	struct span doc = span_of(bytes, sizeof(bytes));
	struct split_piece *pieces;
	struct arena a;
	struct prng p;
	size_t n;

	(void)state;
	rand_start(&p);
	fill(bytes, sizeof(bytes), &p);
	arena_init(&a, 1 << 20);
	assert_int_equal(split_docs(&a, &doc, 1, &want, &pieces, &n), 0);
	assert_int_equal(n, 8);
	for (size_t i = 0; i < n; i++)
		assert_in_range(pieces[i].text.len, 6000, 19000);
	arena_done(&a);
}

static void check_border(const char *text, size_t want)
{
	struct span s = span_str(text);

	assert_int_equal(split_border(s, 0, s.len), want);
}

/* The better border wins over the nearer one. */
static void test_borders(void **state)
{
	(void)state;
	check_border("one two. three\nfour\n\nfive\n# six\nseven eight nine", 26); /* the heading */
	check_border("one two. three\nfour\n\nfive seven eight nine", 21); /* the paragraph */
	check_border("one two. three\nfour seven eight nine ten", 15);     /* the line */
	check_border("one two. Three four seven eight nine ten", 9);       /* the sentence */
	check_border("one two three four seven", 14); /* the word in the middle */
	check_border("aaaaaaaaaa", 5);
	check_border("\xE3\x81\x82\xE3\x81\x82\xE3\x81\x82", 3); /* the character */
}

static void test_small_is_one_part(void **state)
{
	struct span docs[] = { SPAN_LIT("small"), SPAN_LIT(""), SPAN_LIT("smaller") };
	struct split_want want = { .parts_max = 8, .part_min = 2048 };
	struct split_piece *pieces;
	struct arena a;
	size_t n;

	(void)state;
	arena_init(&a, 1 << 20);
	assert_int_equal(split_docs(&a, docs, 3, &want, &pieces, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(pieces[1].part, 0);
	assert_int_equal(pieces[1].doc, 2);
	assert_int_equal(split_docs(&a, docs + 1, 1, &want, &pieces, &n), 0);
	assert_int_equal(n, 0);
	arena_done(&a);
}

/* Documents that are about as large as a part are not cut. */
static void test_cuts_between_documents(void **state)
{
	static unsigned char bytes[4][3000];
	struct split_want want = { .parts_max = 4, .part_min = 2048 };
	struct span docs[4];
	struct split_piece *pieces;
	struct arena a;
	size_t n;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	for (size_t i = 0; i < 4; i++)
		docs[i] = span_of(bytes[i], 2900 + i * 30);
	arena_init(&a, 1 << 20);
	assert_int_equal(split_docs(&a, docs, 4, &want, &pieces, &n), 0);
	assert_int_equal(n, 4);
	arena_done(&a);
}

static void check_query(const char *prompt, size_t room, const char *want)
{
	char to[64];
	size_t n = split_query(span_str(prompt), to, room);

	assert_true(span_is(span_of(to, n), want));
}

static void test_query(void **state)
{
	(void)state;
	check_query("Summarise this document, please.", 64, "");
	check_query("Please summarize the following text in 3 sentences", 64, "");
	check_query("Explain what the document says about leases and fencing tokens.", 64,
		"says leases fencing tokens");
	check_query("What about \xE6\x97\xA5\xE6\x9C\xAC?", 64, "\xE6\x97\xA5\xE6\x9C\xAC");
	check_query("leases fencing tokens", 14, "leases fencing");
	check_query("leases fencing tokens", 13, "leases");
	check_query("", 64, "");
}

static int run_nth(void *arg)
{
	struct span doc = SPAN_LIT("some words in a text");
	struct split_want want = { .parts_max = 3, .part_min = 4 };
	struct split_piece *pieces;
	struct arena a;
	size_t n;
	int r;

	(void)arg;
	arena_init(&a, 1 << 20);
	r = split_docs(&a, &doc, 1, &want, &pieces, &n);
	arena_done(&a);
	return r;
}

static void test_want_of_memory(void **state)
{
	(void)state;
	assert_int_equal(nth_alloc(run_nth, NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_byte_is_lost),
		cmocka_unit_test(test_lines_stay_whole),
		cmocka_unit_test(test_similar_sizes),
		cmocka_unit_test(test_borders),
		cmocka_unit_test(test_small_is_one_part),
		cmocka_unit_test(test_cuts_between_documents),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
