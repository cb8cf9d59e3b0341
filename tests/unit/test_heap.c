/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include "base/err.h"
#include "tests/support/test.h"

#define ITEMS 300u

/* The obvious model: an array that is searched from end to end. */
struct model {
	int64_t key[ITEMS];
	bool has[ITEMS];
};

static const struct heap_row *model_top(const struct model *m, struct heap_row *row)
{
	bool found = false;

	for (uint32_t i = 0; i < ITEMS; i++) {
		if (m->has[i] && (!found || m->key[i] < row->key)) {
			*row = (struct heap_row){ .key = m->key[i], .item = i };
			found = true;
		}
	}
	return found ? row : NULL;
}

static void assert_same_top(const struct heap *h, const struct model *m)
{
	struct heap_row row = { 0 };
	const struct heap_row *wanted = model_top(m, &row);
	const struct heap_row *got = heap_top(h);

	assert_int_equal(got == NULL, wanted == NULL);
	if (got == NULL)
		return;
	assert_int_equal(got->item, wanted->item);
	assert_true(got->key == wanted->key);
}

static void behaves_like_an_array(void **state)
{
	CLEANUP(heap_done) struct heap h = { 0 };
	struct model m = { .key = { 0 } };
	struct prng p;

	(void)state;
	rand_start(&p);
	heap_init(&h);
	assert_int_equal(heap_reserve(&h, ITEMS), 0);
	for (int i = 0; i < 50000; i++) {
		uint32_t item = (uint32_t)prng_below(&p, ITEMS);
		/* Few keys make ties; sometimes the extremes. */
		int64_t key = (int64_t)prng_below(&p, 100) - 50;

		if (prng_chance(&p, 1, 50))
			key = prng_chance(&p, 1, 2) ? INT64_MAX : INT64_MIN;
		/* Grow and shrink in turns. */
		if (prng_chance(&p, i / 5000 % 2 == 0 ? 1 : 3, 4)) {
			heap_drop(&h, item);
			m.has[item] = false;
		} else {
			heap_set(&h, item, key);
			m.has[item] = true;
			m.key[item] = key;
		}
		assert_int_equal(heap_has(&h, item), m.has[item]);
		assert_same_top(&h, &m);
	}
	while (heap_top(&h) != NULL) {
		uint32_t item = heap_top(&h)->item;

		assert_same_top(&h, &m);
		heap_drop(&h, item);
		m.has[item] = false;
	}
	assert_same_top(&h, &m);
}

static void items_must_be_reserved(void **state)
{
	CLEANUP(heap_done) struct heap h = { 0 };

	(void)state;
	heap_init(&h);
	expect_assert_failure(heap_set(&h, 0, 1));
	heap_drop(&h, 5);
	assert_false(heap_has(&h, 5));
	assert_null(heap_top(&h));
	assert_int_equal(heap_reserve(&h, 10), 0);
	heap_set(&h, 9, 1);
	expect_assert_failure(heap_set(&h, h.place_cap, 1));
}

/* Reserving one more at a time keeps what is in. */
static int grow_slowly(void *arg)
{
	CLEANUP(heap_done) struct heap h = { 0 };

	(void)arg;
	heap_init(&h);
	for (uint32_t i = 0; i < 1000; i++) {
		if (heap_reserve(&h, i + 1) < 0) {
			assert_int_equal(h.len, i);
			return ERR_NO_MEMORY;
		}
		heap_set(&h, i, 1000 - (int64_t)i);
	}
	for (uint32_t i = 1000; i-- > 0;) {
		assert_int_equal(heap_top(&h)->item, i);
		heap_drop(&h, i);
	}
	return 0;
}

static void survives_failing_requests(void **state)
{
	(void)state;
	/* Two arrays, grown to 64, 128, 256, 512 and 1024. */
	assert_int_equal(nth_alloc(grow_slowly, NULL), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behaves_like_an_array),
		cmocka_unit_test(items_must_be_reserved),
		cmocka_unit_test(survives_failing_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
