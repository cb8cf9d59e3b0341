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

/* Of the bodies in `in`, joined two by two until there are two, as a router does it with a fan-in of two. */
static inline void join_in_tree(struct mapped *m, const struct part *join, struct trial *ret)
{
	struct trial level;
	struct body results;
	struct arena a;

	arena_init(&a, (size_t)64 << 20);
	trial_open(&level);
	assert_int_equal(body_view(&a, buf_span(&m->join.in), &results, NULL), 0);
	while (results.items_n > 2) {
		struct buf next;

		buf_init(&next, (size_t)64 << 20);
		for (size_t i = 0; i < results.items_n; i += 2) {
			buf_reset(&level.in);
			buf_add(&level.in, join->body);
			for (size_t k = i; k < i + 2 && k < results.items_n; k++)
				trial_nested(&level, "part", results.items[k].data);
			if (trial_run(&level, m->join_kind, 1) < 0)
				fail_msg("%s: %s", level.why.field, level.why.detail);
			body_put_item(&next, SPAN_LIT("part"), SPAN_LIT(BODY_MEDIA),
				buf_span(&level.out));
		}
		assert_int_equal(buf_err(&next), 0);
		assert_int_equal(body_decode(&a, buf_span(&next), &results, NULL), 0);
		buf_done(&next);
	}
	buf_reset(&ret->in);
	buf_add(&ret->in, join->body);
	for (size_t k = 0; k < results.items_n; k++)
		trial_nested(ret, "part", results.items[k].data);
	assert_int_equal(trial_run(ret, m->join_kind, 1), 0);
	trial_close(&level);
	arena_done(&a);
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
	if (plan.join.fan_in > 0) {
		struct trial tree;

		trial_open(&tree);
		join_in_tree(m, &plan.join, &tree);
		assert_true(span_eq(buf_span(&tree.out), buf_span(&m->join.out)));
		trial_close(&tree);
	}
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
