/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_read: every statement gives the same columns.
 */
#include "router/journal_read.h"

#include "router/journal_db.h"
#include "router/journal_file.h"
#include "router/journal_seal.h"

#define OPEN_COLUMNS                                                                               \
	"row, task_hi, task_lo, 1, 0, tenant, key, ifnull(l.task_order, o.task_order), task_state"
#define OPEN_TABLE " FROM open o LEFT JOIN long_order l USING(row)"
#define KEPT_COLUMNS "row, task_hi, task_lo, 2, forget_ns, tenant, key, task_order, task_state"

_Static_assert(JOURNAL_OPEN == 1 && JOURNAL_KEPT == 2, "as in the columns");

/* clang-format off */
static const char *const sql[READ_STMTS] = {
	[READ_OPEN] = "SELECT " OPEN_COLUMNS OPEN_TABLE " ORDER BY row",
	[READ_KEPT] = "SELECT * FROM (SELECT " KEPT_COLUMNS " FROM kept ORDER BY row DESC LIMIT ?1) ORDER BY row",
	[READ_TASK] = "SELECT " KEPT_COLUMNS " FROM kept WHERE task_hi = ?1 AND task_lo = ?2",
	/* the latest first */
	[READ_KEY] = "SELECT " KEPT_COLUMNS " FROM kept WHERE key_hash = ?1 AND key = ?3 AND tenant = ?2"
		" ORDER BY row DESC",
	[READ_ROW] = "SELECT " OPEN_COLUMNS OPEN_TABLE " WHERE row = ?1"
		" UNION ALL SELECT " KEPT_COLUMNS " FROM kept WHERE row = ?1",
};
/* clang-format on */

int journal_read_open(struct journal_read *r, const char *path, const char *vfs, struct fail *why)
{
	int64_t seed = 0;
	int err;

	*r = (struct journal_read){ .db = NULL };
	err = journal_file_open(path, vfs, JOURNAL_FILE_READ, &r->db, why);
	for (unsigned i = 0; err == 0 && i < READ_STMTS; i++)
		err = journal_file_prepare(r->db, sql[i], &r->stmt[i], why);
	if (err == 0)
		err = journal_file_int(r->db, "SELECT key_seed FROM total", &seed, why);
	if (err < 0) {
		journal_read_close(r);
		return err;
	}
	r->key_seed = (uint64_t)seed;
	return 0;
}

void journal_read_close(struct journal_read *r)
{
	for (unsigned i = 0; i < READ_STMTS; i++)
		sqlite3_finalize(r->stmt[i]);
	journal_file_close(r->db, true);
	*r = (struct journal_read){ .db = NULL };
}

/* The bytes before their length: SQLite may have to change the value for the former. */
static struct span column(sqlite3_stmt *s, int at)
{
	const void *bytes = sqlite3_column_blob(s, at);

	return span_of(bytes, (size_t)sqlite3_column_bytes(s, at));
}

static int read_rows(struct journal_read *r, sqlite3_stmt *s, journal_row_fn *on_row, void *ctx,
	struct fail *why)
{
	int rc, err;

	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct journal_image image = {
			.row = (uint64_t)sqlite3_column_int64(s, 0),
			.task = { (uint64_t)sqlite3_column_int64(s, 1),
				(uint64_t)sqlite3_column_int64(s, 2) },
			.life = (enum journal_life)sqlite3_column_int(s, 3),
			.forget_ns = sqlite3_column_int64(s, 4),
			.tenant = column(s, 5),
			.key = column(s, 6),
			.order = column(s, 7),
			.state = column(s, 8),
		};

		journal_seal_open(&image);
		if (!on_row(ctx, &image))
			break;
	}
	err = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : journal_file_fail(r->db, rc, why);
	(void)sqlite3_reset(s);
	return err;
}

int journal_read_load(struct journal_read *r, journal_row_fn *on_row, void *ctx, struct fail *why)
{
	return read_rows(r, r->stmt[READ_OPEN], on_row, ctx, why);
}

int journal_read_kept(struct journal_read *r, uint32_t max, journal_row_fn *on_row, void *ctx,
	struct fail *why)
{
	sqlite3_stmt *s = r->stmt[READ_KEPT];

	sqlite3_bind_int64(s, 1, max);
	return read_rows(r, s, on_row, ctx, why);
}

int journal_read_task(struct journal_read *r, struct ulid task, journal_row_fn *on_row, void *ctx,
	struct fail *why)
{
	sqlite3_stmt *s = r->stmt[READ_TASK];

	sqlite3_bind_int64(s, 1, (int64_t)task.hi);
	sqlite3_bind_int64(s, 2, (int64_t)task.lo);
	return read_rows(r, s, on_row, ctx, why);
}

int journal_read_key(struct journal_read *r, struct span tenant, struct span key,
	journal_row_fn *on_row, void *ctx, struct fail *why)
{
	sqlite3_stmt *s = r->stmt[READ_KEY];
	int err;

	sqlite3_bind_int64(s, 1, journal_db_key_hash(r->key_seed, tenant, key));
	sqlite3_bind_text(s, 2, (const char *)tenant.at, (int)tenant.len, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, (const char *)key.at, (int)key.len, SQLITE_STATIC);
	err = read_rows(r, s, on_row, ctx, why);
	(void)sqlite3_clear_bindings(s);
	return err;
}

int journal_read_row(struct journal_read *r, uint64_t row, journal_row_fn *on_row, void *ctx,
	struct fail *why)
{
	sqlite3_stmt *s = r->stmt[READ_ROW];

	sqlite3_bind_int64(s, 1, (int64_t)row);
	return read_rows(r, s, on_row, ctx, why);
}
