/* SPDX-License-Identifier: Apache-2.0
 *
 * test_mark: what time it is in a router's next life, with clocks that are set.
 */
#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fmt.h"
#include "router/mark.h"

#define HOUR (3600 * NS_PER_S)
#define OWN (1000 * HOUR)      /* some moment */
#define SLACK (600 * NS_PER_S) /* that the test itself takes */
#define JOURNAL "journal.db"
#define MARK JOURNAL ".clock"

static struct clocks_test *clocks_of_test;

static struct clocks_test *map_clocks(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *at;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, sizeof(struct clocks_test)), 0);
	at = mmap(NULL, sizeof(struct clocks_test), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	assert_true(at != MAP_FAILED);
	return at;
}

static int set_up(void **state)
{
	struct clocks clocks;

	(void)state;
	if (clocks_of_test == NULL) {
		clocks_of_test = map_clocks("clocks");
		assert_int_equal(setenv("SPU_TEST_CLOCK", "clocks", 1), 0);
		clocks_open(&clocks);
	}
	clocks_of_test->wall_ns = 0;
	unlink(MARK);
	return 0;
}

static void keep(int64_t own_ns)
{
	struct mark m;

	(void)mark_open(&m, JOURNAL);
	assert_int_equal(mark_keep(&m, own_ns), 0);
}

static void assert_own(int64_t want_ns)
{
	struct mark m;
	int64_t own_ns = mark_open(&m, JOURNAL);

	assert_true(own_ns >= want_ns && own_ns < want_ns + SLACK);
}

static void write_mark(const char *text)
{
	FILE *f = fopen(MARK, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* As if the machine had been started anew since. */
static void other_boot(void)
{
	char line[128] = "", other[128];
	FILE *f = fopen(MARK, "re");

	assert_non_null(f);
	assert_non_null(fgets(line, sizeof line, f));
	fclose(f);
	assert_true(strlen(line) > 40);
	snprintf(other, sizeof other, "1 00000000-0000-0000-0000-000000000000%s", line + 38);
	write_mark(other);
}

static void test_nobody_knows(void **state)
{
	static const char *const bad[] = { "", "1", "2 - 5 5\n", "1 - 5\n", "1 - 5 5", "1 - x 5\n",
		"1 - 5 5 5\n", "1 - 99999999999999999999 5\n", "1 - 5 9223372036854775807\n",
		"1 0123456789012345678901234567890123456789 5 5\n", "1 - 5 4000000000000000000\n" };
	struct mark m;

	(void)state;
	assert_int_equal(mark_open(&m, JOURNAL), 0);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		write_mark(bad[i]);
		assert_int_equal(mark_open(&m, JOURNAL), 0);
	}
}

static void test_the_wall_clock_is_set(void **state)
{
	(void)state;
	keep(OWN);
	assert_own(OWN);
	clocks_of_test->wall_ns = 2 * HOUR;
	assert_own(OWN);
	clocks_of_test->wall_ns = -2 * HOUR;
	assert_own(OWN);
	clocks_of_test->mono_ns += HOUR; /* that passed */
	assert_own(OWN + HOUR);
}

static void test_the_machine_starts_anew(void **state)
{
	(void)state;
	keep(OWN);
	other_boot();
	assert_own(OWN);
	clocks_of_test->wall_ns = 2 * HOUR;
	assert_own(OWN + 2 * HOUR);
	keep(OWN); /* with a clock that is off, and was known to be */
	other_boot();
	assert_own(OWN);
}

static void test_kept_when_it_is_another_one(void **state)
{
	struct mark m;
	struct stat was, is;

	(void)state;
	(void)mark_open(&m, JOURNAL);
	assert_int_equal(mark_keep(&m, OWN), 0);
	assert_int_equal(stat(MARK, &was), 0);
	/* the same moment, as far as anybody can tell */
	assert_int_equal(mark_keep(&m, m.since_boot_ns + clocks_boot()), 0);
	assert_int_equal(stat(MARK, &is), 0);
	assert_true(was.st_ino == is.st_ino);
	clocks_of_test->wall_ns += 2 * HOUR;
	assert_int_equal(mark_keep(&m, m.since_boot_ns + clocks_boot()), 0);
	other_boot();
	assert_own(OWN);
	assert_int_equal(access(MARK ".new", F_OK), -1);
}

static void test_no_place_for_it(void **state)
{
	struct mark m;
	static char journal[PATH_MAX];

	(void)state;
	assert_int_equal(mark_open(&m, "no/folder/journal.db"), 0);
	assert_int_equal(mark_keep(&m, OWN), ERR_IO);
	assert_int_equal(mark_keep(&m, 2 * OWN), 0); /* it was told */
	memset(journal, 'x', sizeof journal - 4);
	assert_int_equal(mark_open(&m, journal), 0);
	assert_int_equal(mark_keep(&m, OWN), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, set_up)
	const struct CMUnitTest tests[] = {
		TEST(test_nobody_knows),
		TEST(test_the_wall_clock_is_set),
		TEST(test_the_machine_starts_anew),
		TEST(test_kept_when_it_is_another_one),
		TEST(test_no_place_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
