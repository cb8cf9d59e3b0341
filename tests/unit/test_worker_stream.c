/* SPDX-License-Identifier: Apache-2.0
 *
 * Chunks of a node's attempts: numbered, kept, sent again.
 */
#include "tests/support/worker_play.h"

static void test_chunks_are_sent_again(void **state)
{
	(void)state;
	PLAY({ 1, "assign A1", "start A1" }, { 1, "started A1", "accept A1" },
		{ 2, "chunk A1", "chunk A1 1" }, { 2, "chunk A1", "chunk A1 2" },
		{ 2, "chunk A1", "chunk A1 3" }, { 3, "tick", "" }, { 3, "resend A1 from 2", "" },
		{ 3, "tick", "chunk A1 2, chunk A1 3" }, { 3, "tick", "" },
		{ 3, "resend A1 from 4", "" }, { 3, "tick", "" }, { 3, "resend A2 from 1", "" },
		{ 3, "resend B1 from 1", "" }, { 3, "tick", "" }, { 4, "resend A1 from 0", "" },
		/* what comes meanwhile goes behind */
		{ 4, "chunk A1", "" },
		{ 4, "tick", "chunk A1 1, chunk A1 2, chunk A1 3, chunk A1 4" },
		{ 5, "chunk A1", "chunk A1 5" });
	assert_int_equal(worker_running_at(worker, 0).chunks, 5);
	/* of one that ended, for a while */
	PLAY({ 1, "assign A1", "start A1" }, { 2, "chunk A1", "accept A1, chunk A1 1" },
		{ 3, "done A1", "done A1 of 1 2000us" }, { 4, "resend A1 from 1", "" },
		{ 4, "tick", "chunk A1 1" }, { 4999, "tick", "" }, { 5000, "tick", "offer 2" },
		{ 10002, "resend A1 from 1", "" }, { 10002, "tick", "offer 3, chunk A1 1" },
		{ 10003, "tick", "" }, { 10004, "resend A1 from 1", "" }, { 10004, "tick", "" });
	/* nobody wants those of one that is being stopped */
	PLAY({ 1, "assign A1", "start A1" }, { 2, "chunk A1", "accept A1, chunk A1 1" },
		{ 3, "cancel A1", "kill A1" }, { 3, "resend A1 from 1", "" }, { 3, "tick", "" });
	PLAY({ 1, "assign A1", "start A1" }, { 2, "chunk A1", "accept A1, chunk A1 1" },
		{ 3, "resend A1 from 1", "" }, { 3, "assign A2", "kill A1, start A2" },
		{ 3, "tick", "" }, { 4, "resend A1 from 1", "" }, { 4, "tick", "" });
	/* an offer says how many were sent, not how many there are */
	PLAY({ 1, "assign A1", "start A1" }, { 2, "chunk A1", "accept A1, chunk A1 1" },
		{ 2, "chunk A1", "chunk A1 2" }, { 3, "resend A1 from 2", "" });
	assert_int_equal(worker_running_at(worker, 0).chunks, 1);
	assert_true(worker_wake(worker) <= 0);
}

/* More chunks than one step may send: the rest is due at once, before anything else. */
static void test_many_chunks_are_sent_again(void **state)
{
	enum { N = 3 * WORKER_ACTIONS };
	struct worker_actions actions;
	struct down d = { .task = task_of('A'), .attempt = 1, .chunk_seq = 1 };
	struct worker_event e = { .kind = WORKER_CHUNK, .task = d.task, .attempt = 1, .down = &d };
	unsigned next = 1;

	(void)state;
	PLAY({ 1, "assign A1 deadline 9", "start A1" }, { 1, "started A1", "accept A1" });
	e.body = SPAN_LIT("some bytes");
	for (unsigned i = 0; i < N; i++)
		worker_step(worker, BEGIN_MS * MS, &e, &actions);
	e.kind = WORKER_RESEND;
	worker_step(worker, BEGIN_MS * MS, &e, &actions);
	e.kind = WORKER_TICK;
	while (next <= N) {
		worker_step(worker, (BEGIN_MS + 9) * MS, &e, &actions);
		for (unsigned i = 0; i < actions.n; i++) {
			assert_int_equal(actions.at[i].kind, WORKER_SEND);
			assert_int_equal(actions.at[i].up.chunk_seq, next++);
			assert_true(span_is(actions.at[i].up.data, "some bytes"));
		}
	}
	play((const struct row[]){ { 9, "tick", "kill A1" } }, 1);
}

/* Only so much is kept; what is not kept is sent all the same. */
static void test_kept_chunks_are_bounded(void **state)
{
	static unsigned char big[LIMIT_BODY_BYTES];
	struct worker_actions actions;
	struct worker_event e = { .kind = WORKER_CHUNK, .task = task_of('A'), .attempt = 1 };

	(void)state;
	PLAY({ 1, "assign A1", "start A1" }, { 1, "started A1", "accept A1" });
	e.body = span_of(big, sizeof(big));
	for (unsigned i = 0; i < 8; i++) {
		worker_step(worker, BEGIN_MS * MS, &e, &actions);
		assert_int_equal(actions.n, 1);
	}
	play((const struct row[]){ { 2, "resend A1 from 1", "" },
		     { 2, "tick", "chunk A1 8 oldest 8" } },
		2);
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_chunks_are_sent_again),
		TEST(test_many_chunks_are_sent_again),
		TEST(test_kept_chunks_are_bounded),
	};

	return cmocka_run_group_tests_name("worker_stream", tests, NULL, NULL);
}
