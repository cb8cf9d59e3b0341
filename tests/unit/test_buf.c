/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/mem.h"
#include "tests/support/test.h"

#define MODEL_MAX 5000

/* The obvious model: a fixed array. */
struct model {
	unsigned char at[MODEL_MAX];
	size_t len;
	bool is_full; /* an append did not fit since the reset */
};

static void model_add(struct model *m, const unsigned char *at, size_t n)
{
	if (m->is_full || n > MODEL_MAX - m->len) {
		m->is_full = true;
		return;
	}
	memcpy(m->at + m->len, at, n);
	m->len += n;
}

static void append_both(struct buf *b, struct model *m, struct prng *p)
{
	unsigned char bytes[300];
	size_t n = prng_below(p, sizeof(bytes));
	unsigned char *to;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)('a' + prng_below(p, 26));
	switch (prng_below(p, 4)) {
	case 0:
		buf_add(b, span_of(bytes, n));
		break;
	case 1:
		n = 1;
		buf_byte(b, bytes[0]);
		break;
	case 2:
		buf_fmt(b, "%.*s", (int)n, (char *)bytes);
		break;
	default:
		to = buf_room(b, n + 10);
		/* Asking for more than is written may meet the ceiling early. */
		if (to == NULL) {
			m->is_full = true;
			return;
		}
		memcpy(to, bytes, n);
		buf_took(b, n);
	}
	model_add(m, bytes, n);
}

static void behaves_like_an_array(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct model m = { .len = 0 };
	struct prng p;

	(void)state;
	rand_start(&p);
	buf_init(&b, MODEL_MAX);
	for (int i = 0; i < 20000; i++) {
		append_both(&b, &m, &p);
		if (prng_chance(&p, 1, 4)) {
			size_t n = prng_below(&p, m.len + 1);

			buf_eat(&b, n);
			m.len -= n;
			/* Not by memmove: valgrind takes its checked form for memcpy. */
			for (size_t k = 0; k < m.len; k++)
				m.at[k] = m.at[k + n];
		}
		assert_int_equal(buf_err(&b), m.is_full ? ERR_TOO_BIG : 0);
		assert_true(span_eq(buf_span(&b), span_of(m.at, m.len)));
		assert_true(b.cap <= MODEL_MAX + 1);
		if (prng_chance(&p, 1, m.is_full ? 4 : 200)) {
			buf_reset(&b);
			m = (struct model){ .len = 0 };
		}
	}
}

static void the_first_error_stays(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	buf_init(&b, 4);
	buf_str(&b, "abc");
	buf_str(&b, "de");
	assert_int_equal(buf_err(&b), ERR_TOO_BIG);
	buf_str(&b, "f");
	assert_null(buf_room(&b, 0));
	assert_true(span_is(buf_span(&b), "abc"));
	buf_reset(&b);
	assert_int_equal(buf_err(&b), 0);
	buf_fmt(&b, "%d", 1234);
	assert_true(span_is(buf_span(&b), "1234"));
	assert_int_equal(buf_err(&b), 0);
	buf_fmt(&b, "%s", "");
	assert_int_equal(buf_err(&b), 0);
	buf_byte(&b, 'x');
	assert_int_equal(buf_err(&b), ERR_TOO_BIG);
}

static void memory_can_be_taken(void **state)
{
	struct buf b;
	size_t len = 99;
	unsigned char *at;

	(void)state;
	buf_init(&b, 100);
	assert_null(buf_take(&b, &len));
	assert_int_equal(len, 0);
	buf_str(&b, "abc");
	at = buf_take(&b, &len);
	assert_int_equal(len, 3);
	assert_memory_equal(at, "abc", 3);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.max, 100);
	buf_str(&b, "d");
	assert_true(span_is(buf_span(&b), "d"));
	mem_free(at);
	buf_done(&b);
}

static void misuse_is_refused(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	buf_init(&b, 100);
	buf_str(&b, "abc");
	expect_assert_failure(buf_eat(&b, 4));
	expect_assert_failure(buf_took(&b, 98));
	expect_assert_failure(buf_took(&b, SIZE_MAX));
	expect_assert_failure(buf_init(&(struct buf){ 0 }, SIZE_MAX));
}

static int use_buf(void *arg)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)arg;
	buf_init(&b, 100000);
	for (int i = 0; i < 1000; i++) {
		buf_fmt(&b, "%d,", i);
		buf_json(&b, SPAN_LIT("a\nb"));
	}
	assert_true(buf_err(&b) == 0 || buf_err(&b) == ERR_NO_MEMORY);
	return buf_err(&b);
}

static void survives_failing_requests(void **state)
{
	(void)state;
	assert_in_range(nth_alloc(use_buf, NULL), 8, 12);
}

static void assert_json(struct span in, const char *wanted)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, 1000);
	buf_json(&b, in);
	buf_byte(&b, '\0');
	assert_string_equal((const char *)b.at, wanted);
}

/* RFC 8259, section 7. */
static void json_escapes(void **state)
{
	(void)state;
	assert_json(SPAN_LIT(""), "\"\"");
	assert_json(SPAN_LIT("abc / x"), "\"abc / x\"");
	assert_json(SPAN_LIT("\"\\"), "\"\\\"\\\\\"");
	assert_json(SPAN_LIT("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
	assert_json(SPAN_LIT("\0\x01\x1F\x7F"), "\"\\u0000\\u0001\\u001f\x7F\"");
	assert_json(SPAN_LIT("n\"n"), "\"n\\\"n\"");
	/* The RFC's own example of a character outside the BMP: G clef, U+1D11E. */
	assert_json(SPAN_LIT("\xF0\x9D\x84\x9E\xC3\xA9"), "\"\xF0\x9D\x84\x9E\xC3\xA9\"");
}

#define BAD "\xEF\xBF\xBD"

/* One U+FFFD for each longest start of a character, as in table 3-8 of the Unicode standard. */
static void json_replaces_what_is_no_utf8(void **state)
{
	(void)state;
	assert_json(SPAN_LIT("a\xF1\x80\x80\xE1\x80\xC2"
			     "b\x80"
			     "c\x80\xBF"
			     "d"),
		"\"a" BAD BAD BAD "b" BAD "c" BAD BAD "d\"");
	assert_json(SPAN_LIT("\xC0\xAF"), "\"" BAD BAD "\"");
	assert_json(SPAN_LIT("\xED\xA0\x80"), "\"" BAD BAD BAD "\"");
	assert_json(SPAN_LIT("\xE2\x82"), "\"" BAD "\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behaves_like_an_array),
		cmocka_unit_test(the_first_error_stays),
		cmocka_unit_test(memory_can_be_taken),
		cmocka_unit_test(misuse_is_refused),
		cmocka_unit_test(survives_failing_requests),
		cmocka_unit_test(json_escapes),
		cmocka_unit_test(json_replaces_what_is_no_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
