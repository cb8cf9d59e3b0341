/* SPDX-License-Identifier: Apache-2.0
 *
 * fault_vfs: a file system for SQLite, named FAULT_VFS, over the usual one. Its n-th call fails (or SQLite's n-th request for
 * memory), or the power goes: then
 * all calls fail, and afterwards the files have what was flushed, with some of what was written since.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define FAULT_VFS "spu-fault"

enum fault_kind {
	FAULT_OPEN = 1,
	FAULT_READ = 2,
	FAULT_WRITE = 4,
	FAULT_SYNC = 8,
	FAULT_OTHER = 16,  /* truncate, delete, size */
	FAULT_MEMORY = 32, /* a request of SQLite for memory */
};

/* Once in a program. */
void fault_vfs_install(void);
/* Nothing fails; files are forgotten. */
void fault_vfs_reset(void);
/* The n-th call of these kinds from now fails with this result of SQLite, and with `always` all after it. */
void fault_vfs_at(uint64_t n, bool always, unsigned kinds, int result);
/* From the n-th write, flush or truncation on the power is off. */
void fault_vfs_power(uint64_t n);
/* Did it go? */
bool fault_vfs_is_dark(void);
/* Calls that failed since. */
uint64_t fault_vfs_failed(void);
/* After the power went and all was closed: make the files what a disk would have. */
void fault_vfs_wreck(uint64_t seed);
