/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_rig: a journal of a test's own on the faulty file system, in a folder of its own, with a clock by hand.
 */
#pragma once
#include "router/journal_sqlite.h"
#include "tests/support/fault_vfs.h"

struct rig {
	struct loop loop;
	char dir[64], path[128];
	struct journal_sqlite_conf conf;
	struct fail why; /* of the last opening */
	int64_t now_ns;
};

/* cmocka's; *state is a struct rig. */
int rig_set_up(void **state);
int rig_tear_down(void **state);
/* Remove all files of the folder. */
void rig_clear(struct rig *r);
struct journal *rig_try(struct rig *r);
/* The test fails if it cannot be opened. */
struct journal *rig_open(struct rig *r);
