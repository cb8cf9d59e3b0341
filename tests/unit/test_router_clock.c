/* SPDX-License-Identifier: Apache-2.0
 *
 * test_router_clock: the router's own time, and what happens to tasks when a clock is set, while it runs and while it
 * does not, or when the process stands still.
 */
#include "tests/support/test.h"

#include <stdlib.h>

#include "base/fmt.h"
#include "router/clock.h"
#include "router/machine.h"
#include "tests/support/core_rig.h"
#include "tests/support/journal_mem.h"

#define HOUR (3600 * NS_PER_S)
#define BEAT (100 * NS_PER_MS)

static void test_own_time(void **state)
{
	struct clock c = { 0 };

	(void)state;
	assert_true(clock_now(&c, 5) == 5);
	assert_true(clock_due(&c, INT64_MAX) == INT64_MAX);
	clock_floor(&c, 100, 90);
	assert_true(clock_now(&c, 100) == 100);
	clock_floor(&c, 100, 1000);
	assert_true(clock_now(&c, 100) == 1000);
	assert_true(clock_due(&c, 1000) == 100);
	clock_beat(&c, 100);
	clock_beat(&c, 100 + BEAT);
	clock_beat(&c, 100 + BEAT + CLOCK_PAUSE_NS);
	assert_true(clock_now(&c, 100 + BEAT + CLOCK_PAUSE_NS) == 1000 + BEAT + CLOCK_PAUSE_NS);
	/* it stood still for an hour */
	clock_beat(&c, 100 + BEAT + CLOCK_PAUSE_NS + HOUR);
	assert_true(
		clock_now(&c, 100 + BEAT + CLOCK_PAUSE_NS + HOUR) == 1000 + BEAT + CLOCK_PAUSE_NS);
}

/* While nobody can be heard it stands, and nothing falls due. */
static void test_own_time_stands(void **state)
{
	struct clock c = { 0 };

	(void)state;
	clock_go(&c, 5);
	assert_true(clock_now(&c, 10) == 10);
	clock_stand(&c, 20);
	clock_stand(&c, 30);
	clock_beat(&c, 30);
	clock_beat(&c, 30 + HOUR);
	assert_true(clock_now(&c, 40 + HOUR) == 20);
	assert_true(clock_due(&c, 21) == INT64_MAX);
	assert_true(clock_due(&c, 20) <= 40 + HOUR);
	clock_go(&c, 40 + HOUR);
	clock_go(&c, 50 + HOUR);
	assert_true(clock_now(&c, 41 + HOUR) == 21);
	assert_true(clock_due(&c, 22) == 42 + HOUR);
}

/* It stands where it was, and not where the last beat was. */
static void test_own_time_never_goes_back(void **state)
{
	struct clock c = { 0 };
	int64_t at = HOUR;

	(void)state;
	clock_beat(&c, at);
	assert_true(clock_now(&c, at + BEAT - 1) == at + BEAT - 1);
	clock_beat(&c, at + HOUR);
	assert_true(clock_now(&c, at + HOUR) == at + BEAT - 1);
	assert_true(clock_now(&c, at + HOUR + BEAT) == at + 2 * BEAT - 1);
}

/* --- a core whose clocks are set ---------------------------------------------------------------------- */

/* Of the router's machine: the process's clock and the wall clock, ahead of the rig's time. */
static int64_t process_ns, wall_ns;

static int64_t process_of(void *ctx)
{
	return ((struct core_rig *)ctx)->now_ns + process_ns;
}

static int64_t wall_of(void *ctx)
{
	return ((struct core_rig *)ctx)->now_ns + wall_ns;
}

/* The machine's clock is set while no router runs: the next one starts by it. */
static void set_back(struct core_rig *g, int64_t ns)
{
	router_core_close(g->core);
	wall_ns -= ns;
	process_ns = wall_ns;
	core_open(g);
}

static void reopen(struct core_rig *g)
{
	router_core_close(g->core);
	core_open(g);
}

static int set_up(void **state)
{
	struct core_rig *g;
	int err = core_set_up(state);

	g = *state;
	process_ns = wall_ns = 0;
	g->conf.now = process_of;
	g->conf.wall = wall_of;
	reopen(g);
	return err;
}

/* So long, beat by beat. */
static void pass(struct core_rig *g, int64_t ns)
{
	for (; ns > 0; ns -= BEAT) {
		g->now_ns += ns < BEAT ? ns : BEAT;
		router_core_beat(g->core);
		core_pump(g);
	}
}

static struct ulid submit(struct core_rig *g, int64_t in_ns)
{
	struct submit s = { .kind = SPAN_LIT("util.echo") };

	if (in_ns > 0)
		s.deadline_ms = (wall_of(g) + in_ns) / NS_PER_MS;
	struct submit_reply r = core_submit(g, "t", &s);

	assert_int_equal(r.fail.code, 0);
	return r.task;
}

static struct task_view look(struct core_rig *g, struct ulid id)
{
	const struct query q = { .kind = QUERY_STATUS, .task = id };
	struct query_reply r = core_ask(g, "t", &q);

	assert_int_equal(r.fail.code, 0);
	return r.task;
}

static void assert_state(struct core_rig *g, struct ulid id, enum state state)
{
	assert_int_equal(look(g, id).state, state);
}

static void test_the_wall_clock_is_set_forward(void **state)
{
	struct core_rig *g = *state;

	core_offer(g, 0, 1, CORE_NOTHING);
	struct ulid usual = submit(g, 0), soon = submit(g, HOUR), late = submit(g, 3 * HOUR);
	int64_t late_ms = look(g, late).deadline_ms;

	assert_state(g, usual, STATE_ASSIGNED);
	wall_ns += 2 * HOUR;
	pass(g, NS_PER_S);
	assert_state(g, usual,
		STATE_ASSIGNED); /* ten minutes, whatever clocks say; so for its lease */
	assert_state(g, soon, STATE_EXPIRED);
	assert_false(state_is_final(look(g, late).state));
	assert_int_equal(look(g, late).deadline_ms, late_ms);
	/* what is submitted now is judged by the clock as it is now */
	assert_int_equal(core_submit(g, "t",
				 &(struct submit){ .kind = SPAN_LIT("util.echo"),
					 .deadline_ms = (wall_of(g) - HOUR) / NS_PER_MS })
				 .fail.code,
		ERR_EXPIRED);
	assert_false(state_is_final(look(g, submit(g, HOUR)).state));
	pass(g, 20 * NS_PER_S); /* its node is silent, but for less than a lease */
	assert_state(g, usual, STATE_ASSIGNED);
}

static void test_the_wall_clock_is_set_back(void **state)
{
	struct core_rig *g = *state;
	struct ulid first = submit(g, 0), soon = submit(g, 20 * NS_PER_S);

	wall_ns -= 5 * HOUR;
	pass(g, 21 * NS_PER_S);
	assert_state(g, soon, STATE_QUEUED); /* its moment is five hours away again */
	struct ulid second = submit(g, 0);

	assert_true(second.hi >> 16 > first.hi >> 16);
	assert_true(look(g, second).accepted_ms <= wall_of(g) / NS_PER_MS);
	pass(g, 40 * NS_PER_S);
	assert_state(g, first, STATE_DEAD); /* nobody came within a minute, which is a minute */
}

/* A moment's noise between two clocks is no step. */
static void test_noise_is_no_step(void **state)
{
	struct core_rig *g = *state;
	struct ulid id = submit(g, 10 * NS_PER_S);
	int64_t deadline_ms = look(g, id).deadline_ms;

	wall_ns += CLOCK_STEP_NS - 1;
	pass(g, 2 * BEAT);
	assert_int_equal(look(g, id).deadline_ms, deadline_ms);
	pass(g, 9 * NS_PER_S);
	assert_state(g, id, STATE_QUEUED);
}

/* The process was stopped, or its machine slept: the silence was its own. */
static void test_standing_still_is_nobodys_fault(void **state)
{
	struct core_rig *g = *state;

	core_offer(g, 0, 1, CORE_NOTHING);
	struct ulid usual = submit(g, 0), named = submit(g, HOUR);

	pass(g, NS_PER_S);
	g->now_ns += BEAT - 1; /* after the last beat */
	int64_t last_ns = router_core_now(g->core);

	g->now_ns += 2 * HOUR;
	pass(g, NS_PER_S);
	assert_state(g, usual, STATE_ASSIGNED);
	assert_true(router_core_now(g->core) >= last_ns);
	assert_state(g, named, STATE_EXPIRED); /* that moment has passed */
	assert_int_equal(router_counts(router_core_machine(g->core))->lost, 0);
	/* and time goes on */
	pass(g, 31 * NS_PER_S);
	assert_int_equal(router_counts(router_core_machine(g->core))->lost, 1);
}

static void test_the_clock_is_set_back_between_two_lives(void **state)
{
	struct core_rig *g = *state;

	g->conf.machine.settle_ns = NS_PER_S;
	core_offer(g, 0, 1, CORE_NOTHING);
	struct ulid usual = submit(g, 0), named = submit(g, HOUR);
	int64_t named_ms = look(g, named).deadline_ms, own_ns = router_core_now(g->core);

	set_back(g, 5 * HOUR);
	assert_true(router_core_now(g->core) >= own_ns);
	assert_int_equal(look(g, named).deadline_ms, named_ms);
	assert_true(look(g, usual).accepted_ms <= wall_of(g) / NS_PER_MS);
	struct ulid later = submit(g, 0);

	assert_true(later.hi >> 16 >= usual.hi >> 16);
	/* The timer is asked for in the time of the process. */
	int64_t wake_ns = router_core_wake(g->core);

	assert_true(wake_ns > process_of(g) && wake_ns <= process_of(g) + NS_PER_S);
	pass(g, 31 * NS_PER_S); /* the node stays silent: its lease runs out as ever */
	assert_state(g, usual, STATE_QUEUED);
	pass(g, 600 * NS_PER_S);
	assert_true(state_is_final(look(g, usual).state));
}

/* Who knows what time it is by the router's own clock begins with that. */
static void test_the_clock_is_set_forward_between_two_lives(void **state)
{
	struct core_rig *g = *state;

	core_offer(g, 0, 1, CORE_NOTHING);
	struct ulid usual = submit(g, 0), named = submit(g, HOUR), far = submit(g, 9 * HOUR);
	int64_t own_ns = router_core_now(g->core);

	g->conf.own_ns = own_ns + NS_PER_S;
	set_back(g, -5 * HOUR);
	assert_true(router_core_now(g->core) == own_ns + NS_PER_S);
	pass(g, 21 * NS_PER_S);
	assert_state(g, usual, STATE_ASSIGNED); /* to a node whose lease stands */
	assert_state(g, named, STATE_EXPIRED);
	assert_false(state_is_final(look(g, far).state));
	assert_true(llabs(look(g, usual).accepted_ms - wall_of(g) / NS_PER_MS) < 60 * 1000);
}

/* A task that was to be tried again in a while is not put off by as much as the clock was set back. */
static void test_a_pause_across_a_clock_that_was_set_back(void **state)
{
	struct core_rig *g = *state;
	CLEANUP(buf_done) struct buf b = { 0 };

	core_offer(g, 0, 1, CORE_NOTHING);
	struct ulid id = submit(g, 0);
	struct up failed = { .kind = UP_FAILED, .task = id, .attempt = 1 };

	fail_set(&failed.fail, ERR_DEVICE, NULL, 0, NULL);
	buf_init(&b, 4096);
	ups_put(&b, &failed);
	core_say(g, "spu.up.n0", NULL, buf_span(&b));
	assert_state(g, id, STATE_QUEUED);
	set_back(g, 5 * HOUR);
	core_offer(g, 1, 1, CORE_NOTHING);
	pass(g, 2 * NS_PER_S);
	assert_state(g, id, STATE_ASSIGNED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, core_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_time),
		cmocka_unit_test(test_own_time_never_goes_back),
		cmocka_unit_test(test_own_time_stands),
		TEST(test_the_wall_clock_is_set_forward),
		TEST(test_the_wall_clock_is_set_back),
		TEST(test_noise_is_no_step),
		TEST(test_standing_still_is_nobodys_fault),
		TEST(test_the_clock_is_set_back_between_two_lives),
		TEST(test_the_clock_is_set_forward_between_two_lives),
		TEST(test_a_pause_across_a_clock_that_was_set_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
