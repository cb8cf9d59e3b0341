/* SPDX-License-Identifier: Apache-2.0
 *
 * The wire format that we write by hand, read back by protobuf-c.
 */
#include "wire/pbwrite.h"

#include "base/err.h"
#include "base/mem.h"
#include "spu/v1/task.pb-c.h"
#include "tests/support/test.h"

static const uint64_t edges[] = { 1, 127, 128, 16383, 16384, 2097151, 2097152, UINT32_MAX,
	UINT64_C(1) << 35, INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX };

static void test_integers_of_every_width(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		struct buf b;
		Spu__V1__Chunk *m;

		buf_init(&b, 64);
		pb_int(&b, 1, edges[i]);
		assert_int_equal(b.len, 1 + pb_varint_size(edges[i]));
		m = spu__v1__chunk__unpack(NULL, b.len, b.at);
		assert_non_null(m);
		assert_true(m->seq == edges[i]);
		spu__v1__chunk__free_unpacked(m, NULL);
		buf_done(&b);
	}
}

static void test_defaults_are_left_out(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 64);
	pb_int(&b, 1, 0);
	pb_bytes(&b, 2, SPAN_LIT(""));
	pb_text(&b, 3, SPAN_LIT(""));
	pb_ulid(&b, 4, (struct ulid){ 0 });
	assert_int_equal(buf_err(&b), 0);
	assert_int_equal(b.len, 0);
	buf_done(&b);
}

/* Whatever the guess was, the bytes are the same. */
static void test_a_bad_guess_changes_nothing(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 124, 125, 126, 127, 128, 16379, 16380, 16384,
		20000 };
	static unsigned char data[20000];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t guess = 0; guess < 3000000; guess = guess * 7 + 1) {
			struct buf b;
			struct pb_mark m;
			Spu__V1__SubmitReplies *r;

			memset(data, 'x', sizeof(data));
			buf_init(&b, 1 << 16);
			m = pb_open(&b, 1, guess);
			pb_bytes(&b, 1, span_of(data, sizes[i]));
			pb_close(&b, m);
			pb_close(&b, pb_open(&b, 1, guess));
			r = spu__v1__submit_replies__unpack(NULL, b.len, b.at);
			assert_non_null(r);
			assert_int_equal(r->n_reply, 2);
			assert_int_equal(strlen(r->reply[0]->key), sizes[i]);
			spu__v1__submit_replies__free_unpacked(r, NULL);
			buf_done(&b);
		}
}

/* At every ceiling the buf either holds all or what it held before. */
static void test_what_does_not_fit_leaves_nothing(void **state)
{
	(void)state;
	for (size_t max = 0; max < 400; max++) {
		struct buf b;
		struct pb_mark m;

		buf_init(&b, max);
		buf_str(&b, "abc");
		m = pb_open(&b, 1, 5);
		pb_ulid(&b, 1, (struct ulid){ 1, 2 });
		pb_int(&b, 2, UINT64_MAX);
		for (int i = 0; i < 10; i++)
			pb_text(&b, 3, SPAN_LIT("some words for people"));
		pb_close(&b, m);
		assert_true(b.len <= max);
		if (buf_err(&b) == 0)
			assert_true(b.len > 250);
		else
			assert_true(b.len == (max < 3 ? 0 : 3));
		buf_done(&b);
	}
}

static void test_texts_are_made_fit_to_send(void **state)
{
	char long_text[2 * LIMIT_TEXT_BYTES + 1];
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	pb_text(&b, 1, SPAN_LIT("a\0b\xff\x80 c"));
	assert_true(span_eq(buf_span(&b), SPAN_LIT("\x0a\x07"
						   "a?b?? c")));
	buf_reset(&b);
	memset(long_text, 'x', sizeof(long_text));
	memcpy(long_text + LIMIT_TEXT_BYTES - 1, "\xc3\xa4", 2);
	pb_text(&b, 1, span_of(long_text, sizeof(long_text)));
	assert_int_equal(b.len, 3 + LIMIT_TEXT_BYTES - 1); /* a character is not cut */
	buf_done(&b);
}

static int encode(void *arg)
{
	struct buf b;
	struct pb_mark m;
	int r;

	(void)arg;
	buf_init(&b, 1 << 16);
	m = pb_open(&b, 1, 0);
	for (int i = 0; i < 500; i++)
		pb_ulid(&b, 1, (struct ulid){ 1, 2 });
	pb_close(&b, m);
	r = buf_err(&b);
	buf_done(&b);
	return r;
}

static void test_without_memory(void **state)
{
	(void)state;
	assert_true(nth_alloc(encode, NULL) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers_of_every_width),
		cmocka_unit_test(test_defaults_are_left_out),
		cmocka_unit_test(test_a_bad_guess_changes_nothing),
		cmocka_unit_test(test_what_does_not_fit_leaves_nothing),
		cmocka_unit_test(test_texts_are_made_fit_to_send),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests_name("wire pbwrite", tests, NULL, NULL);
}
