/* SPDX-License-Identifier: Apache-2.0
 *
 * clocks: the system's clocks as int64_t ns, which last until the year 2262.
 */
#include "run/clocks.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fmt.h"

/* As much the process's own as its clocks are; NULL outside of tests. */
static const struct clocks_test *test;

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;
	int64_t ns;

	CHECK(clock_gettime(clock, &t) == 0);
	ns = (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
	if (test != NULL)
		ns += __atomic_load_n(clock == CLOCK_REALTIME ? &test->wall_ns : &test->mono_ns,
			__ATOMIC_RELAXED);
	return ns;
}

static void open_test(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *at = MAP_FAILED;

	if (fd >= 0)
		at = mmap(NULL, sizeof(*test), PROT_READ, MAP_SHARED, fd, 0);
	CHECK(at != MAP_FAILED); /* a test that tests nothing */
	close(fd);
	test = at;
}

void clocks_open(struct clocks *c)
{
	const char *path = getenv("SPU_TEST_CLOCK");

	if (path != NULL && test == NULL)
		open_test(path);
	c->offset_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
}

int64_t clocks_now(const struct clocks *c)
{
	return clock_ns(CLOCK_MONOTONIC) + c->offset_ns;
}

int64_t clocks_mono(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t clocks_boot(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

void clocks_boot_id(char ret[CLOCKS_BOOT_ID])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, CLOCKS_BOOT_ID - 1);

	if (fd >= 0)
		close(fd);
	ret[n == CLOCKS_BOOT_ID - 1 ? n : 0] = '\0';
}

int64_t clocks_wall(void)
{
	return clock_ns(CLOCK_REALTIME);
}

char *clocks_text(int64_t unix_ns, char to[CLOCKS_TEXT_BYTES])
{
	int64_t ns = unix_ns % NS_PER_S < 0 ? unix_ns % NS_PER_S + NS_PER_S : unix_ns % NS_PER_S;
	time_t seconds = (time_t)((unix_ns - ns) / NS_PER_S);
	struct tm tm;
	size_t n;

	/* Years of an int64_t in ns lie between 1677 and 2262. */
	CHECK(gmtime_r(&seconds, &tm) != NULL);
	n = strftime(to, CLOCKS_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(to + n, CLOCKS_TEXT_BYTES - n, ".%03dZ", (int)(ns / NS_PER_MS));
	return to;
}
