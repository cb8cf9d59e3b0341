/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_sqlite: a journal in one SQLite file (with its log beside it, path-wal). A thread of its own writes; while
 * it flushes a group the next one gathers. Only one process can have it open.
 */
#pragma once
#include <stdio.h>

#include "router/journal.h"
#include "run/loop.h"

struct journal_sqlite_conf {
	const char
		*path; /* on a local disk; made if nothing is there. Lives as long as the journal */
	const char *vfs; /* SQLite's name of the file system, for tests; NULL: the usual one */
	/* Ended tasks that are kept at most, and their bytes, about; beyond, those go first that would be
	 * forgotten first. 0: no limit. */
	int64_t rows_max;
	int64_t bytes_max;
	int log_pages; /* the log goes into the file when it has so many; 0: as usual */
	int64_t (*now)(
		void *ctx); /* Unix time in ns, asked on the owner thread; NULL: the loop's */
	void *now_ctx;
};

/* NULL and *why: see journal_file_open. Writes and forgets as long as the loop turns. */
struct journal *journal_sqlite_open(struct loop *l, const struct journal_sqlite_conf *conf,
	struct fail *why) MUST_USE;
/* The error that stands; code 0: none. */
const struct fail *journal_sqlite_fail(const struct journal *j);

/* Read a whole journal that no process holds, change nothing, and tell in sentences what it holds and what is wrong.
 * The number of faults, or negative and *why if it cannot be opened (see journal_file_open). */
int journal_check(const char *path, FILE *out, struct fail *why) MUST_USE;
