/* SPDX-License-Identifier: Apache-2.0
 *
 * twins: what both tests of second attempts need.
 */
#include "tests/support/twins.h"

#include "tests/support/test.h"

void twins_offer(struct kit *k)
{
	kit_offer(k, "a cpu slots=4 kinds=util.echo,task.reduce,llm.chat");
	kit_offer(k, "b cpu slots=4 kinds=util.echo,task.reduce,llm.chat");
}

/* Two nodes, and eight tasks that took a second each. */
void twins_know(struct kit *k)
{
	twins_offer(k);
	for (int i = 0; i < 8; i++) {
		struct task *t = kit_submit(k, "util.echo");

		kit_pass(k, SEC);
		kit_done(k, t, (struct span){ NULL, 0 });
	}
	twins_offer(k);
	kit_look_away(k);
}

const char *twins_other(const char *node)
{
	return strcmp(node, "a") == 0 ? "b" : "a";
}

/* A task that runs until it has a twin. */
struct task *twins_task(struct kit *k)
{
	struct task *t;

	twins_know(k);
	t = kit_submit(k, "util.echo");
	kit_up(k, UP_ACCEPT, t);
	kit_pass(k, TWINS_AGE + SEC);
	assert_non_null(t->twin);
	return t;
}

void twins_up(struct kit *k, const struct task *t, enum up_kind kind, int code)
{
	struct up u = { .kind = kind, .task = t->id, .attempt = t->twin->attempt, .run_us = 100 };

	if (code != 0)
		fail_set(&u.fail, code, NULL, 0, "so it is");
	kit_up_from(k, twins_other(kit_node(k, t)), &u);
}

const char *twins_node(const struct kit *k, const struct task *t)
{
	return registry_node(&k->r->registry, t->twin->node)->name;
}

/* An order to take an attempt back went to this node. */
void twins_called_back(struct kit *k, const char *node, uint32_t attempt)
{
	const struct kit_said *s = kit_next(k, SAID_DOWN, DOWN_CANCEL);

	assert_string_equal(s->to, node);
	assert_int_equal(s->attempt, attempt);
}
