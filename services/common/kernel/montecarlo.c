/* SPDX-License-Identifier: Apache-2.0
 *
 * montecarlo: the reference, two samples from each block of the generator.
 */
#include "kernel/montecarlo.h"

#include "base/check.h"
#include "kernel/philox.h"

#include "base/pure.h"

#define PI_DIGITS 9

static unsigned is_inside(uint32_t x, uint32_t y)
{
	uint64_t xx = (uint64_t)x * x;

	return xx + (uint64_t)y * y >= xx; /* no wrap-around */
}

uint64_t montecarlo_ref(uint64_t samples, uint64_t seed, uint64_t first)
{
	const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
	uint64_t inside = 0;

	for (uint64_t i = first; i < first + samples;) {
		const uint32_t ctr[4] = { (uint32_t)(i / 2), (uint32_t)((i / 2) >> 32), 0, 0 };
		uint32_t words[4];

		philox4x32(ctr, key, words);
		if (i % 2 == 0) {
			inside += is_inside(words[0], words[1]);
			i++;
		}
		if (i < first + samples) {
			inside += is_inside(words[2], words[3]);
			i++;
		}
	}
	return inside;
}

int montecarlo_check(uint64_t first, struct fail *why)
{
	return first % 2 == 0 ? 0 : fail_set(why, ERR_INVALID, "first", 0, "an even number");
}

char *montecarlo_pi(uint64_t inside, uint64_t samples, char to[MONTECARLO_PI_BYTES])
{
	char *at = to;
	uint64_t rest;

	CHECK(samples > 0 && samples <= UINT64_C(1) << 60 && inside <= samples);
	*at++ = (char)('0' + 4 * inside / samples);
	*at++ = '.';
	rest = 4 * inside % samples;
	for (int i = 0; i < PI_DIGITS; i++) {
		rest *= 10;
		*at++ = (char)('0' + rest / samples);
		rest %= samples;
	}
	*at = '\0';
	return to;
}
