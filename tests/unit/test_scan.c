/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of 64 bytes, and those who read texts by them: what they find must not depend on where in a block it stands.
 * Texts lie in memory of their own length, so that a read beyond their end is seen.
 */
#include "policy/scan.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "policy/text.h"
#include "policy/tokens.h"
#include "policy/words.h"
#include "tests/support/test.h"

#define TEXT_MOST 400u
#define RUNS 400u

/* Pieces of which texts are made: runs, borders of classes, characters of each length, and what is none. */
static const char *const pieces[] = { "a", "Zeta", "under_score9", "word", "x",
	"internationalisation's", "don't", "'", "''", " ", " ", " ", "  ", "\n", "\t\n", ".", ". ",
	"...", "!?", "({[", "12", "1234567", "\xC3\xA9", "caf\xC3\xA9s", "\xE6\x97\xA5\xE6\x9C\xAC",
	"\xE3\x80\x82", "\xF0\x9F\x98\x80", "\xFF", "\xE6\x97",
	"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz" };

/* `before` blanks, then pieces, in memory of their own. */
static struct span make_text(struct prng *p, size_t before)
{
	size_t most = prng_below(p, TEXT_MOST);
	unsigned char *at;
	struct buf b;
	size_t len;

	buf_init(&b, 4 * TEXT_MOST);
	for (size_t i = 0; i < before; i++)
		buf_byte(&b, ' ');
	while (b.len < before + most)
		buf_str(&b, pieces[prng_below(p, ARRAY_LEN(pieces))]);
	len = b.len;
	at = mem_grow(NULL, len == 0 ? 1 : len);
	assert_non_null(at);
	if (len > 0)
		memcpy(at, b.at, len);
	buf_done(&b);
	return span_of(at, len);
}

static struct span shifted(struct span s, size_t before)
{
	unsigned char *at = mem_grow(NULL, s.len + before + (s.len + before == 0));

	assert_non_null(at);
	memset(at, ' ', before);
	if (s.len > 0)
		memcpy(at + before, s.at, s.len);
	return span_of(at, s.len + before);
}

static void drop(struct span s)
{
	mem_free((void *)(uintptr_t)s.at);
}

static bool is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_alpha(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static void test_sets(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (unsigned run = 0; run < RUNS; run++) {
		size_t len = 1 + prng_below(&p, 200), from = prng_below(&p, len);
		unsigned char *at = mem_grow(NULL, len);
		struct scan_block b;
		uint64_t words, letters, digits, spaces, wide, all;

		assert_non_null(at);
		for (size_t i = 0; i < len; i++)
			at[i] = (unsigned char)prng_below(&p, 256);
		scan_open(&b, span_of(at, len), from);
		assert_int_equal(b.n, len - from < SCAN_BYTES ? len - from : SCAN_BYTES);
		words = SCAN(&b, scan_word);
		letters = SCAN(&b, scan_letter);
		digits = SCAN(&b, scan_digit);
		spaces = SCAN(&b, scan_space);
		wide = SCAN(&b, SCAN_WIDE);
		all = scan_all(&b);
		for (unsigned i = 0; i < SCAN_BYTES; i++) {
			unsigned char c = i < b.n ? at[from + i] : 0;

			assert_int_equal(all >> i & 1, i < b.n);
			assert_int_equal(letters >> i & 1, is_alpha(c));
			assert_int_equal(digits >> i & 1, is_digit(c));
			assert_int_equal(spaces >> i & 1, is_space(c));
			assert_int_equal(words >> i & 1, is_alpha(c) || is_digit(c) || c == '_');
			assert_int_equal(wide >> i & 1, c >= 0x80);
		}
		mem_free(at);
	}
}

/* The bits without a processor's own instruction are those with it. */
static void test_plain_is_the_same(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (unsigned run = 0; run < RUNS; run++) {
		unsigned char bytes[16];
		uint64_t want = 0, number = prng_next(&p);

		for (unsigned i = 0; i < sizeof(bytes); i++) {
			bytes[i] = (unsigned char)prng_below(&p, 256);
			want |= (uint64_t)(bytes[i] >> 7) << i;
		}
		assert_int_equal(scan_bits(scan_load(bytes)), want);
		assert_int_equal(scan_bits_plain(scan_load(bytes)), want);
		assert_int_equal(scan_count(number), __builtin_popcountll(number));
	}
	assert_int_equal(scan_count(UINT64_MAX), 64);
}

static void check_forms(struct span a, struct span b, size_t before, size_t at_once)
{
	struct words one = words_of(a), other = words_of(b);
	struct form forms[7], form;
	size_t n;

	do {
		n = words_fill(&other, forms, at_once);
		for (size_t i = 0; i < n; i++) {
			assert_true(words_next_form(&one, &form));
			assert_true(span_eq(form.text, forms[i].text));
			assert_int_equal(form.text.at - a.at,
				forms[i].text.at - b.at - (ptrdiff_t)before);
			assert_int_equal(form.hash, forms[i].hash);
			assert_int_equal(form.ascii, forms[i].ascii);
		}
	} while (n == at_once);
	assert_false(words_next_form(&one, &form));
}

static void test_words_anywhere(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (unsigned run = 0; run < RUNS; run++) {
		struct span text = make_text(&p, 0);

		for (size_t before = 0; before < 70; before += 1 + prng_below(&p, 9)) {
			struct span moved = shifted(text, before);

			check_forms(text, moved, before, 1 + prng_below(&p, 7));
			drop(moved);
		}
		drop(text);
	}
}

/* One form, one hash: of words of each length, alone and inside of a text. */
static void test_hash_of_a_form(void **state)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
	uint64_t seen[40];
	char text[200];

	(void)state;
	for (unsigned n = 1; n < ARRAY_LEN(seen); n++) {
		struct words alone = words_of(span_of(letters, n)), w;
		struct form form, same;

		assert_true(words_next_form(&alone, &form));
		assert_int_equal(form.text.len, n);
		snprintf(text, sizeof(text), "%.*s the rest of a text", (int)n, letters);
		w = words_of(span_str(text));
		assert_true(words_next_form(&w, &same));
		assert_int_equal(form.hash, same.hash);
		seen[n] = form.hash;
		for (unsigned i = 1; i < n; i++)
			assert_true(seen[i] != seen[n]);
	}
}

/* --- tokens --------------------------------------------------------------------------------------- */

static uint64_t tokens(struct span s)
{
	struct tokens t = tokens_of(TOKENS_O200K, s);

	return t.text * 1000000 + t.space;
}

static void check_run(unsigned char c, size_t n, uint64_t text, uint64_t space)
{
	unsigned char bytes[300];

	memset(bytes, c, n);
	assert_int_equal(tokens(span_of(bytes, n)), text * 1000000 + space);
}

/* By the figures in tokens.c. */
static void test_tokens_of_runs(void **state)
{
	(void)state;
	for (size_t n = 1; n < 300; n++) {
		check_run('q', n, 1000 + (n > 7 ? (n - 7) * 130 : 0), 0);
		check_run('7', n, (n + 2) / 3 * 1000, 0);
		check_run('=', n, n <= 6 ? 1000 + (n - 1) * 350 : 1000 + 5 * 350 + (n - 6) * 60, 0);
		check_run(' ', n, 0, n > 1 ? 1000 : 0);
		check_run('\n', n, 0, 1000);
		check_run(0xFF, n, n * 1000, 0);
	}
}

static unsigned class_of(unsigned char c)
{
	return c >= 0x80 ? 4 : is_alpha(c) ? 1 : is_digit(c) ? 2 : is_space(c) ? 3 : 0;
}

/* A text has the tokens of its runs, wherever they stand. */
static void test_tokens_anywhere(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (unsigned run = 0; run < RUNS; run++) {
		struct span text = make_text(&p, prng_below(&p, 70));
		uint64_t sum = 0;

		for (size_t at = 0, end; at < text.len; at = end) {
			for (end = at + 1;
				end < text.len && class_of(text.at[end]) == class_of(text.at[at]);)
				end++;
			sum += tokens(span_part(text, at, end - at));
		}
		assert_int_equal(tokens(text), sum);
		drop(text);
	}
}

/* --- texts ---------------------------------------------------------------------------------------- */

static void flatten_plainly(struct buf *to, struct span s)
{
	bool gap = false;

	for (size_t i = 0; i < s.len; i++) {
		if (is_space(s.at[i])) {
			gap = to->len > 0;
			continue;
		}
		if (gap)
			buf_byte(to, ' ');
		gap = false;
		buf_byte(to, s.at[i]);
	}
}

static void test_flatten(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (unsigned run = 0; run < RUNS; run++) {
		struct span text = make_text(&p, prng_below(&p, 70));
		struct buf got, want;

		buf_init(&got, 4 * TEXT_MOST);
		buf_init(&want, 4 * TEXT_MOST);
		text_flatten(&got, text);
		flatten_plainly(&want, text);
		assert_true(span_eq(buf_span(&got), buf_span(&want)));
		buf_done(&got);
		buf_done(&want);
		drop(text);
	}
}

/* White space before a text changes none of its sentences. */
static void test_sentences_anywhere(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (unsigned run = 0; run < RUNS; run++) {
		struct span text = make_text(&p, 0), moved = shifted(text, 1 + prng_below(&p, 70));
		struct text_reader a = text_read(text), b = text_read(moved);
		struct sentence one, other;

		while (text_next(&a, &one)) {
			assert_true(text_next(&b, &other));
			assert_true(span_eq(one.text, other.text));
			assert_int_equal(one.block, other.block);
			assert_int_equal(one.kind, other.kind);
		}
		assert_false(text_next(&b, &other));
		drop(text);
		drop(moved);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_plain_is_the_same),
		cmocka_unit_test(test_words_anywhere),
		cmocka_unit_test(test_hash_of_a_form),
		cmocka_unit_test(test_tokens_of_runs),
		cmocka_unit_test(test_tokens_anywhere),
		cmocka_unit_test(test_flatten),
		cmocka_unit_test(test_sentences_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
