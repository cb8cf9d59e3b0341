/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_db: the connection that writes, used by one thread: groups, one transaction each; retention in small steps
 * within them; the log's way into the file. After an error nothing more may be asked of it but journal_db_close.
 */
#pragma once
#include <sqlite3.h>

#include "router/journal_group.h"

#define JOURNAL_ROW_BYTES                                                                          \
	128 /* of a kept row besides its texts and blobs, with its places in indexes */

struct journal_db_conf {
	const char *path;
	const char *vfs;
	int64_t rows_max; /* kept rows; beyond, the first to be forgotten go at once. 0: no limit */
	int64_t bytes_max; /* of kept rows, about. 0: no limit */
	int log_pages;     /* the log goes into the file when it has so many */
};

enum journal_db_stmt {
	DB_BEGIN,
	DB_COMMIT,
	DB_OPEN_PUT,
	DB_OPEN_SET,
	DB_OPEN_DROP,
	DB_OPEN_BACK,
	DB_LONG_PUT,
	DB_LONG_DROP,
	DB_KEPT_PUT,
	DB_KEPT_DROP,
	DB_ORDER,
	DB_FORGET,
	DB_OLDEST,
	DB_TOTAL,
	DB_STMTS,
};

struct journal_db {
	struct journal_db_conf conf;
	sqlite3 *db;
	sqlite3_stmt *stmt[DB_STMTS];
	uint64_t high; /* the highest row in the file */
	int64_t kept_rows;
	int64_t kept_bytes;
	int64_t longs; /* long orders written or found, at least as many as there are */
	uint64_t key_seed;
	int log_pages;    /* now */
	bool given;       /* pages at the file's end are unused: a checkpoint cuts them off */
	struct buf order; /* of a row that moves */
	struct fail *why; /* of the call that runs */
};

/* Makes the file if there is none. 0 or *why. */
int journal_db_open(struct journal_db *d, const struct journal_db_conf *conf,
	struct fail *why) MUST_USE;
/* failed: after an error; then nothing is written. */
void journal_db_close(struct journal_db *d, bool failed);
/* Write the group, and forget some rows that are over their time or the limits: all of it or nothing. When it
 * returns 0 it is safe. */
int journal_db_write(struct journal_db *d, const struct journal_group *g, int64_t now_ns,
	struct fail *why) MUST_USE;
/* With nothing to write: forget some rows, then give some unused pages back. 1 if there is more to do, 0, or *why. */
int journal_db_tend(struct journal_db *d, int64_t now_ns, struct fail *why) MUST_USE;
/* Is it time to checkpoint? */
bool journal_db_log_is_long(const struct journal_db *d);
/* Bring the log into the file, if it is long. 0 or *why. */
int journal_db_checkpoint(struct journal_db *d, struct fail *why) MUST_USE;

/* What stands for a key in the file. */
int64_t journal_db_key_hash(uint64_t seed, struct span tenant, struct span key);
