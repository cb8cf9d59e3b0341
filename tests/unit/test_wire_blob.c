/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked of the store and answered: nothing is lost on the way, and each broken field is named, with its
 * limit, without harm to its neighbours.
 */
#include "wire/blob.h"

#include "base/fmt.h"
#include "tests/support/test.h"
#include "wire/pbwrite.h"

struct kit {
	struct arena arena;
	struct buf b;
	struct fail why;
};

static int setup(void **state)
{
	static struct kit k;

	k = (struct kit){ 0 };
	arena_init(&k.arena, 4 << 20);
	buf_init(&k.b, LIMIT_MESSAGE_BYTES);
	*state = &k;
	return 0;
}

static int teardown(void **state)
{
	struct kit *k = *state;

	arena_done(&k->arena);
	buf_done(&k->b);
	return 0;
}

static struct blob_ask whole(enum blob_op op)
{
	struct blob_ask ask = {
		.op = op,
		.upload = SPAN_LIT("up-1"),
		.offset = 262144,
		.size = 1000000,
		.data = SPAN_LIT("bytes"),
		.by = SPAN_LIT("task"),
		.expire_ms = 12345,
	};

	memset(ask.hash.at, 0xab, BLOB_HASH);
	return ask;
}

static void test_asks_come_as_they_were_sent(void **state)
{
	struct kit *k = *state;
	struct blob_ask *got = NULL;
	size_t n = 0;

	for (unsigned op = BLOB_STAT; op < BLOB_OPS; op++) {
		const struct blob_ask ask = whole((enum blob_op)op);

		blob_asks_put(&k->b, &ask);
	}
	assert_int_equal(blob_asks_decode(&k->arena, buf_span(&k->b), &got, &n, &k->why), 0);
	assert_int_equal(n, BLOB_OPS - 1);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(got[i].fail.code, 0);
		assert_int_equal(got[i].op, i + 1);
		assert_int_equal(got[i].offset, 262144);
	}
	assert_true(span_is(got[BLOB_CHUNK - 1].data, "bytes"));
	assert_true(span_is(got[BLOB_CHUNK - 1].upload, "up-1"));
	assert_int_equal(got[BLOB_CHUNK - 1].size, 0); /* it needs none */
	assert_int_equal(got[BLOB_COMMIT - 1].hash.at[31], 0xab);
	assert_int_equal(got[BLOB_COMMIT - 1].size, 1000000);
	assert_true(span_is(got[BLOB_LINK - 1].by, "task"));
	assert_int_equal(got[BLOB_LINK - 1].expire_ms, 12345);
}

static void test_replies_come_as_they_were_sent(void **state)
{
	struct kit *k = *state;
	struct blob_reply sent = { .has_hash = true,
		.size = 9,
		.offset = 8,
		.window = 7,
		.data = SPAN_LIT("xyz"),
		.stored_ms = 6,
		.references = 5 };
	struct blob_reply refused = { 0 }, *got = NULL;
	size_t n = 0;

	memset(sent.hash.at, 3, BLOB_HASH);
	fail_set(&refused.fail, ERR_BUSY, "bytes_max", 77, "full");
	blob_replies_put(&k->b, &sent);
	blob_replies_put(&k->b, &refused);
	assert_int_equal(blob_replies_decode(&k->arena, buf_span(&k->b), &got, &n, &k->why), 0);
	assert_int_equal(n, 2);
	assert_true(got[0].has_hash && blob_hash_eq(&got[0].hash, &sent.hash));
	assert_true(got[0].size == 9 && got[0].offset == 8 && got[0].window == 7);
	assert_true(span_is(got[0].data, "xyz") && got[0].stored_ms == 6 && got[0].references == 5);
	assert_int_equal(got[1].fail.code, ERR_BUSY);
	assert_string_equal(got[1].fail.field, "bytes_max");
	assert_int_equal(got[1].fail.limit, 77);
}

static void test_broken_fields_are_named(void **state)
{
	static unsigned char much[LIMIT_BLOB_CHUNK_BYTES + 1];
	struct kit *k = *state;
	const struct {
		enum blob_op op;
		const char *field;
		int code;
		int64_t limit;
	} rows[] = {
		{ BLOB_OPEN, "upload", ERR_INVALID, LIMIT_TOKEN_BYTES },
		{ BLOB_OPEN, "size", ERR_TOO_BIG, (int64_t)BLOB_BYTES_MAX },
		{ BLOB_READ, "offset", ERR_TOO_BIG, (int64_t)BLOB_BYTES_MAX },
		{ BLOB_CHUNK, "data", ERR_TOO_BIG, LIMIT_BLOB_CHUNK_BYTES },
		{ BLOB_LINK, "by", ERR_INVALID, LIMIT_TOKEN_BYTES },
		{ BLOB_LINK, "expire_ms", ERR_INVALID, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct blob_ask ask = whole(rows[i].op), *got = NULL;
		struct span field = span_str(rows[i].field);
		size_t n = 0;

		if (span_is(field, "upload"))
			ask.upload = SPAN_LIT("a/b");
		else if (span_is(field, "size"))
			ask.size = BLOB_BYTES_MAX + 1;
		else if (span_is(field, "offset"))
			ask.offset = BLOB_BYTES_MAX + 1;
		else if (span_is(field, "data"))
			ask.data = span_of(much, sizeof(much));
		else if (span_is(field, "by"))
			ask.by = SPAN_LIT("..");
		else
			ask.expire_ms = -1;
		buf_reset(&k->b);
		blob_asks_put(&k->b, &ask);
		ask = whole(BLOB_STAT);
		blob_asks_put(&k->b, &ask);
		assert_int_equal(blob_asks_decode(&k->arena, buf_span(&k->b), &got, &n, &k->why),
			0);
		assert_int_equal(n, 2);
		assert_int_equal(got[0].fail.code, rows[i].code);
		assert_string_equal(got[0].fail.field, rows[i].field);
		if (rows[i].limit != 0)
			assert_int_equal(got[0].fail.limit, rows[i].limit);
		assert_int_equal(got[1].fail.code, 0);
	}
}

static void test_no_hash_and_no_op(void **state)
{
	struct kit *k = *state;
	struct blob_ask *got = NULL;
	struct pb_mark m;
	size_t n = 0;

	m = pb_open(&k->b, 1, 10);
	pb_int(&k->b, 1, BLOB_STAT);
	pb_bytes(&k->b, 3, SPAN_LIT("short"));
	pb_close(&k->b, m);
	m = pb_open(&k->b, 1, 10);
	pb_int(&k->b, 1, BLOB_OPS);
	pb_close(&k->b, m);
	assert_int_equal(blob_asks_decode(&k->arena, buf_span(&k->b), &got, &n, &k->why), 0);
	assert_int_equal(n, 2);
	assert_int_equal(got[0].fail.code, ERR_INVALID);
	assert_string_equal(got[0].fail.field, "hash");
	assert_int_equal(got[0].fail.limit, BLOB_HASH);
	assert_int_equal(got[1].fail.code, ERR_INVALID);
	assert_string_equal(got[1].fail.field, "op");
}

static void test_hash_as_text(void **state)
{
	struct blob_hash h = { 0 }, back;
	char text[BLOB_HASH_TEXT + 1];

	(void)state;
	for (unsigned i = 0; i < BLOB_HASH; i++)
		h.at[i] = (unsigned char)(i * 37);
	blob_hash_text(&h, text);
	assert_int_equal(blob_hash_parse(span_str(text), &back), 0);
	assert_true(blob_hash_eq(&h, &back));
	text[5] = 'g';
	assert_int_equal(blob_hash_parse(span_str(text), &back), ERR_INVALID);
	assert_int_equal(blob_hash_parse(SPAN_LIT("12"), &back), ERR_INVALID);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_asks_come_as_they_were_sent),
		TEST(test_replies_come_as_they_were_sent),
		TEST(test_broken_fields_are_named),
		TEST(test_no_hash_and_no_op),
		TEST(test_hash_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
