/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/rand.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fmt.h"
#include "tests/support/test.h"

#define DEFAULT_SEED 20240229

void rand_start(struct prng *p)
{
	const char *text = getenv("SPU_SEED");
	int64_t seed = DEFAULT_SEED;

	if (text != NULL && fmt_int(span_str(text), &seed) < 0)
		fail_msg("SPU_SEED=%s is no number", text);
	/* A comment line in TAP. */
	printf("# SPU_SEED=%" PRId64 "\n", seed);
	fflush(stdout);
	prng_seed(p, (uint64_t)seed);
}
