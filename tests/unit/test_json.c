/* SPDX-License-Identifier: Apache-2.0 */
#include "run/json.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tests/support/test.h"

static struct json_t *read_ok(const char *text)
{
	struct json_t *j = NULL;
	struct fail why = { 0 };

	if (json_read(span_str(text), 100000, &j, &why) != 0)
		fail_msg("%s: %s", text, why.detail);
	return j;
}

static void test_members_by_type(void **state)
{
	CLEANUP(json_dropp)
	struct json_t *j = read_ok(
		"{\"t\":\"a\\u00e9\",\"n\":-5,\"big\":9223372036854775807,\"y\":true,\"f\":false,"
		"\"o\":{\"in\":\"x\"},\"a\":[{\"i\":1},2],\"z\":null,\"r\":1.0}");
	struct span text = { 0 };
	const struct json_t *in = NULL;
	int64_t n = 0;
	bool b = false;

	(void)state;
	assert_int_equal(json_get_text(j, "t", 10, &text, NULL), 1);
	assert_true(span_is(text, "a\xC3\xA9"));
	assert_int_equal(json_get_int(j, "n", -5, 5, &n, NULL), 1);
	assert_int_equal(n, -5);
	assert_int_equal(json_get_int(j, "big", 0, INT64_MAX, &n, NULL), 1);
	assert_true(n == INT64_MAX);
	assert_int_equal(json_get_bool(j, "y", &b, NULL), 1);
	assert_true(b);
	assert_int_equal(json_get_bool(j, "f", &b, NULL), 1);
	assert_false(b);
	assert_int_equal(json_get_object(j, "o", &in, NULL), 1);
	assert_int_equal(json_get_text(in, "in", 1, &text, NULL), 1);
	assert_true(span_is(text, "x"));
	assert_int_equal(json_get_array(j, "a", 2, &in, NULL), 1);
	assert_int_equal(json_count(in), 2);
	assert_int_equal(json_get_int(json_item(in, 0), "i", 1, 1, &n, NULL), 1);
	assert_int_equal(json_get_int(json_item(in, 1), "i", 1, 1, &n, NULL), ERR_INVALID);
	assert_null(json_item(in, 2));
}

static void test_members_that_are_not_there(void **state)
{
	CLEANUP(json_dropp) struct json_t *j = read_ok("{\"z\":null}");
	struct span text = SPAN_LIT("as it was");
	const struct json_t *in = NULL;
	int64_t n = 7;
	bool b = true;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const char *key = i == 0 ? "z" : "none";

		assert_int_equal(json_get_text(j, key, 10, &text, NULL), 0);
		assert_int_equal(json_get_int(j, key, 0, 0, &n, NULL), 0);
		assert_int_equal(json_get_bool(j, key, &b, NULL), 0);
		assert_int_equal(json_get_object(j, key, &in, NULL), 0);
		assert_int_equal(json_get_array(j, key, 1, &in, NULL), 0);
	}
	assert_true(span_is(text, "as it was"));
	assert_int_equal(n, 7);
	assert_true(b);
	assert_null(in);
	assert_int_equal(json_get_int(NULL, "n", 0, 0, &n, NULL), ERR_INVALID);
	assert_int_equal(json_count(NULL), 0);
}

static void test_members_that_are_wrong(void **state)
{
	CLEANUP(json_dropp)
	struct json_t *j = read_ok("{\"t\":\"four\",\"n\":10,\"r\":1.5,\"a\":[1,2,3]}");
	struct fail why = { 0 };
	struct span text;
	const struct json_t *in;
	int64_t n;
	bool b;

	(void)state;
	assert_int_equal(json_get_text(j, "t", 3, &text, &why), ERR_INVALID);
	assert_string_equal(why.field, "t");
	assert_int_equal(why.limit, 3);
	assert_int_equal(json_get_text(j, "n", 3, &text, &why), ERR_INVALID);
	assert_string_equal(why.detail, "is not a text");
	assert_int_equal(json_get_int(j, "n", 0, 9, &n, &why), ERR_INVALID);
	assert_int_equal(why.limit, 9);
	assert_int_equal(json_get_int(j, "n", 11, 12, &n, &why), ERR_INVALID);
	assert_int_equal(why.limit, 11);
	assert_int_equal(json_get_int(j, "r", 0, 9, &n, &why), ERR_INVALID);
	assert_int_equal(json_get_bool(j, "n", &b, &why), ERR_INVALID);
	assert_int_equal(json_get_object(j, "a", &in, &why), ERR_INVALID);
	assert_int_equal(json_get_array(j, "a", 2, &in, &why), ERR_INVALID);
	assert_int_equal(why.limit, 2);
}

static void test_texts_that_are_no_json(void **state)
{
	static const char *const texts[] = { "", " ", "{", "nothing", "1", "\"text\"", "{\"a\":1,}",
		"{'a':1}", "{\"a\":1}x", "[1 2]", "{\"a\":\"\xff\"}", "{\"a\":\"\\u0000\"}",
		"{\"a\":\"\\ud800\"}", "[99999999999999999999]", "[1e999]", "[\"\\", "]]]]",
		"{\"a\":1,\"a\":2}", "{\"o\":{\"a\":1,\"\\u0061\":2}}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct json_t *j = NULL;
		struct fail why = { 0 };

		if (json_read(span_str(texts[i]), 1000, &j, &why) != ERR_MALFORMED)
			fail_msg("%s", texts[i]);
		assert_null(j);
		assert_true(why.detail[0] != '\0');
	}
	assert_int_equal(json_read((struct span){ 0 }, 0, &(struct json_t *){ NULL }, NULL),
		ERR_MALFORMED);
}

/* An error says where, and quotes nothing of the text. */
static void test_errors_quote_nothing(void **state)
{
	struct json_t *j;
	struct fail why = { 0 };

	(void)state;
	assert_int_equal(json_read(SPAN_LIT("{\n\"a\": canary}"), 100, &j, &why), ERR_MALFORMED);
	assert_string_equal(why.detail, "not JSON, line 2 column 11");
	assert_int_equal(json_read(SPAN_LIT("{\"canary\":1,\"canary\":2}"), 100, &j, &why),
		ERR_MALFORMED);
	assert_null(strstr(why.detail, "canary"));
}

static int read_nested(unsigned depth, struct fail *why)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	CLEANUP(json_dropp) struct json_t *j = NULL;

	buf_init(&b, 1 << 20);
	for (unsigned i = 0; i < depth; i++)
		buf_str(&b, i % 2 == 0 ? "[" : "{\"[{\\\"[\":");
	buf_str(&b, "\"]]\"");
	for (unsigned i = depth; i > 0; i--)
		buf_byte(&b, (i - 1) % 2 == 0 ? ']' : '}');
	return json_read(buf_span(&b), 1 << 20, &j, why);
}

static int read_long(size_t values, struct fail *why)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	CLEANUP(json_dropp) struct json_t *j = NULL;

	buf_init(&b, 1 << 20);
	buf_str(&b, "[0");
	for (size_t i = 2; i < values; i++)
		buf_str(&b, ",0");
	buf_byte(&b, ']');
	return json_read(buf_span(&b), 1 << 20, &j, why);
}

static void test_limits(void **state)
{
	struct json_t *j;
	struct fail why = { 0 };

	(void)state;
	assert_int_equal(read_nested(JSON_DEPTH_MAX, NULL), 0);
	assert_int_equal(read_nested(JSON_DEPTH_MAX + 1, &why), ERR_TOO_BIG);
	assert_int_equal(why.limit, JSON_DEPTH_MAX);
	assert_int_equal(read_nested(50000, NULL), ERR_TOO_BIG);
	assert_int_equal(read_long(JSON_VALUES_MAX, NULL), 0);
	assert_int_equal(read_long(JSON_VALUES_MAX + 1, &why), ERR_TOO_BIG);
	assert_int_equal(why.limit, JSON_VALUES_MAX);
	assert_int_equal(json_read(SPAN_LIT("[1]"), 2, &j, &why), ERR_TOO_BIG);
	assert_int_equal(why.limit, 2);
}

static int read_without_memory(void *arg)
{
	CLEANUP(json_dropp) struct json_t *j = NULL;
	struct fail why = { 0 };
	int r;

	(void)arg;
	r = json_read(SPAN_LIT("{\"a\":[1,2.5,\"three\",{\"four\":true}],\"b\":{},\"c\":[]}"), 1000,
		&j, &why);
	if (r == ERR_MALFORMED) /* see json.h */
		r = ERR_NO_MEMORY;
	if (r < 0) {
		assert_int_equal(r, ERR_NO_MEMORY);
		assert_null(j);
	}
	return r;
}

static void test_every_failing_request_for_memory(void **state)
{
	(void)state;
	assert_true(nth_alloc(read_without_memory, NULL) > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members_by_type),
		cmocka_unit_test(test_members_that_are_not_there),
		cmocka_unit_test(test_members_that_are_wrong),
		cmocka_unit_test(test_texts_that_are_no_json),
		cmocka_unit_test(test_errors_quote_nothing),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_every_failing_request_for_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
