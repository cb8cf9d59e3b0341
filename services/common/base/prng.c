/* SPDX-License-Identifier: Apache-2.0
 *
 * prng: seeding, and numbers below a bound.
 */
#include "base/prng.h"

#include "base/check.h"

#include "base/pure.h"

static uint64_t splitmix64(uint64_t *x)
{
	uint64_t z = *x += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

void prng_seed(struct prng *p, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		p->s[i] = splitmix64(&seed);
}

uint64_t prng_below(struct prng *p, uint64_t n)
{
	unsigned __int128 product = (unsigned __int128)prng_next(p) * n;

	/* 2^64 mod n low halves would come once too often. The test before it saves the division nearly
	 * always. */
	if ((uint64_t)product < n) {
		uint64_t excess = -n % n;

		while ((uint64_t)product < excess)
			product = (unsigned __int128)prng_next(p) * n;
	}
	return (uint64_t)(product >> 64);
}

int prng_chance(struct prng *p, uint32_t num, uint32_t den)
{
	CHECK(den != 0);
	return prng_below(p, den) < num;
}
