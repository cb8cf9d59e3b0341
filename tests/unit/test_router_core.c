/* SPDX-License-Identifier: Apache-2.0
 *
 * The router on a bus in memory: what it makes of bytes, good and bad, and what it answers to whom.
 */
#include "router/core.h"
#include "tests/support/journal_mem.h"

#include <stdio.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "run/bus_mem.h"
#include "tests/support/test.h"
#include "wire/body.h"

#define NOTHING span_of(NULL, 0)
#define NOW_NS (INT64_C(1700000000) * NS_PER_S)

struct rig {
	struct bus_net *net;
	struct bus *router_bus, *peer;
	struct journal *journal;
	struct router_core *core;
	int64_t now_ns;
	/* The last answer that the peer heard, and how many messages it heard: its own, too. */
	char subject[128];
	struct buf data;
	unsigned heard;
	struct arena arena;
};

static int64_t clock_of(void *ctx)
{
	return ((struct rig *)ctx)->now_ns;
}

static void on_any(void *ctx, const struct bus_msg *m)
{
	struct rig *g = ctx;

	g->heard++;
	if (m->subject.len < 7 || memcmp(m->subject.at, "_INBOX.", 7) != 0)
		return;
	span_copy(m->subject, g->subject, sizeof g->subject);
	buf_reset(&g->data);
	buf_add(&g->data, m->data);
}

static void pump(struct rig *g)
{
	for (int i = 0; i < 10; i++) {
		while (bus_net_step(g->net, g->now_ns))
			;
		if (router_core_turn(g->core) < 0)
			return;
	}
}

static int set_up(void **state)
{
	static struct rig g;
	struct fail why = { 0 };

	g = (struct rig){ .now_ns = NOW_NS };
	arena_init(&g.arena, 16u << 20);
	buf_init(&g.data, 2u << 20);
	g.net = bus_net_new(NULL, NULL, 1);
	g.router_bus = bus_mem_open(g.net, "router");
	g.peer = bus_mem_open(g.net, "peer");
	g.journal = journal_mem_open();
	assert_non_null(g.journal);
	struct router_core_conf conf = {
		.bus = g.router_bus,
		.journal = g.journal,
		.name = "r",
		.operators = "root, boss",
		.now = clock_of,
		.now_ctx = &g,
	};

	router_conf_default(&conf.machine);
	conf.machine.settle_ns = 0;
	g.core = router_core_open(&conf, &why);
	assert_non_null(g.core);
	assert_non_null(bus_subscribe(g.peer, ">", NULL, on_any, &g));
	pump(&g);
	*state = &g;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *g = *state;

	router_core_close(g->core);
	journal_close(g->journal);
	bus_close(g->peer);
	bus_close(g->router_bus);
	bus_net_free(g->net);
	buf_done(&g->data);
	arena_done(&g->arena);
	return mem_held() == 0 ? 0 : -1;
}

/* Send bytes; what was heard last is in the rig. */
static void say(struct rig *g, const char *subject, const char *reply, struct span data)
{
	g->heard = 0;
	g->subject[0] = '\0';
	assert_int_equal(bus_publish(g->peer, subject, reply, NOTHING, data), 0);
	pump(g);
}

static struct query_reply ask(struct rig *g, const char *tenant, const struct query *q)
{
	CLEANUP(buf_done) struct buf b;
	struct query_reply r = { 0 };
	char subject[64];

	buf_init(&b, 4096);
	query_encode(&b, q);
	snprintf(subject, sizeof subject, "spu.query.%s", tenant);
	say(g, subject, "_INBOX.a", buf_span(&b));
	assert_string_equal(g->subject, "_INBOX.a");
	assert_int_equal(query_reply_decode(&g->arena, buf_span(&g->data), &r, NULL), 0);
	return r;
}

static struct submit_reply submit(struct rig *g, const char *tenant, const struct submit *s)
{
	CLEANUP(buf_done) struct buf b;
	struct submit_reply *r;
	char subject[64];
	size_t n;

	buf_init(&b, 2u << 20);
	submits_put(&b, s);
	snprintf(subject, sizeof subject, "spu.submit.%s", tenant);
	say(g, subject, "_INBOX.b", buf_span(&b));
	assert_string_equal(g->subject, "_INBOX.b");
	assert_int_equal(submit_replies_decode(&g->arena, buf_span(&g->data), &r, &n, NULL), 0);
	assert_int_equal(n, 1);
	return r[0];
}

static void offer(struct rig *g, uint32_t i, size_t kinds_n, struct span why)
{
	CLEANUP(buf_done) struct buf b;
	struct kind_offer kinds[LIMIT_OFFER_KINDS];
	char names[LIMIT_OFFER_KINDS][32], subject[64];
	struct offer o = {
		.incarnation = 1,
		.seq = 1,
		.rung = RUNG_CPU,
		.kinds = kinds,
		.kinds_n = kinds_n,
		.slots = 4,
		.health = 1000,
	};

	for (size_t k = 0; k < kinds_n; k++) {
		snprintf(names[k], sizeof names[k], k == 0 ? "util.echo" : "own.kind%u",
			(unsigned)k);
		kinds[k] = (struct kind_offer){
			.kind = span_str(names[k]),
			.ready = why.len == 0,
			.why = why,
		};
	}
	buf_init(&b, 1 << 20);
	ups_put(&b, &(struct up){ .kind = UP_OFFER, .offer = &o });
	snprintf(subject, sizeof subject, "spu.up.n%u", i);
	say(g, subject, NULL, buf_span(&b));
}

static void test_submit_and_look(void **state)
{
	struct rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo") };

	offer(g, 0, 1, NOTHING);
	struct ulid id = submit(g, "t", &s).task;
	struct query q = { .kind = QUERY_STATUS, .task = id };
	struct query_reply r = ask(g, "t", &q);

	assert_int_equal(r.kind, REPLY_TASK);
	assert_int_equal(r.task.state, STATE_ASSIGNED);
	assert_true(span_is(r.task.node, "n0"));
	/* Another tenant's task does not exist, but for an operator. */
	assert_int_equal(ask(g, "other", &q).fail.code, ERR_UNKNOWN);
	assert_int_equal(ask(g, "boss", &q).fail.code, 0);
	q.kind = QUERY_EXPLAIN;
	r = ask(g, "t", &q);
	assert_int_equal(r.kind, REPLY_EXPLAIN);
	assert_int_equal(r.explain.steps_n, 2);
	assert_int_equal(r.explain.steps[1].kind, STEP_PLACED);
	assert_int_equal(r.explain.steps[1].candidates_n, 1);
	assert_int_equal(r.explain.steps[1].candidates[0].verdict, VERDICT_CHOSEN);
	assert_true(r.explain.steps[1].candidates[0].cost.run_us > 0);
	q.kind = QUERY_CANCEL;
	assert_int_equal(ask(g, "other", &q).fail.code, ERR_UNKNOWN);
	assert_int_equal(ask(g, "boss", &q).task.state, STATE_CANCELLED);
	q.kind = QUERY_RESULT;
	r = ask(g, "t", &q);
	assert_int_equal(r.result.state, STATE_CANCELLED);
	assert_int_equal(r.result.fail.code, ERR_CANCELLED);
}

static void test_bad_bytes_are_answered(void **state)
{
	struct rig *g = *state;
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

		say(g, "spu.submit.t", "_INBOX.x", span_str(cases[i].bytes));
		assert_string_equal(g->subject, "_INBOX.x");
		assert_int_equal(submit_replies_decode(&g->arena, buf_span(&g->data), &r, &n, NULL),
			0);
		assert_int_equal(r[0].fail.code, cases[i].submit);
		assert_int_equal(m->submit_errors, i + 1);
		say(g, "spu.query.t", "_INBOX.y", span_str(cases[i].bytes));
		assert_int_equal(query_reply_decode(&g->arena, buf_span(&g->data), &q, NULL), 0);
		assert_int_equal(q.fail.code, cases[i].query);
		assert_int_equal(m->query_errors, i + 1);
	}
	say(g, "spu.up.n", NULL, SPAN_LIT("\xff\xff"));
	assert_int_equal(m->up_errors, 1);
}

/* Where an answer goes is the sender's choice; it must not make the router give orders. */
static void test_foreign_reply_is_never_used(void **state)
{
	static const char *const replies[] = { "spu.down.n0", "spu.up.n0", "spu.submit.t",
		"spu.inbox.other.x" };
	struct rig *g = *state;
	CLEANUP(buf_done) struct buf b;

	buf_init(&b, 4096);
	submits_put(&b, &(struct submit){ .kind = SPAN_LIT("util.echo") });
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		say(g, "spu.submit.t", replies[i], buf_span(&b));
		assert_int_equal(g->heard, 1);
		say(g, "spu.submit.t", replies[i], SPAN_LIT("\xff"));
		assert_int_equal(g->heard, 1);
		say(g, "spu.query.t", replies[i], SPAN_LIT("\xff"));
		assert_int_equal(g->heard, 1);
	}
	assert_int_equal(router_counts(router_core_machine(g->core))->accepted, 0);
	say(g, "spu.submit.t", "spu.inbox.t.x", buf_span(&b));
	assert_true(g->heard > 1);
}

static void test_oversize_names_the_limit(void **state)
{
	static const unsigned char much[LIMIT_BODY_BYTES + 1];
	struct rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo"), .body = span_of(much, sizeof much) };
	struct submit_reply r = submit(g, "t", &s);

	assert_int_equal(r.fail.code, ERR_TOO_BIG);
	assert_int_equal(r.fail.limit, LIMIT_BODY_BYTES);
}

static void test_drain_is_the_operators(void **state)
{
	struct rig *g = *state;
	struct query q = { .kind = QUERY_DRAIN, .node = SPAN_LIT("n0"), .on = true };

	offer(g, 0, 1, NOTHING);
	assert_int_equal(ask(g, "t", &q).fail.code, ERR_DENIED);
	struct query_reply r = ask(g, "root", &q);

	assert_int_equal(r.nodes_n, 1);
	assert_true(r.nodes[0].drain_asked);
	q.node = SPAN_LIT("nobody");
	assert_int_equal(ask(g, "root", &q).fail.code, ERR_UNKNOWN);
}

static void test_lists(void **state)
{
	struct rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo") };
	struct query q = { .kind = QUERY_TASKS, .limit = 7 };
	struct ulid ids[50];

	for (int i = 0; i < 50; i++) {
		g->now_ns += NS_PER_MS;
		ids[i] = submit(g, i % 5 == 0 ? "other" : "t", &s).task;
	}
	struct query_reply r = ask(g, "root", &q);

	assert_int_equal(r.tasks_n, 7);
	assert_int_equal(r.tasks_total, 50);
	for (int i = 0; i < 7; i++)
		assert_true(ulid_eq(r.tasks[i].task, ids[49 - i]));
	q.limit = 0;
	r = ask(g, "t", &q);
	assert_int_equal(r.tasks_n, 40);
	for (int i = 1; i < 40; i++)
		assert_true(r.tasks[i].accepted_ms < r.tasks[i - 1].accepted_ms);
	q.state = STATE_RUNNING;
	assert_int_equal(ask(g, "t", &q).tasks_total, 0);
	q.kind = QUERY_MESH;
	assert_int_equal(ask(g, "t", &q).mesh.queued, 50);
}

static void test_long_answers_are_cut(void **state)
{
	static char why[LIMIT_TEXT_BYTES];
	struct rig *g = *state;
	struct query q = { .kind = QUERY_NODES };

	memset(why, 'w', sizeof why);
	for (uint32_t i = 0; i < 30; i++)
		offer(g, i, LIMIT_OFFER_KINDS, span_of(why, sizeof why));
	struct query_reply r = ask(g, "t", &q);

	assert_int_equal(r.fail.code, 0);
	assert_in_range(r.nodes_n, 1, 29);
}

/* As many submits as fit into a message, each of a stream of its own, good and bad in turn: one answer, in order. */
static void test_large_batch(void **state)
{
	static char key[LIMIT_TOKEN_BYTES], kind[LIMIT_KIND_BYTES];
	struct rig *g = *state;
	CLEANUP(buf_done) struct buf b;
	struct submit_reply *r;
	size_t n;

	memset(key, 'k', sizeof key);
	memset(kind, 'x', sizeof kind);
	buf_init(&b, LIMIT_MESSAGE_BYTES);
	for (int i = 0; i < LIMIT_ITEMS_PER_MESSAGE; i++) {
		struct submit s = { .kind = i % 8 == 0 ? SPAN_LIT("util.echo")
						       : span_of(kind, sizeof kind),
			.key = i % 8 == 0 ? NOTHING : span_of(key, sizeof key) };

		submits_put(&b, &s);
	}
	say(g, "spu.submit.t", "_INBOX.b", buf_span(&b));
	assert_string_equal(g->subject, "_INBOX.b");
	assert_int_equal(submit_replies_decode(&g->arena, buf_span(&g->data), &r, &n, NULL), 0);
	assert_int_equal(n, LIMIT_ITEMS_PER_MESSAGE);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(r[i].fail.code, i % 8 == 0 ? 0 : ERR_UNKNOWN);
	assert_int_equal(router_core_metrics(g->core)->unsent, 0);
}

/* Submit a `fast` task that no node can take; what is heard. */
static void submit_fast(struct rig *g)
{
	CLEANUP(buf_done) struct buf b;
	const struct submit s = { .kind = SPAN_LIT("util.echo"), .fast = true };

	buf_init(&b, 4096);
	submits_put(&b, &s);
	say(g, "spu.submit.t", "_INBOX.b", buf_span(&b));
}

static void test_fast_reply_waits_for_an_event(void **state)
{
	struct rig *g = *state;
	CLEANUP(buf_done) struct buf b;
	struct submit_reply *r;
	size_t n;

	submit_fast(g);
	assert_string_equal(g->subject, "");
	assert_int_equal(router_core_wake(g->core), g->now_ns + NS_PER_MS);
	g->now_ns += NS_PER_MS;
	pump(g);
	assert_string_equal(g->subject, "_INBOX.b");
	assert_int_equal(submit_replies_decode(&g->arena, buf_span(&g->data), &r, &n, NULL), 0);
	assert_int_equal(n, 1);
	/* The end of that task brings the reply to the next one along. */
	submit_fast(g);
	assert_string_equal(g->subject, "");
	const struct query q = { .kind = QUERY_CANCEL, .task = r[0].task };

	buf_init(&b, 4096);
	query_encode(&b, &q);
	say(g, "spu.query.t", "_INBOX.a", buf_span(&b));
	assert_string_equal(g->subject, "_INBOX.b");
	assert_true(router_core_wake(g->core) > g->now_ns + NS_PER_MS);
}

/* --- the journal -------------------------------------------------------------------------------------- */

static void turn(struct rig *g)
{
	while (bus_net_step(g->net, g->now_ns))
		;
	assert_int_equal(router_core_turn(g->core), 0);
	while (bus_net_step(g->net, g->now_ns))
		;
}

static void send_submit(struct rig *g, const struct submit *s)
{
	CLEANUP(buf_done) struct buf b;

	buf_init(&b, 1 << 16);
	submits_put(&b, s);
	g->heard = 0;
	g->subject[0] = '\0';
	assert_int_equal(bus_publish(g->peer, "spu.submit.t", "_INBOX.s", NOTHING, buf_span(&b)),
		0);
}

static void test_an_answer_waits_until_it_is_safe(void **state)
{
	struct rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo") };

	offer(g, 0, 1, NOTHING);
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

static void restart(struct rig *g, bool crash)
{
	struct router_core_conf conf = {
		.bus = g->router_bus,
		.journal = g->journal,
		.name = "r",
		.operators = "root, boss",
		.now = clock_of,
		.now_ctx = g,
	};
	struct fail why = { 0 };

	router_conf_default(&conf.machine);
	conf.machine.settle_ns = 0;
	conf.machine.seed = 77;
	if (crash)
		journal_mem_fail(g->journal, 0, ERR_IO);
	router_core_close(g->core);
	journal_mem_fail(g->journal, 0, 0);
	journal_mem_crash(g->journal);
	g->core = router_core_open(&conf, &why);
	assert_non_null(g->core);
	pump(g);
}

static void test_a_restart_goes_on(void **state)
{
	struct rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo"), .key = SPAN_LIT("k") };
	struct ulid id = submit(g, "t", &s).task;
	struct query q = { .kind = QUERY_STATUS, .task = id };

	for (int i = 0; i < 2; i++) {
		restart(g, i == 1);
		assert_int_equal(ask(g, "t", &q).task.state, STATE_QUEUED);
		struct submit_reply again = submit(g, "t", &s);

		assert_true(again.existing);
		assert_true(ulid_eq(again.task, id));
	}
	q.kind = QUERY_CANCEL;
	assert_int_equal(ask(g, "t", &q).task.state, STATE_CANCELLED);
	restart(g, true);
	q.kind = QUERY_RESULT;
	assert_int_equal(ask(g, "t", &q).result.state, STATE_CANCELLED);
	assert_true(submit(g, "t", &s).existing);
	q.kind = QUERY_FORGET;
	assert_int_equal(ask(g, "t", &q).task.state, STATE_CANCELLED);
	restart(g, true);
	assert_int_equal(ask(g, "t", &q).fail.code, ERR_UNKNOWN);
	assert_false(submit(g, "t", &s).existing);
}

static void test_what_was_not_safe_did_not_happen(void **state)
{
	struct rig *g = *state;
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
	struct rig *g = *state;
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

static void test_replay(void **state)
{
	struct rig *g = *state;
	struct submit s = { .kind = SPAN_LIT("util.echo") };
	struct query q = { .kind = QUERY_REPLAY, .task = submit(g, "t", &s).task };
	struct ulid first = q.task;

	assert_int_equal(ask(g, "t", &q).fail.code, ERR_INVALID);
	q.kind = QUERY_FORGET;
	assert_int_equal(ask(g, "t", &q).fail.code, ERR_INVALID);
	q.kind = QUERY_CANCEL;
	assert_int_equal(ask(g, "t", &q).task.state, STATE_CANCELLED);
	q.kind = QUERY_REPLAY;
	assert_int_equal(ask(g, "other", &q).fail.code, ERR_UNKNOWN);
	struct query_reply r = ask(g, "boss", &q);

	assert_int_equal(r.fail.code, 0);
	assert_false(ulid_eq(r.task.task, first));
	assert_int_equal(r.task.state, STATE_QUEUED);
	q = (struct query){ .kind = QUERY_STATUS, .task = r.task.task };
	assert_int_equal(ask(g, "t", &q).fail.code, 0); /* it is its tenant's */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
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
		TEST(test_an_answer_waits_until_it_is_safe),
		TEST(test_a_restart_goes_on),
		TEST(test_what_was_not_safe_did_not_happen),
		TEST(test_a_failed_journal_stops_the_router),
		TEST(test_replay),
	};

	return cmocka_run_group_tests_name("router_core", tests, NULL, NULL);
}
