/* SPDX-License-Identifier: Apache-2.0
 *
 * --check-journal: whatever a disk or a person did to a file, it is told in a sentence; and what it calls whole holds
 * all that was written.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>
#include <stdio.h>

#include "tests/support/journal_rig.h"
#include "tests/support/journal_world.h"
#include "tests/support/test.h"

#define IMAGES 400u
#define FLIP_STEP 173u /* bytes from one flip to the next; the first is random */

struct file {
	unsigned char *at;
	size_t len;
};

static struct file file_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct file f = { .at = NULL };
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	f.len = (size_t)st.st_size;
	f.at = malloc(f.len + 1);
	assert_non_null(f.at);
	assert_int_equal(read(fd, f.at, f.len), f.len);
	close(fd);
	return f;
}

static void file_write(const char *path, const void *at, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, at, len), len);
	close(fd);
}

/* What a check says; the text is to be freed. */
static int check(const char *path, char **ret_said, struct fail *why)
{
	size_t len;
	FILE *out = open_memstream(ret_said, &len);
	int faults;

	assert_non_null(out);
	*why = (struct fail){ 0 };
	faults = journal_check(path, out, why);
	fclose(out);
	return faults;
}

/* A check finds faults, and the text is among what it says. */
static void finds(struct rig *r, const char *text)
{
	struct fail why;
	char *said;

	assert_true(check(r->path, &said, &why) > 0);
	if (strstr(said, text) == NULL)
		fail_msg("'%s' is not in '%s'", text, said);
	assert_non_null(strstr(said, "a router would refuse it or lose tasks"));
	free(said);
}

/* It cannot be opened, for this reason. */
static void refuses(struct rig *r, int code, const char *text)
{
	struct fail why;
	char *said;

	assert_int_equal(check(r->path, &said, &why), code);
	if (strstr(why.detail, text) == NULL)
		fail_msg("'%s' is not in '%s'", text, why.detail);
	free(said);
}

static struct journal_model fill(struct rig *r, uint64_t seed)
{
	struct journal_model m = { .seed = seed };
	struct journal *j = rig_open(r);

	while (m.at < IMAGES)
		assert_int_equal(journal_model_next(&m, j), 0);
	assert_int_equal(journal_sync(j), 0);
	journal_close(j);
	return m;
}

static void what_is_whole_is_called_so(void **state)
{
	struct rig *r = *state;
	struct fail why;
	char *said;

	(void)fill(r, 5);
	assert_int_equal(check(r->path, &said, &why), 0);
	assert_non_null(strstr(said, "kept SUCCEEDED: "));
	assert_non_null(strstr(said, "the journal is whole: a router can go on from it"));
	free(said);
}

/* Is all that was written still there? */
static bool is_unharmed(struct rig *r, const struct journal_model *m)
{
	struct journal *j = rig_try(r);
	bool same = j != NULL && journal_model_is(m, j);

	if (same)
		journal_model_compare(m, j);
	journal_close(j);
	return same;
}

/* A bit here and there: it is found, or it stood in a place that nothing uses. */
static void a_flipped_bit_is_found(void **state)
{
	struct rig *r = *state;
	unsigned found = 0, unused = 0;
	struct prng p;

	rand_start(&p);
	struct journal_model m = fill(r, prng_next(&p));
	struct file f = file_read(r->path);

	for (size_t at = prng_below(&p, FLIP_STEP); at < f.len; at += FLIP_STEP) {
		unsigned char bit = (unsigned char)(1u << prng_below(&p, 8));
		struct fail why;
		char *said;

		f.at[at] ^= bit;
		file_write(r->path, f.at, f.len);
		f.at[at] ^= bit;
		if (check(r->path, &said, &why) != 0) {
			found++;
			assert_true(said[0] != '\0' || why.detail[0] != '\0');
		} else {
			unused++;
			if (!is_unharmed(r, &m))
				fail_msg("the bit %x at %zu was not found", bit, at);
		}
		free(said);
	}
	free(f.at);
	print_message("# of %u bits %u were found, %u are not used\n", found + unused, found,
		unused);
	assert_true(found > unused / 4 && found > 60);
}

static void a_cut_off_file_is_refused(void **state)
{
	struct rig *r = *state;
	struct file f;
	struct prng p;

	rand_start(&p);
	(void)fill(r, 5);
	f = file_read(r->path);
	file_write(r->path, f.at, 0);
	refuses(r, ERR_MALFORMED, "the file is empty");
	file_write(r->path, f.at, 99);
	refuses(r, ERR_INVALID, "this is no journal");
	for (int i = 0; i < 50; i++) {
		file_write(r->path, f.at, 100 + prng_below(&p, f.len - 100));
		refuses(r, ERR_MALFORMED, "bytes are there");
	}
	free(f.at);
}

/* --- rows --------------------------------------------------------------------------------------------- */

static void sql(struct rig *r, const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(r->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* What a hand, or a fault of a router, may do to the tables. */
static void each_sort_of_fault_has_a_sentence(void **state)
{
	static const char *const cases[][2] = {
		{ "UPDATE open SET task_order = substr(task_order, 2)", "its order is damaged" },
		{ "UPDATE kept SET task_state = substr(task_state, 2)", "its state, task or time" },
		{ "UPDATE kept SET forget_ns = forget_ns + 1", "its state, task or time" },
		{ "UPDATE open SET task_lo = task_lo + 1", "its state, task or time" },
		{ "UPDATE kept SET tenant = 'eve'", "tenant or key differ" },
		{ "UPDATE kept SET key_hash = key_hash + 1 WHERE key <> ''", "cannot be found by" },
		{ "UPDATE kept SET key_hash = NULL WHERE key <> ''", "cannot be found by" },
		{ "INSERT INTO open SELECT row, task_hi, task_lo, tenant, key, task_order,"
		  " task_state FROM kept",
			"it is both open and kept" },
		{ "INSERT INTO open SELECT row + 1000, task_hi, task_lo, tenant, '', task_order,"
		  " task_state FROM open",
			"its task stands in another row" },
		{ "UPDATE open SET tenant = 't', key = 'k'", "its key stands in another row" },
		{ "UPDATE total SET kept_rows = 0", "the file counts 0 kept tasks" },
		{ "UPDATE total SET kept_bytes = 1", "the file counts 1 bytes" },
		{ "DELETE FROM total", "a row is missing" },
	};
	struct rig *r = *state;
	struct file f;

	(void)fill(r, 5);
	f = file_read(r->path);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		file_write(r->path, f.at, f.len);
		sql(r, cases[i][0]);
		finds(r, cases[i][1]);
	}
	file_write(r->path, f.at, f.len);
	sql(r, "DROP TABLE long_order");
	refuses(r, ERR_MALFORMED, "its tables are not as they should be");
	assert_null(rig_try(r));
	assert_int_equal(r->why.code, ERR_MALFORMED);
	free(f.at);
}

static void an_index_that_misses_a_row(void **state)
{
	struct rig *r = *state;

	(void)fill(r, 5);
	sql(r, "CREATE TEMP TABLE was AS SELECT * FROM main.sqlite_schema WHERE name = 'kept_task';"
	       "PRAGMA writable_schema = ON;"
	       "DELETE FROM main.sqlite_schema WHERE name = 'kept_task';"
	       "PRAGMA writable_schema = RESET;"
	       "UPDATE kept SET task_hi = task_hi + 1;"
	       "PRAGMA writable_schema = ON;"
	       "INSERT INTO main.sqlite_schema SELECT * FROM was");
	finds(r, "SQLite says: ");
}

/* --- the log ------------------------------------------------------------------------------------------ */

/* The files as a kill leaves them: copies of those of a journal that is open. */
static void leave_open(struct rig *r, const char *log)
{
	struct journal_model m = { .seed = 8 };
	struct journal *j = rig_open(r);
	struct file main_file, log_file;

	while (m.at < IMAGES)
		assert_int_equal(journal_model_next(&m, j), 0);
	assert_int_equal(journal_sync(j), 0);
	main_file = file_read(r->path);
	log_file = file_read(log);
	journal_close(j);
	file_write(r->path, main_file.at, main_file.len);
	file_write(log, log_file.at, log_file.len);
	free(main_file.at);
	free(log_file.at);
}

static void a_missing_log_is_noticed(void **state)
{
	struct rig *r = *state;
	char log[160];
	struct fail why;
	char *said;

	snprintf(log, sizeof log, "%s-wal", r->path);
	leave_open(r, log);
	assert_int_equal(check(r->path, &said, &why), 0); /* with its log it is whole */
	free(said);
	assert_int_equal(unlink(log), 0);
	for (int i = 0; i < 2; i++) { /* the look itself changes nothing */
		refuses(r, ERR_MALFORMED, "its log is missing");
		assert_null(rig_try(r));
		assert_int_equal(r->why.code, ERR_MALFORMED);
		assert_non_null(strstr(r->why.detail, "DELETE FROM unclosed"));
	}
	sql(r, "DELETE FROM unclosed"); /* as the sentence says */
	journal_close(rig_open(r));
	assert_int_equal(check(r->path, &said, &why), 0);
	free(said);
}

static void a_log_without_its_journal(void **state)
{
	struct rig *r = *state;
	char log[160];

	snprintf(log, sizeof log, "%s-wal", r->path);
	leave_open(r, log);
	assert_int_equal(unlink(r->path), 0);
	refuses(r, ERR_MALFORMED, "but the journal that it belongs to is not");
	assert_int_equal(unlink(log), 0);
	refuses(r, ERR_UNKNOWN, "there is no journal");
}

static int set_up(void **state)
{
	int r = rig_set_up(state);
	struct rig *rig = *state;

	rig->conf.vfs = NULL; /* files are changed behind the back of the faulty one */
	return r;
}

int main(void)
{
#define CHECKED(test) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
	const struct CMUnitTest tests[] = {
		CHECKED(what_is_whole_is_called_so),
		CHECKED(a_flipped_bit_is_found),
		CHECKED(a_cut_off_file_is_refused),
		CHECKED(each_sort_of_fault_has_a_sentence),
		CHECKED(an_index_that_misses_a_row),
		CHECKED(a_missing_log_is_noticed),
		CHECKED(a_log_without_its_journal),
	};

	fault_vfs_install();
	return cmocka_run_group_tests_name("journal's check", tests, NULL, NULL);
}
