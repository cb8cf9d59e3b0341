/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of every message, field by field. tests/cases/wire/NAME.hex holds the encoding that protoc
 * made of the text in its comments; here stand the same values as domain structs.
 */
#include <stdio.h>

#include "base/fmt.h"
#include "tests/support/test.h"
#include "wire/body.h"
#include "wire/node.h"
#include "wire/query.h"
#include "wire/task.h"

#define T(s) SPAN_LIT(s)
#define BYTES_MAX 4096

struct golden {
	struct arena arena;
	struct buf out;    /* what our encoder made */
	struct buf wanted; /* what protoc made */
};

static int setup(void **state)
{
	static struct golden g;

	arena_init(&g.arena, 1 << 20);
	buf_init(&g.out, BYTES_MAX);
	buf_init(&g.wanted, BYTES_MAX);
	*state = &g;
	return 0;
}

static int teardown(void **state)
{
	struct golden *g = *state;

	arena_done(&g->arena);
	buf_done(&g->out);
	buf_done(&g->wanted);
	return 0;
}

static unsigned nibble(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static struct span load(struct golden *g, const char *name)
{
	char path[128];
	char line[256];
	FILE *file;

	snprintf(path, sizeof(path), "tests/cases/wire/%s.hex", name);
	file = fopen(path, "r");
	if (file == NULL)
		fail_msg("cannot read %s", path);
	buf_reset(&g->wanted);
	while (fgets(line, sizeof(line), file) != NULL)
		for (const char *at = line; line[0] != '#' && at[0] > ' '; at += 2)
			buf_byte(&g->wanted, (unsigned char)(nibble(at[0]) << 4 | nibble(at[1])));
	fclose(file);
	assert_int_equal(buf_err(&g->wanted), 0);
	return buf_span(&g->wanted);
}

/* What was encoded is what the file says; then begin anew. */
static void same(struct golden *g)
{
	assert_int_equal(buf_err(&g->out), 0);
	assert_int_equal(g->out.len, g->wanted.len);
	assert_memory_equal(g->out.at, g->wanted.at, g->wanted.len);
	buf_reset(&g->out);
}

static struct ulid id(unsigned last)
{
	char text[ULID_TEXT + 1] = "01HF7YAT5Q0000000000000000";
	struct ulid ret = { 0 };

	text[ULID_TEXT - 1] = (char)('0' + last);
	assert_int_equal(ulid_parse(span_str(text), &ret), 0);
	return ret;
}

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
			.reason = T("placed"), },
		{ .task = id(7),
			.seq = 2,
			.kind = EVENT_PROGRESS,
			.permille = 500,
			.note = T("half"), },
		{ .task = id(7), .seq = 3, .kind = EVENT_CHUNK, .chunk_seq = 4, .data = T("\1\2") },
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
				.total_us = 2000, }, },
	};
	struct event *rows;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		events_put(&g->out, &in[i]);
	same(g);
	assert_int_equal(events_decode(&g->arena, bytes, &rows, &n, NULL), 0);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(rows[i].kind, in[i].kind);
		events_put(&g->out, &rows[i]);
	}
	same(g);
}

static void test_ups(void **state)
{
	struct golden *g = *state;
	struct span bytes = load(g, "ups");
	struct kind_offer kinds[] = {
		{
			.kind = T("llm.chat"),
			.why = T("no model"),
			.price_ucr = 5,
			.typical_us = 6,
			.model = T("m1,m2"),
		},
		{ .kind = T("image.filter"), .ready = true },
	};
	struct attempt_ref running = { id(7), 1 };
	const struct offer offer = {
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
	};
	const struct up in[] = {
		{ .kind = UP_OFFER, .offer = &offer },
		{ .kind = UP_ACCEPT, .task = id(7), .attempt = 1 },
		{ .kind = UP_REFUSE, .task = id(7), .attempt = 2, .fail = { .code = ERR_BUSY } },
		{ .kind = UP_PROGRESS,
			.task = id(7),
			.attempt = 3,
			.permille = 1000,
			.note = T("n"), },
		{ .kind = UP_CHUNK, .task = id(7), .attempt = 4, .chunk_seq = 9, .data = T("d") },
		{ .kind = UP_DONE,
			.task = id(7),
			.attempt = 5,
			.body = T("body"),
			.run_us = 123456, },
		{ .kind = UP_FAILED,
			.task = id(7),
			.attempt = 6,
			.fail = { .code = ERR_DEVICE,
				.field = "m",
				.limit = -1,
				.detail = "out of range", },
			.run_us = 7, },
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

	split_plan_put_part(&g->out, &(struct part){ T("text.extract"), T("one") });
	split_plan_put_part(&g->out, &(struct part){ T("text.extract"), T("") });
	split_plan_put_join(&g->out, &(struct part){ T("task.reduce"), T("how") });
	same(g);
	assert_int_equal(split_plan_decode(&g->arena, bytes, &plan, NULL), 0);
	for (size_t i = 0; i < plan.parts_n; i++)
		split_plan_put_part(&g->out, &plan.parts[i]);
	split_plan_put_join(&g->out, &plan.join);
	same(g);
}

static void test_query(void **state)
{
	struct golden *g = *state;
	const struct {
		const char *name;
		struct query query;
	} in[] = {
		{ "query_status", { .kind = QUERY_STATUS, .task = id(7) } },
		{ "query_result", { .kind = QUERY_RESULT, .task = id(7) } },
		{ "query_explain", { .kind = QUERY_EXPLAIN, .task = id(7) } },
		{ "query_cancel", { .kind = QUERY_CANCEL, .task = id(7) } },
		{ "query_tasks", { .kind = QUERY_TASKS, .limit = 10, .state = STATE_DEAD } },
		{ "query_nodes", { .kind = QUERY_NODES, .limit = 1000 } },
		{ "query_drain", { .kind = QUERY_DRAIN, .node = T("cpu-1"), .on = true } },
		{ "query_mesh", { .kind = QUERY_MESH } },
	};
	struct query q;

	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		struct span bytes = load(g, in[i].name);

		query_encode(&g->out, &in[i].query);
		same(g);
		assert_int_equal(query_decode(&g->arena, bytes, &q, NULL), 0);
		assert_int_equal(q.kind, in[i].query.kind);
		query_encode(&g->out, &q);
		same(g);
	}
}

static void test_ask(void **state)
{
	struct golden *g = *state;
	const struct {
		const char *name;
		struct ask ask;
	} in[] = {
		{ "ask_list", { .kind = ASK_LIST, .limit = 20 } },
		{ "ask_show", { .kind = ASK_SHOW, .task = id(7) } },
		{ "ask_answer",
			{
				.kind = ASK_ANSWER,
				.task = id(7),
				.body = T("yes"),
				.person = T("Ann"),
			} },
		{ "ask_decline", { .kind = ASK_DECLINE, .task = id(7) } },
	};
	struct ask q;

	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		struct span bytes = load(g, in[i].name);

		ask_encode(&g->out, &in[i].ask);
		same(g);
		assert_int_equal(ask_decode(&g->arena, bytes, &q, NULL), 0);
		assert_int_equal(q.kind, in[i].ask.kind);
		ask_encode(&g->out, &q);
		same(g);
	}
}

static void test_ask_reply(void **state)
{
	struct golden *g = *state;
	struct span bytes = load(g, "ask_reply");
	struct question_view question = {
		.task = id(7),
		.kind = T("human.ask"),
		.tenant = T("acme"),
		.asked_ms = 1,
		.deadline_ms = 2,
		.prompt = T("which?"),
		.body = T("b"),
	};
	const struct ask_reply in = {
		.fail = { .code = ERR_BUSY, .retry_after_ms = 10 },
		.questions = &question,
		.questions_n = 1,
	};
	struct ask_reply out;

	ask_reply_encode(&g->out, &in);
	same(g);
	assert_int_equal(ask_reply_decode(&g->arena, bytes, &out, NULL), 0);
	ask_reply_encode(&g->out, &out);
	same(g);
}

static void check_reply(struct golden *g, const char *name, const struct query_reply *in)
{
	struct span bytes = load(g, name);
	struct query_reply out;

	query_reply_encode(&g->out, in);
	same(g);
	assert_int_equal(query_reply_decode(&g->arena, bytes, &out, NULL), 0);
	assert_int_equal(out.kind, in->kind);
	assert_int_equal(out.fail.code, in->fail.code);
	query_reply_encode(&g->out, &out);
	same(g);
}

static void test_query_reply(void **state)
{
	struct golden *g = *state;
	const struct task_view task = {
		.task = id(7),
		.kind = T("llm.chat"),
		.state = STATE_SPLIT,
		.rung = RUNG_SPLIT,
		.node = T("cpu-1"),
		.attempt = 2,
		.priority = 3,
		.accepted_ms = 4,
		.deadline_ms = 5,
		.ended_ms = 6,
		.permille = 700,
		.note = T("eight"),
		.parts = 9,
		.parts_done = 8,
		.parent = id(9),
	};
	struct task_view tasks[] = {
		{ .task = id(7), .kind = T("a"), .state = STATE_QUEUED },
		{ .task = id(9), .kind = T("b"), .state = STATE_DEAD },
	};
	const struct result result = {
		.state = STATE_SUCCEEDED,
		.body = T("b"),
		.rung = RUNG_HUMAN,
		.node = T("inbox"),
		.attempts = 1,
		.price_ucr = 2,
	};
	struct node_view nodes[] = {
		{
			.node = T("cpu-1"),
			.state = NODE_SUSPECT,
			.offer = { .incarnation = 1, .rung = RUNG_CPU, .slots = 2 },
			.busy = 3,
			.silent_ms = 4,
			.done = 5,
			.failed = 6,
			.lost = 7,
			.drain_asked = true,
		},
		{ .node = T("cpu-2"), .state = NODE_GONE },
	};

	check_reply(g, "query_reply_error",
		&(struct query_reply){ .fail = {
					       .code = ERR_UNKNOWN,
					       .field = "task",
					       .detail = "no such task",
				       } });
	check_reply(g, "query_reply_task",
		&(struct query_reply){ .kind = REPLY_TASK, .task = task });
	check_reply(g, "query_reply_result",
		&(struct query_reply){ .kind = REPLY_RESULT, .result = result });
	check_reply(g, "query_reply_tasks",
		&(struct query_reply){
			.kind = REPLY_TASKS,
			.tasks = tasks,
			.tasks_n = 2,
			.tasks_total = 5000,
		});
	check_reply(g, "query_reply_nodes",
		&(struct query_reply){ .kind = REPLY_NODES, .nodes = nodes, .nodes_n = 2 });
}

static void test_query_reply_mesh(void **state)
{
	struct golden *g = *state;
	const struct mesh_view mesh = {
		.router = T("router-1"),
		.incarnation = 2,
		.policy = T("cost"),
		.up_ms = 4,
		.accepted = 5,
		.refused = 6,
		.succeeded = 7,
		.failed = 8,
		.cancelled = 9,
		.expired = 10,
		.dead = 11,
		.queued = 12,
		.running = 13,
		.nodes_up = 14,
		.hops = 15,
		.stale = 16,
		.jitter_p99_us = 17,
	};

	check_reply(g, "query_reply_mesh",
		&(struct query_reply){ .kind = REPLY_MESH, .mesh = mesh });
}

static void test_explain(void **state)
{
	struct golden *g = *state;
	struct candidate_view candidates[] = {
		{
			.node = T("gpu-1"),
			.verdict = VERDICT_UNHEALTHY,
			.note = T("hot"),
			.cost = { 3, 4, 5, 6, -7 },
		},
		{ .node = T("gpu-2"), .verdict = VERDICT_CHOSEN },
	};
	struct step_view steps[] = {
		{
			.at_us = 1,
			.kind = STEP_HOP,
			.rung = RUNG_GPU,
			.to = RUNG_HUMAN,
			.node = T("gpu-1"),
			.attempt = 2,
			.code = ERR_NO_NODE,
			.reason = T("no node"),
			.candidates = candidates,
			.candidates_n = 2,
			.considered = 8,
			.policy = T("p2c"),
		},
		{ .kind = STEP_END },
	};
	struct ulid part = id(9);
	const struct query_reply reply = { .kind = REPLY_EXPLAIN,
		.explain = { .task = { .task = id(7), .kind = T("llm.chat"), .state = STATE_DEAD },
			.ladder = { { RUNG_GPU, RUNG_HUMAN }, 2 },
			.steps = steps,
			.steps_n = 2,
			.dropped = 10,
			.parts = &part,
			.parts_n = 1, }, };

	check_reply(g, "query_reply_explain", &reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_body, setup, teardown),
		cmocka_unit_test_setup_teardown(test_submits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_submit_replies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ups, setup, teardown),
		cmocka_unit_test_setup_teardown(test_downs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_plan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_query, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ask, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ask_reply, setup, teardown),
		cmocka_unit_test_setup_teardown(test_query_reply, setup, teardown),
		cmocka_unit_test_setup_teardown(test_query_reply_mesh, setup, teardown),
		cmocka_unit_test_setup_teardown(test_explain, setup, teardown),
	};

	return cmocka_run_group_tests_name("wire golden", tests, NULL, NULL);
}
