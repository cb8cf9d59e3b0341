/* SPDX-License-Identifier: Apache-2.0
 *
 * rand: the seed of property tests. SPU_SEED in the environment (decimal) changes it; without it every run
 * is the same.
 */
#pragma once
#include "base/prng.h"

/* Start p from the seed, and print the seed: output is shown of tests that fail. Call it at the start of
 * each property test, so that its numbers do not depend on the tests before it. */
void rand_start(struct prng *p);
