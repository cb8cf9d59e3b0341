/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hist.h"

#include <stdlib.h>

#include "tests/support/test.h"

#define VALUES 2000

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The model sorts all values. The answer lies between the exact one and 6.25 % above it. */
static void is_close_to_sorting(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int turn = 0; turn < 64; turn++) {
		struct hist h = { 0 };
		int64_t values[VALUES];
		size_t count = 1 + prng_below(&p, VALUES);

		for (size_t i = 0; i < count; i++) {
			values[i] = (int64_t)(prng_next(&p) >>
					      (1 + prng_below(&p, (uint64_t)turn + 1) % 63));
			hist_add(&h, values[i]);
		}
		qsort(values, count, sizeof(values[0]), compare);
		for (uint32_t permille = 0; permille <= 1000; permille += 25) {
			size_t rank = (count * permille + 999) / 1000;
			uint64_t exact = (uint64_t)values[rank == 0 ? 0 : rank - 1];
			uint64_t got = hist_at(&h, permille);

			assert_true(got >= exact);
			assert_true(got - exact <= exact / 16);
		}
		assert_true(hist_at(&h, 1000) == (uint64_t)values[count - 1]);
		assert_true(h.max == (uint64_t)values[count - 1]);
	}
}

static void small_values_are_exact(void **state)
{
	struct hist h = { 0 };

	(void)state;
	assert_int_equal(hist_at(&h, 500), 0);
	for (int64_t v = -1; v < 32; v++)
		hist_add(&h, v);
	/* 0 twice, then 1 to 31: rank 17 is 15, rank 33 is 31. */
	assert_int_equal(h.count, 33);
	assert_int_equal(h.sum, 31 * 32 / 2);
	assert_int_equal(hist_at(&h, 0), 0);
	assert_int_equal(hist_at(&h, 500), 15);
	assert_int_equal(hist_at(&h, 1000), 31);
	assert_int_equal(hist_at(&h, 5000), 31);
}

static void extremes_do_not_overflow(void **state)
{
	struct hist h = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		hist_add(&h, INT64_MAX);
	hist_add(&h, INT64_MIN);
	assert_true(h.sum == UINT64_MAX);
	assert_true(hist_at(&h, 1000) == INT64_MAX);
	assert_true(hist_at(&h, 250) == 0);
	h.bucket[0] = UINT32_MAX;
	hist_add(&h, 0);
	assert_int_equal(h.bucket[0], UINT32_MAX);
	h.count = UINT64_MAX;
	assert_true(hist_at(&h, 999) == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_close_to_sorting),
		cmocka_unit_test(small_values_are_exact),
		cmocka_unit_test(extremes_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
