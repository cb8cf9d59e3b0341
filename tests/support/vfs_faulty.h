/* SPDX-License-Identifier: Apache-2.0
 *
 * vfs_faulty: SQLite's own file system with faults: the n-th write, sync, truncation or opening fails, once or from
 * then on.
 */
#pragma once
#include <stdbool.h>

#define VFS_FAULTY "faulty"

/* Register it. False if SQLite refuses. */
bool vfs_faulty_register(void);
/* The n-th call from now on (0: the next) fails as a full disk or a broken one; for ever: all that follow, too.
 * n < 0: none. */
void vfs_faulty_set(int n, bool full, bool for_ever);
/* Calls since the last vfs_faulty_set. */
int vfs_faulty_calls(void);
