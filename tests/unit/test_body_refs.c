/* SPDX-License-Identifier: Apache-2.0
 *
 * test_body_refs: bodies in place, with references and with all data where it belongs, against the same built inline.
 */
#include "wire/body_refs.h"

#include "base/limits.h"
#include "base/mem.h"
#include "tests/support/test.h"

#define T(s) SPAN_LIT(s)
#define ROOM ((size_t)8 << 20)
#define HOLES 4096u

struct world {
	struct arena arena;
	struct prng prng;
	struct buf with, inline_; /* the same body, with references and without */
	struct buf whole;
	unsigned char bytes[70000];
	struct body_hole holes[HOLES];
};

static int setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));

	if (w == NULL)
		return -1;
	arena_init(&w->arena, ROOM);
	buf_init(&w->with, ROOM);
	buf_init(&w->inline_, ROOM);
	buf_init(&w->whole, ROOM);
	for (size_t i = 0; i < sizeof(w->bytes); i++)
		w->bytes[i] = (unsigned char)(i * 7 + (i >> 8));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	arena_done(&w->arena);
	buf_done(&w->with);
	buf_done(&w->inline_);
	buf_done(&w->whole);
	mem_free(w);
	return 0;
}

/* Data of which the hash's first bytes tell the start, so that holes can be filled. */
static struct item reference(struct world *w, struct span data)
{
	unsigned char *hash = arena_alloc(&w->arena, BLOB_HASH);
	uint32_t at = (uint32_t)(data.at - w->bytes);

	assert_non_null(hash);
	memcpy(hash, &at, sizeof(at));
	return (struct item){ .blob = span_of(hash, BLOB_HASH), .size = data.len };
}

static struct span some(struct world *w)
{
	static const size_t sizes[] = { 0, 1, 127, 128, 16383, 16384, 60000 };
	size_t len = sizes[prng_below(&w->prng, ARRAY_LEN(sizes))];

	return span_of(w->bytes + prng_below(&w->prng, 10000), len);
}

static void build(struct world *w, unsigned depth, struct buf *with, struct buf *inline_)
{
	size_t n = prng_below(&w->prng, depth == 0 ? 6 : 4);

	for (size_t i = 0; i < n; i++) {
		struct item item = { .data = some(w) };

		if (prng_below(&w->prng, 3) == 0) {
			body_put_param(with, T("a.b"), T("value"));
			body_put_param(inline_, T("a.b"), T("value"));
		}
		if (prng_below(&w->prng, 2) == 0)
			item.name = T("name");
		if (depth < 2 && prng_below(&w->prng, 3) == 0) {
			CLEANUP(buf_done) struct buf a = { 0 }, b = { 0 };

			buf_init(&a, ROOM);
			buf_init(&b, ROOM);
			build(w, depth + 1, &a, &b);
			body_put_item(with, item.name, T(BODY_MEDIA), buf_span(&a));
			body_put_item(inline_, item.name, T(BODY_MEDIA), buf_span(&b));
		} else if (prng_below(&w->prng, 2) == 0) {
			struct item ref = reference(w, item.data);

			ref.name = item.name;
			body_put(with, &ref);
			body_put(inline_, &item);
		} else {
			body_put(with, &item);
			body_put(inline_, &item);
		}
	}
}

static void fill(struct world *w, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct body_hole *h = &w->holes[i];
		uint32_t at;

		memcpy(&at, h->hash.at, sizeof(at));
		assert_true(h->at + h->size <= w->whole.len);
		memcpy(w->whole.at + h->at, w->bytes + at, h->size);
	}
}

static void test_expanded_is_as_if_it_had_come_inline(void **state)
{
	struct world *w = *state;

	rand_start(&w->prng);
	for (unsigned round = 0; round < 500; round++) {
		struct body_sum sum;

		arena_reset(&w->arena);
		buf_reset(&w->with);
		buf_reset(&w->inline_);
		buf_reset(&w->whole);
		buf_add(&w->whole, T("before"));
		build(w, 0, &w->with, &w->inline_);
		sum = body_sum(buf_span(&w->with));
		assert_int_equal(sum.bytes, w->inline_.len);
		assert_true(sum.refs < HOLES);
		assert_true(body_expand(&w->whole, buf_span(&w->with), w->holes));
		fill(w, sum.refs);
		buf_eat(&w->whole, 6);
		assert_int_equal(w->whole.len, w->inline_.len);
		if (w->whole.len > 0)
			assert_memory_equal(w->whole.at, w->inline_.at, w->whole.len);
	}
}

static void test_no_room(void **state)
{
	struct world *w = *state;
	struct item ref = reference(w, span_of(w->bytes, 60000));
	struct buf small;

	body_put(&w->with, &ref);
	buf_init(&small, 60000);
	assert_int_equal(body_sum(buf_span(&w->with)).refs, 1);
	assert_false(body_expand(&small, buf_span(&w->with), w->holes));
	buf_done(&small);
}

/* What is no body is data, and what lies too deep. */
static void test_what_is_not_looked_into(void **state)
{
	struct world *w = *state;
	struct item ref = reference(w, span_of(w->bytes, 10));
	struct buf *a = &w->with, *b = &w->inline_;

	body_put_item(a, T(""), T(BODY_MEDIA), T("no body"));
	assert_int_equal(body_sum(buf_span(a)).refs, 0);
	assert_int_equal(body_sum(buf_span(a)).bytes, a->len);
	buf_reset(a);
	body_put(a, &ref);
	for (unsigned depth = 1; depth < BODY_DEPTH + 2; depth++) {
		assert_int_equal(body_sum(buf_span(a)).refs, depth <= BODY_DEPTH);
		buf_reset(b);
		body_put_item(b, T("x"), T(BODY_MEDIA), buf_span(a));
		buf_reset(a);
		buf_add(a, buf_span(b));
	}
}

/* --- in place ----------------------------------------------------------------------------------------- */

static void same_items(const struct body *a, const struct body *b)
{
	assert_int_equal(a->params_n, b->params_n);
	assert_int_equal(a->items_n, b->items_n);
	for (size_t i = 0; i < a->params_n; i++) {
		assert_true(span_eq(a->params[i].key, b->params[i].key));
		assert_true(span_eq(a->params[i].value, b->params[i].value));
	}
	for (size_t i = 0; i < a->items_n; i++) {
		assert_true(span_eq(a->items[i].name, b->items[i].name));
		assert_true(span_eq(a->items[i].media, b->items[i].media));
		assert_true(span_eq(a->items[i].data, b->items[i].data));
		assert_true(span_eq(a->items[i].blob, b->items[i].blob));
		assert_int_equal(a->items[i].size, b->items[i].size);
	}
}

static void test_a_view_is_what_decoding_gives(void **state)
{
	struct world *w = *state;

	rand_start(&w->prng);
	for (unsigned round = 0; round < 500; round++) {
		struct body view, copy;
		struct span bytes;

		arena_reset(&w->arena);
		buf_reset(&w->with);
		buf_reset(&w->inline_);
		build(w, 2, &w->with, &w->inline_);
		bytes = buf_span(&w->with);
		assert_int_equal(body_decode(&w->arena, bytes, &copy, NULL), 0);
		assert_int_equal(body_view(&w->arena, bytes, &view, NULL), 0);
		same_items(&view, &copy);
		if (bytes.len > 0 && prng_below(&w->prng, 2) == 0)
			w->with.at[prng_below(&w->prng, bytes.len)] ^= 1u
								       << prng_below(&w->prng, 8);
		if (body_decode(&w->arena, bytes, &copy, NULL) == 0) {
			assert_int_equal(body_view(&w->arena, bytes, &view, NULL), 0);
			same_items(&view, &copy);
		}
	}
}

static void refused(struct world *w, int code, const char *field, int64_t limit)
{
	struct fail why = { 0 };
	struct body body;

	assert_int_equal(buf_err(&w->with), 0);
	arena_reset(&w->arena);
	assert_int_equal(body_view(&w->arena, buf_span(&w->with), &body, &why), code);
	assert_int_equal(why.code, code);
	assert_string_equal(why.field, field);
	assert_int_equal(why.limit, limit);
	if (w->with.len <= LIMIT_BODY_BYTES) {
		arena_reset(&w->arena);
		assert_int_equal(body_decode(&w->arena, buf_span(&w->with), &body, NULL), code);
	}
	buf_reset(&w->with);
}

static void put_raw(struct world *w, const char *item, size_t n)
{
	buf_byte(&w->with, 0x12);
	buf_byte(&w->with, (unsigned char)n);
	buf_add(&w->with, span_of(item, n));
}

static void test_refusals(void **state)
{
	struct world *w = *state;
	struct item ref = reference(w, span_of(w->bytes, 10));

	for (unsigned i = 0; i <= LIMIT_PARAMS; i++)
		body_put_param(&w->with, T("k"), T("v"));
	refused(w, ERR_TOO_BIG, "param", LIMIT_PARAMS);
	for (unsigned i = 0; i <= LIMIT_ITEMS; i++)
		body_put_item(&w->with, T(""), T(""), T(""));
	refused(w, ERR_TOO_BIG, "item", LIMIT_ITEMS);
	body_put_param(&w->with, T("k"), span_of(w->bytes, LIMIT_PARAM_BYTES + 1));
	refused(w, ERR_INVALID, "value", 0);
	body_put_param(&w->with, T("no key"), T("v"));
	refused(w, ERR_INVALID, "key", LIMIT_TOKEN_BYTES);
	buf_add(&w->with, T("\x12\x05short"));
	buf_byte(&w->with, 0x12);
	refused(w, ERR_MALFORMED, "Body", 0);
	put_raw(w, "\x0a\x01\xff", 3);
	refused(w, ERR_INVALID, "name", 0);
	put_raw(w, "\x22\x01z", 3);
	refused(w, ERR_INVALID, "blob", BLOB_HASH);
	ref.size = BLOB_BYTES_MAX + 1;
	body_put(&w->with, &ref);
	refused(w, ERR_TOO_BIG, "size", (int64_t)BLOB_BYTES_MAX);
	buf_add(&w->with, T("\x12\x25\x22\x20"
			    "0123456789abcdef0123456789abcdef"
			    "\x1a\x01y"));
	refused(w, ERR_INVALID, "blob", 0);
}

/* --- choosing ----------------------------------------------------------------------------------------- */

static void test_the_largest_go_until_the_rest_fits(void **state)
{
	static const size_t sizes[] = { 100, 50000, 30000, 40000, 30000 };
	struct world *w = *state;
	struct body view;
	size_t picked[ARRAY_LEN(sizes)], n = 99;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		body_put_item(&w->with, T("n"), T(""), span_of(w->bytes, sizes[i]));
	assert_int_equal(body_view(&w->arena, buf_span(&w->with), &view, NULL), 0);
	assert_true(body_pick(&view, w->with.len, w->with.len, picked, &n));
	assert_int_equal(n, 0);
	assert_true(body_pick(&view, w->with.len, w->with.len - 1, picked, &n));
	assert_int_equal(n, 1);
	assert_int_equal(picked[0], 1);
	assert_true(body_pick(&view, w->with.len, 61000, picked, &n));
	assert_int_equal(n, 2);
	assert_int_equal(picked[1], 3);
	assert_true(body_pick(&view, w->with.len, 1000, picked, &n));
	assert_int_equal(n, 4);
	assert_true(body_pick(&view, w->with.len, 300, picked, &n));
	assert_int_equal(n, 5);
	assert_false(body_pick(&view, w->with.len, 20, picked, &n));
}

/* With what it says in their place the body is as small as promised. */
static void test_what_was_picked_makes_room(void **state)
{
	struct world *w = *state;

	rand_start(&w->prng);
	for (unsigned round = 0; round < 200; round++) {
		struct body view;
		size_t picked[16], n, max;
		struct buf small;

		arena_reset(&w->arena);
		buf_reset(&w->with);
		for (unsigned i = 0; i < 12; i++)
			body_put_item(&w->with, T("name"), T(""), some(w));
		max = 1000 + prng_below(&w->prng, w->with.len);
		assert_int_equal(body_view(&w->arena, buf_span(&w->with), &view, NULL), 0);
		assert_true(body_pick(&view, w->with.len, max, picked, &n));
		for (size_t i = 0; i < n; i++) {
			struct item *item = &view.items[picked[i]];

			item->blob = span_of(w->bytes, BLOB_HASH);
			item->size = UINT64_MAX; /* the longest number */
			item->data = (struct span){ 0 };
		}
		buf_init(&small, max);
		body_encode(&small, &view);
		assert_int_equal(buf_err(&small), 0);
		buf_done(&small);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_expanded_is_as_if_it_had_come_inline),
		TEST(test_no_room),
		TEST(test_what_is_not_looked_into),
		TEST(test_a_view_is_what_decoding_gives),
		TEST(test_refusals),
		TEST(test_the_largest_go_until_the_rest_fits),
		TEST(test_what_was_picked_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
