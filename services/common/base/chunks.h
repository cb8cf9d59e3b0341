/* SPDX-License-Identifier: Apache-2.0
 *
 * chunks: the newest pieces of a stream, by number. Numbers follow each other; one that does not follow the last
 * begins anew, and what was kept before it is dropped: so what is kept never has a gap. How much is kept is the
 * owner's business (chunks_trim, chunks_drop_oldest).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

#define CHUNK_COST 32u /* bytes of memory that each takes besides its own, about */

struct chunks {
	struct span *rows; /* a ring of copies */
	uint32_t cap;      /* a power of two, or 0 */
	uint32_t head;     /* where the oldest is */
	uint32_t n;
	uint64_t last; /* the highest number that was put, whether it is kept or not; 0: none */
	size_t bytes;  /* kept, CHUNK_COST for each included */
};

void chunks_init(struct chunks *c);
void chunks_done(struct chunks *c);
/* Drop all; the next may have any number. */
void chunks_reset(struct chunks *c);
/* Keep a copy; seq > 0. ERR_NO_MEMORY: then nothing is kept, and the last is seq all the same. */
int chunks_put(struct chunks *c, uint64_t seq, struct span data) MUST_USE;
/* Drop the oldest until no more than bytes_max are kept. */
void chunks_trim(struct chunks *c, size_t bytes_max);
/* There is one. */
void chunks_drop_oldest(struct chunks *c);
/* Hand the oldest over: *ret is the caller's, to be freed by mem_free. There is one. */
void chunks_take_oldest(struct chunks *c, struct span *ret);
/* Of one that is kept; until the next change. */
struct span chunks_at(const struct chunks *c, uint64_t seq);

/* The number of the oldest that is kept; without any, the next that would be. */
static inline uint64_t chunks_oldest(const struct chunks *c)
{
	return c->last - c->n + 1;
}

static inline bool chunks_has(const struct chunks *c, uint64_t seq)
{
	return c->n > 0 && seq <= c->last && seq >= chunks_oldest(c);
}
