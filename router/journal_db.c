/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_db: statements and what they mean. Whatever SQLite answers that was not expected ends the writing:
 * after a failed flush nobody knows what the disk holds (reliability of fsync: LWN, "PostgreSQL's fsync()
 * surprise", 2018), so the process stops and the next one reads what is there.
 */
#include "router/journal_db.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"

#define LONG_ORDER 4096u /* bytes from which an order has a row of its own */
#define RETAIN_ROWS 500  /* dropped at once */
#define BUSY_MS 5000     /* readers and the writer's checkpoint wait for each other so long */
#define WAL_PAGES "1000" /* a checkpoint after so many */
#define PATH_MAX_BYTES 4096
#define ID_BYTES 16u

enum {
	PUT_OPEN,
	PUT_BODY,
	PUT_STATE,
	PUT_KEPT,
	DROP_OPEN,
	DROP_BODY,
	DROP_KEPT,
	RETAIN_TIME,
	RETAIN_OLDEST,
	BEGIN,
	COMMIT,
	KEPT_ROWS,
	PAGES,
	WRITES
};
enum { LOAD, LOAD_KEPT, FIND, FIND_KEY, COUNTS, READS };

static const char *const write_sql[WRITES] = {
	[PUT_OPEN] = "INSERT OR REPLACE INTO open VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[PUT_BODY] = "INSERT OR REPLACE INTO body VALUES (?1, ?2)",
	[PUT_STATE] = "UPDATE open SET state = ?2 WHERE row = ?1",
	[PUT_KEPT] = "INSERT OR REPLACE INTO kept VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[DROP_OPEN] = "DELETE FROM open WHERE row = ?1",
	[DROP_BODY] = "DELETE FROM body WHERE row = ?1",
	[DROP_KEPT] = "DELETE FROM kept WHERE row = ?1",
	[RETAIN_TIME] = "DELETE FROM kept WHERE row IN (SELECT row FROM kept WHERE forget_ns <= ?1"
			" ORDER BY forget_ns LIMIT ?2)",
	[RETAIN_OLDEST] =
		"DELETE FROM kept WHERE row IN (SELECT row FROM kept ORDER BY row LIMIT ?1)",
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[KEPT_ROWS] = "SELECT count(*) FROM kept",
	[PAGES] = "SELECT (c.page_count - f.freelist_count) * s.page_size FROM"
		  " pragma_page_count c, pragma_freelist_count f, pragma_page_size s",
};

#define OPEN_COLUMNS "o.row, o.task, o.tenant, o.key, 0, coalesce(b.job, o.job), o.state"
static const char *const read_sql[READS] = {
	[LOAD] = "SELECT " OPEN_COLUMNS " FROM open o LEFT JOIN body b USING (row) ORDER BY o.row",
	[LOAD_KEPT] = "SELECT * FROM kept ORDER BY row",
	[FIND] = "SELECT * FROM kept WHERE task = ?1 ORDER BY row DESC LIMIT 1",
	[FIND_KEY] = "SELECT * FROM kept WHERE tenant = ?1 AND key = ?2 AND key <> ''",
	[COUNTS] = "SELECT (SELECT count(*) FROM kept), 1 + max(coalesce((SELECT max(row) FROM"
		   " open), 0), coalesce((SELECT max(row) FROM kept), 0))",
};

static const char schema[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE open (row INTEGER PRIMARY KEY, task BLOB NOT NULL, tenant TEXT NOT NULL,"
	" key TEXT NOT NULL, job BLOB NOT NULL, state BLOB NOT NULL) STRICT;"
	"CREATE TABLE body (row INTEGER PRIMARY KEY, job BLOB NOT NULL) STRICT;"
	"CREATE TABLE kept (row INTEGER PRIMARY KEY, task BLOB NOT NULL, tenant TEXT NOT NULL,"
	" key TEXT NOT NULL, forget_ns INTEGER NOT NULL, job BLOB NOT NULL, state BLOB NOT NULL) "
	"STRICT;"
	"CREATE INDEX kept_task ON kept (task);"
	"CREATE UNIQUE INDEX kept_key ON kept (tenant, key) WHERE key <> '';"
	"CREATE INDEX kept_forget ON kept (forget_ns);"
	"PRAGMA application_id = 0x53505531;"
	"PRAGMA user_version = 1;"
	"COMMIT";

struct journal_db {
	sqlite3 *writer, *reader;
	sqlite3_stmt *write[WRITES], *read[READS];
	int lock_fd;
	unsigned char write_id[ID_BYTES], read_id[ID_BYTES]; /* bound to a statement that runs */
};

/* Big-endian, so that ids sort by time. */
static void put_id(unsigned char to[ID_BYTES], struct ulid id)
{
	for (unsigned i = 0; i < 8; i++) {
		to[i] = (unsigned char)(id.hi >> (56 - 8 * i));
		to[8 + i] = (unsigned char)(id.lo >> (56 - 8 * i));
	}
}

static struct ulid get_id(struct span from)
{
	struct ulid id = { 0, 0 };

	for (unsigned i = 0; from.len == ID_BYTES && i < 8; i++) {
		id.hi = id.hi << 8 | from.at[i];
		id.lo = id.lo << 8 | from.at[8 + i];
	}
	return id;
}

const char *db_said(const struct journal_db *db)
{
	return sqlite3_errmsg(db->writer);
}

/* --- opening ------------------------------------------------------------------------------------------ */

static int refuse(struct fail *why, int code, const char *path, const char *text)
{
	return fail_set(why, code, "journal", 0, "%s: %s", path, text);
}

static int refuse_sqlite(struct fail *why, sqlite3 *c, const char *path)
{
	int code = c == NULL ? SQLITE_NOMEM : sqlite3_errcode(c) & 0xff;

	if (code == SQLITE_NOTADB)
		return refuse(why, ERR_INVALID, path, "this is no journal");
	if (code == SQLITE_CORRUPT)
		return refuse(why, ERR_MALFORMED, path, "the journal is damaged: restore a copy");
	if (code == SQLITE_FULL)
		return refuse(why, ERR_IO, path, "no space is left on the device");
	return refuse(why, ERR_IO, path, c == NULL ? "no memory" : sqlite3_errmsg(c));
}

static int take_lock(struct journal_db *db, const char *path, struct fail *why)
{
	char name[PATH_MAX_BYTES];

	if (snprintf(name, sizeof name, "%s.lock", path) >= (int)sizeof name)
		return refuse(why, ERR_INVALID, path, "the path is too long");
	db->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (db->lock_fd < 0)
		return refuse(why, ERR_IO, name, "the lock cannot be made");
	if (flock(db->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return refuse(why, ERR_CONFLICT, path, "another process holds the journal");
	return 0;
}

static int64_t number(sqlite3 *c, const char *sql, bool *ok)
{
	sqlite3_stmt *s = NULL;
	int64_t n = 0;

	*ok = sqlite3_prepare_v2(c, sql, -1, &s, NULL) == SQLITE_OK &&
	      sqlite3_step(s) == SQLITE_ROW;
	if (*ok)
		n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

/* Is it ours, of a version that we know? A file without anything in it is new. */
static int check_identity(sqlite3 *c, const char *path, bool create, bool *ret_new,
	struct fail *why)
{
	bool ok[3];
	int64_t application = number(c, "PRAGMA application_id", &ok[0]);
	int64_t version = number(c, "PRAGMA user_version", &ok[1]);
	int64_t tables = number(c, "SELECT count(*) FROM sqlite_master", &ok[2]);

	if (!ok[0] || !ok[1] || !ok[2])
		return refuse_sqlite(why, c, path);
	*ret_new = application == 0 && version == 0 && tables == 0;
	if (*ret_new && !create)
		return refuse(why, ERR_INVALID, path, "the journal is empty");
	if (!*ret_new && application != JOURNAL_APPLICATION)
		return refuse(why, ERR_INVALID, path, "a database, but no journal");
	if (version > JOURNAL_VERSION)
		return refuse(why, ERR_UNSUPPORTED, path, "the journal is of a newer router");
	return 0;
}

static sqlite3 *connect_to(const char *path, const char *vfs, int flags)
{
	sqlite3 *c = NULL;

	if (sqlite3_open_v2(path, &c, flags | SQLITE_OPEN_NOMUTEX, vfs) != SQLITE_OK)
		return c; /* its error is asked for by what comes next */
	sqlite3_busy_timeout(c, BUSY_MS);
	sqlite3_extended_result_codes(c, 1);
	(void)sqlite3_db_config(c, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(c, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	return c;
}

static bool run(sqlite3 *c, const char *sql)
{
	return sqlite3_exec(c, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool prepare(sqlite3 *c, const char *const sql[], sqlite3_stmt *ret[], int n)
{
	for (int i = 0; i < n; i++)
		if (sqlite3_prepare_v3(c, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &ret[i], NULL) !=
			SQLITE_OK)
			return false;
	return true;
}

static int open_writer(struct journal_db *db, const char *path, const char *vfs, bool create,
	struct fail *why)
{
	bool is_new = false;
	int err;

	db->writer =
		connect_to(path, vfs, SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0));
	if (db->writer == NULL || sqlite3_errcode(db->writer) != SQLITE_OK)
		return refuse_sqlite(why, db->writer, path);
	err = check_identity(db->writer, path, create, &is_new, why);
	if (err < 0)
		return err;
	if (!run(db->writer, "PRAGMA journal_mode = WAL") ||
		!run(db->writer, "PRAGMA synchronous = FULL") ||
		!run(db->writer, "PRAGMA cell_size_check = ON") ||
		!run(db->writer, "PRAGMA wal_autocheckpoint = " WAL_PAGES) ||
		(is_new && !run(db->writer, schema)) ||
		!prepare(db->writer, write_sql, db->write, WRITES))
		return refuse_sqlite(why, db->writer, path);
	return 0;
}

static int open_reader(struct journal_db *db, const char *path, const char *vfs, struct fail *why)
{
	db->reader = connect_to(path, vfs, SQLITE_OPEN_READONLY);
	if (db->reader == NULL || sqlite3_errcode(db->reader) != SQLITE_OK ||
		!prepare(db->reader, read_sql, db->read, READS))
		return refuse_sqlite(why, db->reader, path);
	return 0;
}

struct journal_db *db_open(const char *path, const char *vfs, bool create, struct fail *why)
{
	struct journal_db *db = mem_alloc(sizeof *db);

	if (db == NULL) {
		fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
		return NULL;
	}
	db->lock_fd = -1;
	if (take_lock(db, path, why) == 0 && open_writer(db, path, vfs, create, why) == 0 &&
		open_reader(db, path, vfs, why) == 0)
		return db;
	db_close(db);
	return NULL;
}

void db_close(struct journal_db *db)
{
	if (db == NULL)
		return;
	for (int i = 0; i < READS; i++)
		sqlite3_finalize(db->read[i]);
	for (int i = 0; i < WRITES; i++)
		sqlite3_finalize(db->write[i]);
	sqlite3_close(db->reader);
	sqlite3_close(db->writer);
	if (db->lock_fd >= 0)
		close(db->lock_fd);
	mem_free(db);
}

/* --- writing ------------------------------------------------------------------------------------------ */

static int run_to_end(sqlite3_stmt *s)
{
	int r = sqlite3_step(s);

	sqlite3_reset(s);
	return r == SQLITE_DONE ? 0 : ERR_IO;
}

static void bind(sqlite3_stmt *s, int i, struct span bytes)
{
	/* SQLite copies nothing: the group stays until the statement has run. A NULL would be no blob. */
	sqlite3_bind_blob64(s, i, bytes.len == 0 ? (const void *)"" : bytes.at, bytes.len,
		SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *s, int i, struct span text)
{
	sqlite3_bind_text64(s, i, text.len == 0 ? "" : (const char *)text.at, text.len,
		SQLITE_STATIC, SQLITE_UTF8);
}

static sqlite3_stmt *with_row(struct journal_db *db, int statement, uint64_t row)
{
	sqlite3_bind_int64(db->write[statement], 1, (int64_t)row);
	return db->write[statement];
}

static void bind_head(struct journal_db *db, sqlite3_stmt *s, const struct journal_image *i)
{
	put_id(db->write_id, i->task);
	sqlite3_bind_blob64(s, 2, db->write_id, ID_BYTES, SQLITE_STATIC);
	bind_text(s, 3, i->tenant);
	bind_text(s, 4, i->key);
}

int db_begin(struct journal_db *db)
{
	return run_to_end(db->write[BEGIN]);
}

int db_commit(struct journal_db *db)
{
	return run_to_end(db->write[COMMIT]);
}

static int put_open(struct journal_db *db, const struct journal_image *i)
{
	bool is_long = i->order.len >= LONG_ORDER;
	sqlite3_stmt *s;

	if (i->order.len == 0) {
		s = with_row(db, PUT_STATE, i->row);
		bind(s, 2, i->state);
		return run_to_end(s);
	}
	if (is_long) {
		s = with_row(db, PUT_BODY, i->row);
		bind(s, 2, i->order);
		if (run_to_end(s) < 0)
			return ERR_IO;
	}
	s = with_row(db, PUT_OPEN, i->row);
	bind_head(db, s, i);
	bind(s, 5, is_long ? span_of(NULL, 0) : i->order);
	bind(s, 6, i->state);
	return run_to_end(s);
}

static int drop_open(struct journal_db *db, uint64_t row)
{
	int err = run_to_end(with_row(db, DROP_OPEN, row));

	return err < 0 ? err : run_to_end(with_row(db, DROP_BODY, row));
}

int db_put(struct journal_db *db, const struct journal_image *i)
{
	sqlite3_stmt *s;

	if (i->life == JOURNAL_OPEN)
		return put_open(db, i);
	if (drop_open(db, i->row) < 0)
		return ERR_IO;
	if (i->life == JOURNAL_GONE)
		return run_to_end(with_row(db, DROP_KEPT, i->row));
	s = with_row(db, PUT_KEPT, i->row);
	bind_head(db, s, i);
	sqlite3_bind_int64(s, 5, i->forget_ns);
	bind(s, 6, i->order);
	bind(s, 7, i->state);
	return run_to_end(s);
}

static int64_t ask(sqlite3_stmt *s, int64_t otherwise)
{
	int64_t n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : otherwise;

	sqlite3_reset(s);
	return n;
}

int db_retain(struct journal_db *db, int64_t now_ns, int64_t rows_max, int64_t bytes_max)
{
	sqlite3_stmt *s = db->write[RETAIN_TIME];
	int64_t over = ask(db->write[KEPT_ROWS], 0) - rows_max;
	int dropped;

	if (over < RETAIN_ROWS && ask(db->write[PAGES], 0) > bytes_max)
		over = RETAIN_ROWS;
	sqlite3_bind_int64(s, 1, now_ns);
	sqlite3_bind_int64(s, 2, RETAIN_ROWS);
	if (db_begin(db) < 0 || run_to_end(s) < 0)
		return ERR_IO;
	dropped = sqlite3_changes(db->writer);
	s = db->write[RETAIN_OLDEST];
	sqlite3_bind_int64(s, 1, over > RETAIN_ROWS ? RETAIN_ROWS : over);
	if (over > 0 && run_to_end(s) < 0)
		return ERR_IO;
	if (over > 0)
		dropped += sqlite3_changes(db->writer);
	return db_commit(db) < 0 ? ERR_IO : dropped;
}

/* --- reading ------------------------------------------------------------------------------------------ */

static struct span column(sqlite3_stmt *s, int i)
{
	const void *at = sqlite3_column_blob(s, i);

	return span_of(at, (size_t)sqlite3_column_bytes(s, i));
}

static struct journal_image image_of(sqlite3_stmt *s, enum journal_life life)
{
	struct journal_image i = {
		.row = (uint64_t)sqlite3_column_int64(s, 0),
		.life = life,
		.task = get_id(column(s, 1)),
		.tenant = column(s, 2),
		.key = column(s, 3),
		.forget_ns = sqlite3_column_int64(s, 4),
		.order = column(s, 5),
		.state = column(s, 6),
	};

	return i;
}

static int read_all(sqlite3_stmt *s, enum journal_life life, journal_row_fn *on_row, void *ctx)
{
	int n = 0, r;

	while ((r = sqlite3_step(s)) == SQLITE_ROW) {
		struct journal_image i = image_of(s, life);

		n = 1;
		if (!on_row(ctx, &i)) {
			r = SQLITE_DONE;
			break;
		}
	}
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return r == SQLITE_DONE ? n : (r & 0xff) == SQLITE_CORRUPT ? ERR_MALFORMED : ERR_IO;
}

int db_load(struct journal_db *db, journal_row_fn *on_row, void *ctx)
{
	int r = read_all(db->read[LOAD], JOURNAL_OPEN, on_row, ctx);

	return r < 0 ? r : 0;
}

int db_load_kept(struct journal_db *db, journal_row_fn *on_row, void *ctx)
{
	int r = read_all(db->read[LOAD_KEPT], JOURNAL_KEPT, on_row, ctx);

	return r < 0 ? r : 0;
}

int db_find(struct journal_db *db, struct ulid task, journal_row_fn *on_row, void *ctx)
{
	put_id(db->read_id, task);
	sqlite3_bind_blob64(db->read[FIND], 1, db->read_id, ID_BYTES, SQLITE_STATIC);
	return read_all(db->read[FIND], JOURNAL_KEPT, on_row, ctx);
}

int db_find_key(struct journal_db *db, struct span tenant, struct span key, journal_row_fn *on_row,
	void *ctx)
{
	bind_text(db->read[FIND_KEY], 1, tenant);
	bind_text(db->read[FIND_KEY], 2, key);
	return read_all(db->read[FIND_KEY], JOURNAL_KEPT, on_row, ctx);
}

int db_counts(struct journal_db *db, uint64_t *ret_kept, uint64_t *ret_next_row)
{
	sqlite3_stmt *s = db->read[COUNTS];
	int r = sqlite3_step(s);

	if (r == SQLITE_ROW) {
		*ret_kept = (uint64_t)sqlite3_column_int64(s, 0);
		*ret_next_row = (uint64_t)sqlite3_column_int64(s, 1);
	}
	sqlite3_reset(s);
	return r == SQLITE_ROW ? 0 : (r & 0xff) == SQLITE_CORRUPT ? ERR_MALFORMED : ERR_IO;
}

int db_integrity(struct journal_db *db, void (*say)(void *ctx, const char *line), void *ctx)
{
	sqlite3_stmt *s = NULL;
	int n = 0, r;

	if (sqlite3_prepare_v2(db->reader, "PRAGMA integrity_check", -1, &s, NULL) != SQLITE_OK)
		return ERR_IO;
	while ((r = sqlite3_step(s)) == SQLITE_ROW) {
		const char *line = (const char *)sqlite3_column_text(s, 0);

		if (line == NULL || strcmp(line, "ok") == 0)
			continue;
		n++;
		say(ctx, line);
	}
	sqlite3_finalize(s);
	return r == SQLITE_DONE ? n : ERR_IO;
}
