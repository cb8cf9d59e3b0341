/* SPDX-License-Identifier: Apache-2.0
 *
 * hist: below 16 one bucket a value; above, 16 buckets from each power of two to the next. Full counters
 * stay full.
 */
#include "base/hist.h"

#include "base/pure.h"

#define STEPS 16u /* buckets a power of two */
#define STEP_BITS 4u

static uint32_t bucket_of(uint64_t value)
{
	uint32_t shift;

	if (value < STEPS)
		return (uint32_t)value;
	/* Keeps the highest bit, which says the power of two, and STEP_BITS behind it. */
	shift = 63u - (uint32_t)__builtin_clzll(value) - STEP_BITS;
	return shift * STEPS + (uint32_t)(value >> shift);
}

/* The greatest value that falls into a bucket. */
static uint64_t bucket_high(uint32_t bucket)
{
	uint32_t shift;

	if (bucket < STEPS)
		return bucket;
	shift = bucket / STEPS - 1;
	return (((uint64_t)STEPS + bucket % STEPS + 1) << shift) - 1;
}

void hist_add(struct hist *h, int64_t value)
{
	uint64_t v = value < 0 ? 0 : (uint64_t)value;
	uint32_t *bucket = &h->bucket[bucket_of(v)];

	*bucket += *bucket < UINT32_MAX;
	h->count++;
	h->sum = v > UINT64_MAX - h->sum ? UINT64_MAX : h->sum + v;
	if (v > h->max)
		h->max = v;
}

uint64_t hist_at(const struct hist *h, uint32_t permille)
{
	uint64_t rank, seen = 0;

	if (h->count == 0)
		return 0;
	if (permille > 1000)
		permille = 1000;
	/* count * permille / 1000, rounded up, in parts that cannot overflow. */
	rank = h->count / 1000 * permille + (h->count % 1000 * permille + 999) / 1000;
	if (rank == 0)
		rank = 1;
	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank)
			return bucket_high(i) < h->max ? bucket_high(i) : h->max;
	}
	return h->max;
}
