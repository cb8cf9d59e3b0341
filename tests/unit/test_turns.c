/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose turn it is on a node's threads.
 */
#include "node/turns.h"

#include "base/err.h"
#include "base/mem.h"
#include "tests/support/test.h"

#define WAITING 300

struct rig {
	struct turns ts;
	struct turn of[WAITING];
};

static int set_up(void **state)
{
	struct rig *g = mem_alloc(sizeof *g);

	assert_non_null(g);
	turns_init(&g->ts, WAITING);
	*state = g;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *g = *state;

	turns_done(&g->ts);
	mem_free(g);
	return 0;
}

static void put(struct rig *g, unsigned i, const char *tenant)
{
	assert_int_equal(turns_put(&g->ts, &g->of[i], span_str(tenant)), 0);
}

static unsigned take(struct rig *g)
{
	return (unsigned)(turns_take(&g->ts) - g->of);
}

static void one_tenant_is_first_in_first_out(void **state)
{
	struct rig *g = *state;

	assert_null(turns_take(&g->ts));
	for (unsigned i = 0; i < 10; i++)
		put(g, i, "a");
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(take(g), i);
		turns_end(&g->ts, &g->of[i], 5);
	}
	assert_null(turns_take(&g->ts));
	assert_int_equal(g->ts.tenants.used, 0);
}

static void a_full_queue_of_one_does_not_hold_up_another(void **state)
{
	struct rig *g = *state;

	for (unsigned i = 0; i < 256; i++)
		put(g, i, "greedy");
	assert_int_equal(take(g), 0);
	assert_int_equal(take(g), 1);
	put(g, 256, "other");
	assert_int_equal(take(g), 256);
	turns_end(&g->ts, &g->of[256], SHARE_QUANTUM_US);
	assert_int_equal(take(g), 2);
}

/* Time counts, not tasks. */
static void long_work_gets_fewer_turns(void **state)
{
	struct rig *g = *state;
	int64_t worked[2] = { 0 };

	for (unsigned i = 0; i < WAITING; i++)
		put(g, i, i % 2 == 0 ? "short" : "long");
	for (int i = 0; i < 150; i++) {
		unsigned k = take(g);
		int64_t us = k % 2 == 0 ? 15000 : 90000;

		turns_end(&g->ts, &g->of[k], us);
		worked[k % 2] += us;
	}
	assert_in_range(worked[0] * 100 / (worked[0] + worked[1]), 45, 55);
}

static void what_leaves_is_not_given(void **state)
{
	struct rig *g = *state;

	put(g, 0, "a");
	put(g, 1, "a");
	put(g, 2, "b");
	turns_end(&g->ts, &g->of[0], 0);
	turns_end(&g->ts, &g->of[0], 0);
	assert_int_equal(g->ts.waiting, 2);
	assert_int_equal(take(g), 1);
	turns_end(&g->ts, &g->of[2], 0);
	assert_null(turns_take(&g->ts));
	expect_assert_failure(assert_int_equal(turns_put(&g->ts, &g->of[1], SPAN_LIT("a")), 0));
	turns_end(&g->ts, &g->of[1], 0);
	assert_int_equal(g->ts.tenants.used, 0);
}

static void without_memory_it_does_not_wait(void **state)
{
	struct rig *g = *state;

	mem_fail_at(1, 1);
	assert_int_equal(turns_put(&g->ts, &g->of[0], SPAN_LIT("a")), ERR_NO_MEMORY);
	mem_fail_at(0, 0);
	assert_int_equal(g->of[0].is, TURN_NONE);
	put(g, 0, "a");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_tenant_is_first_in_first_out),
		TEST(a_full_queue_of_one_does_not_hold_up_another),
		TEST(long_work_gets_fewer_turns),
		TEST(what_leaves_is_not_given),
		TEST(without_memory_it_does_not_wait),
	};

	return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
