/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_look: what stands at a journal's path, by its header, before SQLite sees it: SQLite would recover, and thus
 * change, a database that is not ours.
 */
#pragma once
#include <sys/types.h>

#include "base/check.h"
#include "base/err.h"

#define JOURNAL_APPLICATION 0x53505531 /* application_id: "SPU1" */
#define JOURNAL_PATH_ROOM 4096

/* Is it a journal of this format, as long as it says? *ret_log: there is a log with something in it. 0 or *why: see
 * journal_file_open. */
int journal_look(const char *path, bool *ret_log, struct fail *why) MUST_USE;
/* 0, or *why: a log is there without its journal, which was lost or moved; its last tasks are in there. */
int journal_look_orphan(const char *path, struct fail *why) MUST_USE;

/* The path with something behind it. 0 or ERR_TOO_BIG. */
int journal_look_path(char to[JOURNAL_PATH_ROOM], const char *path, const char *end,
	struct fail *why) MUST_USE;
/* As open, but for interruptions. */
int journal_look_open(const char *path, int flags, mode_t mode) MUST_USE;
/* Say what errno says of a path. Returns the code. */
int journal_look_fail(struct fail *why, const char *path, const char *what);
