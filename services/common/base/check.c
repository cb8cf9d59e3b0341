/* SPDX-License-Identifier: Apache-2.0
 *
 * check: what a broken CHECK does in the programs. Alone in its object file, so that a test which
 * defines its own check_failed never pulls this one out of the library.
 */
#include "base/check.h"

#include "base/pure.h"

void check_failed(const char *expression, const char *file, int line)
{
	fprintf(stderr, "%s:%d: check failed: %s\n", file, line, expression);
	abort();
}
