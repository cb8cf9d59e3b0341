/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/montecarlo.h"

#include "kernel/philox.h"
#include "tests/support/rand.h"
#include "tests/support/test.h"

/* The known answers of the authors' own library (Random123, kat_vectors: philox4x32 10). */
static void test_philox_known_answers(void **state)
{
	static const struct {
		uint32_t ctr[4], key[2], want[4];
	} rows[] = {
		{ { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
		{ { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff }, { 0xffffffff, 0xffffffff },
			{ 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
		{ { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
			{ 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t got[4];

		philox4x32(rows[i].ctr, rows[i].key, got);
		assert_memory_equal(got, rows[i].want, sizeof(got));
	}
}

/* One sample after the other, with a wider sum. */
static uint64_t slow_count(uint64_t samples, uint64_t seed, uint64_t first)
{
	uint64_t inside = 0;

	for (uint64_t i = first; i - first < samples; i++) {
		const uint32_t ctr[4] = { (uint32_t)(i / 2), (uint32_t)(i / 2 >> 32), 0, 0 };
		const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
		uint32_t w[4];
		uint64_t x, y;

		philox4x32(ctr, key, w);
		x = w[i % 2 * 2];
		y = w[i % 2 * 2 + 1];
		/* x^2 + y^2 < 2^64 in halves, so that nothing wraps: compare (x^2 + y^2) / 2, rounded down */
		inside += (x * x / 2 + y * y / 2 + (x * x % 2 + y * y % 2) / 2) >> 63 == 0;
	}
	return inside;
}

static void test_equals_definition(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 200; round++) {
		uint64_t seed = prng_next(&p), first = prng_next(&p) >> (1 + prng_below(&p, 62));
		uint64_t samples = prng_below(&p, 500);

		assert_int_equal(montecarlo_ref(samples, seed, first),
			slow_count(samples, seed, first));
	}
}

static void test_slices_add_up(void **state)
{
	uint64_t whole = montecarlo_ref(100001, 7, 0), parts = 0, at = 0;

	(void)state;
	for (uint64_t n = 1; at < 100001; n = n * 3 + 1) {
		uint64_t take = n < 100001 - at ? n : 100001 - at;

		parts += montecarlo_ref(take, 7, at);
		at += take;
	}
	assert_int_equal(parts, whole);
}

static void test_is_near_pi(void **state)
{
	uint64_t inside = montecarlo_ref(1000000, 1, 0);

	(void)state;
	assert_in_range(inside, 785398 - 2000, 785398 + 2000); /* five standard deviations */
}

static void test_pi_text(void **state)
{
	char to[MONTECARLO_PI_BYTES];

	(void)state;
	assert_string_equal(montecarlo_pi(0, 1, to), "0.000000000");
	assert_string_equal(montecarlo_pi(1, 1, to), "4.000000000");
	assert_string_equal(montecarlo_pi(7853981634, 10000000000, to), "3.141592653");
	assert_string_equal(montecarlo_pi(1, 3, to), "1.333333333");
	assert_string_equal(montecarlo_pi(UINT64_C(1) << 60, UINT64_C(1) << 60, to), "4.000000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_philox_known_answers),
		cmocka_unit_test(test_equals_definition),
		cmocka_unit_test(test_slices_add_up),
		cmocka_unit_test(test_is_near_pi),
		cmocka_unit_test(test_pi_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
