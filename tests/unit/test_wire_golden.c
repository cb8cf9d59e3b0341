/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of tasks, events and the worker protocol, field by field (tests/support/golden.h).
 */
#include "base/fmt.h"
#include "tests/support/golden.h"
#include "wire/body.h"
#include "wire/node.h"
#include "wire/task.h"

static void test_body(void **state)
{
	struct golden *g = *state;
	struct span bytes = load(g, "body");
	struct body body;

	body_put_param(&g->out, T("split.kind"), T("llm.chat"));
	body_put_int(&g->out, "n", -7);
	body_put_item(&g->out, T("a.txt"), T("text/plain"), T("\0\xff abc"));
	body_put_item(&g->out, T(""), T(""), T(""));
	same(g);
	assert_int_equal(body_decode(&g->arena, bytes, &body, NULL), 0);
	body_encode(&g->out, &body);
	same(g);
	assert_int_equal(body.params_n, 2);
	assert_int_equal(body.items_n, 2);
	assert_true(span_is(body_param(&body, "n")->value, "-7"));
	assert_null(body_param(&body, "m"));
}

static void test_submits(void **state)
{
	struct golden *g = *state;
	struct span bytes = load(g, "submits");
	const struct submit in[] = {
		{
			.key = T("k-1"),
			.stream = T("s_2"),
			.kind = T("util.echo"),
			.priority = 9,
			.deadline_ms = 1700000000123,
			.max_price_ucr = 1000000,
			.allow = { { RUNG_GPU, RUNG_API, RUNG_SPLIT }, 3 },
			.fast = true,
			.start_within_ms = 2500,
			.keep_ms = 604800000,
			.body = T("body"),
		},
		{ .kind = T("a") },
	};
	struct submit *rows;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		submits_put(&g->out, &in[i]);
	same(g);
	assert_int_equal(submits_decode(&g->arena, bytes, &rows, &n, NULL), 0);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(rows[i].fail.code, 0);
		submits_put(&g->out, &rows[i]);
	}
	same(g);
}

static void test_submit_replies(void **state)
{
	struct golden *g = *state;
	struct span bytes = load(g, "submit_replies");
	const struct submit_reply in[] = {
		{ .key = T("k-1"), .task = id(7), .existing = true, .state = STATE_QUEUED },
		{ .key = T("k-2"),
			.fail = { .code = ERR_BUSY,
				.field = "priority",
				.limit = 9,
				.detail = "no room",
				.retry_after_ms = 1500, }, },
	};
	struct submit_reply *rows;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		submit_replies_put(&g->out, &in[i]);
	same(g);
	assert_int_equal(submit_replies_decode(&g->arena, bytes, &rows, &n, NULL), 0);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++)
		submit_replies_put(&g->out, &rows[i]);
	same(g);
	assert_int_equal(rows[1].fail.code, ERR_BUSY);
}

static void test_events(void **state)
{
	struct golden *g = *state;
	struct span bytes = load(g, "events");
	const struct event in[] = {
		{ .task = id(7),
			.seq = 300,
			.kind = EVENT_CHANGE,
			.state = STATE_RUNNING,
			.rung = RUNG_CPU,
			.node = T("cpu-1"),
			.attempt = 2,
			.reason = T("placed"),
			.paused = true, },
		{ .task = id(7),
			.seq = 2,
			.kind = EVENT_PROGRESS,
			.permille = 500,
			.note = T("half"), },
		{ .task = id(7), .seq = 3, .kind = EVENT_CHUNK, .chunk_seq = 4,
			.data = T("\1\2"), .attempt = 2 },
		{ .task = id(7), .seq = 3, .kind = EVENT_BEAT, .chunk_seq = 4, .attempt = 2 },
		{ .task = id(7),
			.seq = 4,
			.kind = EVENT_END,
			.result = { .state = STATE_FAILED,
				.body = T("b"),
				.fail = { .code = ERR_LOST, .detail = "gone" },
				.rung = RUNG_API,
				.node = T("n"),
				.attempts = 3,
				.price_ucr = 77,
				.run_us = 1000,
				.total_us = 2000,
				.chunks = 4, }, },
	};
	struct event *rows;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		events_put(&g->out, &in[i]);
	same(g);
	assert_int_equal(events_decode(&g->arena, bytes, &rows, &n, NULL), 0);
	assert_int_equal(n, ARRAY_LEN(in));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(rows[i].kind, in[i].kind);
		events_put(&g->out, &rows[i]);
	}
	same(g);
}

static const struct offer *golden_offer(void)
{
	static struct kind_offer kinds[] = {
		{
			.kind = T("llm.chat"),
			.why = T("no model"),
			.price_ucr = 5,
			.typical_us = 6,
			.model = T("m1,m2"),
		},
		{ .kind = T("image.filter"), .ready = true, .pauses = true },
	};
	static struct attempt_ref running = { .attempt = 1, .chunks = 5, .paused = true };
	static struct offer offer = {
		.incarnation = UINT64_MAX,
		.seq = 2,
		.rung = RUNG_GPU,
		.kinds = kinds,
		.kinds_n = 2,
		.slots = 4,
		.queued = 1,
		.draining = true,
		.running = &running,
		.running_n = 1,
		.device = T("PoCL"),
		.version = T("0.1.0"),
		.health = 1000,
		.load = 250,
		.sent_ms = 1700000000123,
		.cache = { .bytes = 300, .bytes_max = 65536, .hits = 1, .misses = 2,
			.oldest_ms = 5, },
	};

	running.task = id(7);
	return &offer;
}

static void test_ups(void **state)
{
	struct golden *g = *state;
	struct span bytes = load(g, "ups");
	const struct up in[] = {
		{ .kind = UP_OFFER, .offer = golden_offer() },
		{ .kind = UP_ACCEPT, .task = id(7), .attempt = 1 },
		{ .kind = UP_REFUSE, .task = id(7), .attempt = 2, .fail = { .code = ERR_BUSY } },
		{ .kind = UP_PROGRESS,
			.task = id(7),
			.attempt = 3,
			.permille = 1000,
			.note = T("n"), },
		{ .kind = UP_CHUNK, .task = id(7), .attempt = 4, .chunk_seq = 9, .chunk_oldest = 3,
			.data = T("d") },
		{ .kind = UP_DONE,
			.task = id(7),
			.attempt = 5,
			.body = T("body"),
			.run_us = 123456,
			.chunk_seq = 9, },
		{ .kind = UP_FAILED,
			.task = id(7),
			.attempt = 6,
			.fail = { .code = ERR_DEVICE,
				.field = "m",
				.limit = -1,
				.detail = "out of range", },
			.run_us = 7,
			.chunk_seq = 2, },
		{ .kind = UP_BYE, .incarnation = 42, .reason = T("stopping") },
	};
	struct up *rows;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		ups_put(&g->out, &in[i]);
	same(g);
	assert_int_equal(ups_decode(&g->arena, bytes, &rows, &n, NULL), 0);
	assert_int_equal(n, ARRAY_LEN(in));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(rows[i].kind, in[i].kind);
		ups_put(&g->out, &rows[i]);
	}
	same(g);
}

static void test_downs(void **state)
{
	struct golden *g = *state;
	struct span bytes = load(g, "downs");
	const struct down in[] = {
		{
			.kind = DOWN_ASSIGN,
			.task = id(7),
			.attempt = 1,
			.task_kind = T("util.echo"),
			.lease_ms = 30000,
			.deadline_ms = 1700000000123,
			.body = T("onetwo"),
			.tenant = T("acme"),
		},
		{ .kind = DOWN_CANCEL, .task = id(7), .attempt = 2, .reason = T("asked") },
		{ .kind = DOWN_DRAIN, .on = true },
		{ .kind = DOWN_DRAIN },
		{ .kind = DOWN_PING, .router = 99 },
		{ .kind = DOWN_PAUSE, .task = id(7), .attempt = 3 },
		{ .kind = DOWN_RESUME, .task = id(7), .attempt = 4 },
		{ .kind = DOWN_RESEND, .task = id(7), .attempt = 2, .chunk_seq = 300 },
		{ .kind = DOWN_PURGE, .tenant = T("acme") },
		{ .kind = DOWN_PURGE },
	};
	struct down *rows;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		downs_put(&g->out, &in[i]);
	same(g);
	assert_int_equal(downs_decode(&g->arena, bytes, &rows, &n, NULL), 0);
	assert_int_equal(n, ARRAY_LEN(in));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(rows[i].kind, in[i].kind);
		downs_put(&g->out, &rows[i]);
	}
	same(g);
	assert_true(span_is(rows[0].body, "onetwo"));
}

static void test_plan(void **state)
{
	struct golden *g = *state;
	struct span bytes = load(g, "plan");
	struct split_plan plan;

	split_plan_put_part(&g->out,
		&(struct part){ T("text.extract"), T("one"), 7, T("byte"), 0 });
	split_plan_put_part(&g->out, &(struct part){ .kind = T("text.extract") });
	split_plan_put_join(&g->out,
		&(struct part){ .kind = T("task.reduce"), .body = T("how"), .fan_in = 32 });
	same(g);
	assert_int_equal(split_plan_decode(&g->arena, bytes, &plan, NULL), 0);
	for (size_t i = 0; i < plan.parts_n; i++)
		split_plan_put_part(&g->out, &plan.parts[i]);
	split_plan_put_join(&g->out, &plan.join);
	same(g);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, golden_set_up, golden_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_body),
		TEST(test_submits),
		TEST(test_submit_replies),
		TEST(test_events),
		TEST(test_ups),
		TEST(test_downs),
		TEST(test_plan),
	};

	return cmocka_run_group_tests_name("wire golden", tests, NULL, NULL);
}
