/* SPDX-License-Identifier: Apache-2.0
 *
 * A life of a journal: made, written, closed, opened again, read, written, closed. Each of the calls of the system that
 * it makes, by SQLite and of its own, fails: once, and from then on. Whatever happens, what was told to be safe is there
 * afterwards, the file is whole, the error is told in words, and no descriptor and no memory is left behind.
 *
 * SPU_SWEEP=1 tries each call; without it every SWEEP_STEP-th.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/support/fault_sys.h"
#include "tests/support/files.h"
#include "tests/support/journal_rig.h"
#include "tests/support/journal_world.h"
#include "tests/support/test.h"

#define SWEEP_STEP 13u
#define IMAGES 150u
#define GROUP 15u

struct life {
	struct journal_model m;
	uint64_t safe; /* number of the last image that was told to be safe */
	bool failed;
	struct fail why;
};

static bool on_row(void *ctx, const struct journal_image *image)
{
	(void)image;
	++*(uint64_t *)ctx;
	return true;
}

/* All that a router reads of it. */
static bool read_all(struct life *l, struct journal *j)
{
	uint64_t n = 0;
	bool ok = j->ops->load(j, on_row, &n) == 0 && j->ops->load_kept(j, 10, on_row, &n) == 0;

	if (!ok)
		l->why = *journal_sqlite_fail(j);
	for (uint64_t row = 1; ok && row <= WORLD_ROWS; row++)
		ok = j->ops->find(j, (struct ulid){ row / 2, row }, on_row, &n, &l->why) >= 0 &&
		     j->ops->find_key(j, SPAN_LIT("local"), SPAN_LIT("key-1"), on_row, &n,
			     &l->why) >= 0;
	return ok;
}

static bool write_some(struct rig *r, struct life *l, struct journal *j)
{
	uint64_t before = l->m.at - j->appended;
	bool ok = true;

	for (unsigned i = 0; ok && i < IMAGES; i++) {
		ok = journal_model_next(&l->m, j) == 0 &&
		     (i % GROUP != GROUP - 1 || journal_sync(j) == 0);
		l->safe = before + j->safe;
	}
	/* Time goes by: it looks for what can be forgotten, and writes its log back. */
	for (unsigned i = 0; ok && i < 3; i++) {
		r->now_ns += 2 * NS_PER_S;
		ok = loop_turn(&r->loop, 0) >= 0 && journal_sync(j) == 0;
	}
	if (!ok)
		l->why = *journal_sqlite_fail(j);
	return ok;
}

static void live(struct rig *r, struct life *l)
{
	for (int i = 0; i < 2 && !l->failed; i++) {
		struct journal *j = rig_try(r);

		if (j == NULL) {
			l->why = r->why;
			l->failed = true;
			return;
		}
		l->failed = !read_all(l, j) || !write_some(r, l, j);
		journal_close(j);
	}
}

/* Whole by its own check, and as after some image from the last safe one on. */
static void holds(struct rig *r, const struct life *l)
{
	struct journal_model m = { .seed = l->m.seed };
	struct fail why = { 0 };
	FILE *out = fopen("/dev/null", "w");
	int faults = journal_check(r->path, out, &why);
	uint64_t most = l->m.at + 1, seen;
	struct journal *j;

	fclose(out);
	if (faults != 0 && !(faults == ERR_UNKNOWN && l->safe == 0))
		fail_msg("%d faults: %s", faults, why.detail);
	j = rig_open(r);
	seen = journal_model_seen(&m, j);
	assert_true(seen <= most);
	while (m.at < l->safe || m.at < seen)
		journal_model_skip(&m);
	while (m.at < most && !journal_model_is(&m, j))
		journal_model_skip(&m);
	journal_model_compare(&m, j);
	journal_close(j);
}

/* False: the n-th call is not made any more. */
static bool survives(struct rig *r, uint64_t n, int how, bool always)
{
	struct life l = { .m = { .seed = 21 } };
	unsigned files = files_open();
	int64_t held = mem_held();
	uint64_t calls;

	fault_sys_at(n, how, always);
	live(r, &l);
	calls = fault_sys_calls();
	fault_sys_off();
	assert_int_equal(files_open(), files);
	assert_int_equal(mem_held(), held);
	if (l.failed) {
		if (l.why.code >= 0 || l.why.detail[0] == '\0' || fault_sys_failed() == 0)
			fail_msg("call %d (%s) failed, the journal says %d '%s'", (int)n,
				fault_sys_first(), l.why.code, l.why.detail);
		/* Less than was asked for, and an interruption, are no errors. */
		if (how == FAULT_SHORT || how == EINTR)
			fail_msg("call %d (%s) was cut short: %s", (int)n, fault_sys_first(),
				l.why.detail);
	}
	holds(r, &l);
	rig_clear(r);
	return calls >= n;
}

static void sweep(struct rig *r, const char *name, int how, bool always)
{
	const char *whole = getenv("SPU_SWEEP");
	uint64_t step = whole != NULL ? 1 : SWEEP_STEP, tried = 0, n;

	for (n = 1; survives(r, n, how, always); n += step)
		tried++;
	print_message("# %s %s: %d calls tried of %d\n", name, always ? "from then on" : "once",
		(int)tried, (int)n - 1);
	assert_true(n > 200);
}

static void every_call_fails(void **state)
{
	sweep(*state, "EIO", EIO, false);
	sweep(*state, "EIO", EIO, true);
}

static void every_call_finds_the_disk_full(void **state)
{
	sweep(*state, "ENOSPC", ENOSPC, false);
	sweep(*state, "ENOSPC", ENOSPC, true);
}

static void every_call_is_interrupted(void **state)
{
	sweep(*state, "EINTR", EINTR, false);
}

static void every_call_does_less(void **state)
{
	sweep(*state, "short", FAULT_SHORT, false);
	sweep(*state, "short", FAULT_SHORT, true);
}

static int tell(void **state)
{
	(void)state;
	printf("# ");
	fault_sys_tell(stdout);
	return 0;
}

static int set_up(void **state)
{
	int r = rig_set_up(state);
	struct rig *rig = *state;

	rig->conf.vfs = NULL;
	rig->conf.log_pages = 16;
	return r;
}

int main(void)
{
#define FAULT(test) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
	const struct CMUnitTest tests[] = {
		FAULT(every_call_fails),
		FAULT(every_call_finds_the_disk_full),
		FAULT(every_call_is_interrupted),
		FAULT(every_call_does_less),
	};

	fault_vfs_install();
	fault_sys_install();
	return cmocka_run_group_tests_name("journal under faults", tests, NULL, tell);
}
