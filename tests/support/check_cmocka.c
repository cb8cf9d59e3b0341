/* SPDX-License-Identifier: Apache-2.0
 *
 * check_cmocka: in tests a broken CHECK fails the test, and expect_assert_failure(call) proves that the
 * call is refused. And TAP leaves in whole lines, whatever else writes to the same file: a log, a child.
 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/test.h"

void check_failed(const char *expression, const char *file, int line)
{
	mock_assert(0, expression, file, line);
	abort();
}

__attribute__((constructor)) static void write_lines(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
}
