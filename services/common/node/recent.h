/* SPDX-License-Identifier: Apache-2.0
 *
 * recent: the ends that were reported last, encoded, oldest first. The bus may have lost them, or the router that
 * heard them its memory; whoever asks hears them again, and drops those that say nothing new.
 */
#pragma once
#include "base/check.h"
#include "base/span.h"

/* While no router places anything, no more attempts can end than a node has slots: so many ends are enough. */
#define RECENT_BYTES ((size_t)4 << 20) /* of all together; the oldest go first */

struct recent {
	struct span *ends; /* a ring */
	uint32_t max, first, n;
	size_t bytes;
};

/* 0 or ERR_NO_MEMORY. max: ends at most, not 0. */
int recent_init(struct recent *r, uint32_t max) MUST_USE;
/* A zeroed one is allowed. */
void recent_done(struct recent *r);
/* Keep a copy; without memory, or above RECENT_BYTES, it is not kept. */
void recent_put(struct recent *r, struct span end);
/* The i-th, oldest first, i < r->n; until the next put. */
struct span recent_at(const struct recent *r, uint32_t i);
