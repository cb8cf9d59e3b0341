/* SPDX-License-Identifier: Apache-2.0
 *
 * up: runs the processes of a plan until it is told to stop. What `spu status` shows of them stands in the
 * file `processes` of the state directory: a line each with name, pid, state, restarts and since when.
 */
#pragma once
#include "services/cli/plan.h"

/* on_ready is called once, when all are. Returns the exit status. quiet: no lines of progress. */
int up_run(const struct plan *plan, bool quiet, void (*on_ready)(void *ctx), void *ctx);
