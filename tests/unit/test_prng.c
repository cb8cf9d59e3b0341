/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"

#include "tests/support/test.h"

/* The first numbers from the state 1, 2, 3, 4 that the authors' reference code gives. */
static void xoshiro256_starstar_vectors(void **state)
{
	static const uint64_t wanted[] = {
		11520u,
		0u,
		1509978240u,
		1215971899390074240u,
		1216172134540287360u,
		607988272756665600u,
		UINT64_C(16172922978634559625),
		8476171486693032832u,
		UINT64_C(10595114339597558777),
		2904607092377533576u,
	};
	struct prng p = { { 1, 2, 3, 4 } };

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_true(prng_next(&p) == wanted[i]);
}

/* The first numbers of splitmix64 from 1234567, published with many of its ports, become the state. */
static void splitmix64_vectors(void **state)
{
	struct prng p;

	(void)state;
	prng_seed(&p, 1234567);
	assert_true(p.s[0] == UINT64_C(6457827717110365317));
	assert_true(p.s[1] == UINT64_C(3203168211198807973));
	assert_true(p.s[2] == UINT64_C(9817491932198370423));
	assert_true(p.s[3] == UINT64_C(4593380528125082431));
}

static void a_zero_seed_gives_a_good_state(void **state)
{
	struct prng p;

	(void)state;
	prng_seed(&p, 0);
	assert_true((p.s[0] | p.s[1] | p.s[2] | p.s[3]) != 0);
	assert_true(prng_next(&p) != prng_next(&p));
}

static void below_stays_below(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	assert_true(prng_below(&p, 0) == 0);
	assert_true(prng_below(&p, 1) == 0);
	for (int i = 0; i < 100000; i++) {
		uint64_t n = prng_next(&p) >> prng_below(&p, 64);

		assert_true(n == 0 || prng_below(&p, n) < n);
	}
}

/* With n = 3 * 2^62 plain multiplication would give every third number twice as often. */
static void below_is_not_biased(void **state)
{
	unsigned count[3] = { 0 };
	unsigned dice[6] = { 0 };
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int i = 0; i < 60000; i++) {
		count[prng_below(&p, UINT64_C(3) << 62) % 3]++;
		dice[prng_below(&p, 6)]++;
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(count[i], 19400, 20600);
	for (int i = 0; i < 6; i++)
		assert_in_range(dice[i], 9600, 10400);
}

static void chance(void **state)
{
	struct prng p;
	int hits = 0;

	(void)state;
	rand_start(&p);
	for (int i = 0; i < 30000; i++) {
		assert_false(prng_chance(&p, 0, 5));
		assert_true(prng_chance(&p, 5, 5));
		hits += prng_chance(&p, 1, 3);
	}
	assert_in_range(hits, 9600, 10400);
	expect_assert_failure(prng_chance(&p, 1, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xoshiro256_starstar_vectors),
		cmocka_unit_test(splitmix64_vectors),
		cmocka_unit_test(a_zero_seed_gives_a_good_state),
		cmocka_unit_test(below_stays_below),
		cmocka_unit_test(below_is_not_biased),
		cmocka_unit_test(chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
