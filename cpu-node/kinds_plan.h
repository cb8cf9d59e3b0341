/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_plan: tasks that task.split can cut. The call is as if for the task itself, but for its out: a plan.
 */
#pragma once
#include "cpu-node/kinds.h"

/* What the router asks for, and what it knows of such work. */
struct plan_asked {
	int64_t parts;    /* at most, where it is not known how long they take */
	struct span unit; /* of the work, or empty */
	int64_t unit_ps;  /* 0: not known */
	int64_t nodes;    /* that could take parts */
};

/* task.map. */
int split_map(const struct cpu_call *call, const struct plan_asked *asked) MUST_USE;
