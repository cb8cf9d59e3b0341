/* SPDX-License-Identifier: Apache-2.0
 *
 * cpu_map: a task.map's plan, run as the router does it.
 */
#pragma once
#include "tests/support/cpu_trial.h"
#include "wire/node.h"

/* A task.map, its plan's parts and their join. */
struct mapped {
	struct trial task; /* its body */
	struct trial split;
	struct trial join;
	char join_kind[LIMIT_KIND_BYTES + 1];
	size_t parts_n;
	char part_kind[LIMIT_KIND_BYTES + 1]; /* of the last one */
};

static inline void open_map(struct mapped *m, const char *kinds)
{
	trial_open(&m->task);
	trial_open(&m->split);
	trial_open(&m->join);
	trial_param(&m->task, "kinds", kinds);
}

static inline void close_map(struct mapped *m)
{
	trial_close(&m->task);
	trial_close(&m->split);
	trial_close(&m->join);
}

static inline int plan_map(struct mapped *m)
{
	buf_reset(&m->split.in);
	trial_param(&m->split, "split.kind", "task.map");
	trial_param(&m->split, "split.parts", "5");
	trial_nested(&m->split, "task", buf_span(&m->task.in));
	return trial_run(&m->split, "task.split", 1);
}

/* As the router and nodes do: every body is checked, results go into the join's body in order. */
static inline void run_part(struct mapped *m, const struct part *part)
{
	struct trial t;

	trial_open(&t);
	buf_add(&t.in, part->body);
	span_copy(part->kind, m->part_kind, sizeof(m->part_kind));
	if (trial_run(&t, m->part_kind, 1) < 0)
		fail_msg("%s: %s: %s", m->part_kind, t.why.field, t.why.detail);
	trial_nested(&m->join, "part", buf_span(&t.out));
	trial_close(&t);
}

static inline void run_map(struct mapped *m)
{
	struct split_plan plan;
	struct arena a;
	struct body body;

	if (plan_map(m) < 0)
		fail_msg("%s: %s", m->split.why.field, m->split.why.detail);
	arena_init(&a, (size_t)16 << 20);
	assert_int_equal(split_plan_decode(&a, buf_span(&m->split.out), &plan, NULL), 0);
	m->parts_n = plan.parts_n;
	buf_reset(&m->join.in);
	buf_add(&m->join.in, plan.join.body);
	for (size_t i = 0; i < plan.parts_n; i++) {
		assert_int_equal(body_decode(&a, plan.parts[i].body, &body, NULL), 0);
		assert_int_equal(kind_check(kind_find(plan.parts[i].kind), &body, NULL), 0);
		run_part(m, &plan.parts[i]);
	}
	span_copy(plan.join.kind, m->join_kind, sizeof(m->join_kind));
	if (trial_run(&m->join, m->join_kind, 1) < 0)
		fail_msg("%s: %s", m->join.why.field, m->join.why.detail);
	arena_done(&a);
}

static inline void expect_same(const struct trial *a, const struct trial *b)
{
	assert_int_equal(a->result.items_n, b->result.items_n);
	for (size_t i = 0; i < a->result.items_n; i++) {
		assert_true(span_eq(a->result.items[i].name, b->result.items[i].name));
		assert_true(span_eq(a->result.items[i].data, b->result.items[i].data));
	}
}
