/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_read: a second connection, of the owner thread, which only reads what is safe. A read ends with its call,
 * so that it never holds up the writer for long.
 */
#pragma once
#include <sqlite3.h>

#include "router/journal.h"

enum journal_read_stmt { READ_OPEN, READ_KEPT, READ_TASK, READ_KEY, READ_ROW, READ_STMTS };

struct journal_read {
	sqlite3 *db;
	sqlite3_stmt *stmt[READ_STMTS];
	uint64_t key_seed;
};

/* Beside a writer in this process. 0 or *why. */
int journal_read_open(struct journal_read *r, const char *path, const char *vfs,
	struct fail *why) MUST_USE;
void journal_read_close(struct journal_read *r);
/* All open rows in the order of their numbers. 0 or *why. */
int journal_read_load(struct journal_read *r, journal_row_fn *on_row, void *ctx,
	struct fail *why) MUST_USE;
/* The newest kept rows, at most so many, in the order of their numbers. 0 or *why. */
int journal_read_kept(struct journal_read *r, uint32_t max, journal_row_fn *on_row, void *ctx,
	struct fail *why) MUST_USE;
/* The kept rows of this task, or of a tenant's key, until on_row returns false. 0 or *why. */
int journal_read_task(struct journal_read *r, struct ulid task, journal_row_fn *on_row, void *ctx,
	struct fail *why) MUST_USE;
int journal_read_key(struct journal_read *r, struct span tenant, struct span key,
	journal_row_fn *on_row, void *ctx, struct fail *why) MUST_USE;
/* The row, open or kept, if it is there. 0 or *why. */
int journal_read_row(struct journal_read *r, uint64_t row, journal_row_fn *on_row, void *ctx,
	struct fail *why) MUST_USE;
