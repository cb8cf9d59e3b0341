/* SPDX-License-Identifier: Apache-2.0 */
#include "services/delegate/breaker.h"

#include "tests/support/test.h"

#define S INT64_C(1000000000)

static void fail_times(struct breaker *b, int64_t now_ns, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_false(breaker_begin(b, now_ns));
		breaker_ended(b, now_ns, false, BREAKER_FAULT, 0);
	}
}

static void test_some_faults_in_a_row(void **state)
{
	struct breaker b = { 0 };

	(void)state;
	fail_times(&b, 0, BREAKER_FAULTS - 1);
	breaker_ended(&b, 0, false, BREAKER_WELL, 0);
	fail_times(&b, 0, BREAKER_FAULTS - 1);
	breaker_ended(&b, 0, false, BREAKER_UNKNOWN, 0);
	assert_true(breaker_is_ready(&b, 0));
	assert_true(breaker_wake(&b, 0) == INT64_MAX);
	fail_times(&b, 0, 1);
	assert_false(breaker_is_ready(&b, 0));
	assert_int_equal(b.cause, BREAKER_FAULT);
	assert_int_equal(breaker_wake(&b, 0), BREAKER_COOL_NS);
	assert_false(breaker_is_ready(&b, BREAKER_COOL_NS - 1));
	assert_true(breaker_is_ready(&b, BREAKER_COOL_NS));
	expect_assert_failure(breaker_begin(&b, BREAKER_COOL_NS - 1));
}

static void test_one_probe_decides(void **state)
{
	struct breaker b = { 0 };
	int64_t now_ns = 0, cool_ns = BREAKER_COOL_NS;

	(void)state;
	fail_times(&b, 0, BREAKER_FAULTS);
	for (unsigned i = 0; i < 12; i++) {
		now_ns += cool_ns;
		assert_true(breaker_begin(&b, now_ns));
		assert_false(breaker_is_ready(&b, now_ns)); /* nobody else */
		assert_true(breaker_wake(&b, now_ns) == INT64_MAX);
		breaker_ended(&b, now_ns, false, BREAKER_WELL, 0); /* of a call from before */
		breaker_ended(&b, now_ns, false, BREAKER_BUSY, 9 * S);
		assert_int_equal(b.state, BREAKER_PROBING);
		breaker_ended(&b, now_ns, true, BREAKER_FAULT, 0);
		cool_ns = cool_ns * 2 < BREAKER_COOL_NS_MAX ? cool_ns * 2 : BREAKER_COOL_NS_MAX;
		assert_int_equal(breaker_wake(&b, now_ns) - now_ns, cool_ns);
	}
	now_ns += cool_ns;
	assert_true(breaker_begin(&b, now_ns));
	breaker_ended(&b, now_ns, true, BREAKER_WELL, 0);
	assert_int_equal(b.state, BREAKER_HEALTHY);
	/* as if nothing had been */
	fail_times(&b, now_ns, BREAKER_FAULTS);
	assert_int_equal(breaker_wake(&b, now_ns) - now_ns, BREAKER_COOL_NS);
}

static void test_a_cancelled_probe_makes_way(void **state)
{
	struct breaker b = { 0 };

	(void)state;
	fail_times(&b, 0, BREAKER_FAULTS);
	assert_true(breaker_begin(&b, 5 * S));
	breaker_ended(&b, 6 * S, true, BREAKER_UNKNOWN, 0);
	assert_true(breaker_is_ready(&b, 6 * S));
	assert_true(breaker_begin(&b, 6 * S));
}

static void test_what_the_api_asks_for(void **state)
{
	struct breaker b = { 0 };

	(void)state;
	breaker_ended(&b, 0, false, BREAKER_BUSY, 7 * S);
	assert_int_equal(breaker_wake(&b, 0), 7 * S);
	/* others that were under way: the longest counts */
	breaker_ended(&b, 0, false, BREAKER_BUSY, 5 * S);
	assert_int_equal(breaker_wake(&b, 0), 7 * S);
	breaker_ended(&b, 1 * S, false, BREAKER_BUSY, 9 * S);
	assert_int_equal(breaker_wake(&b, 0), 10 * S);
	b = (struct breaker){ 0 };
	breaker_ended(&b, 0, false, BREAKER_BUSY, INT64_MAX);
	assert_int_equal(breaker_wake(&b, 0), BREAKER_ASKED_NS_MAX);
	b = (struct breaker){ 0 };
	breaker_ended(&b, 0, false, BREAKER_BUSY, 0);
	assert_int_equal(breaker_wake(&b, 0), BREAKER_COOL_NS);
	/* a fault that names a time is believed at once */
	b = (struct breaker){ 0 };
	breaker_ended(&b, 0, false, BREAKER_FAULT, 4 * S);
	assert_int_equal(breaker_wake(&b, 0), 4 * S);
}

static void test_a_refused_key(void **state)
{
	struct breaker b = { 0 };

	(void)state;
	breaker_ended(&b, 0, false, BREAKER_REFUSED, 1);
	assert_int_equal(breaker_wake(&b, 0), BREAKER_REFUSED_NS);
	assert_int_equal(b.cause, BREAKER_REFUSED);
	assert_true(breaker_begin(&b, BREAKER_REFUSED_NS));
	breaker_ended(&b, BREAKER_REFUSED_NS, true, BREAKER_REFUSED, 0);
	assert_int_equal(breaker_wake(&b, 0), 2 * BREAKER_REFUSED_NS);
}

/* Whatever comes: at most one probe, always a way back, never asleep for longer than the longest time. */
static void test_random_ends(void **state)
{
	struct breaker b = { 0 };
	struct prng p;
	int64_t now_ns = 0;
	bool is_probing = false;

	(void)state;
	rand_start(&p);
	for (unsigned i = 0; i < 100000; i++) {
		enum breaker_end end = (enum breaker_end)prng_below(&p, 5);
		int64_t asked_ns = prng_chance(&p, 1, 4) ? (int64_t)prng_below(&p, 10000) * S : 0;

		now_ns += (int64_t)prng_below(&p, 20) * S;
		if (breaker_is_ready(&b, now_ns) && prng_chance(&p, 1, 2)) {
			bool probe = breaker_begin(&b, now_ns);

			assert_false(probe && is_probing);
			is_probing = is_probing || probe;
		}
		if (is_probing && prng_chance(&p, 1, 3)) {
			breaker_ended(&b, now_ns, true, end, asked_ns);
			is_probing = false;
		} else {
			breaker_ended(&b, now_ns, false, end, asked_ns);
		}
		assert_int_equal(b.state == BREAKER_PROBING, is_probing);
		if (b.state == BREAKER_COOLING && !breaker_is_ready(&b, now_ns))
			assert_true(breaker_wake(&b, now_ns) <= now_ns + BREAKER_ASKED_NS_MAX &&
				    breaker_is_ready(&b, breaker_wake(&b, now_ns)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_some_faults_in_a_row),
		cmocka_unit_test(test_one_probe_decides),
		cmocka_unit_test(test_a_cancelled_probe_makes_way),
		cmocka_unit_test(test_what_the_api_asks_for),
		cmocka_unit_test(test_a_refused_key),
		cmocka_unit_test(test_random_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
