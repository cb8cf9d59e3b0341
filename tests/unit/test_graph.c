/* SPDX-License-Identifier: Apache-2.0
 *
 * The planner of task graphs: what it refuses, in which order it lets parts run (against a model that looks at
 * all names each time), trees, shared runs, outputs.
 */
#include "policy/graph.h"

#include <stdio.h>

#include "base/prng.h"
#include "tests/support/test.h"

#define PARTS_MAX 1024u
#define MODEL_MAX 40u

struct made {
	struct arena arena;
	struct graph_part parts[MODEL_MAX];
	size_t n;
	struct graph g;
	struct fail why;
};

static void part(struct made *m, const char *name, const char *content, const char *inputs,
	const char *after)
{
	m->parts[m->n++] = (struct graph_part){
		.name = span_str(name),
		.kind = SPAN_LIT("util.echo"),
		.content = span_str(content),
		.inputs = span_str(inputs),
		.after = span_str(after),
	};
}

static int plan(struct made *m, uint32_t max)
{
	arena_done(&m->arena);
	arena_init(&m->arena, 1 << 20);
	m->why = (struct fail){ 0 };
	return graph_plan(&m->arena, m->parts, m->n, max, &m->g, &m->why);
}

static void test_refused(void **state)
{
	static const struct {
		const char *parts[4][3]; /* name, inputs, after */
		int code;
		const char *field, *detail;
	} rows[] = {
		{ { { NULL } }, ERR_INVALID, "item", "without parts" },
		{ { { "a", "", "" }, { "a", "", "" } }, ERR_INVALID, "name", "named a" },
		{ { { "a", "b", "" } }, ERR_INVALID, "graph.inputs",
			"part a needs b, which is not there" },
		{ { { "a", "", "zz" } }, ERR_INVALID, "graph.after", "needs zz" },
		{ { { "a", "a", "" } }, ERR_INVALID, "graph.inputs", "need each other: a" },
		{ { { "x", "", "" }, { "a", "x c", "" }, { "b", "a", "" }, { "c", "", "b" } },
			ERR_INVALID, "graph.inputs", "need each other: " },
		{ { { "a", "", "" }, { "b", "", "" }, { "c", "", "" }, { "d", "", "" } },
			ERR_TOO_BIG, "item", "4 parts" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct made m = { .n = 0 };

		for (size_t k = 0; k < 4 && rows[i].parts[k][0] != NULL; k++)
			part(&m, rows[i].parts[k][0], "", rows[i].parts[k][1], rows[i].parts[k][2]);
		assert_int_equal(plan(&m, rows[i].code == ERR_TOO_BIG ? 3 : 9), rows[i].code);
		assert_string_equal(m.why.field, rows[i].field);
		assert_non_null(strstr(m.why.detail, rows[i].detail));
		arena_done(&m.arena);
	}
}

/* Who is on the cycle is named, who only hangs on it is not. */
static void test_cycle_is_named(void **state)
{
	struct made m = { .n = 0 };

	(void)state;
	part(&m, "tail", "", "ring1", "");
	part(&m, "ring1", "", "ring2", "");
	part(&m, "ring2", "", "ring3 root", "");
	part(&m, "ring3", "", "", "ring1");
	part(&m, "root", "", "", "");
	assert_int_equal(plan(&m, 9), ERR_INVALID);
	assert_non_null(strstr(m.why.detail, "ring1"));
	assert_non_null(strstr(m.why.detail, "ring2"));
	assert_non_null(strstr(m.why.detail, "ring3"));
	assert_null(strstr(m.why.detail, "tail"));
	assert_null(strstr(m.why.detail, "root"));
	arena_done(&m.arena);
}

static void test_equal_parts_run_once(void **state)
{
	struct made m = { .n = 0 };

	(void)state;
	part(&m, "a", "1", "", "");
	part(&m, "b", "1", "", "");
	part(&m, "c", "2", "", "");
	part(&m, "over-a", "3", "a c", "");
	part(&m, "over-b", "3", "b c", ""); /* equal once a and b are */
	part(&m, "other-way", "3", "c b", "");
	part(&m, "only-after", "3", "a", "c");
	assert_int_equal(plan(&m, 9), 0);
	assert_int_equal(m.g.runs_n, 5);
	assert_int_equal(m.g.nodes[1].same, 0);
	assert_int_equal(m.g.nodes[4].same, 3);
	assert_int_equal(m.g.nodes[5].same, 5);
	assert_int_equal(m.g.nodes[6].same, 6);
	arena_done(&m.arena);
}

static void test_tree(void **state)
{
	static const uint32_t runs[][3] = { /* inputs, fan-in, runs of the tree */
		{ 1, 2, 1 }, { 2, 2, 1 }, { 3, 2, 3 }, { 8, 2, 7 }, { 9, 3, 4 }, { 10, 3, 7 },
		{ 10, 0, 1 }
	};
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
		struct made m = { .n = 0 };
		char inputs[64] = "";

		for (uint32_t k = 0; k < runs[i][0]; k++) {
			part(&m, names[k], names[k], "", "");
			inputs[2 * k] = ' ';
			inputs[2 * k + 1] = names[k][0];
		}
		part(&m, "tree", "", inputs, "");
		m.parts[m.n - 1].fan_in = runs[i][1];
		assert_int_equal(plan(&m, 99), 0);
		assert_int_equal(m.g.runs_n, runs[i][0] + runs[i][2]);
		for (uint32_t k = runs[i][0]; k < m.g.nodes_n; k++)
			assert_true(runs[i][1] == 0 || m.g.nodes[k].inputs_n <= runs[i][1]);
		assert_int_equal(m.g.outputs_n, 1);
		assert_int_equal(m.g.outputs[0], m.n - 1);
		assert_int_equal(plan(&m, m.g.nodes_n - 1), ERR_TOO_BIG);
		arena_done(&m.arena);
	}
}

static void test_outputs(void **state)
{
	struct made m = { .n = 0 };

	(void)state;
	part(&m, "a", "1", "", "");
	part(&m, "b", "2", "a", "");
	part(&m, "c", "3", "", "b"); /* b's result is not taken */
	assert_int_equal(plan(&m, 9), 0);
	assert_int_equal(m.g.outputs_n, 2);
	assert_int_equal(m.g.outputs[0], 1);
	assert_int_equal(m.g.outputs[1], 2);
	m.parts[0].output = true;
	assert_int_equal(plan(&m, 9), 0);
	assert_int_equal(m.g.outputs_n, 1);
	assert_int_equal(m.g.outputs[0], 0);
	arena_done(&m.arena);
}

/* --- against a model ------------------------------------------------------------------------------------- */

struct model {
	char names[MODEL_MAX][16];
	char inputs[MODEL_MAX][MODEL_MAX * 16];
	bool needs[MODEL_MAX][MODEL_MAX];
	bool begun[MODEL_MAX];
	bool ended[MODEL_MAX];
};

static void random_graph(struct prng *p, struct made *m, struct model *model)
{
	uint32_t n = 1 + (uint32_t)prng_below(p, MODEL_MAX), order[MODEL_MAX];

	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	for (uint32_t i = n; i-- > 1;) {
		uint32_t k = (uint32_t)prng_below(p, i + 1), swap = order[i];

		order[i] = order[k];
		order[k] = swap;
	}
	for (uint32_t i = 0; i < n; i++)
		snprintf(model->names[i], sizeof model->names[i], "p%u", i);
	for (uint32_t i = 0; i < n; i++) {
		char *inputs = model->inputs[order[i]];
		size_t len = 0;

		for (uint32_t k = 0; k < i; k++) {
			if (prng_below(p, 4) != 0)
				continue;
			model->needs[order[i]][order[k]] = true;
			len += span_copy(span_str(model->names[order[k]]), inputs + len, 16);
			inputs[len++] = ' ';
		}
	}
	for (uint32_t i = 0; i < n; i++)
		part(m, model->names[i], model->names[i], model->inputs[i], "");
}

static bool may_run(const struct model *model, uint32_t part_, size_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (model->needs[part_][i] && !model->ended[i])
			return false;
	return !model->begun[part_];
}

static uint32_t count_may_run(const struct model *model, size_t n)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < n; i++)
		count += may_run(model, i, n);
	return count;
}

static void end_any(struct prng *p, struct made *m, struct model *model)
{
	uint32_t at = (uint32_t)prng_below(p, m->n);

	while (!model->begun[at] || model->ended[at])
		at = (at + 1) % (uint32_t)m->n;
	model->ended[at] = true;
	graph_end(&m->g, at);
}

static void run_against_model(struct prng *p)
{
	struct made m = { .n = 0 };
	static struct model model;
	uint32_t running = 0, node;

	memset(&model, 0, sizeof model);
	random_graph(p, &m, &model);
	assert_int_equal(plan(&m, PARTS_MAX), 0);
	assert_int_equal(m.g.runs_n, m.n);
	while (m.g.ended_n < m.n) {
		uint32_t may = count_may_run(&model, m.n);

		while (may-- > 0) {
			node = graph_next(&m.g);
			assert_int_not_equal(node, GRAPH_NONE);
			assert_true(may_run(&model, node, m.n));
			model.begun[node] = true;
			running++;
		}
		assert_int_equal(graph_next(&m.g), GRAPH_NONE);
		assert_int_not_equal(running, 0);
		end_any(p, &m, &model);
		running--;
	}
	arena_done(&m.arena);
}

static void test_random_graphs(void **state)
{
	uint64_t seed = 20261121;
	struct prng p;

	(void)state;
	prng_seed(&p, seed);
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < 500; i++)
		run_against_model(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cycle_is_named),
		cmocka_unit_test(test_equal_parts_run_once),
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_outputs),
		cmocka_unit_test(test_random_graphs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
