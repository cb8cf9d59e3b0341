/* SPDX-License-Identifier: Apache-2.0
 *
 * test_backend_cache: results that are kept, and equal jobs in flight.
 */
#include "tests/support/cpu_rig.h"

#include "tests/support/test.h"

/* The same node anew, with a cache. */
static int setup_cache(void **state)
{
	int r = cpu_rig_setup(state);

	cpu_rig_close();
	cpu_rig.conf.cache_bytes = 1 << 20;
	cpu_rig.conf.cache_ttl_ns = 3600 * NS_PER_S;
	cpu_rig_open();
	buf_reset(&cpu_rig.seen);
	return r;
}

static void test_an_equal_task_is_not_computed(void **state)
{
	(void)state;
	cpu_rig_assign('A', "text.extract", NULL, NULL, SPAN_LIT("One. Two."));
	cpu_rig_assign('B', "text.extract", "sentences", "8",
		SPAN_LIT("One. Two.")); /* the default */
	cpu_rig_assign('C', "text.extract", "sentences", "7", SPAN_LIT("One. Two."));
	cpu_rig_expect_seen("done A\ndone B hit\ndone C\n");
	cpu_rig_assign('D', "blob.compress", NULL, NULL, SPAN_LIT("large"));
	cpu_rig_turn_until_ends(1);
	cpu_rig_assign('E', "blob.compress", NULL, NULL, SPAN_LIT("large"));
	cpu_rig_expect_seen("done D\ndone E hit\n");
	cpu_rig_assign('F', "util.echo", NULL, NULL, SPAN_LIT("x"));
	cpu_rig_assign('G', "util.echo", NULL, NULL, SPAN_LIT("x"));
	cpu_rig_expect_seen("done F\ndone G\n");
	assert_int_equal(node_core_metrics(cpu_rig.node)->cache.hits, 2);
	assert_int_equal(node_core_metrics(cpu_rig.node)->cache.misses, 3);
	assert_int_equal(node_core_metrics(cpu_rig.node)->cache.entries, 3);
	cpu_rig_expect_idle();
}

static void test_who_may_share(void **state)
{
	struct span text = SPAN_LIT("One. Two.");

	(void)state;
	cpu_rig_assign('A', "text.extract", NULL, NULL, text);
	cpu_rig_assign('B', "text.extract", "cache.mode", "off", text);
	cpu_rig_assign('C', "text.extract", "cache.mode", "shared", text);
	cpu_rig_assign('D', "text.extract", "cache.mode", "own", text);
	cpu_rig.tenant = "bob";
	cpu_rig_assign('E', "text.extract", NULL, NULL, text);
	cpu_rig_assign('F', "text.extract", "cache.mode", "shared", text);
	cpu_rig_assign('G', "text.extract", "cache.mode", "yes", text);
	cpu_rig_expect_seen("done A\ndone B\ndone C\ndone D hit\ndone E\ndone F hit\n"
			    "refuse G INVALID cache.mode 0\n");
}

static void test_purge(void **state)
{
	struct span text = SPAN_LIT("One. Two.");

	(void)state;
	cpu_rig_assign('A', "text.extract", NULL, NULL, text);
	cpu_rig_assign('B', "text.extract", "cache.mode", "shared", text);
	cpu_rig_purge("bob");
	cpu_rig_assign('C', "text.extract", NULL, NULL, text);
	cpu_rig_purge(cpu_rig.tenant);
	cpu_rig_assign('D', "text.extract", NULL, NULL, text);
	cpu_rig_assign('E', "text.extract", "cache.mode", "shared", text);
	cpu_rig_purge("");
	cpu_rig_assign('F', "text.extract", "cache.mode", "shared", text);
	cpu_rig_expect_seen("done A\ndone B\ndone C hit\ndone D\ndone E hit\ndone F\n");
	assert_int_equal(node_core_metrics(cpu_rig.node)->cache.purged, 3);
}

static void test_errors_are_not_kept(void **state)
{
	(void)state;
	cpu_rig_assign('A', "text.extract", NULL, NULL, SPAN_LIT("caf\xE9"));
	cpu_rig_assign('B', "text.extract", NULL, NULL, SPAN_LIT("caf\xE9"));
	cpu_rig_expect_seen("failed A UNSUPPORTED items 0\nfailed B UNSUPPORTED items 0\n");
	assert_int_equal(node_core_metrics(cpu_rig.node)->cache.entries, 0);
}

/* Those that follow end before the one that did the work. */
static void test_equal_tasks_in_flight(void **state)
{
	(void)state;
	cpu_rig_assign('A', "compute.montecarlo", "samples", "50000000", (struct span){ 0 });
	cpu_rig_assign('B', "compute.montecarlo", "samples", "50000000", (struct span){ 0 });
	cpu_rig_assign('C', "compute.montecarlo", "samples", "50000000", (struct span){ 0 });
	assert_int_equal(cpu_rig.backend.runs_n, 3);
	assert_int_equal(cpu_rig.backend.pooled_n, 1);
	cpu_rig.tenant = "bob";
	cpu_rig_assign('D', "compute.montecarlo", "samples", "50000000", (struct span){ 0 });
	assert_int_equal(cpu_rig.backend.pooled_n, 2);
	cpu_rig_turn_until_ends(4);
	cpu_rig_expect_sorted("done A\ndone B hit\ndone C hit\ndone D\n");
	cpu_rig_expect_idle();
}

/* An error that an equal request would meet again is everybody's. */
static void test_equal_tasks_fail_together(void **state)
{
	(void)state;
	cpu_rig_assign_long('A');
	cpu_rig_assign('B', "blob.decompress", NULL, NULL, SPAN_LIT("no zstd"));
	cpu_rig_assign('C', "blob.decompress", NULL, NULL, SPAN_LIT("no zstd"));
	assert_int_equal(cpu_rig.backend.pooled_n, 2);
	cpu_rig_cancel('A');
	cpu_rig_turn_until_ends(3);
	cpu_rig_expect_sorted(
		"failed A CANCELLED  0\nfailed B MALFORMED items 0\nfailed C MALFORMED items 0\n");
	cpu_rig_turn_until_runs(0);
	cpu_rig_expect_idle();
}

/* The work goes on for those who still want it. */
static void test_cancel_in_flight(void **state)
{
	(void)state;
	cpu_rig_assign_long('A');
	cpu_rig_assign_long('B');
	cpu_rig_assign_long('C');
	cpu_rig_assign_long('D');
	cpu_rig_cancel('B');
	cpu_rig_expect_seen("failed B CANCELLED  0\n");
	cpu_rig_cancel('A');
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("failed A CANCELLED  0\n");
	cpu_rig_turn_until_runs(2);
	assert_int_equal(cpu_rig.backend.pooled_n, 1);
	cpu_rig_close(); /* with one that works and one that follows it */
	assert_int_equal(cpu_rig.ends, 2);
	cpu_rig_expect_idle();
}

static void test_want_of_memory(void **state)
{
	(void)state;
	assert_true(cpu_rig_nth_alloc() >= 8);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_cache, cpu_rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_an_equal_task_is_not_computed),
		TEST(test_who_may_share),
		TEST(test_purge),
		TEST(test_errors_are_not_kept),
		TEST(test_equal_tasks_in_flight),
		TEST(test_equal_tasks_fail_together),
		TEST(test_cancel_in_flight),
		TEST(test_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
