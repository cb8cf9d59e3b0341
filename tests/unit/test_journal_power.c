/* SPDX-License-Identifier: Apache-2.0
 *
 * The power goes, at any write or flush: while a journal is made, written, brought back after an earlier cut, closed.
 * The disk keeps what was flushed, and of the rest some sectors, some of them in part. What was told to be safe is
 * there afterwards, in whole groups, and the file is whole.
 *
 * SPU_POWER_CUTS=n: so many journals instead of JOURNALS; each meets one to three cuts.
 */
#include <stdlib.h>

#include "tests/support/journal_rig.h"
#include "tests/support/journal_world.h"
#include "tests/support/test.h"

#define JOURNALS 300
#define LIVES 3

struct tally {
	unsigned cuts, making, again, closing;
};

/* What one journal has gone through. */
struct past {
	struct journal_model m;
	uint64_t safe; /* number of the last image that was told to be safe */
};

/* Random images in groups of random sizes, until it fails or so many were appended. */
static void write_until(struct journal *j, struct past *past, uint64_t images, struct prng *p)
{
	uint64_t before = past->m.at - j->appended;
	bool failed = false;

	for (uint64_t i = 0; i < images && !failed; i++)
		failed = journal_model_next(&past->m, j) < 0 ||
			 (prng_below(p, 30) == 0 && journal_sync(j) < 0);
	if (failed)
		assert_int_not_equal(journal_sqlite_fail(j)->code, 0);
	if (before + j->safe > past->safe)
		past->safe = before + j->safe;
}

/* The model goes back to what the journal shows after a cut: the image from which it goes on. */
static void go_back(struct past *past, struct journal *j)
{
	struct journal_model m = { .seed = past->m.seed };
	uint64_t seen = journal_model_seen(&m, j), most = past->m.at + 1;

	assert_true(seen <= most);
	while (m.at < past->safe || m.at < seen)
		journal_model_skip(&m);
	/* Images after the last that shows may only have made rows go. */
	while (m.at < most && !journal_model_is(&m, j))
		journal_model_skip(&m);
	journal_model_compare(&m, j);
	past->m = m;
}

/* One life of the journal, which a cut ends, or not. */
static void live(struct rig *r, struct past *past, struct prng *p, struct tally *tally)
{
	struct journal *j;

	fault_vfs_power(1 + prng_below(p, prng_below(p, 3) == 0 ? 30 : 500));
	j = rig_try(r);
	if (j == NULL) {
		assert_true(fault_vfs_is_dark());
		assert_true(r->why.detail[0] != '\0');
		tally->making += past->m.at == 0;
		tally->again += past->m.at > 0;
	} else {
		bool dark = fault_vfs_is_dark();

		if (past->m.at > 0 && !dark)
			go_back(past, j);
		write_until(j, past, prng_below(p, 1500), p);
		dark = fault_vfs_is_dark();
		journal_close(j);
		tally->closing += !dark && fault_vfs_is_dark();
	}
	tally->cuts += fault_vfs_is_dark();
	fault_vfs_wreck(prng_next(p));
	fault_vfs_reset();
}

static void is_whole(struct rig *r, const struct past *past)
{
	FILE *out = fopen("/dev/null", "w");
	struct fail why = { 0 };
	int faults = journal_check(r->path, out, &why);

	fclose(out);
	if (faults != 0 && !(faults == ERR_UNKNOWN && past->safe == 0))
		fail_msg("%d faults: %s", faults, why.detail);
}

static void power_cuts_lose_nothing_safe(void **state)
{
	const char *wanted = getenv("SPU_POWER_CUTS");
	int journals = wanted == NULL ? JOURNALS : atoi(wanted);
	struct tally tally = { 0 };
	struct rig *r = *state;
	struct prng p;

	rand_start(&p);
	for (int i = 0; i < journals; i++) {
		struct past past = { .m = { .seed = prng_next(&p) } };
		struct journal *j;

		for (uint64_t lives = 1 + prng_below(&p, LIVES); lives > 0; lives--)
			live(r, &past, &p, &tally);
		is_whole(r, &past);
		j = rig_open(r);
		go_back(&past, j);
		journal_close(j);
		fault_vfs_reset();
		rig_clear(r);
	}
	print_message(
		"# %d journals, %u power cuts: %u while one was made, %u while one came back, %u"
		" while one was closed; nothing lost\n",
		journals, tally.cuts, tally.making, tally.again, tally.closing);
	assert_true(tally.cuts > (unsigned)journals / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(power_cuts_lose_nothing_safe, rig_set_up,
			rig_tear_down),
	};

	fault_vfs_install();
	return cmocka_run_group_tests_name("journal and power", tests, NULL, NULL);
}
