/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/flight.h"

#include "tests/support/test.h"

struct request {
	struct flight flight;
	int what; /* equal requests have equal ones */
};

static bool is_same(void *ctx, const struct flight *f)
{
	return CONTAINER(f, struct request, flight)->what == *(const int *)ctx;
}

static void enter(struct flights *fs, struct request *r, int what, uint64_t hash)
{
	struct flight *leader = flight_find(fs, hash, is_same, &what);

	flight_init(&r->flight);
	r->what = what;
	if (leader != NULL)
		flight_follow(&r->flight, leader);
	else
		flight_lead(fs, &r->flight, hash);
}

static void test_equal_ones_follow(void **state)
{
	struct flights fs;
	struct request r[4];

	(void)state;
	flights_init(&fs);
	enter(&fs, &r[0], 1, 99);
	enter(&fs, &r[1], 1, 99);
	enter(&fs, &r[2], 2, 99); /* the same hash is not enough */
	enter(&fs, &r[3], 1, 99);
	assert_ptr_equal(r[1].flight.leader, &r[0].flight);
	assert_ptr_equal(r[2].flight.leader, &r[2].flight);
	assert_ptr_equal(flight_pop(&r[0].flight), &r[1].flight);
	assert_null(r[1].flight.leader);
	assert_ptr_equal(flight_pop(&r[0].flight), &r[3].flight);
	assert_null(flight_pop(&r[0].flight));
	assert_null(flight_leave(&fs, &r[0].flight));
	assert_null(flight_leave(&fs, &r[2].flight));
	assert_null(flight_find(&fs, 99, is_same, &r[0].what));
}

static void test_a_follower_leads_on(void **state)
{
	struct flights fs;
	struct request r[4];

	(void)state;
	flights_init(&fs);
	for (unsigned i = 0; i < 4; i++)
		enter(&fs, &r[i], 1, 5);
	assert_null(flight_leave(&fs, &r[2].flight)); /* followers may go */
	assert_null(flight_leave(&fs, &r[2].flight));
	assert_ptr_equal(flight_leave(&fs, &r[0].flight), &r[1].flight);
	assert_ptr_equal(r[1].flight.leader, &r[1].flight);
	assert_ptr_equal(r[3].flight.leader, &r[1].flight);
	assert_ptr_equal(flight_find(&fs, 5, is_same, &r[0].what), &r[1].flight);
	assert_ptr_equal(flight_leave(&fs, &r[1].flight), &r[3].flight);
	assert_null(flight_leave(&fs, &r[3].flight));
	assert_null(flight_find(&fs, 5, is_same, &r[0].what));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_ones_follow),
		cmocka_unit_test(test_a_follower_leads_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
