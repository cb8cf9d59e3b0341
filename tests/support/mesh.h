/* SPDX-License-Identifier: Apache-2.0
 *
 * mesh: a mesh of real processes for a test in C, by `spu up` in the folder of the programs (SPU_BIN), with its
 * state in the test's temporary folder.
 */
#pragma once
#include <limits.h>
#include <stdbool.h>

#include "base/check.h"

struct mesh {
	char dir[PATH_MAX - 32];
	char url[128]; /* for bus_nats_open */
	bool is_up;
};

/* True if there is a folder of programs: a test without one is skipped. */
bool mesh_is_possible(void);
/* Start it, with this many CPU nodes and without a GPU node. 0, or -1 after a message. */
int mesh_up(struct mesh *m, unsigned cpu_nodes) MUST_USE;
/* Stop it. One that is not up is allowed. */
void mesh_down(struct mesh *m);
