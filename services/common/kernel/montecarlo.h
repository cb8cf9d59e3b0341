/* SPDX-License-Identifier: Apache-2.0
 *
 * montecarlo: pi from random points of a square, exactly reproducible: all in integers.
 *
 * Sample i takes block i / 2 of the generator: counter {low, high word of i / 2, 0, 0}, key {low, high word
 * of the seed}. An even i takes words 0 and 1 as x and y, an odd i words 2 and 3. The point is inside the
 * quarter circle if x * x + y * y < 2^64, that is, if the 64-bit sum of the squares does not wrap around.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"

struct montecarlo_points {
	uint64_t first; /* even */
	uint64_t samples;
	uint64_t seed;
};

/* How many of the samples first .. first + samples - 1 are inside. */
uint64_t montecarlo_ref(uint64_t samples, uint64_t seed, uint64_t first);

/* The first point of a task, from whoever asks: ERR_INVALID if it is odd, since two points have one block. */
int montecarlo_check(uint64_t first, struct fail *why) MUST_USE;

#define MONTECARLO_PI_BYTES 16
/* 4 * inside / samples as decimal text with nine digits after the point, cut off, not rounded. samples is in
 * 1..2^60 and inside at most samples. Returns to. */
char *montecarlo_pi(uint64_t inside, uint64_t samples, char to[MONTECARLO_PI_BYTES]);
