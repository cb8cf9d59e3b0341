/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/scratch.h"

struct arena scratch;

int scratch_open(void **state)
{
	(void)state;
	arena_init(&scratch, (size_t)64 << 20);
	return 0;
}

int scratch_close(void **state)
{
	(void)state;
	arena_done(&scratch);
	return 0;
}
