/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_plan: tasks that task.split can cut. The call is as if for the task itself, but for its out: a plan.
 */
#pragma once
#include "cpu-node/kinds.h"

/* task.map. */
int split_map(const struct cpu_call *call, int64_t parts_asked) MUST_USE;
