/* SPDX-License-Identifier: Apache-2.0
 *
 * The arithmetic of deficit round robin.
 */
#include "policy/share.h"

#include "tests/support/test.h"

static void assert_sound(const struct share *s)
{
	assert_true(s->credit_us > 0);
	assert_true(s->credit_us <= SHARE_QUANTUM_US * (int64_t)s->weight);
}

/* What was used, as a number that grows by what is paid. */
static int64_t used(const struct share *s)
{
	return (int64_t)(s->round + 1) * SHARE_QUANTUM_US * (int64_t)s->weight - s->credit_us;
}

static void a_round_is_left_when_its_credit_is_used(void **state)
{
	static const struct {
		uint32_t weight;
		int64_t us;
		uint64_t round;
		int64_t credit_us;
	} rows[] = {
		{ 1, 0, 0, 10000 }, { 1, 9999, 0, 1 }, { 1, 10000, 1, 10000 },
		{ 1, 10001, 1, 9999 }, { 1, 25000, 2, 5000 }, { 3, 29999, 0, 1 },
		{ 3, 30000, 1, 30000 }, { LIMIT_WEIGHT, 10000000, 1, 10000000 },
		{ 1, -5, 0, 10000 }, { 1, INT64_MAX, 8640000, 10000 }, /* of one day, no more */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct share s;

		share_init(&s, rows[i].weight);
		share_pay(&s, rows[i].us, 0);
		assert_int_equal(s.round, rows[i].round);
		assert_int_equal(s.credit_us, rows[i].credit_us);
	}
}

static void what_is_given_back_was_never_paid(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int i = 0; i < 20000; i++) {
		int64_t us = (int64_t)prng_below(&p, 100000),
			back = (int64_t)prng_below(&p, us + 1);
		struct share a, b;

		share_init(&a, 1 + (uint32_t)prng_below(&p, LIMIT_WEIGHT));
		share_pay(&a, (int64_t)prng_below(&p, 1000000), 0);
		b = a;
		share_pay(&a, us, 0);
		share_give_back(&a, back);
		share_pay(&b, us - back, 0);
		assert_sound(&a);
		assert_int_equal(used(&a), used(&b));
	}
}

static void idle_time_saves_nothing_up(void **state)
{
	struct share s;

	(void)state;
	share_init(&s, 2);
	share_pay(&s, 5000, 0);
	share_wait(&s, 7);
	assert_int_equal(s.round, 7);
	assert_int_equal(s.credit_us, 2 * SHARE_QUANTUM_US);
	share_pay(&s, 5000, 7);
	share_wait(&s, 9); /* it waits already */
	assert_int_equal(s.round, 7);
	assert_int_equal(s.credit_us, 2 * SHARE_QUANTUM_US - 5000);
	share_leave(&s);
	share_leave(&s);
	expect_assert_failure(share_leave(&s));
}

static void debts_outlive_idle_time(void **state)
{
	struct share s;

	(void)state;
	share_init(&s, 1);
	share_pay(&s, 50 * SHARE_QUANTUM_US, 0);
	share_wait(&s, 7);
	assert_int_equal(s.round, 50);
}

static void who_waits_long_catches_up_a_little(void **state)
{
	struct share s;

	(void)state;
	share_init(&s, 1);
	share_wait(&s, 0);
	share_pay(&s, 1, 1000000);
	assert_int_equal(s.round, 1000000 - SHARE_LAG);
	assert_sound(&s);
}

/* Whoever is in the lowest round is served: then all have had their share, but for one round and one task. */
static void all_get_their_share(void **state)
{
	enum { TENANTS = 12, COST = 60000 };
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 50; round++) {
		struct share s[TENANTS];
		int64_t got[TENANTS] = { 0 };
		unsigned n = 2 + (unsigned)prng_below(&p, TENANTS - 1);

		for (unsigned i = 0; i < n; i++) {
			share_init(&s[i], 1 + (uint32_t)prng_below(&p, 5));
			share_wait(&s[i], 0);
		}
		for (int served = 0; served < 5000; served++) {
			unsigned best = 0;
			int64_t us = 1 + (int64_t)prng_below(&p, COST);

			for (unsigned i = 1; i < n; i++)
				if (s[i].round < s[best].round)
					best = i;
			share_pay(&s[best], us, s[best].round);
			got[best] += us;
			assert_sound(&s[best]);
		}
		for (unsigned i = 0; i < n; i++)
			for (unsigned k = 0; k < n; k++)
				assert_true(got[i] / s[i].weight - got[k] / s[k].weight <=
					    2 * SHARE_QUANTUM_US + COST);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_round_is_left_when_its_credit_is_used),
		cmocka_unit_test(what_is_given_back_was_never_paid),
		cmocka_unit_test(idle_time_saves_nothing_up),
		cmocka_unit_test(debts_outlive_idle_time),
		cmocka_unit_test(who_waits_long_catches_up_a_little),
		cmocka_unit_test(all_get_their_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
