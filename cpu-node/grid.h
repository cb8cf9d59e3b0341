/* SPDX-License-Identifier: Apache-2.0
 *
 * grid: the axes of a task: its parameters sweep.KIND.KEY, where KIND is one of those that it runs.
 */
#pragma once
#include "cpu-node/chain.h"
#include "policy/sweep.h"

/* Whether the body has an axis. */
bool grid_is(const struct body *b);
/* The axes of the call's body, in order, their keys without "sweep.". Each value of each axis is held against the
 * row of its kind. ERR_INVALID (also: a kind that is not run, an axis twice), ERR_TOO_BIG, ERR_NO_MEMORY. */
int grid_read(const struct cpu_call *call, const struct chain *c, struct sweep *ret) MUST_USE;
/* Append the axes as they are. */
void grid_put(struct buf *b, const struct body *from);
