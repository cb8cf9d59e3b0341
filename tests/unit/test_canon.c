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

/* Who shares the result of such a task; "" leaves a parameter out. */
static int share_of(const char *kind, const char *mode, const char *heat, const char *near,
	struct fail *why)
{
	struct param params[3];
	struct body body = { .params = params };
	enum canon_share share = CANON_NOBODY;
	int err;

	if (mode[0] != '\0')
		params[body.params_n++] = (struct param){ SPAN_LIT(CANON_MODE), span_str(mode) };
	if (heat[0] != '\0')
		params[body.params_n++] =
			(struct param){ SPAN_LIT("temperature_milli"), span_str(heat) };
	if (near[0] != '\0')
		params[body.params_n++] = (struct param){ SPAN_LIT(CANON_NEAR), span_str(near) };
	err = canon_share(kind_find(span_str(kind)), &body, &share, why);
	assert_true(err < 0 || canon_near(&body) == (strcmp(near, "yes") == 0));
	return err < 0 ? err : (int)share;
}

static void test_who_shares(void **state)
{
	static const struct {
		const char *kind, *mode, *heat;
		int share;
	} cases[] = {
		{ "text.stats", "", "", CANON_OWN },
		{ "text.stats", "own", "", CANON_OWN },
		{ "text.stats", "shared", "", CANON_SHARED },
		{ "text.stats", "off", "", CANON_NOBODY },
		{ "util.echo", "", "", CANON_NOBODY },
		{ "util.echo", "own", "", CANON_NOBODY },
		{ "util.echo", "shared", "", CANON_NOBODY },
		/* By chance, unless it is told not to be. */
		{ "llm.chat", "", "", CANON_NOBODY },
		{ "llm.chat", "", "1", CANON_NOBODY },
		{ "llm.chat", "", "700", CANON_NOBODY },
		{ "llm.chat", "", "0", CANON_OWN },
		{ "llm.chat", "", "-0", CANON_OWN },
		{ "llm.chat", "", "none", CANON_NOBODY },
		{ "llm.chat", "own", "700", CANON_OWN },
		{ "llm.chat", "shared", "", CANON_SHARED },
		{ "llm.chat", "off", "0", CANON_NOBODY },
		{ "human.ask", "", "", CANON_NOBODY },
		{ "human.ask", "", "0", CANON_NOBODY }, /* it has no such parameter */
		{ "human.ask", "own", "", CANON_OWN },
		{ "task.map", "", "", CANON_NOBODY },
		{ "task.map", "own", "", CANON_OWN },
		{ "compute.montecarlo", "", "", CANON_OWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (share_of(cases[i].kind, cases[i].mode, cases[i].heat, "", NULL) !=
			cases[i].share)
			fail_msg("%s, mode %s, temperature %s", cases[i].kind, cases[i].mode,
				cases[i].heat);
	for (unsigned i = 0; kind_at(i) != NULL; i++)
		assert_int_equal(share_of(kind_at(i)->name, "off", "0", "", NULL), CANON_NOBODY);
}

static void test_near_is_asked_for(void **state)
{
	struct fail why = { 0 };

	(void)state;
	assert_int_equal(share_of("llm.chat", "own", "", "yes", NULL), CANON_OWN);
	assert_int_equal(share_of("llm.chat", "own", "", "no", NULL), CANON_OWN);
	assert_int_equal(share_of("llm.chat", "own", "", "1", &why), ERR_INVALID);
	assert_string_equal(why.field, "cache.near");
	assert_int_equal(share_of("util.echo", "Own", "", "", &why), ERR_INVALID);
	assert_string_equal(why.field, "cache.mode");
	assert_int_equal(share_of("text.stats", " ", "", "", NULL), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_who_shares),
		cmocka_unit_test(test_near_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
