/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_file: a new journal is made under another name and linked into place when it is whole, so a file at the
 * path is never half made.
 *
 * Tables and indexes, by measurement (3 s each, 4 cores shared, groups of 1,000 tasks, each inserted as open
 * and one group later moved to kept): the key as a 64-bit number in an index of kept rows only, 50,500 tasks a
 * second; as texts in a unique index of both tables, 39,200 (each random entry makes one page more of the log).
 * Whether a key was used is decided by the row's texts. Pages that can be given back (auto_vacuum) cost 2 %.
 */
#include "router/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "router/journal_look.h"
#include "run/keys.h"

#define VFS_USUAL                                                                                  \
	"unix-excl" /* one process; connections within it share the log's index in memory */
#define PAGE_BYTES "8192"
#define CACHE_KB "16384"
#define LOG_STAYS "67108864" /* bytes of the log's file; more is given back */

#define STR_(x) #x
#define STR(x) STR_(x)

/* clang-format off */
static const char schema[] =
	"BEGIN;"
	"PRAGMA application_id=" STR(JOURNAL_APPLICATION) ";"
	"PRAGMA user_version=" STR(JOURNAL_FORMAT) ";"
	"CREATE TABLE open("
	" row INTEGER PRIMARY KEY,"
	" task_hi INTEGER NOT NULL, task_lo INTEGER NOT NULL,"
	" tenant TEXT NOT NULL, key TEXT NOT NULL,"
	" task_order BLOB NOT NULL, task_state BLOB NOT NULL) STRICT;"
	"CREATE TABLE long_order("
	" row INTEGER PRIMARY KEY, task_order BLOB NOT NULL) STRICT;"
	"CREATE TABLE kept("
	" row INTEGER PRIMARY KEY,"
	" task_hi INTEGER NOT NULL, task_lo INTEGER NOT NULL,"
	" forget_ns INTEGER NOT NULL,"
	" key_hash INTEGER," /* NULL: no key */
	" tenant TEXT NOT NULL, key TEXT NOT NULL,"
	" task_order BLOB NOT NULL, task_state BLOB NOT NULL) STRICT;"
	"CREATE INDEX kept_task ON kept(task_hi);"
	"CREATE INDEX kept_forget ON kept(forget_ns);"
	"CREATE INDEX kept_key ON kept(key_hash) WHERE key_hash IS NOT NULL;"
	/* What would take long to count. */
	"CREATE TABLE total("
	" id INTEGER PRIMARY KEY CHECK(id = 1),"
	" kept_rows INTEGER NOT NULL, kept_bytes INTEGER NOT NULL,"
	" key_seed INTEGER NOT NULL) STRICT;"
	/* A row while a writer has the file open. */
	"CREATE TABLE unclosed("
	" since INTEGER NOT NULL) STRICT;";
/* clang-format on */

/* --- errors ------------------------------------------------------------------------------------------- */

struct meaning {
	int rc;
	int err;
	const char *text;
};

static const struct meaning meanings[] = {
	{ SQLITE_BUSY, ERR_CONFLICT, "another process holds the journal" },
	{ SQLITE_LOCKED, ERR_CONFLICT, "another process holds the journal" },
	{ SQLITE_NOTADB, ERR_INVALID, "this is no journal" },
	{ SQLITE_CORRUPT, ERR_MALFORMED, "the journal is damaged" },
	{ SQLITE_FULL, ERR_IO, "the disk is full" },
	{ SQLITE_IOERR, ERR_IO, "reading or writing the journal failed" },
	{ SQLITE_CANTOPEN, ERR_IO, "the journal cannot be opened" },
	{ SQLITE_READONLY, ERR_DENIED, "the journal may not be written" },
	{ SQLITE_PERM, ERR_DENIED, "the journal may not be opened" },
	{ SQLITE_AUTH, ERR_DENIED, "the journal may not be opened" },
	{ SQLITE_NOMEM, ERR_NO_MEMORY, "no memory for the journal" },
	{ SQLITE_TOOBIG, ERR_TOO_BIG, "a task is too large for the journal" },
	{ SQLITE_ERROR, ERR_MALFORMED, "the journal's tables are not as they should be" },
};

int journal_file_fail(sqlite3 *db, int rc, struct fail *why)
{
	struct meaning m = { 0, ERR_BUG, "the journal was not used as it must be" };
	int extended = db == NULL ? rc : sqlite3_extended_errcode(db);
	int os = db == NULL ? 0 : sqlite3_system_errno(db);

	if (rc == SQLITE_IOERR_NOMEM)
		rc = SQLITE_NOMEM;
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (meanings[i].rc == (rc & 0xff))
			m = meanings[i];
	if (m.err == ERR_IO && os != 0)
		return fail_set(why, m.err, "journal", 0, "%s: %s (SQLite %d)", m.text,
			strerror(os), extended);
	return fail_set(why, m.err, "journal", 0, "%s (SQLite %d: %s)", m.text, extended,
		db == NULL ? sqlite3_errstr(rc) : sqlite3_errmsg(db));
}

int journal_file_exec(sqlite3 *db, const char *sql, struct fail *why)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : journal_file_fail(db, rc, why);
}

int journal_file_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct fail *why)
{
	int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);

	return rc == SQLITE_OK ? 0 : journal_file_fail(db, rc, why);
}

int journal_file_int(sqlite3 *db, const char *sql, int64_t *ret, struct fail *why)
{
	sqlite3_stmt *s = NULL;
	int err = journal_file_prepare(db, sql, &s, why), rc;

	if (err < 0)
		return err;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(s, 0);
	else
		err = rc == SQLITE_DONE ? fail_set(why, ERR_MALFORMED, "journal", 0,
						  "the journal is damaged: a row is missing")
					: journal_file_fail(db, rc, why);
	sqlite3_finalize(s);
	return err;
}

/* --- connections -------------------------------------------------------------------------------------- */

static int set_up(sqlite3 *db, struct fail *why)
{
	sqlite3_extended_result_codes(db, 1);
	if (sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
		sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) != SQLITE_OK)
		return fail_set(why, ERR_BUG, "journal", 0, "this SQLite is too old");
	return journal_file_exec(db,
		"PRAGMA synchronous=FULL; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;"
		"PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-" CACHE_KB
		"; PRAGMA journal_size_limit=" LOG_STAYS,
		why);
}

static int connect_to(const char *path, const char *vfs, int flags, sqlite3 **ret, struct fail *why)
{
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX,
		vfs == NULL ? VFS_USUAL : vfs);
	int err = rc == SQLITE_OK ? set_up(db, why) : journal_file_fail(db, rc, why);

	if (err < 0) {
		journal_file_close(db, true);
		return err;
	}
	*ret = db;
	return 0;
}

void journal_file_close(sqlite3 *db, bool failed)
{
	if (db == NULL)
		return;
	if (failed)
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	CHECK(sqlite3_close(db) == SQLITE_OK);
}

/* --- making ------------------------------------------------------------------------------------------- */

static int flush(int fd)
{
	int r;

	do
		r = fsync(fd);
	while (r < 0 && errno == EINTR);
	return r;
}

/* The name in the folder is as lasting as the file. */
static int sync_folder(const char *path, struct fail *why)
{
	char folder[JOURNAL_PATH_ROOM];
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - path) + (slash == path);
	int fd, err = 0;

	if (len >= sizeof folder)
		return fail_set(why, ERR_TOO_BIG, "journal", JOURNAL_PATH_ROOM,
			"the path is too long");
	memcpy(folder, slash == NULL ? "." : path, slash == NULL ? 2 : len);
	folder[slash == NULL ? 1 : len] = '\0';
	fd = journal_look_open(folder, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 || flush(fd) < 0)
		err = journal_look_fail(why, folder, "cannot write the folder");
	if (fd >= 0)
		close(fd);
	return err;
}

static int fill(const char *path, const char *vfs, struct fail *why)
{
	char total[160];
	sqlite3 *db;
	int err = connect_to(path, vfs, SQLITE_OPEN_READWRITE, &db, why);

	if (err < 0)
		return err;
	snprintf(total, sizeof total, "INSERT INTO total VALUES(1, 0, 0, %lld); COMMIT;",
		(long long)(keys_random() >> 1));
	err = journal_file_exec(db,
		"PRAGMA page_size=" PAGE_BYTES "; PRAGMA auto_vacuum=INCREMENTAL;"
		"PRAGMA journal_mode=WAL",
		why);
	if (err == 0)
		err = journal_file_exec(db, schema, why);
	if (err == 0)
		err = journal_file_exec(db, total, why);
	if (err == 0)
		err = journal_file_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", why);
	journal_file_close(db, err < 0);
	return err;
}

static void remove_all(const char *path)
{
	static const char *const ends[] = { "", "-wal", "-journal", "-shm" };
	char name[JOURNAL_PATH_ROOM];

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (journal_look_path(name, path, ends[i], NULL) == 0)
			(void)unlink(name);
}

int journal_file_make(const char *path, const char *vfs, struct fail *why)
{
	char name[JOURNAL_PATH_ROOM], end[32];
	struct stat st;
	int err, fd;

	if (stat(path, &st) == 0)
		return 0;
	if (errno != ENOENT)
		return journal_look_fail(why, path, "cannot look at");
	snprintf(end, sizeof end, "-new-%ld", (long)getpid());
	err = journal_look_orphan(path, why);
	if (err == 0)
		err = journal_look_path(name, path, end, why);
	if (err < 0)
		return err;
	remove_all(name);
	fd = journal_look_open(name, O_RDWR | O_CREAT | O_EXCL, 0600); /* tasks are private */
	if (fd < 0)
		return journal_look_fail(why, name, "cannot make");
	close(fd);
	err = fill(name, vfs, why);
	if (err == 0 && link(name, path) < 0 && errno != EEXIST)
		err = journal_look_fail(why, path, "cannot make");
	if (err == 0)
		err = sync_folder(path, why);
	remove_all(name);
	return err;
}

/* --- opening ------------------------------------------------------------------------------------------ */

static int schema_hash(sqlite3 *db, uint64_t *ret, struct fail *why)
{
	sqlite3_stmt *s = NULL;
	int rc, err = journal_file_prepare(db,
			"SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name", &s,
			why);

	*ret = 0;
	if (err < 0)
		return err;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		for (int i = 0; i < 4; i++)
			*ret = span_hash(span_str((const char *)sqlite3_column_text(s, i)), *ret);
	if (rc != SQLITE_DONE)
		err = journal_file_fail(db, rc, why);
	sqlite3_finalize(s);
	return err;
}

/* Its tables and indexes, word for word: as those of a journal that is made in memory. */
static int refuse_other_tables(sqlite3 *db, struct fail *why)
{
	uint64_t is = 0, must = 1;
	sqlite3 *model = NULL;
	int err = connect_to(":memory:", NULL, SQLITE_OPEN_READWRITE, &model, why);

	if (err == 0)
		err = journal_file_exec(model, schema, why);
	if (err == 0)
		err = schema_hash(model, &must, why);
	journal_file_close(model, true);
	if (err == 0)
		err = schema_hash(db, &is, why);
	if (err == 0 && is != must)
		err = fail_set(why, ERR_MALFORMED, "journal", 0,
			"the journal is damaged: its tables are not as they should be");
	return err;
}

/* A journal that nobody closed has a log; without it what was flushed last is missing. */
static int refuse_without_log(sqlite3 *db, struct fail *why)
{
	int64_t n = 0;
	int err = journal_file_int(db, "SELECT count(*) FROM unclosed", &n, why);

	if (err < 0 || n == 0)
		return err;
	return fail_set(why, ERR_MALFORMED, "journal", 0,
		"the journal was not closed, and its log is missing, a file of the same name with "
		"-wal: the last tasks are in there. Bring it back, or go on without them: sqlite3 "
		"JOURNAL 'DELETE FROM unclosed'");
}

/* The first access takes the file for this process. What an earlier process wrote but may not have flushed (its last
 * flush can have failed, and the system shows such bytes until it drops them) goes through a flush of our own
 * before anything is read. */
static int recover(sqlite3 *db, struct fail *why)
{
	int err = journal_file_exec(db, "BEGIN IMMEDIATE; DELETE FROM unclosed; COMMIT", why);

	return err < 0 ? err : journal_file_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", why);
}

/* Until journal_file_leave the file itself says that it is open. The mark goes into the file at once, and from then on
 * there is a log: none is ever cut to nothing but by recover. */
static int enter(sqlite3 *db, struct fail *why)
{
	int err = journal_file_exec(db, "INSERT INTO unclosed VALUES(unixepoch())", why);

	return err < 0 ? err : journal_file_exec(db, "PRAGMA wal_checkpoint(PASSIVE)", why);
}

int journal_file_leave(sqlite3 *db, struct fail *why)
{
	if (sqlite3_get_autocommit(db) == 0) /* it would be undone with the rest */
		return fail_set(why, ERR_BUG, "journal", 0, "a group is still being written");
	return journal_file_exec(db, "DELETE FROM unclosed", why);
}

int journal_file_open(const char *path, const char *vfs, enum journal_file_mode mode, sqlite3 **ret,
	struct fail *why)
{
	sqlite3 *db = NULL;
	bool has_log = true;
	/* Not beside a writer: to close a descriptor of the file would give back its locks. */
	int err = mode == JOURNAL_FILE_READ ? 0 : journal_look(path, &has_log, why);

	if (err == 0)
		err = connect_to(path, vfs, SQLITE_OPEN_READWRITE, &db, why);
	if (err < 0)
		return err;
	err = refuse_other_tables(db, why);
	if (err == 0 && !has_log)
		err = refuse_without_log(db, why);
	if (err == 0)
		err = mode == JOURNAL_FILE_WRITE
			      ? recover(db, why)
			      : journal_file_exec(db, "PRAGMA query_only=ON", why);
	if (err == 0 && mode == JOURNAL_FILE_WRITE)
		err = enter(db, why);
	if (err < 0) {
		journal_file_close(db, true);
		return err;
	}
	*ret = db;
	return 0;
}

int64_t journal_file_room(const char *path)
{
	struct statvfs fs;

	if (statvfs(path, &fs) != 0 || fs.f_blocks == 0 || fs.f_frsize == 0 ||
		fs.f_bavail > (uint64_t)INT64_MAX / fs.f_frsize)
		return INT64_MAX;
	return (int64_t)(fs.f_bavail * fs.f_frsize);
}
