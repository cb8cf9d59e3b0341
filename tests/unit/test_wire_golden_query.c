/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of queries, questions and their answers, field by field (tests/support/golden.h).
 */
#include "base/fmt.h"
#include "tests/support/golden.h"
#include "wire/query.h"

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
		{ "query_tasks",
			{ .kind = QUERY_TASKS, .limit = 10, .state = STATE_DEAD, .paused = true } },
		{ "query_pause", { .kind = QUERY_PAUSE, .task = id(7) } },
		{ "query_resume", { .kind = QUERY_RESUME, .task = id(7) } },
		{ "query_nodes", { .kind = QUERY_NODES, .limit = 1000 } },
		{ "query_drain", { .kind = QUERY_DRAIN, .node = T("cpu-1"), .on = true } },
		{ "query_mesh", { .kind = QUERY_MESH } },
		{ "query_stream",
			{ .kind = QUERY_STREAM, .task = id(7), .chunk_seq = 300, .attempt = 2 } },
		{ "query_cache", { .kind = QUERY_CACHE, .purge = true, .all = true } },
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
		.paused = true,
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
		.cache_hit = true,
		.cache_age_ms = 3,
		.cache_near = 950,
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

static void test_query_reply_stream(void **state)
{
	struct golden *g = *state;
	struct chunk chunks[] = { { 3, T("three") }, { 4, span_of("", 1) }, { 5, T("") } };

	check_reply(g, "query_reply_stream",
		&(struct query_reply){ .kind = REPLY_STREAM,
			.stream = { .attempt = 2,
				.oldest = 3,
				.last = 5,
				.ended = true,
				.chunks = chunks,
				.chunks_n = ARRAY_LEN(chunks), }, });
}

static void test_query_reply_caches(void **state)
{
	struct golden *g = *state;
	struct cache_row rows[] = {
		{ T("router-1"), RUNG_NONE, { 1, 2, 3, 4, 5, 6, 7, 8, 9 } },
		{ T("cpu-1"), RUNG_CPU, { .bytes_max = 16777216 } },
	};

	check_reply(g, "query_reply_caches",
		&(struct query_reply){ .kind = REPLY_CACHES, .caches = rows, .caches_n = 2 });
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
#define TEST(f) cmocka_unit_test_setup_teardown(f, golden_set_up, golden_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_query),
		TEST(test_ask),
		TEST(test_ask_reply),
		TEST(test_query_reply),
		TEST(test_query_reply_stream),
		TEST(test_query_reply_caches),
		TEST(test_query_reply_mesh),
		TEST(test_explain),
	};

	return cmocka_run_group_tests_name("wire golden query", tests, NULL, NULL);
}
