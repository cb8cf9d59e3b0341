/* SPDX-License-Identifier: Apache-2.0
 *
 * watches: the clocks that processes of the torture see: the machine's, off by what a file says, which is set while
 * they run, and from one life to the next.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fmt.h"
#include "tests/torture/torture.h"

#define SLEEP_NS (10 * NS_PER_S) /* the machine slept, at most */
#define SLEEPS 4                 /* one set of so many is a sleep, too */

struct clocks_test *watch_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	void *at = MAP_FAILED;

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, sizeof(struct clocks_test)) == 0)
		at = mmap(NULL, sizeof(struct clocks_test), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			0);
	close(fd);
	return at == MAP_FAILED ? NULL : at;
}

void watch_close(struct clocks_test *w)
{
	if (w != NULL)
		munmap(w, sizeof *w);
}

void watch_set(struct clocks_test *w, struct prng *prng)
{
	int64_t off_ns = (int64_t)prng_below(prng, 2 * WATCH_OFF_NS) - WATCH_OFF_NS;
	bool slept = prng_below(prng, SLEEPS) == 0;
	int64_t sleep_ns = slept ? (int64_t)prng_below(prng, SLEEP_NS) : 0;

	__atomic_store_n(&w->wall_ns, off_ns, __ATOMIC_RELAXED);
	__atomic_fetch_add(&w->mono_ns, sleep_ns, __ATOMIC_RELAXED);
}
