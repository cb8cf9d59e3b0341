/* SPDX-License-Identifier: Apache-2.0
 *
 * test_bpe: the encoding against a slow one that looks at every pair each time, and files of vocabularies.
 */
#include "policy/bpe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tests/support/test.h"
#include "tests/support/vocabulary.h"

/* --- encoding ----------------------------------------------------------------------------------------- */

/* The same by the definition: quadratic. */
static size_t encode_slowly(const struct bpe *b, struct span piece, uint32_t *ret)
{
	size_t *ends = calloc(piece.len + 1, sizeof(*ends)), n = piece.len;

	if (bpe_find(b, piece) != BPE_NONE) {
		ret[0] = bpe_find(b, piece);
		free(ends);
		return 1;
	}
	for (size_t i = 0; i <= n; i++)
		ends[i] = i; /* token i is [ends[i], ends[i + 1]) */
	for (;;) {
		uint32_t best = BPE_NONE;
		size_t at = 0;

		for (size_t i = 0; i + 2 <= n; i++) {
			uint32_t rank =
				bpe_find(b, span_of(piece.at + ends[i], ends[i + 2] - ends[i]));

			if (rank < best) {
				best = rank;
				at = i;
			}
		}
		if (best == BPE_NONE)
			break;
		memmove(ends + at + 1, ends + at + 2, (n - at - 1) * sizeof(*ends));
		n--;
	}
	for (size_t i = 0; i < n; i++)
		ret[i] = bpe_find(b, span_of(piece.at + ends[i], ends[i + 1] - ends[i]));
	free(ends);
	return n;
}

/* All bytes, in any order, and many strings of few letters, that overlap in every way. */
static void make_vocabulary(struct bpe *b, struct prng *p, unsigned tokens)
{
	unsigned char bytes[256], token[6];

	for (unsigned i = 0; i < 256; i++)
		bytes[i] = (unsigned char)i;
	for (unsigned i = 255; i > 0; i--) {
		unsigned k = (unsigned)prng_below(p, i + 1);
		unsigned char kept = bytes[i];

		bytes[i] = bytes[k];
		bytes[k] = kept;
	}
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(bpe_add(b, span_of(&bytes[i], 1), i), 0);
	for (unsigned i = 0; i < tokens; i++) {
		size_t n = 2 + prng_below(p, 5);
		int r;

		for (size_t k = 0; k < n; k++)
			token[k] = (unsigned char)('a' + prng_below(p, 3));
		r = bpe_add(b, span_of(token, n), 256 + i);
		assert_true(r == 0 || r == ERR_CONFLICT);
	}
}

static void test_as_by_the_definition(void **state)
{
	unsigned char piece[300];
	uint32_t fast[300], slow[300];
	struct bpe_work work = { 0 };
	struct prng p;

	(void)state;
	rand_start(&p);
	for (unsigned round = 0; round < 40; round++) {
		struct bpe b = { 0 };

		make_vocabulary(&b, &p, (unsigned)prng_below(&p, 400));
		for (unsigned i = 0; i < 60; i++) {
			size_t n = prng_below(&p, sizeof(piece)), k = 0;
			unsigned letters = 1 + (unsigned)prng_below(&p, 4);
			int64_t tokens;

			for (; k < n; k++)
				piece[k] = (unsigned char)('a' + prng_below(&p, letters));
			tokens = bpe_encode(&b, &work, span_of(piece, n), fast);
			assert_int_equal(tokens,
				n == 0 ? 0 : encode_slowly(&b, span_of(piece, n), slow));
			assert_memory_equal(fast, slow, (size_t)tokens * sizeof(*fast));
			assert_int_equal(bpe_encode(&b, &work, span_of(piece, n), NULL), tokens);
		}
		bpe_done(&b);
	}
	bpe_work_done(&work);
}

/* A word without an end: by the definition this would take hours. */
static void test_an_endless_word(void **state)
{
	const size_t n = (size_t)1 << 20;
	unsigned char *piece = malloc(n);
	struct bpe_work work = { 0 };
	struct bpe b = { 0 };
	struct prng p;

	(void)state;
	rand_start(&p);
	make_vocabulary(&b, &p, 300);
	memset(piece, 'a', n);
	assert_in_range(bpe_encode(&b, &work, span_of(piece, n), NULL), n / 8, n / 2 + 1);
	for (size_t i = 0; i < n; i++)
		piece[i] = (unsigned char)('a' + prng_below(&p, 3));
	assert_in_range(bpe_encode(&b, &work, span_of(piece, n), NULL), n / 6, n / 2 + 1);
	bpe_work_done(&work);
	bpe_done(&b);
	free(piece);
}

/* --- files -------------------------------------------------------------------------------------------- */

static void test_files(void **state)
{
	CLEANUP(buf_done) struct buf file = { 0 };
	struct bpe b = { 0 };

	(void)state;
	buf_init(&file, 1 << 20);
	vocabulary_bytes(&file);
	vocabulary_put(&file, SPAN_LIT("ab"), 256);
	vocabulary_put(&file, SPAN_LIT("abc"), 700); /* a gap */
	buf_str(&file, "\n\r\n");                    /* empty lines */
	assert_int_equal(bpe_read(&b, buf_span(&file), NULL), 0);
	assert_int_equal(b.n, 258);
	assert_int_equal(bpe_find(&b, SPAN_LIT("ab")), 256);
	assert_int_equal(bpe_find(&b, SPAN_LIT("abc")), 700);
	assert_int_equal(bpe_find(&b, SPAN_LIT("bc")), BPE_NONE);
	assert_int_equal(bpe_find(&b, SPAN_LIT("\0")), 0);
	bpe_done(&b);
	/* ends of lines as on other systems, none at the end */
	buf_reset(&file);
	vocabulary_bytes(&file);
	buf_str(&file, "YWI= 256\r\nYWJj 257");
	assert_int_equal(bpe_read(&b, buf_span(&file), NULL), 0);
	assert_int_equal(bpe_find(&b, SPAN_LIT("abc")), 257);
	bpe_done(&b);
}

static void test_files_that_are_none(void **state)
{
	static const struct {
		const char *line;
		const char *detail;
	} rows[] = {
		{ "YWI=", "line 257: its rank is no number" },
		{ "YWI= ", "line 257: its rank is no number" },
		{ "YWI= x", "line 257: its rank is no number" },
		{ "YWI=  256", "line 257: its rank is no number" },
		{ "YWI= -1", "line 257: its rank is no number" },
		{ "YWI= 256 1", "line 257: its rank is no number" },
		{ "YWI= 99999999999999999999", "line 257: its rank is no number" },
		{ "YWI= 4294967295", "line 257: its rank is too large" },
		{ "YWI= 255", "line 257: its rank was there before" },
		{ "YQ== 256", "line 257: its token was there before" },
		{ " 256", "line 257: it does not begin with a token in base64" },
		{ "YWI 256", "line 257: it does not begin with a token in base64" },
		{ "YW=I 256", "line 257: it does not begin with a token in base64" },
		{ "==== 256", "line 257: it does not begin with a token in base64" },
		{ "YWJ= 256", "line 257: it does not begin with a token in base64" },
		{ "Y*I= 256", "line 257: it does not begin with a token in base64" },
		{ "{\"model\": 1}", "line 257: it does not begin with a token in base64" },
		{ "\xff\xfe\x01 3", "line 257: it does not begin with a token in base64" },
	};
	CLEANUP(buf_done) struct buf file = { 0 };
	int64_t held = mem_held();

	(void)state;
	buf_init(&file, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fail why = { 0 };
		struct bpe b = { 0 };

		buf_reset(&file);
		vocabulary_bytes(&file);
		buf_fmt(&file, "%s\nYWJj 257\n", rows[i].line);
		assert_int_equal(bpe_read(&b, buf_span(&file), &why), ERR_INVALID);
		assert_string_equal(why.detail, rows[i].detail);
		assert_string_equal(why.field, "tokenizer");
		assert_int_equal(why.limit, 257);
		assert_int_equal(b.n, 0);
	}
	buf_done(&file);
	assert_int_equal(mem_held(), held);
}

static void test_every_byte_is_a_token(void **state)
{
	CLEANUP(buf_done) struct buf file = { 0 };
	struct fail why = { 0 };
	struct bpe b = { 0 };

	(void)state;
	assert_int_equal(bpe_read(&b, (struct span){ 0 }, &why), ERR_INVALID);
	assert_string_equal(why.detail,
		"after line 0: the byte 0 is no token, but every byte must be");
	buf_init(&file, 1 << 20);
	for (unsigned i = 0; i < 256; i++) {
		unsigned char byte = (unsigned char)i;

		if (i != 77)
			vocabulary_put(&file, span_of(&byte, 1), i);
	}
	assert_int_equal(bpe_read(&b, buf_span(&file), &why), ERR_INVALID);
	assert_string_equal(why.detail,
		"after line 255: the byte 77 is no token, but every byte must be");
}

static void test_limits(void **state)
{
	unsigned char token[BPE_TOKEN_BYTES_MAX + 1] = { 'a' };
	struct bpe b = { 0 };

	(void)state;
	assert_int_equal(bpe_add(&b, span_of(token, 0), 0), ERR_TOO_BIG);
	assert_int_equal(bpe_add(&b, span_of(token, sizeof(token)), 0), ERR_TOO_BIG);
	assert_int_equal(bpe_add(&b, span_of(token, sizeof(token) - 1), 7), 0);
	assert_int_equal(bpe_find(&b, span_of(token, sizeof(token) - 1)), 7);
	assert_int_equal(bpe_find(&b, span_of(token, sizeof(token))), BPE_NONE);
	bpe_done(&b);
	assert_int_equal(bpe_find(&b, SPAN_LIT("a")), BPE_NONE);
}

static int read_and_encode(void *arg)
{
	struct bpe_work work = { 0 };
	struct bpe b = { 0 };
	int r = bpe_read(&b, buf_span(arg), NULL);

	if (r == 0) {
		int64_t n = bpe_encode(&b, &work, SPAN_LIT("abracadabra"), NULL);

		r = n < 0 ? (int)n : 0;
	}
	bpe_work_done(&work);
	bpe_done(&b);
	return r;
}

static void test_without_memory(void **state)
{
	CLEANUP(buf_done) struct buf file = { 0 };

	(void)state;
	buf_init(&file, 1 << 20);
	vocabulary_bytes(&file);
	for (uint32_t i = 0; i < 1500; i++) {
		char token[16];
		int n = snprintf(token, sizeof(token), "a%u", i);

		vocabulary_put(&file, span_of(token, (size_t)n), 256 + i);
	}
	assert_true(nth_alloc(read_and_encode, &file) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_by_the_definition),
		cmocka_unit_test(test_an_endless_word),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_files_that_are_none),
		cmocka_unit_test(test_every_byte_is_a_token),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
