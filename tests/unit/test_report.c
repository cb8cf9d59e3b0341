/* SPDX-License-Identifier: Apache-2.0
 *
 * What nodes say, and what they say too late: the fence, leases, retries, refusals, restarts.
 */
#include <stdio.h>

#include "tests/support/router_kit.h"
#include "tests/support/test.h"

/* --- retries ------------------------------------------------------------------------------------ */

static void test_failure_is_retried_on_another_node(void **state)
{
	struct kit *k = *state;
	struct explain_note retried;
	char first[KIT_TEXT];

	kit_offer(k, "a cpu");
	kit_offer(k, "b cpu");
	struct task *t = kit_submit(k, "util.echo");

	snprintf(first, sizeof first, "%s", kit_node(k, t));
	kit_up(k, UP_ACCEPT, t);
	kit_fails(k, t, ERR_IO);
	assert_int_equal(t->state, STATE_QUEUED);
	assert_int_equal(kit_steps(t, STEP_FAILED, NULL), 1);
	assert_int_equal(kit_steps(t, STEP_RETRY, &retried), 1);
	assert_int_equal(retried.code, ERR_IO);
	assert_memory_equal(retried.reason.at, "it may pass, in ", 16);
	kit_pass(k, SEC); /* at most */
	assert_int_equal(t->attempt, 2);
	assert_string_not_equal(kit_node(k, t), first);
	assert_string_not_equal(kit_node(k, t), "");
}

static void test_same_node_rather_than_none(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	kit_fails(k, t, ERR_IO);
	kit_pass(k, SEC);
	assert_string_equal(kit_node(k, t), "a");
}

/* Each attempt waits up to twice as long as the one before might have; ten on CPU nodes. */
static void test_backoff_doubles_and_ends(void **state)
{
	struct kit *k = *state;
	int64_t most = SEC;
	unsigned tries = 0;
	struct submit s = kit_task("util.echo");

	s.deadline_ms = (k->now_ns + 3600 * SEC) / MS;
	kit_offer(k, "a cpu");
	struct task *t = kit_submit_as(k, "t", &s);

	while (!state_is_final(t->state)) {
		int64_t from = k->now_ns;

		kit_fails(k, t, ERR_DEVICE);
		tries++;
		while (t->state == STATE_QUEUED) {
			kit_pass(k, 100 * MS);
			kit_offer(k, "a cpu");
		}
		if (state_is_final(t->state))
			break;
		assert_in_range(k->now_ns - from, 0, most + 100 * MS);
		most = most * 2 > 100 * SEC ? 100 * SEC : most * 2;
	}
	assert_int_equal(tries, 10);
	assert_int_equal(t->state, STATE_DEAD);
	assert_int_equal(t->fail->code, ERR_DEVICE);
}

static void test_three_attempts_on_a_gpu(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "g gpu kinds=image.filter");
	kit_offer(k, "c cpu kinds=image.filter");
	struct task *t = kit_submit(k, "image.filter");

	for (int i = 1; i <= 3; i++) {
		assert_int_equal(t->attempt, i);
		assert_string_equal(kit_node(k, t), "g");
		kit_fails(k, t, ERR_DEVICE);
		if (i < 3)
			kit_pass(k, 4 * SEC);
	}
	assert_string_equal(kit_node(k, t), "c");
	assert_int_equal(k->r->counts.retries, 2);
}

static void test_fault_of_the_client_is_not_retried(void **state)
{
	static const int codes[] = { ERR_INVALID, ERR_MALFORMED, ERR_TOO_BIG };
	struct kit *k = *state;
	struct explain_note ended;

	kit_offer(k, "g gpu kinds=image.filter");
	kit_offer(k, "c cpu kinds=image.filter");
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct task *t = kit_submit(k, "image.filter");

		kit_fails(k, t, codes[i]);
		assert_int_equal(t->state, STATE_FAILED);
		assert_int_equal(t->fail->code, codes[i]);
		assert_int_equal(kit_steps(t, STEP_HOP, &ended), 1);
		assert_int_equal(ended.to, RUNG_NONE);
		assert_true(span_is(ended.reason, "it would fail everywhere"));
	}
}

static void test_class_that_cannot_is_left(void **state)
{
	static const int codes[] = { ERR_UNSUPPORTED, ERR_DENIED, ERR_BUDGET, ERR_BUG, 0 };
	struct kit *k = *state;

	kit_offer(k, "g gpu kinds=image.filter");
	kit_offer(k, "c cpu kinds=image.filter");
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct task *t = kit_submit(k, "image.filter");

		kit_fails(k, t, codes[i]);
		assert_string_equal(kit_node(k, t), "c");
		kit_fails(k, t, codes[i]);
		assert_int_equal(t->state, STATE_FAILED);
		assert_int_equal(t->fail->code, codes[i] == 0 ? ERR_BUG : codes[i]);
	}
}

/* A node's "later" is heard, but who is asked to wait beyond the deadline need not wait. */
static void test_retry_after_of_any_length(void **state)
{
	struct kit *k = *state;
	struct up u = { .kind = UP_FAILED };

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	u.task = t->id;
	u.attempt = t->attempt;
	fail_set(&u.fail, ERR_UPSTREAM, NULL, 0, NULL);
	u.fail.retry_after_ms = INT64_MAX;
	kit_up_from(k, "a", &u);
	kit_pass(k, SEC);
	assert_int_equal(t->attempt, 2);
}

/* Who asks for more time than the task may wait on the rung is not waited for, where there is another rung. */
static void test_retry_after_beyond_the_rungs_clock(void **state)
{
	struct kit *k = *state;
	struct up u = { .kind = UP_FAILED };

	kit_offer(k, "g gpu kinds=image.filter");
	kit_offer(k, "c cpu kinds=image.filter");
	struct task *t = kit_submit(k, "image.filter");

	assert_string_equal(kit_node(k, t), "g");
	u.task = t->id;
	u.attempt = t->attempt;
	fail_set(&u.fail, ERR_BUSY, NULL, 0, NULL);
	u.fail.retry_after_ms = 30001;
	kit_up_from(k, "g", &u);
	assert_string_equal(kit_node(k, t), "c");
}

static void test_retry_after_is_heard(void **state)
{
	struct kit *k = *state;
	struct up u = { .kind = UP_FAILED };

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	u.task = t->id;
	u.attempt = t->attempt;
	fail_set(&u.fail, ERR_UPSTREAM, NULL, 0, NULL);
	u.fail.retry_after_ms = 5000;
	kit_up_from(k, "a", &u);
	kit_pass(k, 4999 * MS);
	assert_int_equal(t->attempt, 1);
	kit_pass(k, MS);
	assert_int_equal(t->attempt, 2);
}

/* The pause is of the node that asked for it: another one need not wait. */
static void test_retry_after_of_one_of_two(void **state)
{
	struct kit *k = *state;
	struct up u = { .kind = UP_FAILED };
	char first[KIT_TEXT];

	kit_offer(k, "a cpu");
	kit_offer(k, "b cpu");
	struct task *t = kit_submit(k, "util.echo");

	snprintf(first, sizeof first, "%s", kit_node(k, t));
	u.task = t->id;
	u.attempt = t->attempt;
	fail_set(&u.fail, ERR_BUSY, NULL, 0, NULL);
	u.fail.retry_after_ms = 50000;
	kit_up_from(k, first, &u);
	kit_pass(k, SEC);
	assert_int_equal(t->attempt, 2);
	assert_string_not_equal(kit_node(k, t), first);
}

/* The clock of the rung goes on for who waits again, counted from when its wait began. */
static void test_start_clock_after_a_retry(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "g gpu kinds=image.filter");
	kit_offer(k, "c cpu kinds=image.filter slots=4");
	struct task *t = kit_submit(k, "image.filter");

	kit_up(k, UP_ACCEPT, t);
	kit_fails(k, t, ERR_DEVICE);
	struct task *other = kit_submit(k, "image.filter");

	assert_string_equal(kit_node(k, other), "g");
	for (int i = 0; i < 4; i++) {
		kit_pass(k, 8 * SEC);
		kit_offer_running(k, "g gpu kinds=image.filter",
			&(struct attempt_ref){ .task = other->id, .attempt = other->attempt }, 1);
		kit_offer(k, "c cpu kinds=image.filter slots=4");
	}
	assert_string_equal(kit_node(k, other), "g");
	assert_string_equal(kit_node(k, t), "c");
}

/* --- refusals ----------------------------------------------------------------------------------- */

static void test_refusal_closes_the_node_for_a_while(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu slots=4");
	struct task *t = kit_submit(k, "util.echo");

	kit_refuses(k, t, ERR_BUSY, 0);
	assert_int_equal(t->state, STATE_QUEUED);
	kit_pass(k, 249 * MS);
	assert_int_equal(t->state, STATE_QUEUED);
	kit_pass(k, MS);
	assert_string_equal(kit_node(k, t), "a");
	assert_int_equal(t->attempt, 2);
	kit_refuses(k, t, ERR_BUSY, 2000);
	kit_pass(k, 1999 * MS);
	assert_int_equal(t->state, STATE_QUEUED);
	kit_pass(k, MS);
	assert_int_equal(t->state, STATE_ASSIGNED);
}

static void test_refused_goes_to_another_node_at_once(void **state)
{
	struct kit *k = *state;
	char first[KIT_TEXT];

	kit_offer(k, "a cpu slots=4");
	kit_offer(k, "b cpu slots=4");
	struct task *t = kit_submit(k, "util.echo");

	snprintf(first, sizeof first, "%s", kit_node(k, t));
	kit_refuses(k, t, ERR_BUSY, 1000);
	assert_int_equal(t->state, STATE_ASSIGNED);
	assert_string_not_equal(kit_node(k, t), first);
	assert_int_equal(t->tries, 0);
}

static void test_refusal_of_any_length(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	kit_refuses(k, t, ERR_BUSY, INT64_MAX);
	for (int i = 0; i < 2; i++) {
		kit_pass(k, 10 * SEC);
		kit_offer(k, "a cpu");
	}
	kit_pass(k, 10 * SEC - MS);
	assert_int_equal(t->attempt, 1);
	kit_pass(k, MS);
	assert_int_equal(t->attempt, 2);
}

static void test_refusal_for_cause(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "g gpu kinds=image.filter");
	kit_offer(k, "c cpu kinds=image.filter");
	struct task *t = kit_submit(k, "image.filter");

	kit_refuses(k, t, ERR_UNSUPPORTED, 0);
	assert_string_equal(kit_node(k, t), "c");
	kit_refuses(k, t, ERR_INVALID, 0);
	assert_int_equal(t->state, STATE_FAILED);
}

/* --- leases and losses -------------------------------------------------------------------------- */

static void test_silence_loses_the_lease(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	kit_up(k, UP_ACCEPT, t);
	kit_pass(k, 29 * SEC);
	assert_int_equal(t->state, STATE_RUNNING);
	kit_pass(k, SEC);
	assert_int_equal(t->state, STATE_QUEUED);
	assert_int_equal(k->r->counts.lost, 1);
	assert_string_equal(kit_next(k, SAID_DOWN, DOWN_CANCEL)->to, "a");
	assert_int_equal(kit_steps(t, STEP_LOST, NULL), 1);
}

static void test_signs_of_life_extend_the_lease(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	kit_up(k, UP_ACCEPT, t);
	for (int i = 0; i < 10; i++) {
		kit_pass(k, 20 * SEC);
		if (i % 2 == 0)
			kit_up(k, UP_PROGRESS, t);
		else
			kit_offer_running(k, "a cpu",
				&(struct attempt_ref){ .task = t->id, .attempt = 1 }, 1);
	}
	assert_int_equal(t->state, STATE_RUNNING);
}

static void test_offer_without_the_attempt(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	kit_pass(k, SEC);
	kit_offer(k, "a cpu"); /* may have left before the assignment came */
	assert_int_equal(t->state, STATE_ASSIGNED);
	kit_pass(k, SEC);
	kit_offer(k, "a cpu");
	assert_int_equal(t->attempt, 2);
	assert_int_equal(k->r->counts.lost, 1);
}

static void test_offer_with_a_strange_attempt(void **state)
{
	struct kit *k = *state;
	struct attempt_ref strange[2] = { { .task = { 1, 2 }, .attempt = 1 } };

	kit_offer(k, "a cpu slots=2");
	struct task *t = kit_submit(k, "util.echo");

	strange[1] = (struct attempt_ref){ .task = t->id, .attempt = 2 };
	kit_look_away(k);
	kit_offer_running(k, "a cpu slots=2", strange, 2);
	assert_int_equal(kit_next(k, SAID_DOWN, DOWN_CANCEL)->attempt, 1);
	assert_int_equal(kit_next(k, SAID_DOWN, DOWN_CANCEL)->attempt, 2);
	assert_true(kit_none(k, SAID_DOWN, DOWN_CANCEL));
	assert_int_equal(t->state, STATE_ASSIGNED);
}

static void test_restart_and_goodbye(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	k->incarnation = 2;
	kit_offer(k, "a cpu");
	assert_int_equal(t->attempt, 2);
	assert_string_equal(kit_node(k, t), "a");
	kit_up_from(k, "a", &(struct up){ .kind = UP_BYE, .incarnation = 1 }); /* of the old one */
	assert_string_equal(kit_node(k, t), "a");
	kit_up_from(k, "a", &(struct up){ .kind = UP_BYE, .incarnation = 2 });
	assert_int_equal(t->state, STATE_QUEUED);
	assert_int_equal(k->r->counts.lost, 1); /* it had not begun when the node left */
	assert_int_equal(t->tries, 1);
	/* A late offer does not bring it back. */
	kit_offer(k, "a cpu");
	assert_int_equal(t->state, STATE_QUEUED);
	k->incarnation = 3;
	kit_offer(k, "a cpu");
	assert_string_equal(kit_node(k, t), "a");
}

/* --- the fence ---------------------------------------------------------------------------------- */

static void stale_one(struct kit *k, const struct task *t, const char *node, struct up u)
{
	uint64_t stale = k->r->counts.stale;
	enum state before = t->state;
	uint64_t seq = t->seq;
	int64_t lease = t->lease_ns;

	kit_look_away(k);
	fail_set(&u.fail, ERR_INVALID, NULL, 0, NULL);
	kit_up_from(k, node, &u);
	assert_int_equal(t->state, before);
	assert_int_equal(t->seq, seq);
	assert_int_equal(t->lease_ns, lease);
	assert_int_equal(k->r->counts.stale, stale + 1);
	assert_true(kit_none(k, SAID_EVENT, EVENT_END));
	assert_true(kit_none(k, SAID_RECORD, JOURNAL_ENDED));
}

static void test_stale_reports_change_nothing(void **state)
{
	static const enum up_kind kinds[] = { UP_ACCEPT, UP_REFUSE, UP_PROGRESS, UP_CHUNK, UP_DONE,
		UP_FAILED };
	struct kit *k = *state;

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	kit_fails(k, t, ERR_IO);
	kit_offer(k, "b cpu");
	kit_pass(k, SEC);
	assert_string_equal(kit_node(k, t), "b");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct up u = { .kind = kinds[i], .task = t->id, .attempt = 1, .permille = 5 };

		stale_one(k, t, "a", u); /* the lost attempt */
		stale_one(k, t, "b", u); /* the right node with another attempt */
		u.attempt = 2;
		stale_one(k, t, "a", u); /* the right attempt of another node */
		stale_one(k, t, "stranger", u);
		u.attempt = 3;
		stale_one(k, t, "b", u);
		u.attempt = 2;
		u.task.lo++;
		stale_one(k, t, "b", u); /* no such task */
	}
	kit_done(k, t, SPAN_LIT("right"));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		stale_one(k, t, "b",
			(struct up){
				.kind = kinds[i],
				.task = t->id,
				.attempt = 2,
				.body = SPAN_LIT("x"),
			});
	assert_true(span_is(span_of(t->result, t->result_len), "right"));
}

/* Who still works on what is over is told; who has ended is not. */
static void test_stale_workers_are_called_off(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	kit_done(k, t, SPAN_LIT(""));
	kit_look_away(k);
	kit_up_from(k, "a", &(struct up){ .kind = UP_DONE, .task = t->id, .attempt = 1 });
	assert_true(kit_none(k, SAID_DOWN, DOWN_CANCEL));
	kit_up_from(k, "a", &(struct up){ .kind = UP_PROGRESS, .task = t->id, .attempt = 1 });
	assert_string_equal(kit_next(k, SAID_DOWN, DOWN_CANCEL)->to, "a");
	kit_up_from(k, "new", &(struct up){ .kind = UP_PROGRESS, .task = t->id, .attempt = 1 });
	assert_string_equal(kit_next(k, SAID_DOWN, DOWN_PING)->to, "new");
}

/* --- progress ----------------------------------------------------------------------------------- */

static void test_progress_and_chunks(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	kit_up_from(k, "a",
		&(struct up){
			.kind = UP_PROGRESS,
			.task = t->id,
			.attempt = 1,
			.permille = 5000,
			.note = SPAN_LIT("half"),
		});
	assert_int_equal(t->state, STATE_RUNNING); /* its acceptance was lost */
	assert_int_equal(t->permille, 1000);
	assert_string_equal(kit_next(k, SAID_EVENT, EVENT_PROGRESS)->text, "half");
	kit_up_from(k, "a",
		&(struct up){
			.kind = UP_CHUNK,
			.task = t->id,
			.attempt = 1,
			.data = SPAN_LIT("piece"),
		});
	assert_string_equal(kit_next(k, SAID_EVENT, EVENT_CHUNK)->text, "piece");
}

static void test_fast_tasks_tell_their_end_only(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("util.echo");

	s.fast = true;
	s.stream = SPAN_LIT("mine");
	kit_offer(k, "a cpu");
	struct task *t = kit_submit_as(k, "t", &s);

	kit_up(k, UP_ACCEPT, t);
	kit_up(k, UP_PROGRESS, t);
	assert_true(
		kit_none(k, SAID_EVENT, EVENT_CHANGE) && kit_none(k, SAID_EVENT, EVENT_PROGRESS));
	kit_done(k, t, SPAN_LIT(""));
	assert_string_equal(kit_next(k, SAID_EVENT, EVENT_END)->to, "t/mine");
}

/* Shorter than the body, as long, longer; the body is gone either way. */
static void test_result_of_any_length_is_kept(void **state)
{
	static const char *const results[] = { "", "x", "1234", "12345", "much longer than that" };
	struct kit *k = *state;

	kit_offer(k, "a cpu");
	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		struct task *t = kit_submit_as(k, "t",
			&(struct submit){
				.kind = SPAN_LIT("util.echo"),
				.body = SPAN_LIT("12345"),
			});

		kit_done(k, t, span_str(results[i]));
		assert_int_equal(t->state, STATE_SUCCEEDED);
		assert_true(span_is(span_of(t->result, t->result_len), results[i]));
		assert_null(t->body);
		assert_int_equal(t->body_len, 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_failure_is_retried_on_another_node),
		TEST(test_result_of_any_length_is_kept),
		TEST(test_same_node_rather_than_none),
		TEST(test_backoff_doubles_and_ends),
		TEST(test_three_attempts_on_a_gpu),
		TEST(test_fault_of_the_client_is_not_retried),
		TEST(test_class_that_cannot_is_left),
		TEST(test_retry_after_of_any_length),
		TEST(test_retry_after_beyond_the_rungs_clock),
		TEST(test_retry_after_is_heard),
		TEST(test_retry_after_of_one_of_two),
		TEST(test_start_clock_after_a_retry),
		TEST(test_refusal_closes_the_node_for_a_while),
		TEST(test_refused_goes_to_another_node_at_once),
		TEST(test_refusal_of_any_length),
		TEST(test_refusal_for_cause),
		TEST(test_silence_loses_the_lease),
		TEST(test_signs_of_life_extend_the_lease),
		TEST(test_offer_without_the_attempt),
		TEST(test_offer_with_a_strange_attempt),
		TEST(test_restart_and_goodbye),
		TEST(test_stale_reports_change_nothing),
		TEST(test_stale_workers_are_called_off),
		TEST(test_progress_and_chunks),
		TEST(test_fast_tasks_tell_their_end_only),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
