/* SPDX-License-Identifier: Apache-2.0
 *
 * view: what the router shows of itself: answers to queries, as domain structs in an arena. Reads only.
 */
#pragma once
#include "router/router.h"

/* What is said of a task that a tenant does not have. */
#define VIEW_NO_TASK "no such task of this tenant, or it is no longer kept"

struct view {
	const struct router *router;
	struct arena *arena;
	struct span tenant;
	bool is_operator; /* sees every tenant's tasks */
	int64_t now_ns;
	struct span name; /* of the router */
	int64_t jitter_p99_us;
};

/* Answer STATUS, RESULT, EXPLAIN, TASKS, NODES (of DRAIN: that node), CACHE and MESH. *ret is filled; errors stand in
 * ret->fail. Spans point into the machine and the arena: encode before the next step. */
void view_answer(const struct view *v, const struct query *q, struct query_reply *ret);
/* The recorded steps of a task, without its acceptance and its end. False without memory. */
bool view_steps(const struct view *v, const struct task *t, struct explain_view *x);
