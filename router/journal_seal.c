/* SPDX-License-Identifier: Apache-2.0 */
#include "router/journal_seal.h"

#include <string.h>

#define SEED_ORDER 3u
#define SEED_STATE 5u

/* An order stays as it is when its task ends. */
uint64_t journal_seal_order(const struct journal_image *image)
{
	return span_hash(span_of(&image->row, sizeof image->row), SEED_ORDER);
}

uint64_t journal_seal_state(const struct journal_image *image)
{
	const uint64_t beside[] = { image->row, image->task.hi, image->task.lo, image->life,
		image->life == JOURNAL_KEPT ? (uint64_t)image->forget_ns : 0 };

	return span_hash(span_of(beside, sizeof beside), SEED_STATE);
}

void journal_seal_put(unsigned char to[JOURNAL_SEAL_BYTES], struct span bytes, uint64_t seed)
{
	uint64_t sum = span_hash(bytes, seed);

	memcpy(to, &sum, sizeof sum);
}

bool journal_seal_take(struct span *sealed, uint64_t seed)
{
	unsigned char sum[JOURNAL_SEAL_BYTES];
	struct span bytes;

	if (sealed->len < sizeof sum)
		return false;
	bytes = span_of(sealed->at, sealed->len - sizeof sum);
	journal_seal_put(sum, bytes, seed);
	if (memcmp(sum, bytes.at + bytes.len, sizeof sum) != 0)
		return false;
	*sealed = bytes;
	return true;
}

void journal_seal_open(struct journal_image *image)
{
	bool order = journal_seal_take(&image->order, journal_seal_order(image));
	bool state = journal_seal_take(&image->state, journal_seal_state(image));

	image->damaged = !order || !state;
}
