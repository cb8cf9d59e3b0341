/* SPDX-License-Identifier: Apache-2.0
 *
 * test_backend_pause: jobs of the CPU node that stand still and go on: asleep, at work, waiting for a thread, with an
 * equal one.
 */
#include "tests/support/cpu_rig.h"

static void order(enum down_kind kind, char letter)
{
	assert_int_equal(loop_turn(&cpu_rig.daemon.loop, 0), 0);
	send_down(&(struct down){ .kind = kind, .task = cpu_rig_task(letter), .attempt = 1 });
}

/* Turns until so many jobs are in the pool. */
static void turn_until_pooled(uint32_t pooled)
{
	int64_t until_ns = cpu_rig_now(NULL) + CPU_RIG_PATIENCE_NS;

	while (cpu_rig.backend.pooled_n != pooled) {
		assert_true(cpu_rig_now(NULL) < until_ns);
		assert_int_equal(loop_turn(&cpu_rig.daemon.loop, NS_PER_MS), 0);
		cpu_rig_pump();
	}
}

static void assign_echo(char letter, const char *sleep_ms)
{
	cpu_rig_assign(letter, "util.echo", "sleep_ms", sleep_ms, SPAN_LIT("x"));
}

static void assign_points(char letter, const char *samples)
{
	cpu_rig_assign(letter, "compute.montecarlo", "samples", samples, (struct span){ 0 });
}

static void test_sleep(void **state)
{
	int64_t begin_ns = cpu_rig_now(NULL), paused_ns;

	(void)state;
	assign_echo('A', "1500");
	order(DOWN_PAUSE, 'A');
	paused_ns = cpu_rig_now(NULL);
	assign_echo('B', "2000");
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("done B\n");
	assert_int_equal(cpu_rig.backend.runs_n, 1);
	begin_ns += cpu_rig_now(NULL) - paused_ns; /* less than it stood, or as long */
	order(DOWN_RESUME, 'A');
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("done A\n");
	assert_true(cpu_rig_now(NULL) - begin_ns >= 1499 * NS_PER_MS);
	cpu_rig_expect_idle();
}

/* Behind another, so that it is paused before it could be done; there is one thread. */
static void assign_and_pause(char letter)
{
	cpu_rig_assign_long('X');
	assign_points(letter, "1000");
	order(DOWN_PAUSE, letter);
	cpu_rig_cancel('X');
	cpu_rig_turn_until_ends(1);
	turn_until_pooled(0);
	cpu_rig_expect_seen("failed X CANCELLED  0\n");
}

/* What stands still gives its thread to others, and goes on. */
static void test_work(void **state)
{
	(void)state;
	assign_and_pause('A');
	assert_int_equal(cpu_rig.backend.runs_n, 1);
	assign_points('B', "1000");
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("done B\n");
	order(DOWN_RESUME, 'A');
	assert_int_equal(cpu_rig.backend.pooled_n, 1);
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("done A\n");
	cpu_rig_expect_idle();
}

/* In the midst of it, too; and resumed before its thread has seen the pause, or after. */
static void test_on_its_thread(void **state)
{
	(void)state;
	cpu_rig_assign_long('A');
	for (int i = 0; i < 3; i++) {
		order(DOWN_PAUSE, 'A');
		turn_until_pooled(0);
		assert_int_equal(cpu_rig.backend.runs_n, 1);
		order(DOWN_RESUME, 'A');
		assert_int_equal(cpu_rig.backend.pooled_n, 1);
	}
	order(DOWN_PAUSE, 'A');
	order(DOWN_RESUME, 'A');
	cpu_rig_cancel('A');
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("failed A CANCELLED  0\n");
	cpu_rig_expect_idle();
}

static void test_waits_for_a_thread(void **state)
{
	(void)state;
	cpu_rig_assign_long('A');
	assign_points('B', "1000");
	assert_int_equal(cpu_rig.backend.pooled_n, 2);
	order(DOWN_PAUSE, 'B');
	order(DOWN_PAUSE, 'A');
	turn_until_pooled(0);
	assert_int_equal(cpu_rig.backend.runs_n, 2);
	order(DOWN_RESUME, 'B');
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("done B\n");
	cpu_rig_cancel('A');
	cpu_rig_expect_seen("failed A CANCELLED  0\n");
	cpu_rig_expect_idle();
}

static void test_cancel(void **state)
{
	(void)state;
	assign_echo('A', "60000");
	order(DOWN_PAUSE, 'A');
	cpu_rig_cancel('A');
	cpu_rig_expect_seen("failed A CANCELLED  0\n");
	cpu_rig_assign_long('B');
	order(DOWN_PAUSE, 'B');
	cpu_rig_cancel('B');
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("failed B CANCELLED  0\n");
	cpu_rig_expect_idle();
}

/* A kind without a place to stop at is called off. */
static void test_kind_that_cannot(void **state)
{
	static char text[3000];

	(void)state;
	cpu_rig_assign_long('A'); /* on the thread */
	memset(text, 'x', sizeof(text));
	cpu_rig_assign('B', "blob.compress", NULL, NULL, span_of(text, sizeof(text)));
	order(DOWN_PAUSE, 'B');
	cpu_rig_cancel('A');
	cpu_rig_turn_until_ends(2);
	buf_byte(&cpu_rig.seen, 0);
	assert_non_null(strstr((const char *)cpu_rig.seen.at, "failed B CANCELLED"));
	cpu_rig_expect_idle();
}

static void test_close(void **state)
{
	(void)state;
	assign_echo('A', "60000");
	cpu_rig_assign_long('B');
	order(DOWN_PAUSE, 'A');
	order(DOWN_PAUSE, 'B');
	turn_until_pooled(0);
	cpu_rig_close();
	assert_int_equal(cpu_rig.ends, 2);
	cpu_rig_expect_idle();
}

static void with_results(void)
{
	cpu_rig_close();
	cpu_rig.conf.cache_bytes = 1 << 20;
	cpu_rig.conf.cache_ttl_ns = 60 * NS_PER_S;
	cpu_rig_open();
}

/* One that has its work done by an equal one does it itself when it goes on. */
static void test_follower(void **state)
{
	(void)state;
	with_results();
	cpu_rig_assign_long('A');
	cpu_rig_assign_long('B');
	assert_int_equal(cpu_rig.backend.pooled_n, 1);
	order(DOWN_PAUSE, 'B');
	assert_int_equal(cpu_rig.backend.runs_n, 2);
	cpu_rig_cancel('A');
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("failed A CANCELLED  0\n");
	order(DOWN_RESUME, 'B');
	assert_int_equal(cpu_rig.backend.pooled_n, 1);
	cpu_rig_cancel('B');
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("failed B CANCELLED  0\n");
	cpu_rig_expect_idle();
}

/* Nobody follows one that stands still; one that others follow is called off, and they go on without it. */
static void test_leader(void **state)
{
	(void)state;
	with_results();
	assign_and_pause('A');
	cpu_rig_assign_long('Y');
	assign_points('B', "1000");
	assert_int_equal(cpu_rig.backend.pooled_n, 2);
	assign_points('C', "1000");
	assert_int_equal(cpu_rig.backend.pooled_n, 2);
	order(DOWN_PAUSE, 'B');
	cpu_rig_cancel('Y');
	cpu_rig_turn_until_ends(3);
	cpu_rig_expect_seen("failed Y CANCELLED  0\nfailed B CANCELLED  0\ndone C\n");
	order(DOWN_RESUME, 'A');
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("done A\n");
	cpu_rig_expect_idle();
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, cpu_rig_setup, cpu_rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_sleep),
		TEST(test_work),
		TEST(test_on_its_thread),
		TEST(test_waits_for_a_thread),
		TEST(test_cancel),
		TEST(test_kind_that_cannot),
		TEST(test_close),
		TEST(test_follower),
		TEST(test_leader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
