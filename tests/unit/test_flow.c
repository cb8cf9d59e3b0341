/* SPDX-License-Identifier: Apache-2.0
 *
 * Chunks of tasks that stream: what reaches the tenant, what the node is asked for, what can be had again.
 */
#include "base/mem.h"
#include "router/view.h"
#include "tests/support/router_kit.h"
#include "tests/support/test.h"

/* A task that runs on node a. */
static struct task *begin(struct kit *k)
{
	struct task *t;

	kit_offer(k, "a cpu slots=4");
	t = kit_submit(k, "util.echo");
	kit_up(k, UP_ACCEPT, t);
	kit_look_away(k);
	return t;
}

/* A chunk of the task's current attempt, from the node that has or had it. */
static void chunk_from(struct kit *k, const struct task *t, uint64_t seq, uint64_t oldest)
{
	kit_up_from(k, "a",
		&(struct up){
			.kind = UP_CHUNK,
			.task = t->id,
			.attempt = t->attempt,
			.chunk_seq = seq,
			.chunk_oldest = oldest,
			.data = SPAN_LIT("data"),
		});
}

static void expect_chunk(struct kit *k, uint64_t seq)
{
	const struct kit_said *s = kit_next(k, SAID_EVENT, EVENT_CHUNK);

	assert_int_equal(s->chunk, seq);
	assert_string_equal(s->text, "data");
}

static void expect_resend(struct kit *k, uint64_t seq)
{
	const struct kit_said *s = kit_next(k, SAID_DOWN, DOWN_RESEND);

	assert_int_equal(s->chunk, seq);
	assert_string_equal(s->to, "a");
}

static void done(struct kit *k, const struct task *t, uint64_t chunks)
{
	kit_up_from(k, "a",
		&(struct up){
			.kind = UP_DONE,
			.task = t->id,
			.attempt = t->attempt,
			.body = SPAN_LIT("body"),
			.chunk_seq = chunks,
		});
}

/* Ask as the tenant t; the answer lives until the next question. Without a task: let it go. */
static const struct query_reply *ask_from(struct kit *k, const struct task *t, uint64_t seq,
	uint32_t attempt)
{
	static struct query_reply reply;
	static struct arena arena;
	struct view v = {
		.router = k->r,
		.arena = &arena,
		.tenant = SPAN_LIT("t"),
		.now_ns = k->now_ns,
		.name = SPAN_LIT("router"),
	};

	arena_done(&arena);
	arena_init(&arena, 4 << 20);
	if (t == NULL)
		return NULL;
	view_answer(&v,
		&(struct query){
			.kind = QUERY_STREAM,
			.task = t->id,
			.chunk_seq = seq,
			.attempt = attempt,
		},
		&reply);
	return &reply;
}

static void expect_part(struct kit *k, const struct task *t, uint64_t from, uint64_t first,
	uint64_t last)
{
	const struct query_reply *r = ask_from(k, t, from, t->attempt);

	assert_int_equal(r->fail.code, 0);
	assert_int_equal(r->kind, REPLY_STREAM);
	assert_int_equal(r->stream.attempt, t->attempt);
	assert_int_equal(r->stream.chunks_n, last + 1 - first);
	for (size_t i = 0; i < r->stream.chunks_n; i++) {
		assert_int_equal(r->stream.chunks[i].seq, first + i);
		assert_true(span_is(r->stream.chunks[i].data, "data"));
	}
}

static void expect_refusal(struct kit *k, const struct task *t, uint64_t from, int code,
	const char *field, int64_t limit)
{
	const struct query_reply *r = ask_from(k, t, from, 0);

	assert_int_equal(r->fail.code, code);
	assert_int_equal(r->kind, REPLY_NONE);
	assert_string_equal(r->fail.field, field);
	assert_int_equal(r->fail.limit, limit);
}

static void test_in_order_each_once(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);

	for (uint64_t seq = 1; seq <= 3; seq++)
		chunk_from(k, t, seq, 1);
	chunk_from(k, t, 2, 1);
	for (uint64_t seq = 1; seq <= 3; seq++)
		expect_chunk(k, seq);
	assert_true(kit_none(k, SAID_EVENT, EVENT_CHUNK));
	assert_true(kit_none(k, SAID_DOWN, DOWN_RESEND));
	expect_part(k, t, 0, 1, 3);
	expect_part(k, t, 3, 3, 3);
	expect_part(k, t, 4, 4, 3);
	expect_part(k, t, 9, 4, 3); /* not there yet */
}

/* Numbers that a node does not give, or that no node counts to. */
static void test_odd_numbers(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);

	chunk_from(k, t, 0, 0);
	chunk_from(k, t, 0, 0);
	chunk_from(k, t, UINT64_MAX, 1);
	expect_chunk(k, 1);
	expect_chunk(k, 2);
	assert_true(kit_none(k, SAID_EVENT, EVENT_CHUNK));
	assert_int_equal(t->chunks, 2);
}

static void test_a_gap_is_asked_for(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);

	chunk_from(k, t, 1, 1);
	chunk_from(k, t, 4, 1);
	chunk_from(k, t, 5, 1);
	expect_resend(k, 2);
	assert_true(kit_none(k, SAID_DOWN, DOWN_RESEND)); /* once for a while */
	kit_pass(k, 300 * MS);
	chunk_from(k, t, 6, 1);
	expect_resend(k, 2);
	kit_look_away(k);
	for (uint64_t seq = 2; seq <= 6; seq++)
		chunk_from(k, t, seq, 1);
	for (uint64_t seq = 2; seq <= 6; seq++)
		expect_chunk(k, seq);
	assert_int_equal(k->r->counts.resends, 2);
}

static void test_a_gap_that_the_node_lost_too(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);

	chunk_from(k, t, 1, 1);
	chunk_from(k, t, 8, 6);
	expect_resend(k, 2);
	chunk_from(k, t, 6, 6);
	chunk_from(k, t, 7, 6);
	expect_chunk(k, 6);
	expect_chunk(k, 7);
	expect_refusal(k, t, 2, ERR_INVALID, "from_seq", 6);
	expect_part(k, t, 6, 6, 7);
	/* a node that keeps none is not asked */
	kit_look_away(k);
	chunk_from(k, t, 10, 0);
	expect_chunk(k, 10);
	assert_true(kit_none(k, SAID_DOWN, DOWN_RESEND));
}

static void test_offers_say_what_is_missing(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);

	chunk_from(k, t, 1, 1);
	kit_offer_running(k, "a cpu slots=4", &(struct attempt_ref){ t->id, 1, 1, false }, 1);
	assert_true(kit_none(k, SAID_DOWN, DOWN_RESEND));
	kit_offer_running(k, "a cpu slots=4", &(struct attempt_ref){ t->id, 1, 3, false }, 1);
	expect_resend(k, 2);
	kit_offer_running(k, "a cpu slots=4", &(struct attempt_ref){ t->id, 1, UINT64_MAX, false },
		1);
	assert_true(kit_none(k, SAID_DOWN, DOWN_RESEND));
}

static void test_a_new_attempt_begins_anew(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);

	chunk_from(k, t, 1, 1);
	chunk_from(k, t, 2, 1);
	kit_fails(k, t, ERR_LOST);
	kit_pass(k, 3 * SEC);
	assert_int_equal(t->attempt, 2);
	kit_look_away(k);
	/* before its first chunk the beat says so */
	kit_up(k, UP_ACCEPT, t);
	kit_pass(k, k->r->conf.streams.beat_ns);
	const struct kit_said *beat = kit_next(k, SAID_EVENT, EVENT_BEAT);

	assert_int_equal(beat->attempt, 2);
	assert_int_equal(beat->chunk, 0);
	/* who read the first attempt gets the second from its first */
	const struct query_reply *r = ask_from(k, t, 3, 1);

	assert_int_equal(r->kind, REPLY_STREAM);
	assert_int_equal(r->stream.attempt, 2);
	assert_int_equal(r->stream.chunks_n, 0);
	chunk_from(k, t, 1, 1);
	const struct kit_said *s = kit_next(k, SAID_EVENT, EVENT_CHUNK);

	assert_int_equal(s->attempt, 2);
	assert_int_equal(s->chunk, 1);
	r = ask_from(k, t, 3, 1);
	assert_int_equal(r->stream.chunks_n, 1);
	assert_int_equal(r->stream.chunks[0].seq, 1);
}

static void test_beats_while_it_is_silent(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);
	int64_t beat_ns = k->r->conf.streams.beat_ns;
	uint64_t seq;

	kit_pass(k, 2 * beat_ns);
	assert_true(kit_none(k, SAID_EVENT, EVENT_BEAT)); /* it does not stream */
	chunk_from(k, t, 1, 1);
	seq = t->seq;
	kit_pass(k, beat_ns - 1);
	assert_true(kit_none(k, SAID_EVENT, EVENT_BEAT));
	kit_pass(k, 2 * beat_ns);
	for (int i = 0; i < 2; i++) {
		const struct kit_said *s = kit_next(k, SAID_EVENT, EVENT_BEAT);

		assert_int_equal(s->attempt, 1);
		assert_int_equal(s->chunk, 1);
	}
	assert_int_equal(t->seq, seq); /* a beat is no news */
	done(k, t, 1);
	kit_look_away(k);
	kit_pass(k, 3 * beat_ns);
	assert_true(kit_none(k, SAID_EVENT, EVENT_BEAT));
}

static void test_after_the_end(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);
	struct result result;

	chunk_from(k, t, 1, 1);
	chunk_from(k, t, 2, 1);
	done(k, t, 2);
	finish_result(k->r, t, &result);
	assert_int_equal(result.chunks, 2);
	expect_part(k, t, 1, 1, 2);
	assert_true(ask_from(k, t, 3, 1)->stream.ended);
	expect_refusal(k, t, 4, ERR_INVALID, "from_seq", 3);
	kit_pass(k, k->r->conf.streams.keep_ns);
	expect_refusal(k, t, 1, ERR_INVALID, "from_seq", 3);
	expect_part(k, t, 3, 3, 2);
	assert_int_equal(k->r->streams.slots.used, 0);
}

/* The last chunks were lost, and come when the task has ended: who asks gets them. */
static void test_late_chunks(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);
	uint64_t stale;

	chunk_from(k, t, 1, 1);
	done(k, t, 4);
	expect_resend(k, 2);
	expect_part(k, t, 2, 2, 1);
	assert_int_equal(ask_from(k, t, 2, 1)->stream.last, 4);
	kit_look_away(k);
	for (uint64_t seq = 2; seq <= 4; seq++)
		chunk_from(k, t, seq, 1);
	assert_true(kit_none(k, SAID_EVENT, EVENT_CHUNK));
	assert_true(kit_none(k, SAID_DOWN, DOWN_CANCEL));
	expect_part(k, t, 2, 2, 4);
	/* more than the node has counted, and those of others, are stale */
	stale = k->r->counts.stale;
	chunk_from(k, t, 5, 1);
	kit_up_from(k, "a",
		&(struct up){ .kind = UP_CHUNK, .task = t->id, .attempt = 7, .chunk_seq = 5 });
	assert_int_equal(k->r->counts.stale, stale + 2);
	expect_part(k, t, 2, 2, 4);
}

static void test_who_may_ask_for_what(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);
	struct task other = { .id = { 1, 2 } };

	expect_refusal(k, &other, 0, ERR_UNKNOWN, "task", 0);
	expect_part(k, t, 0, 1, 0);
	done(k, t, 0);
	expect_refusal(k, t, 0, ERR_UNKNOWN, "task", 0); /* it never streamed */
}

/* A part of many small chunks ends before the message does. */
static void test_an_answer_fits_into_a_message(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);
	static unsigned char big[LIMIT_BODY_BYTES];
	const struct query_reply *r;

	for (uint64_t seq = 1; seq <= 20000; seq++) {
		chunk_from(k, t, seq, 1);
		kit_look_away(k);
	}
	r = ask_from(k, t, 0, 0);
	assert_in_range(r->stream.chunks_n, 1000, 10000);
	kit_up_from(k, "a",
		&(struct up){
			.kind = UP_CHUNK,
			.task = t->id,
			.attempt = 1,
			.chunk_seq = 20001,
			.data = span_of(big, sizeof big),
		});
	r = ask_from(k, t, 20000, 0);
	assert_int_equal(r->stream.chunks_n, 1);
	r = ask_from(k, t, 20001, 0);
	assert_int_equal(r->stream.chunks_n, 1);
}

static void few_streams(struct router_conf *conf)
{
	conf->streams.max = 1;
}

/* Where no more streams are kept the chunks pass all the same. */
static void test_without_room(void **state)
{
	struct kit *k = kit_new(few_streams);
	struct task *a = begin(k), *b;

	(void)state;
	b = kit_submit(k, "util.echo");
	chunk_from(k, a, 1, 1);
	kit_look_away(k);
	chunk_from(k, b, 1, 1);
	chunk_from(k, b, 2, 1);
	expect_chunk(k, 1);
	expect_chunk(k, 2);
	expect_refusal(k, b, 1, ERR_INVALID, "from_seq", 3);
	done(k, b, 2);
	(void)ask_from(k, NULL, 0, 0);
	kit_free(k);
}

static void test_forgotten_tasks_have_no_stream(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);

	chunk_from(k, t, 1, 1);
	done(k, t, 1);
	assert_int_equal(k->r->streams.slots.used, 1);
	kit_step(k, &(struct router_event){
			    .kind = ROUTER_FORGET,
			    .who = SPAN_LIT("t"),
			    .task = t->id,
			    .ret_task = &(struct ulid){ 0, 0 },
		    });
	assert_int_equal(k->r->streams.slots.used, 0);
	assert_int_equal(k->r->streams.bytes, 0);
}

static int tear_down(void **state)
{
	struct kit *k = *state;

	(void)ask_from(k, NULL, 0, 0);
	return kit_tear_down(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_order_each_once),
		TEST(test_odd_numbers),
		TEST(test_a_gap_is_asked_for),
		TEST(test_a_gap_that_the_node_lost_too),
		TEST(test_offers_say_what_is_missing),
		TEST(test_a_new_attempt_begins_anew),
		TEST(test_beats_while_it_is_silent),
		TEST(test_after_the_end),
		TEST(test_late_chunks),
		TEST(test_who_may_ask_for_what),
		TEST(test_an_answer_fits_into_a_message),
		TEST(test_without_room),
		TEST(test_forgotten_tasks_have_no_stream),
	};

	return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
