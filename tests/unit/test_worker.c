/* SPDX-License-Identifier: Apache-2.0
 *
 * test_worker: the rules of the worker machine, one table each (tests/support/worker_play.h).
 */
#include "tests/support/test.h"

#include "base/mem.h"
#include "node/worker_ended.h"
#include "tests/support/worker_model.h"
#include "tests/support/worker_play.h"

static void test_an_attempt_from_order_to_result(void **state)
{
	(void)state;
	PLAY({ 1, "assign A1", "start A1" }, { 1, "started A1", "accept A1" },
		{ 2, "progress A1", "progress A1" }, { 2, "chunk A1", "chunk A1 1" },
		{ 3, "chunk A1", "chunk A1 2" }, { 4, "done A1", "done A1 of 2 3000us" });
	assert_int_equal(worker_running(worker), 0);
	PLAY({ 1, "assign A1", "start A1" }, { 1, "started A1", "accept A1" },
		{ 4, "failed A1 DEVICE", "failed A1 DEVICE" });
}

static void test_an_end_from_inside_start_implies_accept(void **state)
{
	(void)state;
	PLAY({ 1, "assign A1", "start A1" }, { 1, "done A1", "done A1" }, { 1, "started A1", "" });
	PLAY({ 1, "assign A1", "start A1" }, { 1, "failed A1 INVALID", "failed A1 INVALID" },
		{ 1, "started A1", "" });
	PLAY({ 1, "assign A1", "start A1" }, { 1, "progress A1", "accept A1, progress A1" },
		{ 1, "started A1", "" });
	PLAY({ 1, "assign A1", "start A1" }, { 1, "chunk A1", "accept A1, chunk A1 1" },
		{ 1, "started A1", "" });
}

static void test_a_start_that_is_refused(void **state)
{
	(void)state;
	PLAY({ 1, "assign A1", "start A1" },
		{ 1, "refused A1 UNSUPPORTED", "refuse A1 UNSUPPORTED" }, { 2, "assign A1", "" },
		{ 3, "assign A2", "start A2" });
}

static void test_full_draining_and_closed_refuse(void **state)
{
	(void)state;
	PLAY({ 1, "assign A1", "start A1" }, { 1, "assign B1", "start B1" },
		{ 2, "assign C1", "refuse C1 BUSY" }, { 3, "done A1", "done A1 2000us" },
		{ 3, "assign C1", "start C1" });
	PLAY({ 1, "drain on", "offer 2" }, { 1, "drain on", "" },
		{ 1, "assign A1", "refuse A1 BUSY" }, { 2, "drain off", "offer 3" },
		{ 2, "assign A1", "start A1" });
	PLAY({ 1, "assign A1", "start A1" }, { 2, "stop", "offer 2" },
		{ 2, "assign B1", "refuse B1 CLOSED" });
	PLAY({ 1, "slots 0", "" }, { 1, "assign A1", "refuse A1 BUSY" });
}

static void test_busy_says_when_to_try_again(void **state)
{
	struct worker_actions actions;
	struct down d = { .kind = DOWN_ASSIGN, .task = task_of('A'), .attempt = 1 };

	(void)state;
	open_worker(8);
	worker_step(worker, BEGIN_MS * MS,
		&(struct worker_event){ .kind = WORKER_ASSIGN, .down = &d }, &actions);
	assert_int_equal(actions.n, 1);
	assert_int_equal(actions.at[0].up.fail.code, ERR_BUSY);
	assert_int_equal(actions.at[0].up.fail.retry_after_ms, WORKER_RETRY_AFTER_MS);
}

static void test_an_order_that_comes_again(void **state)
{
	(void)state;
	PLAY({ 1, "assign A1", "start A1" }, { 1, "started A1", "accept A1" },
		{ 2, "assign A1", "accept A1" }, { 3, "done A1", "done A1 2000us" },
		{ 4, "assign A1", "" }, { 4, "started A1", "" });
	/* late orders of attempts before the one that ended */
	PLAY({ 1, "assign A3", "start A3" }, { 3, "done A3", "done A3 2000us" },
		{ 4, "assign A2", "" }, { 5, "assign A4", "start A4" });
	/* it is being killed: neither answered nor run */
	PLAY({ 1, "assign A1", "start A1" }, { 1, "started A1", "accept A1" },
		{ 2, "cancel A1", "kill A1" }, { 2, "assign A1", "" });
}

static void test_a_newer_attempt_takes_over(void **state)
{
	(void)state;
	PLAY({ 1, "assign A1", "start A1" }, { 1, "started A1", "accept A1" },
		{ 2, "assign A3", "kill A1, start A3" }, { 2, "started A3", "accept A3" },
		{ 2, "assign A2", "" }, { 3, "progress A1", "" }, { 3, "chunk A1", "" },
		{ 3, "done A1", "" }, { 4, "done A3", "done A3 2000us" });
	/* the old one frees its slot at once */
	PLAY({ 1, "assign A1", "start A1" }, { 1, "assign B1", "start B1" },
		{ 2, "assign A2", "kill A1, start A2" }, { 2, "assign C1", "refuse C1 BUSY" });
	assert_int_equal(worker_running(worker), 2);
	assert_int_equal(worker_held(worker), 3);
	/* it was being cancelled: nobody waits for that end any more */
	PLAY({ 1, "assign A1", "start A1" }, { 1, "started A1", "accept A1" },
		{ 2, "cancel A1", "kill A1" }, { 2, "assign A2", "start A2" },
		{ 3, "failed A1 CANCELLED", "" });
	/* the node drains: the old one goes, the new one is refused */
	PLAY({ 1, "assign A1", "start A1" }, { 1, "drain on", "offer 2" },
		{ 2, "assign A2", "kill A1, refuse A2 BUSY" });
}

static void test_held_attempts_are_bounded(void **state)
{
	(void)state;
	/* the backend never ends what it was told to kill */
	open_worker(1);
	play((const struct row[]){ { 0, "slots 1", "offer 1" }, { 1, "assign A1", "start A1" },
		     { 2, "assign A2", "kill A1, start A2" },
		     { 3, "assign A3", "kill A2, refuse A3 BUSY" },
		     { 4, "failed A1 CANCELLED", "" }, { 5, "assign A4", "start A4" } },
		6);
}

static void test_cancel(void **state)
{
	(void)state;
	PLAY({ 1, "assign A1", "start A1" }, { 1, "started A1", "accept A1" },
		{ 2, "cancel A1", "kill A1" }, { 2, "cancel A1", "" }, { 3, "progress A1", "" },
		{ 4, "failed A1 CANCELLED", "failed A1 CANCELLED" }, { 5, "cancel A1", "" });
	/* done all the same: too late */
	PLAY({ 1, "assign A1", "start A1" }, { 2, "cancel A1", "kill A1" },
		{ 4, "done A1", "failed A1 CANCELLED" });
	PLAY({ 1, "assign A2", "start A2" }, { 2, "cancel A1", "" }, { 2, "cancel A3", "" },
		{ 2, "cancel B1", "" });
}

static void test_reports_of_others_are_fenced_off(void **state)
{
	(void)state;
	PLAY({ 1, "done A1", "" }, { 1, "failed A1 LOST", "" }, { 1, "progress A1", "" },
		{ 1, "chunk A1", "" }, { 2, "assign A2", "start A2" },
		{ 2, "started A2", "accept A2" }, { 3, "done A1", "" }, { 3, "done B2", "" },
		{ 4, "done A2", "done A2 2000us" }, { 5, "done A2", "" });
}

static void test_deadline(void **state)
{
	(void)state;
	PLAY({ 1, "assign A1 deadline 500", "start A1" }, { 499, "tick", "" },
		{ 500, "tick", "kill A1" }, { 501, "done A1", "failed A1 EXPIRED" });
	PLAY({ 1, "assign A1 deadline 500", "start A1" });
	assert_int_equal(worker_wake(worker), (BEGIN_MS + 500) * MS);
	PLAY({ 1, "assign A1 deadline 1", "refuse A1 EXPIRED" });
	PLAY({ 1, "assign A1 deadline 500", "start A1" }, { 400, "done A1", "done A1 399000us" },
		{ 500, "tick", "" });
}

static void test_lease_counts_while_the_bus_is_lost(void **state)
{
	(void)state;
	PLAY({ 1, "assign A1 lease 300", "start A1" }, { 1, "started A1", "accept A1" },
		{ 1, "assign B1 lease 700", "start B1" }, { 1, "started B1", "accept B1" },
		{ 1000, "tick", "" }, { 1000, "lost", "" }, { 1299, "tick", "" },
		{ 1300, "tick", "kill A1" }, { 1400, "failed A1 CANCELLED", "" },
		{ 1500, "up", "offer 2" }, { 2500, "tick", "" },
		{ 2600, "done B1", "done B1 2599000us" });
	/* without a lease of its own it has the usual one */
	PLAY({ 1, "assign A1", "start A1" }, { 1000, "lost", "" }, { 1000, "lost", "" });
	assert_int_equal(worker_wake(worker), (BEGIN_MS + 1000) * MS + WORKER_LEASE_NS);
	/* lost while cancelled: the end is still told */
	PLAY({ 1, "assign A1 lease 300", "start A1" }, { 2, "cancel A1", "kill A1" },
		{ 3, "lost", "" }, { 303, "tick", "" },
		{ 400, "failed A1 CANCELLED", "failed A1 CANCELLED" });
	/* taken while the bus is said to be lost */
	PLAY({ 1, "lost", "" }, { 100, "assign A1 lease 300", "start A1" },
		{ 301, "tick", "kill A1" });
}

static void test_offers(void **state)
{
	(void)state;
	open_worker(8);
	assert_true(worker_wake(worker) <= 0);
	play((const struct row[]){ { 0, "tick", "offer 1" }, { 0, "tick", "" } }, 2);
	assert_int_equal(worker_wake(worker), (BEGIN_MS + 5000) * MS);
	PLAY({ 4999, "tick", "" }, { 5000, "tick", "offer 2" }, { 9999, "tick", "" },
		{ 10000, "tick", "offer 3" });
	/* changes are gathered for 50 ms */
	PLAY({ 10, "slots 3", "" }, { 20, "slots 4", "" }, { 49, "tick", "" },
		{ 50, "tick", "offer 2" }, { 200, "slots 5", "offer 3" }, { 5100, "tick", "" },
		{ 5200, "tick", "offer 4" });
	PLAY({ 10, "ping", "offer 2" }, { 10, "ping", "offer 3" }, { 20, "up", "offer 4" });
	/* none while the bus is lost, then one at once */
	PLAY({ 10, "lost", "" }, { 6000, "tick", "" }, { 6000, "slots 3", "" },
		{ 6000, "ping", "" }, { 6000, "drain on", "" }, { 7000, "up", "offer 2" });
}

static void test_slots_are_capped(void **state)
{
	(void)state;
	open_worker(2);
	play((const struct row[]){ { 0, "slots 9", "offer 1" }, { 0, "assign A1", "start A1" },
		     { 0, "assign B1", "start B1" }, { 0, "assign C1", "refuse C1 BUSY" } },
		4);
}

static void test_stop(void **state)
{
	(void)state;
	PLAY({ 1, "stop", "bye 77, leave" }, { 1, "stop", "" }, { 1, "ping", "" }, { 1, "up", "" },
		{ 9000, "tick", "" });
	assert_int_equal(worker_wake(worker), INT64_MAX);
	PLAY({ 1, "assign A1", "start A1" }, { 1, "assign B1", "start B1" },
		{ 2, "stop", "offer 2" }, { 3, "done A1", "done A1 2000us" }, { 1001, "tick", "" },
		{ 1002, "tick", "kill B1" },
		{ 1003, "failed B1 CANCELLED", "failed B1 CLOSED, bye 77, leave" });
	/* what nobody waits for must end, too, before the process may go */
	PLAY({ 1, "assign A1", "start A1" }, { 2, "assign A2", "kill A1, start A2" },
		{ 3, "stop", "offer 2" }, { 4, "done A2", "done A2 2000us" },
		{ 5, "done A1", "bye 77, leave" });
	assert_true(worker_is_draining(worker));
}

/* More ends at one instant than one step may give: the rest is due at once. */
static void test_many_deadlines_at_once(void **state)
{
	enum { N = 3 * WORKER_ACTIONS + 5 };
	struct worker_actions actions;
	unsigned killed = 0, steps = 0;
	int64_t now_ns = BEGIN_MS * MS;

	(void)state;
	open_worker(N);
	worker_step(worker, now_ns, &(struct worker_event){ .kind = WORKER_CHANGED, .slots = N },
		&actions);
	for (unsigned i = 0; i < N; i++) {
		struct down d = {
			.kind = DOWN_ASSIGN,
			.task = { 1, i },
			.attempt = 1,
			.deadline_ms = BEGIN_MS + 100,
		};

		worker_step(worker, now_ns,
			&(struct worker_event){ .kind = WORKER_ASSIGN, .down = &d }, &actions);
		assert_int_equal(actions.at[0].kind, WORKER_START);
	}
	for (now_ns += 100 * MS; worker_wake(worker) <= now_ns; steps++) {
		worker_step(worker, now_ns, &(struct worker_event){ .kind = WORKER_TICK },
			&actions);
		killed += actions.n;
	}
	assert_int_equal(killed, N);
	assert_int_equal(steps, 4);
}

static void test_tag_comes_back(void **state)
{
	struct worker_actions actions;
	struct down d = { .kind = DOWN_ASSIGN, .task = task_of('A'), .attempt = 1 };

	(void)state;
	PLAY({ 0, "tick", "" });
	worker_step(worker, 0,
		&(struct worker_event){ .kind = WORKER_ASSIGN, .down = &d, .tag = 42 }, &actions);
	worker_step(worker, 0,
		&(struct worker_event){ .kind = WORKER_DONE, .task = d.task, .attempt = 1 },
		&actions);
	assert_int_equal(actions.at[0].tag, 42);
}

static void test_ended_remembers_the_last(void **state)
{
	static struct worker_ended e;

	(void)state;
	memset(&e, 0, sizeof(e));
	for (uint32_t i = 0; i < 5 * ENDED_KEPT; i++) {
		worker_ended_put(&e, (struct ulid){ 1, i }, 2);
		assert_true(worker_ended_has(&e, (struct ulid){ 1, i }, 1));
		assert_true(worker_ended_has(&e, (struct ulid){ 1, i }, 2));
		assert_false(worker_ended_has(&e, (struct ulid){ 1, i }, 3));
		assert_false(worker_ended_has(&e, (struct ulid){ 2, i }, 1));
		if (i < ENDED_KEPT)
			continue;
		assert_false(worker_ended_has(&e, (struct ulid){ 1, i - ENDED_KEPT }, 1));
		assert_true(worker_ended_has(&e, (struct ulid){ 1, i - ENDED_KEPT + 1 }, 1));
	}
}

static void test_random_events_keep_the_invariants(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (unsigned run = 0; run < 2000; run++) {
		unsigned char bytes[1024];

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (unsigned char)prng_next(&p);
		worker_model_run(span_of(bytes, sizeof(bytes)));
	}
}

/* A life with failing requests for memory: refused, not lost. */
static int run_without_memory(void *arg)
{
	struct worker_conf conf = {
		.slots_max = 600,
		.offer_every_ns = MS,
		.drain_ns = MS,
		.incarnation = 1,
	};
	struct worker_actions actions;
	struct worker *w = worker_new(&conf);
	int r = 0;

	(void)arg;
	if (w == NULL)
		return ERR_NO_MEMORY;
	worker_step(w, 1, &(struct worker_event){ .kind = WORKER_CHANGED, .slots = 600 }, &actions);
	for (unsigned i = 0; i < 600; i++) {
		struct down d = { .kind = DOWN_ASSIGN, .task = { 1, i }, .attempt = 1 };

		worker_step(w, 1, &(struct worker_event){ .kind = WORKER_ASSIGN, .down = &d },
			&actions);
		assert_int_equal(actions.n, 1);
		if (actions.at[0].kind == WORKER_SEND) {
			assert_int_equal(actions.at[0].up.kind, UP_REFUSE);
			r = actions.at[0].up.fail.code;
		}
	}
	worker_free(w);
	return r;
}

static void test_every_failing_request_for_memory(void **state)
{
	(void)state;
	assert_true(nth_alloc(run_without_memory, NULL) > 5);
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_attempt_from_order_to_result),
		TEST(test_an_end_from_inside_start_implies_accept),
		TEST(test_a_start_that_is_refused),
		TEST(test_full_draining_and_closed_refuse),
		TEST(test_busy_says_when_to_try_again),
		TEST(test_an_order_that_comes_again),
		TEST(test_a_newer_attempt_takes_over),
		TEST(test_held_attempts_are_bounded),
		TEST(test_cancel),
		TEST(test_reports_of_others_are_fenced_off),
		TEST(test_deadline),
		TEST(test_lease_counts_while_the_bus_is_lost),
		TEST(test_offers),
		TEST(test_slots_are_capped),
		TEST(test_stop),
		TEST(test_many_deadlines_at_once),
		TEST(test_tag_comes_back),
		TEST(test_ended_remembers_the_last),
		TEST(test_random_events_keep_the_invariants),
		TEST(test_every_failing_request_for_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
