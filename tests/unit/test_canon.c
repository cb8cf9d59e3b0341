/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/canon.h"

#include <stdio.h>

#include "base/limits.h"
#include "tests/support/test.h"

#define PAIR(key_, value_)                                                                         \
	{                                                                                          \
		.key = SPAN_LIT(key_), .value = SPAN_LIT(value_)                                   \
	}

static void canon(struct buf *b, const char *kind, struct param *params, size_t params_n,
	struct item *items, size_t items_n)
{
	struct body body = { params, params_n, items, items_n };
	const struct kind_row *row = kind_find(span_str(kind));

	assert_non_null(row);
	assert_int_equal(kind_check(row, &body, NULL), 0);
	buf_init(b, CANON_BYTES_MAX);
	canon_request(b, row, &body);
	assert_int_equal(buf_err(b), 0);
}

static bool same(struct buf *a, struct buf *b)
{
	bool is = span_eq(buf_span(a), buf_span(b));

	buf_done(a);
	buf_done(b);
	return is;
}

/* Both as requests to text.extract about one document. */
static bool same_params(struct param *a, size_t a_n, struct param *b, size_t b_n)
{
	struct item item = { .data = SPAN_LIT("text") };
	struct buf ca, cb;

	canon(&ca, "text.extract", a, a_n, &item, 1);
	canon(&cb, "text.extract", b, b_n, &item, 1);
	return same(&ca, &cb);
}

static void test_parameters(void **state)
{
	struct param ordered[] = { PAIR("query", "q"), PAIR("sentences", "5") };
	struct param turned[] = { PAIR("sentences", "5"), PAIR("query", "q") };
	struct param twice[] = { PAIR("query", "x"), PAIR("sentences", "5"), PAIR("query", "q") };
	struct param other[] = { PAIR("sentences", "5"), PAIR("query", "Q") };
	struct param defaults[] = { PAIR("sentences", "8"), PAIR("query", "") };
	struct param zeros[] = { PAIR("sentences", "08") };

	(void)state;
	assert_true(same_params(ordered, 2, turned, 2));
	assert_true(same_params(ordered, 2, twice, 3));
	assert_false(same_params(ordered, 2, other, 2));
	assert_false(same_params(ordered, 2, defaults, 2));
	assert_true(same_params(NULL, 0, defaults, 2));
	assert_true(same_params(NULL, 0, zeros, 1));
}

/* What the row does not know may matter to the kind; what steers the cache does not. */
static void test_facts(void **state)
{
	struct param a[] = { PAIR("split.n", "1"), PAIR("a.b", "2") };
	struct param turned[] = { PAIR("a.b", "2"), PAIR("split.n", "0"), PAIR("split.n", "1") };
	struct param other[] = { PAIR("split.n", "2"), PAIR("a.b", "1") };
	struct param steered[] = { PAIR("a.b", "2"), PAIR("cache.mode", "own"),
		PAIR("split.n", "1") };

	(void)state;
	assert_true(same_params(a, 2, turned, 3));
	assert_false(same_params(a, 2, other, 2));
	assert_false(same_params(a, 2, a, 1));
	assert_true(same_params(a, 2, steered, 3));
}

static bool same_items(struct item *a, size_t a_n, struct item *b, size_t b_n)
{
	struct buf ca, cb;

	canon(&ca, "blob.compress", NULL, 0, a, a_n);
	canon(&cb, "blob.compress", NULL, 0, b, b_n);
	return same(&ca, &cb);
}

static void test_items(void **state)
{
	struct item a[] = {
		{ .name = SPAN_LIT("n"), .media = SPAN_LIT("m"), .data = SPAN_LIT("d") },
		{ .data = SPAN_LIT("e") }
	};
	struct item name[] = {
		{ .name = SPAN_LIT("N"), .media = SPAN_LIT("m"), .data = SPAN_LIT("d") },
		{ .data = SPAN_LIT("e") }
	};
	struct item moved[] = {
		{ .name = SPAN_LIT(""), .media = SPAN_LIT("nm"), .data = SPAN_LIT("d") },
		{ .data = SPAN_LIT("e") }
	};
	struct item joined[] = {
		{ .name = SPAN_LIT("n"), .media = SPAN_LIT("m"), .data = SPAN_LIT("de") }
	};
	struct item turned[] = { a[1], a[0] };
	struct buf ca, cb;

	(void)state;
	assert_true(same_items(a, 2, a, 2));
	assert_false(same_items(a, 2, name, 2));
	assert_false(same_items(a, 2, moved, 2));
	assert_false(same_items(a, 2, joined, 1));
	assert_false(same_items(a, 2, turned, 2));
	assert_false(same_items(a, 1, a, 2));
	canon(&ca, "blob.compress", NULL, 0, a, 2);
	canon(&cb, "blob.decompress", NULL, 0, a, 2);
	assert_false(same(&ca, &cb));
}

/* The largest there can be fits. */
static void test_room(void **state)
{
	static struct item items[LIMIT_ITEMS];
	static struct param params[LIMIT_PARAMS];
	static char keys[LIMIT_PARAMS][8];
	static unsigned char data[LIMIT_BODY_BYTES];
	struct buf b;

	(void)state;
	for (size_t i = 0; i < LIMIT_PARAMS; i++) {
		snprintf(keys[i], sizeof(keys[i]), "a.%zu", i);
		params[i] = (struct param){ .key = span_str(keys[i]) };
	}
	items[5].data = span_of(data, sizeof(data));
	canon(&b, "text.extract", params, LIMIT_PARAMS, items, LIMIT_ITEMS);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
