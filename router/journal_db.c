/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_db: a row is in `open` or in `kept`, never in both. Rows come in the order of their numbers, so what is
 * above the highest number in the file cannot be there yet, and needs no look. A long order of an open task stands
 * in a table of its own, so that a change of state does not write it again.
 */
#include "router/journal_db.h"

#include <stdio.h>

#include "base/mem.h"
#include "router/journal_file.h"

#define LOG_PAGES 4096 /* 32 MB */

#define LONG_ORDER 2048   /* bytes: a change of state would write it again and again */
#define FORGET_LEAST 64   /* rows that go with a group, besides two for each that it makes kept */
#define FORGET_IDLE 1024  /* rows in a step without a group */
#define FORGET_AT_ONCE 64 /* rows between two looks */
#define UNUSED_LEAST 2048 /* pages that may stay unused; and a quarter of the file */
#define GIVE_BACK "512"   /* pages in a step */

/* clang-format off */
static const char *const sql[DB_STMTS] = {
	[DB_BEGIN] = "BEGIN IMMEDIATE",
	[DB_COMMIT] = "COMMIT",
	[DB_OPEN_PUT] = "INSERT INTO open VALUES(?1, ?2, ?3, ?6, ?7, ?8, ?9)",
	[DB_OPEN_SET] = "UPDATE open SET task_state = ?2 WHERE row = ?1",
	[DB_OPEN_DROP] = "DELETE FROM open WHERE row = ?1",
	[DB_OPEN_BACK] = "INSERT INTO open SELECT row, task_hi, task_lo, tenant, key, task_order, ?2"
		" FROM kept WHERE row = ?1",
	[DB_LONG_PUT] = "INSERT OR REPLACE INTO long_order VALUES(?1, ?2)",
	[DB_LONG_DROP] = "DELETE FROM long_order WHERE row = ?1",
	[DB_KEPT_PUT] = "INSERT INTO kept VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[DB_KEPT_DROP] = "DELETE FROM kept WHERE row = ?1 RETURNING"
		" length(tenant) + length(key) + length(task_order) + length(task_state)",
	[DB_ORDER] = "SELECT ifnull(l.task_order, o.task_order) FROM open o LEFT JOIN long_order l"
		" USING(row) WHERE o.row = ?1 UNION ALL SELECT task_order FROM kept WHERE row = ?1",
	[DB_FORGET] = "DELETE FROM kept WHERE row = ?1",
	[DB_OLDEST] = "SELECT row, forget_ns,"
		" length(tenant) + length(key) + length(task_order) + length(task_state)"
		" FROM kept ORDER BY forget_ns LIMIT ?1",
	[DB_TOTAL] = "UPDATE total SET kept_rows = ?1, kept_bytes = ?2 WHERE id = 1",
};
/* clang-format on */

int64_t journal_db_key_hash(uint64_t seed, struct span tenant, struct span key)
{
	return (int64_t)span_hash(key, span_hash(tenant, seed));
}

/* --- opening ------------------------------------------------------------------------------------------ */

static int on_log(void *ctx, sqlite3 *db, const char *name, int pages)
{
	struct journal_db *d = ctx;

	(void)db;
	(void)name;
	d->log_pages = pages;
	return SQLITE_OK;
}

static int read_totals(struct journal_db *d)
{
	int64_t high = 0, seed = 0;
	int err = journal_file_int(d->db,
		"SELECT max((SELECT ifnull(max(row), 0) FROM open),"
		" (SELECT ifnull(max(row), 0) FROM kept))",
		&high, d->why);

	if (err == 0)
		err = journal_file_int(d->db, "SELECT kept_rows FROM total", &d->kept_rows, d->why);
	if (err == 0)
		err = journal_file_int(d->db, "SELECT kept_bytes FROM total", &d->kept_bytes,
			d->why);
	if (err == 0)
		err = journal_file_int(d->db, "SELECT count(*) FROM long_order", &d->longs, d->why);
	if (err == 0)
		err = journal_file_int(d->db, "SELECT key_seed FROM total", &seed, d->why);
	if (err == 0 && (high < 0 || d->kept_rows < 0 || d->kept_bytes < 0))
		err = fail_set(d->why, ERR_MALFORMED, "journal", 0,
			"the journal is damaged: a count is negative");
	d->high = (uint64_t)high;
	d->key_seed = (uint64_t)seed;
	return err;
}

int journal_db_open(struct journal_db *d, const struct journal_db_conf *conf, struct fail *why)
{
	int err;

	/* Not to count its memory spares SQLite two locks a row; it refuses the change once it is in use. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	err = journal_file_make(conf->path, conf->vfs, why);
	*d = (struct journal_db){ .conf = *conf, .why = why };
	buf_init(&d->order, JOURNAL_GROUP_MAX);
	if (d->conf.log_pages <= 0)
		d->conf.log_pages = LOG_PAGES;
	if (err == 0)
		err = journal_file_open(conf->path, conf->vfs, JOURNAL_FILE_WRITE, &d->db, why);
	for (unsigned i = 0; err == 0 && i < DB_STMTS; i++)
		err = journal_file_prepare(d->db, sql[i], &d->stmt[i], why);
	if (err == 0)
		err = read_totals(d);
	if (err < 0) {
		journal_db_close(d, true);
		return err;
	}
	(void)sqlite3_wal_hook(d->db, on_log, d);
	return 0;
}

void journal_db_close(struct journal_db *d, bool failed)
{
	for (unsigned i = 0; i < DB_STMTS; i++)
		sqlite3_finalize(d->stmt[i]);
	if (!failed)
		failed = journal_file_leave(d->db, NULL) < 0;
	journal_file_close(d->db, failed);
	buf_done(&d->order);
	*d = (struct journal_db){ .db = NULL };
}

/* --- statements --------------------------------------------------------------------------------------- */

static int fail(struct journal_db *d, int rc)
{
	return journal_file_fail(d->db, rc, d->why);
}

/* A statement that gives nothing. SQLITE_CONSTRAINT is the caller's; it changed nothing then. */
static int run(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	(void)sqlite3_reset(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int run_row(struct journal_db *d, enum journal_db_stmt which, uint64_t row)
{
	sqlite3_stmt *s = d->stmt[which];
	int rc = sqlite3_bind_int64(s, 1, (int64_t)row);

	if (rc == SQLITE_OK)
		rc = run(s);
	return rc == SQLITE_OK ? 0 : fail(d, rc);
}

static void bind_text(sqlite3_stmt *s, int at, struct span text)
{
	sqlite3_bind_text(s, at, text.len == 0 ? "" : (const char *)text.at, (int)text.len,
		SQLITE_STATIC);
}

static void bind_blob(sqlite3_stmt *s, int at, struct span bytes)
{
	if (bytes.len == 0)
		sqlite3_bind_zeroblob(s, at, 0);
	else
		sqlite3_bind_blob64(s, at, bytes.at, bytes.len, SQLITE_STATIC);
}

/* What both tables have. A value that could not be bound is NULL, which no column takes. */
static void bind_image(sqlite3_stmt *s, const struct journal_image *i, struct span order)
{
	sqlite3_bind_int64(s, 1, (int64_t)i->row);
	sqlite3_bind_int64(s, 2, (int64_t)i->task.hi);
	sqlite3_bind_int64(s, 3, (int64_t)i->task.lo);
	bind_text(s, 6, i->tenant);
	bind_text(s, 7, i->key);
	bind_blob(s, 8, order);
	bind_blob(s, 9, i->state);
}

/* --- open rows --------------------------------------------------------------------------------------------- */

/* 1 if it was there. */
static int drop_kept(struct journal_db *d, uint64_t row)
{
	sqlite3_stmt *s = d->stmt[DB_KEPT_DROP];
	int64_t bytes = 0;
	int rc, rows = 0;

	sqlite3_bind_int64(s, 1, (int64_t)row);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		bytes += sqlite3_column_int64(s, 0) + JOURNAL_ROW_BYTES;
		rows++;
	}
	(void)sqlite3_reset(s);
	if (rc != SQLITE_DONE)
		return fail(d, rc);
	d->kept_rows -= rows;
	d->kept_bytes -= bytes;
	return rows;
}

static int drop_open(struct journal_db *d, uint64_t row)
{
	int err = run_row(d, DB_OPEN_DROP, row);

	return err < 0 || d->longs == 0 ? err : run_row(d, DB_LONG_DROP, row);
}

/* Insert; if the row is there already, what was there goes. */
static int put(struct journal_db *d, enum journal_db_stmt which, uint64_t row)
{
	sqlite3_stmt *s = d->stmt[which];
	int rc = run(s), err;

	if ((rc & 0xff) != SQLITE_CONSTRAINT)
		return rc == SQLITE_OK ? 0 : fail(d, rc);
	err = which == DB_KEPT_PUT ? drop_kept(d, row) : drop_open(d, row);
	if (err < 0)
		return err;
	rc = run(s);
	return rc == SQLITE_OK ? 0 : fail(d, rc);
}

/* The order that was appended before, copied. */
static int read_order(struct journal_db *d, uint64_t row, struct span *ret)
{
	sqlite3_stmt *s = d->stmt[DB_ORDER];
	int rc, err = 0;

	buf_reset(&d->order);
	sqlite3_bind_int64(s, 1, (int64_t)row);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		const void *at = sqlite3_column_blob(s, 0);

		buf_add(&d->order, span_of(at, (size_t)sqlite3_column_bytes(s, 0)));
		if (buf_err(&d->order) < 0)
			err = fail_set(d->why, ERR_NO_MEMORY, "journal", 0, NULL);
	} else {
		err = rc != SQLITE_DONE ? fail(d, rc)
					: fail_set(d->why, ERR_BUG, "journal", 0,
						  "an image without an order, of no known row");
	}
	(void)sqlite3_reset(s);
	*ret = buf_span(&d->order);
	return err;
}

static int write_kept(struct journal_db *d, const struct journal_image *i)
{
	sqlite3_stmt *s = d->stmt[DB_KEPT_PUT];
	struct span order = i->order;
	int err = order.len == 0 ? read_order(d, i->row, &order) : 0;

	if (err == 0 && i->row <= d->high)
		err = drop_open(d, i->row);
	if (err < 0)
		return err;
	bind_image(s, i, order);
	sqlite3_bind_int64(s, 4, i->forget_ns);
	if (i->key.len > 0)
		sqlite3_bind_int64(s, 5, journal_db_key_hash(d->key_seed, i->tenant, i->key));
	else
		sqlite3_bind_null(s, 5);
	err = put(d, DB_KEPT_PUT, i->row);
	d->kept_rows++;
	d->kept_bytes += (int64_t)(i->tenant.len + i->key.len + order.len + i->state.len) +
			 JOURNAL_ROW_BYTES;
	return err;
}

/* The order stays as it is. A kept row without a new one becomes open again. */
static int set_open(struct journal_db *d, const struct journal_image *i)
{
	sqlite3_stmt *s = d->stmt[DB_OPEN_SET];
	int err;

	bind_blob(s, 2, i->state);
	err = run_row(d, DB_OPEN_SET, i->row);
	if (err < 0 || sqlite3_changes(d->db) > 0)
		return err;
	bind_blob(d->stmt[DB_OPEN_BACK], 2, i->state);
	err = run_row(d, DB_OPEN_BACK, i->row);
	if (err < 0)
		return err;
	err = drop_kept(d, i->row);
	return err != 0 ? (err < 0 ? err : 0)
			: fail_set(d->why, ERR_BUG, "journal", 0,
				  "an image without an order, of no known row");
}

static int write_open(struct journal_db *d, const struct journal_image *i)
{
	bool is_long;
	int err = 0;

	if (i->order.len == 0)
		return set_open(d, i);
	if (i->row <= d->high)
		err = drop_kept(d, i->row);
	if (err < 0)
		return err;
	is_long = i->order.len >= LONG_ORDER;
	bind_image(d->stmt[DB_OPEN_PUT], i, is_long ? (struct span){ NULL, 0 } : i->order);
	err = put(d, DB_OPEN_PUT, i->row);
	if (err < 0 || !is_long)
		return err;
	d->longs++;
	bind_blob(d->stmt[DB_LONG_PUT], 2, i->order);
	return run_row(d, DB_LONG_PUT, i->row);
}

static int write_gone(struct journal_db *d, uint64_t row)
{
	int err = drop_open(d, row);

	return err < 0 ? err : drop_kept(d, row);
}

static int write_rows(struct journal_db *d, const struct journal_group *g)
{
	uint64_t high = d->high;
	int err = 0;

	for (uint32_t i = 0; err >= 0 && i < g->rows_n; i++) {
		struct journal_image image = journal_group_sealed(g, &g->rows[i]);

		switch (image.life) {
		case JOURNAL_OPEN:
			err = write_open(d, &image);
			break;
		case JOURNAL_KEPT:
			err = write_kept(d, &image);
			break;
		case JOURNAL_GONE:
			err = write_gone(d, image.row);
			break;
		}
		if (image.row > high)
			high = image.row;
	}
	if (err >= 0)
		d->high = high;
	return err < 0 ? err : 0;
}

/* --- retention ---------------------------------------------------------------------------------------- */

static bool is_over(const struct journal_db *d, int64_t rows, int64_t bytes)
{
	return (d->conf.rows_max > 0 && rows > d->conf.rows_max) ||
	       (d->conf.bytes_max > 0 && bytes > d->conf.bytes_max);
}

struct due {
	uint64_t row;
	int64_t bytes;
};

/* The rows that go first, if their time has come or too much is kept: how many, or an error. */
static int find_due(struct journal_db *d, int64_t now_ns, struct due *at, int most)
{
	sqlite3_stmt *s = d->stmt[DB_OLDEST];
	int64_t rows = d->kept_rows, bytes = d->kept_bytes;
	int rc = SQLITE_DONE, n = 0;

	sqlite3_bind_int(s, 1, most);
	while (n < most && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		if (sqlite3_column_int64(s, 1) > now_ns && !is_over(d, rows, bytes))
			break;
		at[n].row = (uint64_t)sqlite3_column_int64(s, 0);
		at[n].bytes = sqlite3_column_int64(s, 2) + JOURNAL_ROW_BYTES;
		rows--;
		bytes -= at[n++].bytes;
	}
	(void)sqlite3_reset(s);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? n : fail(d, rc);
}

/* Forget at most so many rows: how many went, or an error. */
static int forget(struct journal_db *d, int64_t now_ns, int most)
{
	struct due due[FORGET_AT_ONCE] = { { 0 } };
	int gone = 0, n = 1, err;

	while (n > 0 && gone < most && d->kept_rows > 0) {
		n = find_due(d, now_ns, due,
			most - gone < FORGET_AT_ONCE ? most - gone : FORGET_AT_ONCE);
		for (int i = 0; i < n; i++) {
			err = run_row(d, DB_FORGET, due[i].row);
			if (err < 0)
				return err;
			d->kept_rows--;
			d->kept_bytes -= due[i].bytes;
			gone++;
		}
	}
	return n < 0 ? n : gone;
}

/* --- transactions ------------------------------------------------------------------------------------- */

static int begin(struct journal_db *d, struct fail *why)
{
	int rc;

	d->why = why;
	rc = run(d->stmt[DB_BEGIN]);
	return rc == SQLITE_OK ? 0 : fail(d, rc);
}

static int commit(struct journal_db *d)
{
	sqlite3_stmt *s = d->stmt[DB_TOTAL];
	int rc;

	sqlite3_bind_int64(s, 1, d->kept_rows);
	sqlite3_bind_int64(s, 2, d->kept_bytes);
	rc = run(s);
	if (rc == SQLITE_OK)
		rc = run(d->stmt[DB_COMMIT]);
	return rc == SQLITE_OK ? 0 : fail(d, rc);
}

int journal_db_write(struct journal_db *d, const struct journal_group *g, int64_t now_ns,
	struct fail *why)
{
	int err = begin(d, why);

	if (err == 0)
		err = write_rows(d, g);
	if (err == 0)
		err = forget(d, now_ns, FORGET_LEAST + 2 * (int)g->kept);
	return err < 0 ? err : commit(d);
}

/* Pages at the file's end are moved to unused places and cut off. 1 if some were. */
static int give_back(struct journal_db *d)
{
	int64_t unused = 0, pages = 0;
	int err = journal_file_int(d->db, "PRAGMA freelist_count", &unused, d->why);

	if (err == 0)
		err = journal_file_int(d->db, "PRAGMA page_count", &pages, d->why);
	if (err < 0 || unused < UNUSED_LEAST || unused < pages / 4)
		return err;
	d->given = true;
	err = journal_file_exec(d->db, "PRAGMA incremental_vacuum(" GIVE_BACK ")", d->why);
	return err < 0 ? err : 1;
}

int journal_db_tend(struct journal_db *d, int64_t now_ns, struct fail *why)
{
	int gone, err = begin(d, why);

	if (err < 0)
		return err;
	gone = forget(d, now_ns, FORGET_IDLE);
	if (gone == 0)
		err = journal_file_exec(d->db, "ROLLBACK", why);
	else
		err = gone < 0 ? gone : commit(d);
	if (err < 0 || gone == FORGET_IDLE)
		return err < 0 ? err : 1;
	return give_back(d);
}

bool journal_db_log_is_long(const struct journal_db *d)
{
	return d->log_pages >= d->conf.log_pages || d->given;
}

int journal_db_checkpoint(struct journal_db *d, struct fail *why)
{
	int rc;

	if (!journal_db_log_is_long(d))
		return 0;
	d->why = why;
	d->log_pages = 0;
	d->given = false;
	rc = sqlite3_wal_checkpoint_v2(d->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	/* Busy: it was read meanwhile; the next time does the rest. */
	return rc == SQLITE_OK || rc == SQLITE_BUSY ? 0 : fail(d, rc);
}
