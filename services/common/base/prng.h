/* SPDX-License-Identifier: Apache-2.0
 *
 * prng: xoshiro256** (Blackman and Vigna, 2018), seeded by splitmix64. Deterministic: the same seed gives
 * the same numbers everywhere. Not for secrets.
 */
#pragma once
#include <stdint.h>

struct prng {
	uint64_t s[4];
};

void prng_seed(struct prng *p, uint64_t seed);
uint64_t prng_next(struct prng *p);
/* 0 <= result < n, unbiased (Lemire's multiplication with rejection); 0 for n = 0. */
uint64_t prng_below(struct prng *p, uint64_t n);
/* True with a chance of num in den. */
int prng_chance(struct prng *p, uint32_t num, uint32_t den);
