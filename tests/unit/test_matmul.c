/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/matmul.h"

#include "tests/support/rand.h"
#include "tests/support/test.h"

#define SIDE_MAX 70u

/* Small whole numbers: every sum is exact, so the order of additions cannot show. */
static void fill(float *to, size_t n, struct prng *p)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (float)prng_below(p, 201) - 100;
}

static float element(const float *a, const float *b, uint32_t k, uint32_t n, uint32_t row,
	uint32_t column)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < k; i++)
		sum += (int64_t)a[row * k + i] * (int64_t)b[i * n + column];
	return (float)sum;
}

static void test_equals_definition(void **state)
{
	static float a[SIDE_MAX * SIDE_MAX], b[SIDE_MAX * SIDE_MAX], c[SIDE_MAX * SIDE_MAX];
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 60; round++) {
		uint32_t m = 1 + (uint32_t)prng_below(&p, SIDE_MAX),
			 k = 1 + (uint32_t)prng_below(&p, SIDE_MAX);
		uint32_t n = 1 + (uint32_t)prng_below(&p, SIDE_MAX);

		fill(a, m * k, &p);
		fill(b, k * n, &p);
		matmul_ref(a, b, c, m, k, n);
		for (uint32_t row = 0; row < m; row++) {
			for (uint32_t column = 0; column < n; column++)
				assert_true(
					c[row * n + column] == element(a, b, k, n, row, column));
		}
	}
}

/* In single precision this sum would lose the 1. */
static void test_sums_in_double(void **state)
{
	const float a[3] = { 16777216.0f, 1.0f, -16777216.0f }, b[3] = { 1, 1, 1 };
	float c;

	(void)state;
	matmul_ref(a, b, &c, 1, 3, 1);
	assert_true(c == 1.0f);
}

static void test_wire_order(void **state)
{
	const unsigned char bytes[] = { 0xFF, 0x00, 0x00, 0x80, 0x3F, 0x00, 0x00, 0x00, 0xC0 };
	unsigned char back[8];
	float f[2];

	(void)state;
	matmul_load(span_of(bytes + 1, 8), f);
	assert_true(f[0] == 1.0f && f[1] == -2.0f);
	matmul_store(f, 2, back);
	assert_memory_equal(back, bytes + 1, 8);
}

static void test_sizes(void **state)
{
	static const unsigned char bytes[1 << 14];
	struct fail why;

	(void)state;
	assert_int_equal(matmul_check(span_of(bytes, 24), span_of(bytes, 48), 2, 3, 4, &why), 0);
	assert_int_equal(matmul_check(span_of(bytes, 23), span_of(bytes, 48), 2, 3, 4, &why),
		ERR_INVALID);
	assert_string_equal(why.field, "a");
	assert_int_equal(why.limit, 24);
	assert_int_equal(matmul_check(span_of(bytes, 24), span_of(bytes, 52), 2, 3, 4, &why),
		ERR_INVALID);
	assert_string_equal(why.field, "b");
	assert_int_equal(why.limit, 48);
	assert_int_equal(
		matmul_check(span_of(bytes, 8192), span_of(bytes, 8192), 2048, 1, 2048, &why),
		ERR_TOO_BIG);
	assert_string_equal(why.field, "c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equals_definition),
		cmocka_unit_test(test_sums_in_double),
		cmocka_unit_test(test_wire_order),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
