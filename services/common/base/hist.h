/* SPDX-License-Identifier: Apache-2.0
 *
 * hist: counts of non-negative values in log-linear buckets (16 a power of two: at most 6.25 % off), for
 * percentiles without floats and without memory beyond the struct.
 */
#pragma once
#include <stdint.h>

#define HIST_BUCKETS 976 /* 16 linear + 60 powers of two x 16 */

struct hist {
	uint64_t count;
	uint64_t sum;
	uint64_t max;
	uint32_t bucket[HIST_BUCKETS];
};

/* Negative values count as 0. O(1). */
void hist_add(struct hist *h, int64_t value);
/* The least upper bound of the bucket that holds the given share, in per mille (500: the median), never
 * above the greatest value seen; 0 if nothing was counted. */
uint64_t hist_at(const struct hist *h, uint32_t permille);
