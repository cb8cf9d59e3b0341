/* SPDX-License-Identifier: Apache-2.0
 *
 * The router and its journal: what waits for the flush, what a restart brings back, what cannot be written or read.
 */
#include "base/fmt.h"
#include "tests/support/core_rig.h"
#include "tests/support/journal_mem.h"
#include "tests/support/test.h"

#define WAIT_ROWS 20u
#define RESULTS_MAX 3u

static void turn(struct core_rig *g)
{
	while (bus_net_step(g->net, g->now_ns))
		;
	assert_int_equal(router_core_turn(g->core), 0);
	while (bus_net_step(g->net, g->now_ns))
		;
}

static void send_submit(struct core_rig *g, const struct submit *s)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, 1 << 16);
	submits_put(&b, s);
	g->heard = 0;
	g->subject[0] = '\0';
	assert_int_equal(
		bus_publish(g->peer, "spu.submit.t", "_INBOX.s", CORE_NOTHING, buf_span(&b)), 0);
}

static void test_an_answer_waits_until_it_is_safe(void **state)
{
	struct core_rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo") };

	core_offer(g, 0, 1, CORE_NOTHING);
	journal_mem_hold(g->journal, true);
	send_submit(g, &s);
	turn(g);
	turn(g);
	assert_string_equal(g->subject, "");
	assert_int_equal(g->heard, 1); /* its own submit only: no assignment, no event */
	/* A task that is not for the journal does not wait for it. */
	s.fast = true;
	send_submit(g, &s);
	turn(g);
	g->now_ns += NS_PER_S;
	turn(g);
	assert_string_equal(g->subject, "_INBOX.s");
	g->subject[0] = '\0';
	g->heard = 0;
	journal_mem_release(g->journal);
	turn(g);
	assert_string_equal(g->subject, "_INBOX.s");
	assert_true(g->heard >= 3); /* the reply, the assignment, an event */
}

static void restart(struct core_rig *g, bool crash)
{
	if (crash)
		journal_mem_fail(g->journal, 0, ERR_IO);
	router_core_close(g->core);
	journal_mem_fail(g->journal, 0, 0);
	journal_mem_crash(g->journal);
	g->conf.machine.seed = 77;
	core_open(g);
}

/* With a flush that does not end what waits grows to the limit and no further; `fast` tasks go on. */
static void test_what_is_behind_refuses(void **state)
{
	struct core_rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo"), .key = SPAN_LIT("first") };
	const struct router_metrics *m;

	g->conf.backlog.rows_max = WAIT_ROWS;
	restart(g, false);
	m = router_core_metrics(g->core);
	journal_mem_hold(g->journal, true);
	for (uint64_t i = 0; i < WAIT_ROWS; i++) {
		send_submit(g, &s);
		turn(g);
		assert_string_equal(g->subject, "");
		assert_int_equal(g->journal->waiting_rows, i + 1);
		s.key = CORE_NOTHING;
	}
	g->now_ns += 7 * NS_PER_S;
	s.key = SPAN_LIT("not-the-first");
	for (int i = 0; i < 3; i++) {
		struct submit_reply r = core_submit(g, "t", &s);

		assert_int_equal(r.fail.code, ERR_BUSY);
		assert_string_equal(r.fail.field, "journal_wait_rows");
		assert_int_equal(r.fail.limit, WAIT_ROWS);
		assert_int_equal(r.fail.retry_after_ms, 7000);
		assert_true(span_is(r.key, "not-the-first"));
	}
	s.key = CORE_NOTHING;
	assert_int_equal(g->journal->waiting_rows, WAIT_ROWS);
	router_core_measure(g->core);
	assert_int_equal(m->behind, 3);
	assert_int_equal(m->refused, 3);
	/* Who repeats a submit learns of the first one, when that is safe. */
	s.key = SPAN_LIT("first");
	send_submit(g, &s);
	turn(g);
	assert_string_equal(g->subject, "");
	assert_int_equal(m->behind, 3);
	s = (struct submit){ .kind = SPAN_LIT("util.echo"), .fast = true };
	send_submit(g, &s);
	turn(g);
	g->now_ns += NS_PER_S;
	turn(g);
	assert_string_equal(g->subject, "_INBOX.s");
	journal_mem_hold(g->journal, false);
	journal_mem_release(g->journal);
	core_pump(g);
	s.fast = false;
	assert_int_equal(core_submit(g, "t", &s).fail.code, 0);
	assert_int_equal(g->journal->waiting_rows, 0);
}

/* The next in a batch that says so of a task on node n0. */
static void send_progress(struct core_rig *g, struct ulid task)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, 4096);
	ups_put(&b, &(struct up){ .kind = UP_PROGRESS,
			    .task = task,
			    .attempt = 1,
			    .note = SPAN_LIT("so far") });
	assert_int_equal(bus_publish(g->peer, "spu.up.n0", NULL, CORE_NOTHING, buf_span(&b)), 0);
	turn(g);
}

static void send_query(struct core_rig *g, const struct query *q)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, 4096);
	query_encode(&b, q);
	g->subject[0] = '\0';
	assert_int_equal(
		bus_publish(g->peer, "spu.query.t", "_INBOX.q", CORE_NOTHING, buf_span(&b)), 0);
	turn(g);
}

/* Answers and events wait for the flush, too: while it hangs they take no more memory than what is written may. */
static void test_what_is_said_is_bounded(void **state)
{
	struct core_rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo") };
	struct query q = { .kind = QUERY_EXPLAIN };
	struct query_reply r;
	unsigned held = 0;

	g->conf.backlog.bytes_max = 16384;
	restart(g, false);
	core_offer(g, 0, 1, CORE_NOTHING);
	q.task = core_submit(g, "t", &s).task;
	journal_mem_hold(g->journal, true);
	send_submit(g, &s);
	turn(g);
	for (; g->subject[0] == '\0' && held < 1000; held++)
		send_query(g, &q);
	assert_in_range(held, 5, 900);
	assert_string_equal(g->subject, "_INBOX.q");
	assert_int_equal(query_reply_decode(&g->arena, buf_span(&g->data), &r, NULL), 0);
	assert_int_equal(r.fail.code, ERR_BUSY);
	assert_string_equal(r.fail.field, "journal_wait_bytes");
	assert_true(r.fail.retry_after_ms > 0);
	/* Events that can be missed are. */
	uint64_t unsent = router_core_metrics(g->core)->unsent;

	for (int i = 0; i < 10; i++)
		send_progress(g, q.task);
	assert_int_equal(router_core_metrics(g->core)->unsent, unsent + 10);
	g->heard = 0;
	journal_mem_hold(g->journal, false);
	journal_mem_release(g->journal);
	core_pump(g);
	assert_in_range(g->heard, 1, held + 20);
	assert_int_equal(core_ask(g, "t", &q).fail.code, 0);
}

/* Before the disk is full new tasks are refused; what was accepted goes on, and so does all when there is room. */
static void test_a_disk_that_is_nearly_full(void **state)
{
	struct core_rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo"), .key = SPAN_LIT("first") };
	struct query q = { .kind = QUERY_CANCEL };
	struct submit_reply r;

	g->conf.backlog.room_bytes = 1000;
	restart(g, false);
	g->journal->room_bytes = 1000;
	q.task = core_submit(g, "t", &s).task;
	assert_false(ulid_is_zero(q.task));
	g->journal->room_bytes = 999;
	s.key = SPAN_LIT("second");
	r = core_submit(g, "t", &s);
	assert_int_equal(r.fail.code, ERR_BUSY);
	assert_string_equal(r.fail.field, "journal_room");
	assert_int_equal(r.fail.limit, 1000);
	assert_true(r.fail.retry_after_ms > 0);
	s.key = SPAN_LIT("first");
	assert_true(core_submit(g, "t", &s).existing);
	assert_int_equal(core_ask(g, "t", &q).task.state, STATE_CANCELLED);
	q.kind = QUERY_REPLAY;
	assert_int_equal(core_ask(g, "t", &q).fail.code, ERR_BUSY);
	g->journal->room_bytes = 1000;
	assert_int_equal(core_ask(g, "t", &q).task.state, STATE_QUEUED);
	s.key = SPAN_LIT("second");
	assert_int_equal(core_submit(g, "t", &s).fail.code, 0);
	g->journal->room_bytes = INT64_MAX;
}

static void test_a_restart_goes_on(void **state)
{
	struct core_rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo"), .key = SPAN_LIT("k") };
	struct ulid id = core_submit(g, "t", &s).task;
	struct query q = { .kind = QUERY_STATUS, .task = id };

	for (int i = 0; i < 2; i++) {
		restart(g, i == 1);
		assert_int_equal(core_ask(g, "t", &q).task.state, STATE_QUEUED);
		struct submit_reply again = core_submit(g, "t", &s);

		assert_true(again.existing);
		assert_true(ulid_eq(again.task, id));
	}
	q.kind = QUERY_CANCEL;
	assert_int_equal(core_ask(g, "t", &q).task.state, STATE_CANCELLED);
	restart(g, true);
	q.kind = QUERY_RESULT;
	assert_int_equal(core_ask(g, "t", &q).result.state, STATE_CANCELLED);
	assert_true(core_submit(g, "t", &s).existing);
	q.kind = QUERY_FORGET;
	assert_int_equal(core_ask(g, "t", &q).task.state, STATE_CANCELLED);
	restart(g, true);
	assert_int_equal(core_ask(g, "t", &q).fail.code, ERR_UNKNOWN);
	assert_false(core_submit(g, "t", &s).existing);
}

/* Tasks end until what ended before is only in the journal. */
static void push_out(struct core_rig *g)
{
	const struct submit s = { .kind = SPAN_LIT("util.echo") };

	for (unsigned i = 0; i <= RESULTS_MAX; i++) {
		const struct query q = { .kind = QUERY_CANCEL,
			.task = core_submit(g, "t", &s).task };

		assert_int_equal(core_ask(g, "t", &q).task.state, STATE_CANCELLED);
	}
}

/* What is only in the journal is fetched again and again; to fetch is not to write. */
static void test_a_result_is_fetched_any_number_of_times(void **state)
{
	struct core_rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo"), .keep_ms = 7 * 3600 * 1000 };
	struct query q = { .kind = QUERY_CANCEL };
	uint64_t appended;

	g->conf.machine.results_max = RESULTS_MAX;
	restart(g, false);
	q.task = core_submit(g, "t", &s).task;
	assert_int_equal(core_ask(g, "t", &q).task.state, STATE_CANCELLED);
	q.kind = QUERY_RESULT;
	push_out(g);
	g->now_ns += NS_PER_S; /* ids of the same moment and seed are the same */
	restart(g, true);
	push_out(g);
	appended = g->journal->appended;
	push_out(g);
	appended = g->journal->appended - appended;
	for (int i = 0; i < 5; i++) {
		uint64_t before = g->journal->appended;

		for (int k = 0; k < 3; k++)
			assert_int_equal(core_ask(g, "t", &q).result.state, STATE_CANCELLED);
		push_out(g);
		assert_int_equal(g->journal->appended - before, appended);
	}
	/* Its own time counts from its end, not from when it was read. */
	g->now_ns += 7 * 3600 * NS_PER_S;
	core_pump(g);
	assert_null(router_task(router_core_machine(g->core), SPAN_LIT("t"), false, q.task));
}

/* What is read back takes the place of what was kept, not one more: also where open tasks leave none. */
static void test_results_are_fetched_where_all_is_full(void **state)
{
	struct core_rig *g = *state;
	const struct submit s = { .kind = SPAN_LIT("util.echo") };
	struct submit keyed = { .kind = SPAN_LIT("util.echo"), .key = SPAN_LIT("k") };
	const struct router *r;
	struct query q[2] = { { .kind = QUERY_CANCEL }, { .kind = QUERY_CANCEL } };

	g->conf.machine.results_max = RESULTS_MAX;
	g->conf.machine.tasks_max = 2;
	restart(g, false);
	for (int i = 0; i < 2; i++) {
		q[i].task = core_submit(g, "t", i == 0 ? &s : &keyed).task;
		assert_int_equal(core_ask(g, "t", &q[i]).task.state, STATE_CANCELLED);
		q[i].kind = QUERY_RESULT;
	}
	push_out(g);
	for (int i = 0; i < 2; i++)
		assert_int_equal(core_submit(g, "t", &s).fail.code, 0);
	assert_int_equal(core_submit(g, "t", &s).fail.code, ERR_BUSY);
	r = router_core_machine(g->core);
	assert_int_equal(router_tasks(r)->ended_n, RESULTS_MAX);
	assert_int_equal(core_ask(g, "t", &q[0]).result.state, STATE_CANCELLED);
	assert_true(core_submit(g, "t", &keyed).existing);
	assert_int_equal(core_ask(g, "t", &q[1]).result.state, STATE_CANCELLED);
	assert_int_equal(router_tasks(r)->ended_n, RESULTS_MAX);
	assert_int_equal(router_core_metrics(g->core)->unread, 0);
}

/* Whether a key was used cannot be known: the submit is refused, and nothing is doubled. */
static void test_a_key_that_cannot_be_looked_up(void **state)
{
	struct core_rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo"), .key = SPAN_LIT("k") };
	struct query q = { .kind = QUERY_CANCEL };

	g->conf.machine.results_max = RESULTS_MAX;
	restart(g, false);
	q.task = core_submit(g, "t", &s).task;
	assert_int_equal(core_ask(g, "t", &q).task.state, STATE_CANCELLED);
	push_out(g);
	assert_null(router_key(router_core_machine(g->core), SPAN_LIT("t"), s.key));
	journal_mem_hide(g->journal, ERR_IO);
	struct submit_reply r = core_submit(g, "t", &s);

	assert_int_equal(r.fail.code, ERR_IO);
	assert_string_equal(r.fail.field, "journal");
	assert_non_null(strstr(r.fail.detail, "whether this key was used before"));
	assert_int_equal(router_open(router_core_machine(g->core)), 0);
	q.kind = QUERY_RESULT;
	assert_int_equal(core_ask(g, "t", &q).fail.code, ERR_IO);
	assert_int_equal(router_core_metrics(g->core)->unread, 2);
	s.key = CORE_NOTHING; /* what needs no look goes on */
	assert_int_equal(core_submit(g, "t", &s).fail.code, 0);
	journal_mem_hide(g->journal, 0);
	s.key = SPAN_LIT("k");
	r = core_submit(g, "t", &s);
	assert_true(r.existing);
	assert_true(ulid_eq(r.task, q.task));
}

/* The same with a row that is found but makes no sense. */
static void test_a_key_whose_row_is_damaged(void **state)
{
	struct core_rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo"), .key = SPAN_LIT("k") };
	const struct journal_image image = {
		.row = 900,
		.life = JOURNAL_KEPT,
		.task = { 7, 7 },
		.tenant = SPAN_LIT("t"),
		.key = SPAN_LIT("k"),
		.forget_ns = INT64_MAX,
		.order = SPAN_LIT("\xff\xff"),
		.state = SPAN_LIT("\xff"),
	};

	assert_int_equal(journal_append(g->journal, &image), 0);
	assert_int_equal(journal_sync(g->journal), 0);
	assert_int_equal(core_submit(g, "t", &s).fail.code, ERR_IO);
	assert_int_equal(router_open(router_core_machine(g->core)), 0);
}

static void test_what_was_not_safe_did_not_happen(void **state)
{
	struct core_rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo"), .key = SPAN_LIT("k") };

	journal_mem_hold(g->journal, true);
	send_submit(g, &s);
	turn(g);
	assert_int_equal(router_open(router_core_machine(g->core)), 1);
	restart(g, true);
	assert_int_equal(router_open(router_core_machine(g->core)), 0);
	assert_string_equal(g->subject, "");
}

static void test_a_failed_journal_stops_the_router(void **state)
{
	struct core_rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo") };

	journal_mem_fail(g->journal, 0, ERR_IO);
	send_submit(g, &s);
	while (bus_net_step(g->net, g->now_ns))
		;
	assert_int_equal(router_core_turn(g->core), ERR_IO);
	while (bus_net_step(g->net, g->now_ns))
		;
	assert_string_equal(g->subject, "");
	assert_int_equal(router_core_turn(g->core), ERR_IO);
	journal_mem_fail(g->journal, 0, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, core_set_up, core_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_an_answer_waits_until_it_is_safe),
		TEST(test_what_is_behind_refuses),
		TEST(test_what_is_said_is_bounded),
		TEST(test_a_disk_that_is_nearly_full),
		TEST(test_a_restart_goes_on),
		TEST(test_a_result_is_fetched_any_number_of_times),
		TEST(test_results_are_fetched_where_all_is_full),
		TEST(test_a_key_that_cannot_be_looked_up),
		TEST(test_a_key_whose_row_is_damaged),
		TEST(test_what_was_not_safe_did_not_happen),
		TEST(test_a_failed_journal_stops_the_router),
	};

	return cmocka_run_group_tests_name("router_journal", tests, NULL, NULL);
}
