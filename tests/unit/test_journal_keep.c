/* SPDX-License-Identifier: Apache-2.0
 *
 * What a journal forgets, and when; and that its file does not grow for ever.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "base/fmt.h"
#include "tests/support/journal_rig.h"
#include "tests/support/test.h"

#define LATE INT64_C(2000000000000000000)
#define GOES_MAX 66u /* rows that may go with a group of one */

#define LOG_PAGES 256
#define LOG_MOST (64 << 20) /* a group below makes 48 MB of it */

static void put_kept(struct journal *j, uint64_t row, int64_t forget_ns, size_t bytes)
{
	static unsigned char state[4096];
	const struct journal_image image = {
		.row = row,
		.life = JOURNAL_KEPT,
		.task = { row, 1 },
		.tenant = SPAN_LIT("local"),
		.forget_ns = forget_ns,
		.order = SPAN_LIT("order"),
		.state = span_of(state, bytes),
	};

	assert_int_equal(journal_append(j, &image), 0);
}

static bool count_row(void *ctx, const struct journal_image *image)
{
	(void)image;
	++*(int *)ctx;
	return true;
}

static bool is_there(struct journal *j, uint64_t row)
{
	int n = 0;

	return j->ops->find(j, (struct ulid){ row, 1 }, count_row, &n, NULL) == 1 && n == 1;
}

static void limits_hold_under_load(void **state)
{
	struct rig *r = *state;
	struct journal *j;

	r->conf.rows_max = 100;
	j = rig_open(r);
	for (uint64_t row = 1; row <= 2000; row++) {
		put_kept(j, row, LATE + (int64_t)row, 100);
		if (row % 100 == 0)
			assert_int_equal(journal_sync(j), 0);
	}
	assert_int_equal(j->kept, 100);
	assert_false(is_there(j, 1900));
	assert_true(is_there(j, 1901) && is_there(j, 2000));
	journal_close(j);
	r->conf.rows_max = 0;
	r->conf.bytes_max = 100000;
	j = rig_open(r);
	for (uint64_t row = 2001; row <= 2200; row++) {
		put_kept(j, row, LATE + (int64_t)row, 3000);
		assert_int_equal(journal_sync(j), 0);
	}
	assert_in_range(j->kept, 25, 34);
	journal_close(j);
}

/* The loop alone forgets what is over its time, though nothing is written. */
static void time_passes_without_work(void **state)
{
	struct rig *r = *state;
	struct journal *j = rig_open(r);

	for (uint64_t row = 1; row <= 3000; row++)
		put_kept(j, row, row <= 2500 ? 1000 : LATE, 10);
	assert_int_equal(journal_sync(j), 0);
	r->now_ns = 2000;
	for (int i = 0; j->kept > 500; i++) {
		assert_true(i < 1000);
		assert_int_equal(loop_turn(&r->loop, 10 * NS_PER_MS), 0);
	}
	assert_false(is_there(j, 2500));
	assert_true(is_there(j, 2501));
	journal_close(j);
}

/* Much is over its time at once: who waits for a group waits for few deletions, the rest go later. */
static void a_group_is_not_held_up_by_what_goes(void **state)
{
	struct rig *r = *state;
	struct journal *j = rig_open(r);
	uint64_t kept;

	for (uint64_t row = 1; row <= 5000; row++)
		put_kept(j, row, 1000, 10);
	assert_int_equal(journal_sync(j), 0);
	r->now_ns = 2000;
	kept = j->kept;
	for (uint64_t row = 5001; row <= 5040; row++) {
		put_kept(j, row, LATE, 10);
		assert_int_equal(journal_sync(j), 0);
		assert_true(j->kept < kept); /* more goes than comes */
		assert_true(j->kept + GOES_MAX >= kept);
		kept = j->kept;
	}
	for (int i = 0; j->kept > 40; i++) {
		assert_true(i < 1000);
		assert_int_equal(loop_turn(&r->loop, 10 * NS_PER_MS), 0);
	}
	journal_close(j);
}

/* The same amount of work five times over: the file is as large as after the first, and shrinks when it is idle. */
static void the_file_does_not_grow_for_ever(void **state)
{
	struct rig *r = *state;
	struct journal *j;
	uint64_t row = 1;
	off_t first = 0;
	struct stat st;
	char log[160];

	snprintf(log, sizeof log, "%s-wal", r->path);
	r->conf.log_pages = LOG_PAGES;
	r->conf.vfs = NULL; /* the usual one: the faulty one reads a whole file at each flush */
	j = rig_open(r);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 12000; i++)
			put_kept(j, row++, r->now_ns + 1000, 4000);
		assert_int_equal(journal_sync(j), 0);
		r->now_ns += 2000;
		for (int i = 0; j->kept > 0; i++) {
			assert_true(i < 3000);
			assert_int_equal(loop_turn(&r->loop, 10 * NS_PER_MS), 0);
		}
		assert_int_equal(stat(log, &st), 0);
		assert_true(st.st_size < LOG_MOST);
		assert_int_equal(stat(r->path, &st), 0);
		if (round == 0)
			first = st.st_size;
		assert_true(st.st_size < first + first / 4 + (8 << 20));
	}
	for (int i = 0; st.st_size > first / 2; i++) {
		assert_true(i < 3000);
		assert_int_equal(loop_turn(&r->loop, 10 * NS_PER_MS), 0);
		assert_int_equal(stat(r->path, &st), 0);
	}
	journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(limits_hold_under_load, rig_set_up, rig_tear_down),
		cmocka_unit_test_setup_teardown(a_group_is_not_held_up_by_what_goes, rig_set_up,
			rig_tear_down),
		cmocka_unit_test_setup_teardown(time_passes_without_work, rig_set_up,
			rig_tear_down),
		cmocka_unit_test_setup_teardown(the_file_does_not_grow_for_ever, rig_set_up,
			rig_tear_down),
	};

	fault_vfs_install();
	return cmocka_run_group_tests_name("journal's retention", tests, NULL, NULL);
}
