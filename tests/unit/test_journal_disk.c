/* SPDX-License-Identifier: Apache-2.0
 *
 * What only a disk can do to a journal: faults at every call, lack of room, damaged and foreign files. Power cuts are
 * in test_journal_power.c.
 */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/journal_rig.h"
#include "tests/support/journal_world.h"
#include "tests/support/test.h"

/* --- cases that every journal has to meet ------------------------------------------------------------- */

static struct journal *world_open(void *ctx)
{
	return rig_open(ctx);
}

/* What was not made safe is lost with the process: here it is written by closing, so it is not appended. */
static struct journal *world_again(void *ctx, struct journal *j)
{
	journal_close(j);
	return rig_open(ctx);
}

static void a_long_life_is_like_the_model(void **state)
{
	const struct journal_world w = { world_open, world_again, *state };

	world_is_like_the_model(&w);
}

static void rows_move_and_come_back(void **state)
{
	const struct journal_world w = { world_open, world_again, *state };

	world_newer_replaces(&w);
}

static void keys_belong_to_tenants(void **state)
{
	const struct journal_world w = { world_open, world_again, *state };

	world_finds_by_key(&w);
}

static void the_forgotten_go(void **state)
{
	const struct journal_world w = { world_open, world_again, *state };

	world_forgets(&w);
}

static void rows_come_in_order(void **state)
{
	const struct journal_world w = { world_open, world_again, *state };

	world_loads_in_order(&w);
}

/* Also what waits and what is being written is found. */
static void what_waits_is_found(void **state)
{
	struct rig *r = *state;
	struct journal *j = rig_open(r);
	struct prng p;

	rand_start(&p);
	struct journal_model m = { .seed = prng_next(&p) };

	for (int i = 0; i < 1500; i++) {
		assert_int_equal(journal_model_next(&m, j), 0);
		if (prng_below(&p, 10) == 0)
			assert_int_equal(journal_commit(j), 0);
		if (prng_below(&p, 10) == 0)
			assert_int_equal(loop_turn(&r->loop, 0), 0);
		if (prng_below(&p, 20) == 0)
			journal_model_compare_kept(&m, j);
	}
	assert_int_equal(journal_sync(j), 0);
	assert_int_equal(j->waiting_rows, 0);
	assert_int_equal(j->waiting_bytes, 0);
	journal_model_compare(&m, j);
	journal_close(j);
}

/* --- faults ------------------------------------------------------------------------------------------ */

/* Write random images in groups until it fails or so many were written. Returns the last that was safe. */
static uint64_t write_until(struct journal *j, struct journal_model *m, uint64_t images,
	struct prng *p)
{
	bool failed = false;

	for (uint64_t i = 0; i < images && !failed; i++)
		failed = journal_model_next(m, j) < 0 ||
			 (prng_below(p, 30) == 0 && journal_sync(j) < 0);
	if (failed) { /* the error stands, and says what it is */
		assert_int_not_equal(journal_sqlite_fail(j)->code, 0);
		assert_true(journal_commit(j) < 0);
		assert_true(journal_sync(j) < 0);
	}
	return j->safe;
}

/* The journal is as after some image from the last safe one on, and all of it: groups are whole. */
static void holds(struct rig *r, uint64_t seed, uint64_t safe, uint64_t most)
{
	struct journal *j = rig_open(r);
	struct journal_model m = { .seed = seed };
	uint64_t seen = journal_model_seen(&m, j);

	assert_true(seen <= most);
	while (m.at < safe || m.at < seen)
		journal_model_skip(&m);
	/* Images after the last that shows may only have made rows go. */
	while (m.at < most && !journal_model_is(&m, j))
		journal_model_skip(&m);
	journal_model_compare(&m, j);
	journal_close(j);
}

static bool survives(struct rig *r, uint64_t n, bool always, unsigned kinds, int result)
{
	struct journal_model m = { .seed = n };
	struct prng p;
	struct journal *j;
	uint64_t safe = 0, most = 0, failed;

	prng_seed(&p, 5);
	fault_vfs_at(n, always, kinds, result);
	j = rig_try(r);
	if (j != NULL) {
		safe = write_until(j, &m, 400, &p);
		most = j->appended + 1;
		journal_close(j);
	} else {
		assert_true(r->why.code < 0);
		assert_true(r->why.detail[0] != '\0');
	}
	failed = fault_vfs_failed();
	fault_vfs_reset();
	holds(r, m.seed, safe, most);
	fault_vfs_reset();
	rig_clear(r);
	return failed > 0;
}

static void every_call(struct rig *r, unsigned kinds, int result, unsigned least)
{
	uint64_t n = 1;

	/* Beyond the first ones, calls are alike: steps grow. */
	for (; survives(r, n, false, kinds, result); n += 1 + n / 25)
		(void)survives(r, n, true, kinds, result);
	assert_true(n > least);
}

static void every_write_may_fail(void **state)
{
	every_call(*state, FAULT_WRITE, 0, 100);
}

static void every_flush_may_fail(void **state)
{
	every_call(*state, FAULT_SYNC, 0, 10);
}

static void every_other_call_may_fail(void **state)
{
	every_call(*state, FAULT_OPEN | FAULT_READ | FAULT_OTHER, 0, 20);
}

static void the_disk_may_fill_up(void **state)
{
	every_call(*state, FAULT_WRITE, SQLITE_FULL, 100);
}

static void every_request_for_memory_may_fail(void **state)
{
	every_call(*state, FAULT_MEMORY, 0, 1000);
}

/* After a flush that failed not even SQLite's own tidying writes. */
static void nothing_is_written_after_an_error(void **state)
{
	struct rig *r = *state;
	struct journal *j = rig_open(r);
	struct journal_model m = { .seed = 3 };
	uint64_t failed;

	for (int i = 0; i < 20; i++)
		assert_int_equal(journal_model_next(&m, j), 0);
	fault_vfs_at(1, false, FAULT_SYNC, 0);
	assert_int_equal(journal_sync(j), ERR_IO);
	assert_int_equal(fault_vfs_failed(), 1);
	fault_vfs_at(1, true, FAULT_WRITE | FAULT_SYNC, 0);
	assert_int_equal(journal_sync(j), ERR_IO);
	assert_int_equal(journal_model_next(&m, j), ERR_IO);
	journal_close(j);
	failed = fault_vfs_failed();
	assert_int_equal(failed, 0);
}

static bool no_row(void *ctx, const struct journal_image *image)
{
	(void)ctx;
	(void)image;
	return true;
}

/* Who asks learns that it could not be read; that does not end the journal. */
static void a_read_that_fails_is_told(void **state)
{
	struct rig *r = *state;
	struct journal *j = rig_open(r);
	struct journal_model m = { .seed = 11 };

	while (m.at < 300)
		assert_int_equal(journal_model_next(&m, j), 0);
	journal_close(j);
	j = rig_open(r);
	for (int i = 0; i < 3; i++) {
		struct fail why = { 0 };

		fault_vfs_at(1, true, FAULT_READ, 0);
		assert_int_equal(j->ops->find(j, (struct ulid){ 1, 2 }, no_row, NULL, &why),
			ERR_IO);
		assert_string_equal(why.field, "journal");
		assert_true(why.detail[0] != '\0');
		why = (struct fail){ 0 };
		assert_int_equal(j->ops->find_key(j, SPAN_LIT("local"), SPAN_LIT("key-1"), no_row,
					 NULL, &why),
			ERR_IO);
		assert_int_equal(why.code, ERR_IO);
		fault_vfs_at(0, false, 0, 0);
		assert_int_equal(journal_sqlite_fail(j)->code, 0);
		assert_int_equal(journal_model_next(&m, j), 0);
	}
	assert_int_equal(journal_sync(j), 0);
	journal_model_compare(&m, j);
	journal_close(j);
}

/* A limit on the size of files stands in for a disk without room: in a process of its own. */
static void room_comes_back(void **state)
{
	struct rig *r = *state;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct rlimit limit = { 150000, 150000 };
		struct journal_model m = { .seed = 9 };
		struct journal *j = rig_try(r);
		int err = 0;

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		while (j != NULL && err == 0) {
			err = journal_model_next(&m, j);
			if (err == 0 && m.at % 10 == 0)
				err = journal_sync(j);
		}
		_exit(j == NULL ? 1 : m.at < 20 ? 2 : err == ERR_IO ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	struct journal *j = rig_open(r);
	struct journal_model m = { .seed = 9 };

	assert_true(journal_model_seen(&m, j) >= 10);
	assert_int_equal(journal_model_next(&m, j), 0);
	assert_int_equal(journal_sync(j), 0);
	journal_close(j);
}

/* --- files -------------------------------------------------------------------------------------------- */

static void write_file(const char *path, const void *bytes, size_t n, off_t at)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, at), n);
	close(fd);
}

static void fill_journal(struct rig *r, uint64_t images)
{
	struct journal *j = rig_open(r);
	struct journal_model m = { .seed = 4 };

	while (m.at < images)
		assert_int_equal(journal_model_next(&m, j), 0);
	assert_int_equal(journal_sync(j), 0);
	journal_close(j);
}

static uint64_t file_hash(const char *path)
{
	static unsigned char bytes[1 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, bytes, sizeof bytes);

	close(fd);
	return n < 0 ? 0 : span_hash(span_of(bytes, (size_t)n), 1);
}

/* Refused with this code and text, and not touched. */
static void is_refused(struct rig *r, int code, const char *text)
{
	uint64_t before = file_hash(r->path);
	struct fail why = { 0 };

	assert_null(rig_try(r));
	assert_int_equal(r->why.code, code);
	assert_string_equal(r->why.field, "journal");
	if (strstr(r->why.detail, text) == NULL)
		fail_msg("'%s' is not in '%s'", text, r->why.detail);
	assert_int_equal(file_hash(r->path), before);
	assert_int_equal(journal_check(r->path, stdout, &why), code);
	rig_clear(r);
}

static void strange_files_are_refused(void **state)
{
	struct rig *r = *state;
	const unsigned char newer[4] = { 0, 0, 0, 9 }, foreign[4] = { 1, 2, 3, 4 };
	char text[300];

	memset(text, 'x', sizeof text);
	write_file(r->path, text, sizeof text, 0);
	is_refused(r, ERR_INVALID, "no journal");
	write_file(r->path, "SQLite format 3", 16, 0);
	is_refused(r, ERR_INVALID, "no journal");
	write_file(r->path, "", 0, 0);
	is_refused(r, ERR_MALFORMED, "empty");
	fill_journal(r, 50);
	write_file(r->path, newer, sizeof newer, 60);
	is_refused(r, ERR_UNSUPPORTED, "newer router");
	fill_journal(r, 50);
	write_file(r->path, foreign, sizeof foreign, 68);
	is_refused(r, ERR_INVALID, "a database, but no journal");
	fill_journal(r, 50);
	assert_int_equal(truncate(r->path, 3 * 8192), 0);
	is_refused(r, ERR_MALFORMED, "damaged");
	assert_int_equal(mkdir(r->path, 0700), 0);
	assert_null(rig_try(r));
	assert_int_equal(r->why.code, ERR_INVALID);
}

static void a_log_without_its_journal_is_refused(void **state)
{
	struct rig *r = *state;
	char log[160];

	snprintf(log, sizeof log, "%s-wal", r->path);
	write_file(log, "log", 3, 0);
	assert_null(rig_try(r));
	assert_int_equal(r->why.code, ERR_MALFORMED);
	r->conf.path = "/nowhere/at/all";
	assert_null(rig_try(r));
	assert_int_equal(r->why.code, ERR_IO);
}

/* Wherever a page is damaged: refused, or found by a check, or in a place that is not used. */
static void damage_is_met(void **state)
{
	struct rig *r = *state;
	unsigned refused = 0;
	unsigned char noise[64];
	struct prng p;

	rand_start(&p);
	for (int round = 0; round < 25; round++) {
		struct fail why = { 0 };
		struct stat st;

		fill_journal(r, 300);
		assert_int_equal(stat(r->path, &st), 0);
		for (size_t i = 0; i < sizeof noise; i++)
			noise[i] = (unsigned char)prng_next(&p);
		for (int i = 0; i < 4; i++)
			write_file(r->path, noise, sizeof noise,
				(off_t)prng_below(&p, (uint64_t)st.st_size - sizeof noise));
		FILE *out = fopen("/dev/null", "w");

		refused += journal_check(r->path, out, &why) != 0;
		fclose(out);
		struct journal *j = rig_try(r);

		if (j != NULL)
			journal_close(j);
		else
			assert_true(r->why.code < 0);
		rig_clear(r);
	}
	assert_true(refused > 15);
}

static void a_second_process_is_kept_out(void **state)
{
	struct rig *r = *state;
	int go[2], status;

	assert_int_equal(pipe(go), 0);
	pid_t pid = fork(); /* before the opening: a child would inherit what SQLite knows of it */

	if (pid == 0) {
		struct fail why = { 0 };
		char byte;

		if (read(go[0], &byte, 1) != 1 || rig_try(r) != NULL || r->why.code != ERR_CONFLICT)
			_exit(1);
		_exit(journal_check(r->path, stdout, &why) == ERR_CONFLICT ? 0 : 2);
	}
	struct journal *j = rig_open(r);

	assert_int_equal(write(go[1], "", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(go[0]);
	close(go[1]);
	assert_int_equal(status, 0);
	journal_close(j);
}

int main(void)
{
#define DISK(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
	const struct CMUnitTest tests[] = {
		DISK(a_long_life_is_like_the_model),
		DISK(rows_move_and_come_back),
		DISK(keys_belong_to_tenants),
		DISK(the_forgotten_go),
		DISK(rows_come_in_order),
		DISK(what_waits_is_found),
		DISK(every_write_may_fail),
		DISK(every_flush_may_fail),
		DISK(every_other_call_may_fail),
		DISK(the_disk_may_fill_up),
		DISK(every_request_for_memory_may_fail),
		DISK(nothing_is_written_after_an_error),
		DISK(a_read_that_fails_is_told),
		DISK(room_comes_back),
		DISK(strange_files_are_refused),
		DISK(a_log_without_its_journal_is_refused),
		DISK(damage_is_met),
		DISK(a_second_process_is_kept_out),
	};

	fault_vfs_install();
	return cmocka_run_group_tests_name("journal on a disk", tests, NULL, NULL);
}
