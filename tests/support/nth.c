/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/nth.h"

#include <inttypes.h>

#include "base/mem.h"
#include "tests/support/test.h"

#define REQUESTS_MAX 100000u

/* False if run was through before its n-th request. */
static bool fails_at(unsigned n, int always, int (*run)(void *arg), void *arg)
{
	int64_t held = mem_held();
	uint64_t failed;
	int result;

	mem_fail_at(n, always);
	result = run(arg);
	failed = mem_failed();
	mem_fail_at(0, 0);
	if (mem_held() != held)
		fail_msg("request %u failed: %" PRId64 " blocks leaked", n, mem_held() - held);
	if (result > 0 || (failed == 0 && result != 0))
		fail_msg("request %u: returned %d", n, result);
	return failed != 0;
}

unsigned nth_alloc(int (*run)(void *arg), void *arg)
{
	for (unsigned n = 1; n <= REQUESTS_MAX; n++) {
		if (!fails_at(n, 0, run, arg))
			return n - 1;
		fails_at(n, 1, run, arg);
	}
	fail_msg("still asking for memory after %u requests", REQUESTS_MAX);
	return 0;
}
