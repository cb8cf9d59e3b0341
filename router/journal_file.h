/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_file: the journal's file: how it is made, by what it is known, how a connection to it is set up, and what
 * SQLite's errors mean for who runs a router. Whatever is not an unharmed journal of this format is refused, and
 * left as it is.
 */
#pragma once
#include <sqlite3.h>

#include "base/check.h"
#include "base/err.h"

#define JOURNAL_FORMAT 2 /* user_version */

enum journal_file_mode {
	JOURNAL_FILE_WRITE, /* recovers and checkpoints: what is read afterwards is on the disk. Marks the
				file as open until journal_file_leave */
	JOURNAL_FILE_READ,  /* beside a writer in the same process */
	JOURNAL_FILE_CHECK, /* alone; changes nothing */
};

/* vfs: NULL for the usual one. */
/* Make an empty journal if there is nothing at this path. 0 or *why. */
int journal_file_make(const char *path, const char *vfs, struct fail *why) MUST_USE;
/* Connect to an existing journal. 0 or *why: ERR_UNKNOWN (no such file), ERR_INVALID (something else),
 * ERR_UNSUPPORTED (newer), ERR_MALFORMED (damaged), ERR_CONFLICT (another process holds it), ERR_DENIED, ERR_IO or
 * ERR_NO_MEMORY. The connection is for one thread. */
int journal_file_open(const char *path, const char *vfs, enum journal_file_mode mode, sqlite3 **ret,
	struct fail *why) MUST_USE;
/* All is written: take the mark away. 0 or *why; then it is to be closed as after a failed write. */
int journal_file_leave(sqlite3 *db, struct fail *why) MUST_USE;
/* Bytes that may still be written to the disk of this file; INT64_MAX: it does not say. */
int64_t journal_file_room(const char *path);
/* Close; NULL is allowed. After a failed write nothing more is written: not even what SQLite would do on leaving. */
void journal_file_close(sqlite3 *db, bool failed);
/* What a result of SQLite means: fills *why (may be NULL) and returns its code. */
int journal_file_fail(sqlite3 *db, int rc, struct fail *why);
/* Run statements without results. 0 or *why. */
int journal_file_exec(sqlite3 *db, const char *sql, struct fail *why) MUST_USE;
/* Prepare a statement that stays. 0 or *why. */
int journal_file_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret,
	struct fail *why) MUST_USE;
/* The one integer that the statement gives. 0 or *why. */
int journal_file_int(sqlite3 *db, const char *sql, int64_t *ret, struct fail *why) MUST_USE;
