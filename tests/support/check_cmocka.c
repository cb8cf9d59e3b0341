/* SPDX-License-Identifier: Apache-2.0
 *
 * check_cmocka: in tests a broken CHECK fails the test, and expect_assert_failure(call) proves that the
 * call is refused.
 */
#include "base/check.h"

#include <stdlib.h>

#include "tests/support/test.h"

void check_failed(const char *expression, const char *file, int line)
{
	mock_assert(0, expression, file, line);
	abort();
}
