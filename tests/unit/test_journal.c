/* SPDX-License-Identifier: Apache-2.0
 *
 * What a journal promises, held by the durable one and by the one that the simulator uses. What only a disk can do is
 * in test_journal_disk.c.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "router/journal_sqlite.h"
#include "tests/support/journal_mem.h"
#include "tests/support/journal_world.h"
#include "tests/support/nth.h"
#include "tests/support/test.h"

struct rig {
	struct loop loop;
	char dir[64], path[128];
	struct journal *journal;
	bool on_disk;
	unsigned safe_calls;
};

/* What a reading saw: rows in order. */
struct seen {
	uint64_t row[64];
	char state[64][16];
	char order[64][16];
	unsigned n;
};

static bool on_row(void *ctx, const struct journal_image *i)
{
	struct seen *s = ctx;

	assert_true(s->n < ARRAY_LEN(s->row));
	s->row[s->n] = i->row;
	(void)span_copy(i->state, s->state[s->n], sizeof s->state[0]);
	(void)span_copy(i->order, s->order[s->n], sizeof s->order[0]);
	s->n++;
	return true;
}

static void on_safe(void *ctx)
{
	((struct rig *)ctx)->safe_calls++;
}

static void open_sqlite(struct rig *r)
{
	struct fail why = { 0 };
	const struct journal_sqlite_conf conf = { .path = r->path,
		.rows_max = 1000,
		.bytes_max = 1 << 30 };

	r->journal = journal_sqlite_open(&r->loop, &conf, &why);
	if (r->journal == NULL)
		print_error("%s %s\n", why.field, why.detail);
	assert_non_null(r->journal);
	r->journal->on_safe = on_safe;
	r->journal->safe_ctx = r;
}

static void set_up_folder(struct rig *r)
{
	memset(r, 0, sizeof *r);
	assert_int_equal(loop_open(&r->loop), 0);
	snprintf(r->dir, sizeof r->dir, "/tmp/spu-journal.XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->path, sizeof r->path, "%s/journal.db", r->dir);
}

static int set_up_disk(void **state)
{
	static struct rig r;

	set_up_folder(&r);
	r.on_disk = true;
	open_sqlite(&r);
	*state = &r;
	return 0;
}

static int set_up_memory(void **state)
{
	static struct rig r;

	set_up_folder(&r);
	r.journal = journal_mem_open();
	assert_non_null(r.journal);
	*state = &r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;
	char command[128];

	journal_close(r->journal);
	loop_close(&r->loop);
	snprintf(command, sizeof command, "rm -rf '%s'", r->dir);
	return system(command) == 0 ? 0 : -1;
}

/* The journal as the next process finds it. */
static void reopen(struct rig *r)
{
	if (!r->on_disk) {
		journal_mem_crash(r->journal);
		return;
	}
	journal_close(r->journal);
	open_sqlite(r);
}

static struct ulid id_of(uint64_t row)
{
	return (struct ulid){ row, row * 7 };
}

static int put(struct rig *r, uint64_t row, enum journal_life life, const char *key,
	const char *order, const char *state)
{
	const struct journal_image i = {
		.row = row,
		.life = life,
		.task = id_of(row),
		.tenant = SPAN_LIT("t"),
		.key = span_str(key),
		.forget_ns = INT64_MAX,
		.order = span_str(order),
		.state = span_str(state),
	};

	return journal_append(r->journal, &i);
}

static struct seen load(struct rig *r)
{
	struct seen s = { .n = 0 };

	assert_int_equal(r->journal->ops->load(r->journal, on_row, &s), 0);
	return s;
}

static int find(struct rig *r, uint64_t row, struct seen *s)
{
	s->n = 0;
	return r->journal->ops->find(r->journal, id_of(row), on_row, s, NULL);
}

static int find_key(struct rig *r, const char *tenant, const char *key, struct seen *s)
{
	s->n = 0;
	return r->journal->ops->find_key(r->journal, span_str(tenant), span_str(key), on_row, s,
		NULL);
}

/* --- promises ----------------------------------------------------------------------------------------- */

static void test_what_is_safe_stays(void **state)
{
	struct rig *r = *state;

	assert_int_equal(put(r, 2, JOURNAL_OPEN, "", "order2", "state2"), 0);
	assert_int_equal(put(r, 1, JOURNAL_OPEN, "", "order1", "state1"), 0);
	assert_int_equal(journal_sync(r->journal), 0);
	assert_int_equal(r->journal->safe, 2);
	assert_int_equal(put(r, 2, JOURNAL_OPEN, "", "", "newer"), 0);
	assert_int_equal(journal_sync(r->journal), 0);
	reopen(r);
	struct seen s = load(r);

	assert_int_equal(s.n, 2);
	assert_int_equal(s.row[0], 1);
	assert_string_equal(s.state[0], "state1");
	assert_string_equal(s.order[1], "order2");
	assert_string_equal(s.state[1], "newer");
	assert_int_equal(r->journal->next_row, 3);
}

static void test_within_a_group_the_newest_counts(void **state)
{
	struct rig *r = *state;
	struct seen s;

	assert_int_equal(put(r, 1, JOURNAL_OPEN, "", "order", "first"), 0);
	assert_int_equal(put(r, 1, JOURNAL_OPEN, "", "", "second"), 0);
	assert_int_equal(put(r, 2, JOURNAL_OPEN, "k", "order", "open"), 0);
	assert_int_equal(put(r, 2, JOURNAL_KEPT, "k", "order", "ended"), 0);
	assert_int_equal(put(r, 3, JOURNAL_OPEN, "", "order", "open"), 0);
	assert_int_equal(put(r, 3, JOURNAL_GONE, "", "", ""), 0);
	assert_int_equal(find(r, 3, &s), 0);
	assert_int_equal(journal_sync(r->journal), 0);
	assert_int_equal(r->journal->safe, 6);
	s = load(r);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.order[0], "order");
	assert_string_equal(s.state[0], "second");
	assert_int_equal(find(r, 2, &s), 1);
	assert_string_equal(s.state[0], "ended");
	assert_int_equal(find(r, 3, &s), 0);
}

static void test_kept_rows_are_found(void **state)
{
	struct rig *r = *state;
	struct seen s;

	assert_int_equal(put(r, 5, JOURNAL_OPEN, "key", "order", "open"), 0);
	assert_int_equal(journal_sync(r->journal), 0);
	assert_int_equal(find(r, 5, &s), 0);
	assert_int_equal(put(r, 5, JOURNAL_KEPT, "key", "order!", "ended"), 0);
	assert_int_equal(journal_sync(r->journal), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(load(r).n, 0);
		assert_int_equal(find(r, 5, &s), 1);
		assert_string_equal(s.order[0], "order!");
		assert_int_equal(find_key(r, "t", "key", &s), 1);
		assert_string_equal(s.state[0], "ended");
		assert_int_equal(find_key(r, "other", "key", &s), 0);
		assert_int_equal(find_key(r, "t", "", &s), 0);
		assert_int_equal(find(r, 6, &s), 0);
		assert_int_equal(r->journal->kept, 1);
		reopen(r);
	}
	assert_int_equal(put(r, 5, JOURNAL_GONE, "", "", ""), 0);
	assert_int_equal(journal_sync(r->journal), 0);
	assert_int_equal(find(r, 5, &s), 0);
	assert_int_equal(find_key(r, "t", "key", &s), 0);
}

static void test_a_long_order_comes_back(void **state)
{
	static char much[100000];
	struct rig *r = *state;
	struct journal_image i = { .row = 9,
		.life = JOURNAL_OPEN,
		.task = id_of(9),
		.tenant = SPAN_LIT("t"),
		.order = span_of(much, sizeof much),
		.state = SPAN_LIT("a") };
	struct seen s;

	memset(much, 'm', sizeof much);
	assert_int_equal(journal_append(r->journal, &i), 0);
	assert_int_equal(journal_sync(r->journal), 0);
	assert_int_equal(put(r, 9, JOURNAL_OPEN, "", "", "b"), 0);
	assert_int_equal(journal_sync(r->journal), 0);
	reopen(r);
	s = load(r);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.order[0], "mmmmmmmmmmmmmmm");
	assert_string_equal(s.state[0], "b");
}

static struct journal *world_open(void *ctx)
{
	return ((struct rig *)ctx)->journal;
}

static struct journal *world_again(void *ctx, struct journal *j)
{
	struct rig *r = ctx;

	assert_ptr_equal(j, r->journal);
	reopen(r);
	return r->journal;
}

static void test_a_long_life_is_like_the_model(void **state)
{
	const struct journal_world w = { world_open, world_again, *state };

	world_is_like_the_model(&w);
	((struct rig *)*state)->journal = NULL; /* it was closed */
}

static void test_rows_move_and_come_back(void **state)
{
	const struct journal_world w = { world_open, world_again, *state };

	world_newer_replaces(&w);
	((struct rig *)*state)->journal = NULL;
}

/* --- the disk ----------------------------------------------------------------------------------------- */

static void turn_until_safe(struct rig *r, uint64_t safe)
{
	for (int i = 0; r->journal->safe < safe; i++) {
		assert_true(i < 2000);
		assert_int_equal(journal_commit(r->journal), 0);
		assert_int_equal(loop_turn(&r->loop, 10 * NS_PER_MS), 0);
	}
}

static void test_the_loop_is_told(void **state)
{
	struct rig *r = *state;

	for (uint64_t i = 1; i <= 50; i++)
		assert_int_equal(put(r, i, JOURNAL_OPEN, "", "o", "s"), 0);
	assert_int_equal(r->journal->safe, 0);
	turn_until_safe(r, 50);
	assert_true(r->safe_calls > 0);
	assert_int_equal(r->journal->groups, 1);
}

/* A process writes until it is killed, and tells through shared memory what was safe. */
static void test_a_kill_loses_nothing_that_was_safe(void **state)
{
	struct rig *r = *state;
	uint64_t *safe =
		mmap(NULL, sizeof *safe, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(safe != MAP_FAILED);
	journal_close(r->journal);
	for (int round = 0; round < 10; round++) {
		uint64_t before = *safe;
		pid_t pid = fork();

		if (pid == 0) {
			open_sqlite(r);
			for (uint64_t i = 0;; i++) {
				if (put(r, before + i + 1, JOURNAL_OPEN, "", "o", "s") < 0 ||
					journal_commit(r->journal) < 0 ||
					loop_turn(&r->loop, 0) < 0)
					_exit(1);
				*safe = before + r->journal->safe;
			}
		}
		while (*safe < before + 20)
			usleep(1000);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		open_sqlite(r);
		assert_true(r->journal->next_row > *safe);
		*safe = r->journal->next_row - 1;
		journal_close(r->journal);
	}
	munmap(safe, sizeof *safe);
	open_sqlite(r);
}

static void test_old_rows_go(void **state)
{
	struct rig *r = *state;
	struct seen s;

	r->loop.now_ns = clocks_wall();
	for (uint64_t i = 1; i <= 30; i++) {
		const struct journal_image image = { .row = i,
			.life = JOURNAL_KEPT,
			.task = id_of(i),
			.tenant = SPAN_LIT("t"),
			.forget_ns = i <= 10 ? 1 : INT64_MAX,
			.order = SPAN_LIT("o"),
			.state = SPAN_LIT("s") };

		assert_int_equal(journal_append(r->journal, &image), 0);
	}
	assert_int_equal(journal_sync(r->journal), 0);
	for (int i = 0; r->journal->kept > 20; i++) {
		assert_true(i < 500);
		assert_int_equal(loop_turn(&r->loop, 10 * NS_PER_MS), 0);
	}
	assert_int_equal(find(r, 10, &s), 0);
	assert_int_equal(find(r, 11, &s), 1);
}

static int open_and_put(void *arg)
{
	struct rig *r = arg;
	struct fail why = { 0 };
	const struct journal_sqlite_conf conf = { .path = r->path,
		.rows_max = 10,
		.bytes_max = 1 << 30 };
	int err;

	r->journal = journal_sqlite_open(&r->loop, &conf, &why);
	if (r->journal == NULL)
		return why.code;
	err = put(r, 1, JOURNAL_OPEN, "k", "o", "s");
	if (err == 0)
		err = put(r, 2, JOURNAL_KEPT, "l", "o", "s");
	if (err == 0)
		err = journal_sync(r->journal);
	journal_close(r->journal);
	r->journal = NULL;
	return err;
}

static void test_lack_of_memory(void **state)
{
	struct rig *r = *state;

	journal_close(r->journal);
	r->journal = NULL;
	assert_true(nth_alloc(open_and_put, r) > 5);
	open_sqlite(r);
}

int main(void)
{
#define BOTH(test)                                                                                 \
	cmocka_unit_test_setup_teardown(test, set_up_memory, tear_down),                           \
		cmocka_unit_test_setup_teardown(test, set_up_disk, tear_down)
#define DISK(test) cmocka_unit_test_setup_teardown(test, set_up_disk, tear_down)
	const struct CMUnitTest tests[] = {
		BOTH(test_what_is_safe_stays),
		BOTH(test_within_a_group_the_newest_counts),
		BOTH(test_kept_rows_are_found),
		BOTH(test_a_long_order_comes_back),
		BOTH(test_a_long_life_is_like_the_model),
		BOTH(test_rows_move_and_come_back),
		DISK(test_the_loop_is_told),
		DISK(test_a_kill_loses_nothing_that_was_safe),
		DISK(test_old_rows_go),
		DISK(test_lack_of_memory),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
