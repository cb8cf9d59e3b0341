/* SPDX-License-Identifier: Apache-2.0
 *
 * explain: a task's explain record as a story: each step with time, node and reason; each candidate with its
 * verdict and the terms of its cost.
 */
#pragma once
#include "services/cli/cli.h"

/* Ask for it and print it; the exit status. */
int explain_print(struct cli *c, struct ulid task);
