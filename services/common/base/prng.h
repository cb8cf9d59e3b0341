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
/* 0 <= result < n, unbiased (Lemire's multiplication with rejection); 0 for n = 0. */
uint64_t prng_below(struct prng *p, uint64_t n);
/* True with a chance of num in den; den is not 0. */
int prng_chance(struct prng *p, uint32_t num, uint32_t den);

static inline uint64_t prng_rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

/* 64 random bits. */
static inline uint64_t prng_next(struct prng *p)
{
	uint64_t result = prng_rotate(p->s[1] * 5, 7) * 9;
	uint64_t t = p->s[1] << 17;

	p->s[2] ^= p->s[0];
	p->s[3] ^= p->s[1];
	p->s[1] ^= p->s[2];
	p->s[0] ^= p->s[3];
	p->s[2] ^= t;
	p->s[3] = prng_rotate(p->s[3], 45);
	return result;
}
