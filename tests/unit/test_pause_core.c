/* SPDX-License-Identifier: Apache-2.0
 *
 * Tasks that stand still, by queries and over crashes of the router.
 */
#include "base/fmt.h"
#include "tests/support/core_rig.h"
#include "tests/support/journal_mem.h"
#include "tests/support/test.h"

static void say_up(struct core_rig *g, const struct up *u)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, 1 << 16);
	ups_put(&b, u);
	core_say(g, "spu.up.n0", NULL, buf_span(&b));
}

static void say_offer(struct core_rig *g, uint64_t seq, const struct attempt_ref *holds, size_t n)
{
	struct attempt_ref running[4];
	struct kind_offer kind = { .kind = SPAN_LIT("util.echo"), .ready = true, .pauses = true };
	struct offer o = {
		.incarnation = 1,
		.seq = seq,
		.rung = RUNG_CPU,
		.kinds = &kind,
		.kinds_n = 1,
		.slots = 1,
		.health = 1000,
		.running = running,
		.running_n = n,
	};

	if (n > 0)
		memcpy(running, holds, n * sizeof *running);
	say_up(g, &(struct up){ .kind = UP_OFFER, .offer = &o });
}

static struct task_view ask_about(struct core_rig *g, enum query_kind kind, struct ulid task)
{
	struct query_reply r = core_ask(g, "t", &(struct query){ .kind = kind, .task = task });

	assert_int_equal(r.fail.code, 0);
	assert_int_equal(r.kind, REPLY_TASK);
	return r.task;
}

/* The machine dies and comes back with the same rows. */
static void crash(struct core_rig *g)
{
	uint64_t before, after;

	assert_int_equal(router_hash(router_core_machine(g->core), &before), 0);
	journal_mem_fail(g->journal, 0, ERR_IO);
	router_core_close(g->core);
	journal_mem_fail(g->journal, 0, 0);
	journal_mem_crash(g->journal);
	g->conf.machine.seed++;
	core_open(g);
	assert_int_equal(router_hash(router_core_machine(g->core), &after), 0);
	assert_int_equal(before, after);
}

/* A paused task stands still over a crash of the router, queued or on its node. */
static void test_crash(void **state)
{
	struct core_rig *g = *state;
	const struct submit s = { .kind = SPAN_LIT("util.echo") };
	struct query listed = { .kind = QUERY_TASKS, .paused = true };
	struct task_view v;

	say_offer(g, 1, NULL, 0);
	struct ulid on_node = core_submit(g, "t", &s).task;
	struct ulid queued = core_submit(g, "t", &s).task;

	say_up(g, &(struct up){ .kind = UP_ACCEPT, .task = on_node, .attempt = 1 });
	assert_true(ask_about(g, QUERY_PAUSE, queued).paused);
	v = ask_about(g, QUERY_PAUSE, on_node);
	assert_true(v.paused && v.state == STATE_RUNNING);
	assert_int_equal(core_ask(g, "t", &listed).tasks_n, 2);
	crash(g);
	v = ask_about(g, QUERY_STATUS, on_node);
	assert_true(v.paused && v.state == STATE_RUNNING && v.attempt == 1);
	assert_true(ask_about(g, QUERY_STATUS, queued).paused);
	/* The node lists it, and a place for others is free. */
	say_offer(g, 2, &(struct attempt_ref){ .task = on_node, .attempt = 1, .paused = true }, 1);
	v = ask_about(g, QUERY_STATUS, queued);
	assert_true(v.paused && v.state == STATE_QUEUED && v.attempt == 0);
	v = ask_about(g, QUERY_RESUME, on_node);
	assert_true(!v.paused && v.state == STATE_RUNNING && v.attempt == 1);
	say_up(g, &(struct up){ .kind = UP_DONE, .task = on_node, .attempt = 1 });
	assert_int_equal(ask_about(g, QUERY_STATUS, on_node).state, STATE_SUCCEEDED);
	crash(g);
	say_offer(g, 3, NULL, 0);
	v = ask_about(g, QUERY_RESUME, queued);
	assert_true(!v.paused && v.state == STATE_ASSIGNED);
	listed.kind = QUERY_TASKS;
	assert_int_equal(core_ask(g, "t", &listed).tasks_n, 0);
}

/* The node does not come back after the crash: the attempt is lost, the task still stands. */
static void test_crash_of_both(void **state)
{
	struct core_rig *g = *state;
	const struct submit s = { .kind = SPAN_LIT("util.echo") };
	struct task_view v;

	say_offer(g, 1, NULL, 0);
	struct ulid task = core_submit(g, "t", &s).task;

	ask_about(g, QUERY_PAUSE, task);
	crash(g);
	g->now_ns += 31 * NS_PER_S;
	core_pump(g);
	v = ask_about(g, QUERY_STATUS, task);
	assert_true(v.paused && v.state == STATE_QUEUED);
	g->now_ns += 600 * NS_PER_S;
	core_pump(g);
	assert_int_equal(ask_about(g, QUERY_STATUS, task).state, STATE_EXPIRED);
	assert_false(ask_about(g, QUERY_PAUSE, task).paused);
}

static void test_of_others(void **state)
{
	struct core_rig *g = *state;
	const struct submit s = { .kind = SPAN_LIT("util.echo") };
	struct query q = { .kind = QUERY_PAUSE, .task = core_submit(g, "t", &s).task };
	struct query_reply r = core_ask(g, "u", &q);

	assert_int_equal(r.fail.code, ERR_UNKNOWN);
	assert_true(core_ask(g, "root", &q).task.paused);
	assert_true(ask_about(g, QUERY_STATUS, q.task).paused);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, core_set_up, core_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_crash),
		TEST(test_crash_of_both),
		TEST(test_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
