/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cpu_rig.h"

#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "cpu-node/kinds.h"
#include "tests/support/test.h"

static void test_offer(void **state)
{
	struct offer o = { 0 };

	(void)state;
	arena_reset(&cpu_rig.arena);
	assert_int_equal(cpu_backend_ops.offer(&cpu_rig.backend, &cpu_rig.arena, &o), 0);
	for (size_t i = 0; i < o.kinds_n; i++) {
		assert_non_null(kind_find(o.kinds[i].kind));
		assert_true(o.kinds[i].ready && o.kinds[i].price_ucr == 7);
	}
	assert_true(o.kinds_n > 5 && cpu_kind_at((unsigned)o.kinds_n) == NULL);
	assert_true(
		o.slots == CPU_RIG_SLOTS && o.queued == 0 && o.health == 1000 && o.load <= 1000);
	assert_true(o.device.len > 0);
}

static void test_small_jobs_end_at_once(void **state)
{
	(void)state;
	cpu_rig_assign('A', "util.echo", NULL, NULL, SPAN_LIT("x"));
	cpu_rig_expect_seen("done A\n");
	cpu_rig_assign('B', "util.echo", "fail", "always", SPAN_LIT("x"));
	cpu_rig_expect_seen("failed B LOST fail 0\n");
	cpu_rig_assign('C', "llm.chat", "prompt", "why?", (struct span){ 0 });
	cpu_rig_expect_seen("refuse C UNSUPPORTED kind 0\n");
	cpu_rig_assign('D', "my.own", NULL, NULL, (struct span){ 0 });
	cpu_rig_expect_seen("refuse D UNSUPPORTED kind 0\n");
	cpu_rig_expect_idle();
}

static void test_results_of_the_pool(void **state)
{
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text));
	cpu_rig_assign('A', "blob.compress", NULL, NULL, span_of(text, sizeof(text)));
	assert_int_equal(cpu_rig.backend.runs_n, 1);
	assert_true(cpu_rig.backend.held_bytes > 3000);
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("done A\n");
	cpu_rig_assign('B', "blob.decompress", NULL, NULL, SPAN_LIT("no zstd"));
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("failed B MALFORMED items 0\n");
	cpu_rig_expect_idle();
}

/* However small it is, what is in it may take long or wait, as this count does: that is no work for the owner. */
static void test_a_chain_is_for_the_pool(void **state)
{
	(void)state;
	cpu_rig_assign('A', "task.chain", "kinds", "util.count", (struct span){ 0 });
	assert_int_equal(cpu_rig.backend.runs_n, 1);
	assert_int_equal(cpu_rig.ends, 0);
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("done A\n");
	cpu_rig_expect_idle();
}

/* More pieces than may wait at once: the thread waits for the owner, and all come, in order, before the end. */
static void test_streams(void **state)
{
	(void)state;
	cpu_rig_assign('A', "util.count", "to", "40000", (struct span){ 0 });
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("done A\n");
	assert_int_equal(cpu_rig.chunks, 40000);
	assert_int_equal(cpu_rig.chunk_bytes, 228894);
	cpu_rig_expect_idle();
}

static void test_a_stream_is_cancelled(void **state)
{
	int64_t until_ns = cpu_rig_now(NULL) + CPU_RIG_PATIENCE_NS;

	(void)state;
	cpu_rig_assign('A', "util.count", "every_ms", "10", (struct span){ 0 });
	while (cpu_rig.chunks < 2) {
		assert_true(cpu_rig_now(NULL) < until_ns);
		assert_int_equal(loop_turn(&cpu_rig.daemon.loop, 10 * NS_PER_MS), 0);
		cpu_rig_pump();
	}
	cpu_rig_cancel('A');
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("failed A CANCELLED  0\n");
	assert_in_range(cpu_rig.chunks, 2, 10);
	cpu_rig_expect_idle();
}

/* The node closes while a thread waits for room. */
static void test_close_in_mid_stream(void **state)
{
	(void)state;
	cpu_rig_assign('A', "util.count", "to", "50000", (struct span){ 0 });
	usleep(50000);
}

static void test_a_sleep(void **state)
{
	int64_t begin_ns = cpu_rig_now(NULL);

	(void)state;
	cpu_rig_assign('A', "util.echo", "sleep_ms", "60", SPAN_LIT("x"));
	cpu_rig_assign('B', "util.echo", "sleep_ms", "20", SPAN_LIT("x"));
	assert_int_equal(cpu_rig.backend.runs_n, 2);
	assert_int_equal(cpu_rig.backend.pooled_n, 0);
	cpu_rig_turn_until_ends(2);
	cpu_rig_expect_sorted("done A\ndone B\n");
	assert_true(cpu_rig_now(NULL) - begin_ns >= 60 * NS_PER_MS);
	cpu_rig_expect_idle();
}

static void test_cancel(void **state)
{
	(void)state;
	cpu_rig_assign('A', "util.echo", "sleep_ms", "60000", SPAN_LIT("x"));
	cpu_rig_cancel('Z');
	cpu_rig_cancel('A');
	cpu_rig_expect_seen("failed A CANCELLED  0\n");
	cpu_rig_expect_idle();
	cpu_rig_assign_long('B');
	cpu_rig_assign_long('C');
	assert_int_equal(cpu_rig.backend.pooled_n, 2);
	cpu_rig_cancel('C');
	cpu_rig_cancel('B');
	cpu_rig_turn_until_ends(2);
	buf_reset(&cpu_rig.seen); /* the order is the pool's affair */
	cpu_rig.ends = 0;
	cpu_rig_turn_until_runs(0);
	cpu_rig_expect_idle();
	cpu_rig_assign('D', "compute.montecarlo", "samples", "1000", (struct span){ 0 });
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("done D\n");
}

static void test_progress_and_what_waits(void **state)
{
	int64_t until_ns = cpu_rig_now(NULL) + CPU_RIG_PATIENCE_NS;

	(void)state;
	cpu_rig_assign('A', "compute.montecarlo", "samples", "2000000000", (struct span){ 0 });
	cpu_rig_assign_long('B');
	cpu_rig_assign('C', "util.echo", "sleep_ms", "60000", SPAN_LIT("x"));
	node_offer_changed(cpu_rig.node);
	/* One thread: A is on it, B waits, C sleeps. */
	while (cpu_rig.progress == 0 || cpu_rig.queued != 1) {
		assert_true(cpu_rig_now(NULL) < until_ns);
		assert_int_equal(loop_turn(&cpu_rig.daemon.loop, 10 * NS_PER_MS), 0);
		cpu_rig_pump();
	}
}

/* Straight to the backend, since the node refuses by itself what is beyond the slots. */
static int start(struct cpu_backend *b, char letter, const char *kind, struct span raw,
	struct fail *why)
{
	struct body body;
	struct job job = {
		.task = cpu_rig_task(letter),
		.attempt = 1,
		.kind = span_str(kind),
		.row = kind_find(span_str(kind)),
		.raw = raw,
		.body = &body,
	};

	arena_reset(&cpu_rig.arena);
	assert_int_equal(body_decode(&cpu_rig.arena, raw, &body, NULL), 0);
	*why = (struct fail){ 0 };
	return cpu_backend_ops.start(b, &job, why);
}

static void test_refusals(void **state)
{
	static const char half[CPU_RIG_QUEUE_BYTES / 2];
	struct fail why;
	struct buf b;

	(void)state;
	buf_init(&b, LIMIT_BODY_BYTES);
	body_put_int(&b, "sleep_ms", 60000);
	for (char letter = 'A'; letter < 'A' + CPU_RIG_SLOTS; letter++)
		assert_int_equal(start(&cpu_rig.backend, letter, "util.echo", buf_span(&b), &why),
			0);
	assert_int_equal(start(&cpu_rig.backend, 'Z', "util.echo", buf_span(&b), &why), ERR_BUSY);
	assert_string_equal(why.field, "slots");
	assert_int_equal(why.limit, CPU_RIG_SLOTS);
	for (char letter = 'A'; letter < 'A' + CPU_RIG_SLOTS; letter++)
		cpu_backend_ops.cancel(&cpu_rig.backend, cpu_rig_task(letter), 1);
	cpu_rig_expect_idle();
	buf_reset(&b);
	body_put_int(&b, "sleep_ms", 60000);
	body_put_item(&b, SPAN_LIT(""), SPAN_LIT(""), span_of(half, sizeof(half)));
	assert_int_equal(start(&cpu_rig.backend, 'A', "util.echo", buf_span(&b), &why), 0);
	assert_int_equal(start(&cpu_rig.backend, 'B', "util.echo", buf_span(&b), &why), ERR_BUSY);
	assert_string_equal(why.field, "queue_bytes");
	assert_int_equal(why.limit, CPU_RIG_QUEUE_BYTES);
	cpu_backend_ops.cancel(&cpu_rig.backend, cpu_rig_task('A'), 1);
	cpu_rig_expect_idle();
	buf_done(&b);
}

/* Once the buffers have their size. */
static void test_small_jobs_take_no_memory(void **state)
{
	struct fail why;
	struct buf b;
	int64_t held;

	(void)state;
	buf_init(&b, LIMIT_BODY_BYTES);
	body_put_item(&b, SPAN_LIT("doc"), SPAN_LIT("text/plain"), SPAN_LIT("One. Two."));
	assert_int_equal(start(&cpu_rig.backend, 'A', "util.echo", buf_span(&b), &why), 0);
	held = mem_held();
	for (int i = 0; i < 100; i++) {
		mem_fail_at(1, 1);
		assert_int_equal(start(&cpu_rig.backend, 'A', "util.echo", buf_span(&b), &why), 0);
		assert_int_equal(mem_failed(), 0);
		mem_fail_at(0, 0);
	}
	assert_int_equal(mem_held(), held);
	assert_true(span_eq(buf_span(&cpu_rig.backend.out), buf_span(&b)));
	buf_done(&b);
}

static void test_close_with_jobs_held(void **state)
{
	int64_t begin_ns;

	(void)state;
	cpu_rig_assign_long('A');
	cpu_rig_assign_long('B');
	cpu_rig_assign('C', "util.echo", "sleep_ms", "60000", SPAN_LIT("x"));
	begin_ns = cpu_rig_now(NULL);
	cpu_rig_close();
	assert_true(cpu_rig_now(NULL) - begin_ns < CPU_RIG_PATIENCE_NS);
	assert_int_equal(cpu_rig.ends, 3);
	buf_byte(&cpu_rig.seen, 0);
	assert_non_null(strstr((const char *)cpu_rig.seen.at, "failed A CANCELLED"));
	assert_non_null(strstr((const char *)cpu_rig.seen.at, "failed B CANCELLED"));
	assert_non_null(strstr((const char *)cpu_rig.seen.at, "failed C CANCELLED"));
	cpu_rig_expect_idle();
}

static void test_want_of_memory(void **state)
{
	(void)state;
	assert_true(cpu_rig_nth_alloc() >= 5);
}

/* For minutes, and not equal to that of cpu_rig_assign_long. */
static void assign_long_too(char letter, const char *samples)
{
	cpu_rig_assign(letter, "compute.montecarlo", "samples", samples, (struct span){ 0 });
}

/* One thread works for ada, and what she asked for next is in the pool, too; of what waits behind it bob's is first,
 * who asked last. */
static void test_turns_between_tenants(void **state)
{
	(void)state;
	cpu_rig_assign_long('A');
	cpu_rig_assign('B', "compute.montecarlo", "samples", "1000", (struct span){ 0 });
	assign_long_too('C', "9000000000");
	cpu_rig.tenant = "bob";
	cpu_rig_assign('D', "compute.montecarlo", "samples", "1000", (struct span){ 0 });
	assert_int_equal(cpu_rig.backend.pooled_n, 2);
	assert_int_equal(cpu_rig.backend.turns.waiting, 2);
	while (cpu_rig.progress == 0) { /* ada has used more than a turn by then */
		assert_int_equal(loop_turn(&cpu_rig.daemon.loop, 10 * NS_PER_MS), 0);
		cpu_rig_pump();
	}
	cpu_rig_cancel('A');
	cpu_rig_turn_until_ends(3); /* C would take minutes */
	cpu_rig_expect_sorted("done B\ndone D\nfailed A CANCELLED  0\n");
	cpu_rig_cancel('C');
	cpu_rig_turn_until_ends(1);
	cpu_rig_expect_seen("failed C CANCELLED  0\n");
	cpu_rig_expect_idle();
}

/* What waits for its turn ends at once. */
static void test_cancel_of_what_waits(void **state)
{
	(void)state;
	cpu_rig_assign_long('A');
	assign_long_too('B', "9900000000");
	assign_long_too('C', "9000000000");
	assert_int_equal(cpu_rig.backend.turns.waiting, 1);
	cpu_rig_cancel('C');
	assert_int_equal(cpu_rig.backend.turns.waiting, 0);
	cpu_rig_expect_seen("failed C CANCELLED  0\n");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, cpu_rig_setup, cpu_rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_offer),
		TEST(test_small_jobs_end_at_once),
		TEST(test_results_of_the_pool),
		TEST(test_a_chain_is_for_the_pool),
		TEST(test_streams),
		TEST(test_a_stream_is_cancelled),
		TEST(test_close_in_mid_stream),
		TEST(test_a_sleep),
		TEST(test_cancel),
		TEST(test_progress_and_what_waits),
		TEST(test_refusals),
		TEST(test_small_jobs_take_no_memory),
		TEST(test_close_with_jobs_held),
		TEST(test_want_of_memory),
		TEST(test_turns_between_tenants),
		TEST(test_cancel_of_what_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
