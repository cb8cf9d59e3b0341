/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_db: the journal's file: an SQLite database in WAL mode, flushed at every commit (synchronous=FULL). One
 * connection writes (any one thread at a time), another reads on the owner thread. A lock file keeps a second
 * process out.
 *
 *	open   the tasks that go on: a short order stands in the row, a long one in `body`, so that a change of
 *	       state does not write it again
 *	kept   the tasks that ended, by id and by key, until they may be dropped
 */
#pragma once
#include <sqlite3.h>

#include "router/journal.h"

#define JOURNAL_APPLICATION 0x53505531 /* "SPU1" */
#define JOURNAL_VERSION 1

struct journal_db;

/* create: make a new file where there is none. NULL and *why: another process holds it (CONFLICT), it is no
 * journal (INVALID), a newer router's (UNSUPPORTED), damaged (MALFORMED), or it cannot be read or made (IO, which
 * a full disk is too). What is there is never changed by a refusal. vfs: SQLite's, or NULL for its default. */
struct journal_db *db_open(const char *path, const char *vfs, bool create,
	struct fail *why) MUST_USE;
void db_close(struct journal_db *db);

/* --- the writing connection: 0 or ERR_IO, after which nothing more may be written --------------------- */

int db_begin(struct journal_db *db);
int db_put(struct journal_db *db, const struct journal_image *image);
int db_commit(struct journal_db *db);
/* Drop a bounded number of kept rows whose time has come, or that are beyond rows_max or bytes_max, the oldest
 * first; in a transaction of its own. Returns how many. */
int db_retain(struct journal_db *db, int64_t now_ns, int64_t rows_max, int64_t bytes_max);
/* What SQLite said last on the writing connection. */
const char *db_said(const struct journal_db *db);

/* --- the reading connection --------------------------------------------------------------------------- */

int db_load(struct journal_db *db, journal_row_fn *on_row, void *ctx);
/* 1 and on_row was called, 0, or ERR_IO. */
int db_find(struct journal_db *db, struct ulid task, journal_row_fn *on_row, void *ctx);
int db_find_key(struct journal_db *db, struct span tenant, struct span key, journal_row_fn *on_row,
	void *ctx);
int db_load_kept(struct journal_db *db, journal_row_fn *on_row, void *ctx);
/* Of kept rows, and the number after the highest row. */
int db_counts(struct journal_db *db, uint64_t *ret_kept, uint64_t *ret_next_row);
/* Run SQLite's own check; each complaint is a line to `say`. Returns how many, or ERR_IO. */
int db_integrity(struct journal_db *db, void (*say)(void *ctx, const char *line), void *ctx);
