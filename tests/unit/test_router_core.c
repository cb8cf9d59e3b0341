/* SPDX-License-Identifier: Apache-2.0
 *
 * The router on a bus in memory: what it makes of bytes, good and bad, and what it answers to whom.
 */
#include "base/fmt.h"
#include "tests/support/core_rig.h"
#include "tests/support/test.h"
#include "wire/body.h"

static void test_submit_and_look(void **state)
{
	struct core_rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo") };

	core_offer(g, 0, 1, CORE_NOTHING);
	struct ulid id = core_submit(g, "t", &s).task;
	struct query q = { .kind = QUERY_STATUS, .task = id };
	struct query_reply r = core_ask(g, "t", &q);

	assert_int_equal(r.kind, REPLY_TASK);
	assert_int_equal(r.task.state, STATE_ASSIGNED);
	assert_true(span_is(r.task.node, "n0"));
	/* Another tenant's task does not exist, but for an operator. */
	assert_int_equal(core_ask(g, "other", &q).fail.code, ERR_UNKNOWN);
	assert_int_equal(core_ask(g, "boss", &q).fail.code, 0);
	q.kind = QUERY_EXPLAIN;
	r = core_ask(g, "t", &q);
	assert_int_equal(r.kind, REPLY_EXPLAIN);
	assert_int_equal(r.explain.steps_n, 2);
	assert_int_equal(r.explain.steps[1].kind, STEP_PLACED);
	assert_int_equal(r.explain.steps[1].candidates_n, 1);
	assert_int_equal(r.explain.steps[1].candidates[0].verdict, VERDICT_CHOSEN);
	assert_true(r.explain.steps[1].candidates[0].cost.run_us > 0);
	q.kind = QUERY_CANCEL;
	assert_int_equal(core_ask(g, "other", &q).fail.code, ERR_UNKNOWN);
	assert_int_equal(core_ask(g, "boss", &q).task.state, STATE_CANCELLED);
	q.kind = QUERY_RESULT;
	r = core_ask(g, "t", &q);
	assert_int_equal(r.result.state, STATE_CANCELLED);
	assert_int_equal(r.result.fail.code, ERR_CANCELLED);
}

static void test_bad_bytes_are_answered(void **state)
{
	struct core_rig *g = *state;
	const struct router_metrics *m = router_core_metrics(g->core);
	static const struct {
		const char *bytes;
		int submit, query;
	} cases[] = { { "\xff\xff\xff", ERR_MALFORMED, ERR_MALFORMED },
		{ "", ERR_INVALID, ERR_UNSUPPORTED } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct submit_reply *r;
		struct query_reply q;
		size_t n;

		core_say(g, "spu.submit.t", "_INBOX.x", span_str(cases[i].bytes));
		assert_string_equal(g->subject, "_INBOX.x");
		assert_int_equal(submit_replies_decode(&g->arena, buf_span(&g->data), &r, &n, NULL),
			0);
		assert_int_equal(r[0].fail.code, cases[i].submit);
		assert_int_equal(m->submit_errors, i + 1);
		core_say(g, "spu.query.t", "_INBOX.y", span_str(cases[i].bytes));
		assert_int_equal(query_reply_decode(&g->arena, buf_span(&g->data), &q, NULL), 0);
		assert_int_equal(q.fail.code, cases[i].query);
		assert_int_equal(m->query_errors, i + 1);
	}
	core_say(g, "spu.up.n", NULL, SPAN_LIT("\xff\xff"));
	assert_int_equal(m->up_errors, 1);
}

/* Where an answer goes is the sender's choice; it must not make the router give orders. */
static void test_foreign_reply_is_never_used(void **state)
{
	static const char *const replies[] = { "spu.down.n0", "spu.up.n0", "spu.submit.t",
		"spu.inbox.other.x" };
	struct core_rig *g = *state;
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, 4096);
	submits_put(&b, &(struct submit){ .kind = SPAN_LIT("util.echo") });
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		core_say(g, "spu.submit.t", replies[i], buf_span(&b));
		assert_int_equal(g->heard, 1);
		core_say(g, "spu.submit.t", replies[i], SPAN_LIT("\xff"));
		assert_int_equal(g->heard, 1);
		core_say(g, "spu.query.t", replies[i], SPAN_LIT("\xff"));
		assert_int_equal(g->heard, 1);
	}
	assert_int_equal(router_counts(router_core_machine(g->core))->accepted, 0);
	core_say(g, "spu.submit.t", "spu.inbox.t.x", buf_span(&b));
	assert_true(g->heard > 1);
}

static void test_oversize_names_the_limit(void **state)
{
	static const unsigned char much[LIMIT_BODY_BYTES + 1];
	struct core_rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo"), .body = span_of(much, sizeof much) };
	struct submit_reply r = core_submit(g, "t", &s);

	assert_int_equal(r.fail.code, ERR_TOO_BIG);
	assert_int_equal(r.fail.limit, LIMIT_BODY_BYTES);
}

static void test_drain_is_the_operators(void **state)
{
	struct core_rig *g = *state;
	struct query q = { .kind = QUERY_DRAIN, .node = SPAN_LIT("n0"), .on = true };

	core_offer(g, 0, 1, CORE_NOTHING);
	assert_int_equal(core_ask(g, "t", &q).fail.code, ERR_DENIED);
	struct query_reply r = core_ask(g, "root", &q);

	assert_int_equal(r.nodes_n, 1);
	assert_true(r.nodes[0].drain_asked);
	q.node = SPAN_LIT("nobody");
	assert_int_equal(core_ask(g, "root", &q).fail.code, ERR_UNKNOWN);
}

static void test_lists(void **state)
{
	struct core_rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo") };
	struct query q = { .kind = QUERY_TASKS, .limit = 7 };
	struct ulid ids[50];

	for (int i = 0; i < 50; i++) {
		g->now_ns += NS_PER_MS;
		ids[i] = core_submit(g, i % 5 == 0 ? "other" : "t", &s).task;
	}
	struct query_reply r = core_ask(g, "root", &q);

	assert_int_equal(r.tasks_n, 7);
	assert_int_equal(r.tasks_total, 50);
	for (int i = 0; i < 7; i++)
		assert_true(ulid_eq(r.tasks[i].task, ids[49 - i]));
	q.limit = 0;
	r = core_ask(g, "t", &q);
	assert_int_equal(r.tasks_n, 40);
	for (int i = 1; i < 40; i++)
		assert_true(r.tasks[i].accepted_ms < r.tasks[i - 1].accepted_ms);
	q.state = STATE_RUNNING;
	assert_int_equal(core_ask(g, "t", &q).tasks_total, 0);
	q.kind = QUERY_MESH;
	assert_int_equal(core_ask(g, "t", &q).mesh.queued, 50);
}

static void test_long_answers_are_cut(void **state)
{
	static char why[LIMIT_TEXT_BYTES];
	struct core_rig *g = *state;
	struct query q = { .kind = QUERY_NODES };

	memset(why, 'w', sizeof why);
	for (uint32_t i = 0; i < 30; i++)
		core_offer(g, i, LIMIT_OFFER_KINDS, span_of(why, sizeof why));
	struct query_reply r = core_ask(g, "t", &q);

	assert_int_equal(r.fail.code, 0);
	assert_in_range(r.nodes_n, 1, 29);
}

/* As many submits as fit into a message, each of a stream of its own, good and bad in turn: one answer, in order. */
static void test_large_batch(void **state)
{
	static char key[LIMIT_TOKEN_BYTES], kind[LIMIT_KIND_BYTES];
	struct core_rig *g = *state;
	CLEANUP(buf_done) struct buf b = { 0 };
	struct submit_reply *r;
	size_t n;

	memset(key, 'k', sizeof key);
	memset(kind, 'x', sizeof kind);
	buf_init(&b, LIMIT_MESSAGE_BYTES);
	for (int i = 0; i < LIMIT_ITEMS_PER_MESSAGE; i++) {
		struct submit s = { .kind = i % 8 == 0 ? SPAN_LIT("util.echo")
						       : span_of(kind, sizeof kind),
			.key = i % 8 == 0 ? CORE_NOTHING : span_of(key, sizeof key) };

		submits_put(&b, &s);
	}
	core_say(g, "spu.submit.t", "_INBOX.b", buf_span(&b));
	assert_string_equal(g->subject, "_INBOX.b");
	assert_int_equal(submit_replies_decode(&g->arena, buf_span(&g->data), &r, &n, NULL), 0);
	assert_int_equal(n, LIMIT_ITEMS_PER_MESSAGE);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(r[i].fail.code, i % 8 == 0 ? 0 : ERR_UNKNOWN);
	assert_int_equal(router_core_metrics(g->core)->unsent, 0);
}

/* Submit a `fast` task that no node can take; what is heard. */
static void submit_fast(struct core_rig *g)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	const struct submit s = { .kind = SPAN_LIT("util.echo"), .fast = true };

	buf_init(&b, 4096);
	submits_put(&b, &s);
	core_say(g, "spu.submit.t", "_INBOX.b", buf_span(&b));
}

static void test_fast_reply_waits_for_an_event(void **state)
{
	struct core_rig *g = *state;
	CLEANUP(buf_done) struct buf b = { 0 };
	struct submit_reply *r;
	size_t n;

	submit_fast(g);
	assert_string_equal(g->subject, "");
	assert_int_equal(router_core_wake(g->core), g->now_ns + NS_PER_MS);
	g->now_ns += NS_PER_MS;
	core_pump(g);
	assert_string_equal(g->subject, "_INBOX.b");
	assert_int_equal(submit_replies_decode(&g->arena, buf_span(&g->data), &r, &n, NULL), 0);
	assert_int_equal(n, 1);
	/* The end of that task brings the reply to the next one along. */
	submit_fast(g);
	assert_string_equal(g->subject, "");
	const struct query q = { .kind = QUERY_CANCEL, .task = r[0].task };

	buf_init(&b, 4096);
	query_encode(&b, &q);
	core_say(g, "spu.query.t", "_INBOX.a", buf_span(&b));
	assert_string_equal(g->subject, "_INBOX.b");
	assert_true(router_core_wake(g->core) > g->now_ns + NS_PER_MS);
}

static void test_replay(void **state)
{
	struct core_rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo") };
	struct query q = { .kind = QUERY_REPLAY, .task = core_submit(g, "t", &s).task };
	struct ulid first = q.task;

	assert_int_equal(core_ask(g, "t", &q).fail.code, ERR_INVALID);
	q.kind = QUERY_FORGET;
	assert_int_equal(core_ask(g, "t", &q).fail.code, ERR_INVALID);
	q.kind = QUERY_CANCEL;
	assert_int_equal(core_ask(g, "t", &q).task.state, STATE_CANCELLED);
	q.kind = QUERY_REPLAY;
	assert_int_equal(core_ask(g, "other", &q).fail.code, ERR_UNKNOWN);
	struct query_reply r = core_ask(g, "boss", &q);

	assert_int_equal(r.fail.code, 0);
	assert_false(ulid_eq(r.task.task, first));
	assert_int_equal(r.task.state, STATE_QUEUED);
	q = (struct query){ .kind = QUERY_STATUS, .task = r.task.task };
	assert_int_equal(core_ask(g, "t", &q).fail.code, 0); /* it is its tenant's */
}

/* Figures are for all; what others have is for operators to forget. */
static void test_caches(void **state)
{
	struct core_rig *g = *state;
	struct query q = { .kind = QUERY_CACHE };
	struct query_reply r = core_ask(g, "t", &q);

	assert_int_equal(r.kind, REPLY_CACHES);
	assert_int_equal(r.caches_n, 1);
	assert_int_equal(r.caches[0].rung, RUNG_NONE);
	assert_true(r.caches[0].cache.bytes > 0 &&
		    r.caches[0].cache.bytes < r.caches[0].cache.bytes_max);
	q.purge = true;
	assert_int_equal(core_ask(g, "t", &q).kind, REPLY_CACHES);
	q.all = true;
	assert_int_equal(core_ask(g, "t", &q).fail.code, ERR_DENIED);
	assert_int_equal(core_ask(g, "root", &q).kind, REPLY_CACHES);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, core_set_up, core_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_submit_and_look),
		TEST(test_bad_bytes_are_answered),
		TEST(test_foreign_reply_is_never_used),
		TEST(test_oversize_names_the_limit),
		TEST(test_drain_is_the_operators),
		TEST(test_lists),
		TEST(test_long_answers_are_cut),
		TEST(test_large_batch),
		TEST(test_fast_reply_waits_for_an_event),
		TEST(test_replay),
		TEST(test_caches),
	};

	return cmocka_run_group_tests_name("router_core", tests, NULL, NULL);
}
