/* SPDX-License-Identifier: Apache-2.0
 *
 * hash_index: from 64-bit hashes to numbers, in an arena: open addressing, never more than half full. Two things with
 * one hash are one to it.
 */
#pragma once
#include <stdint.h>

#include "base/arena.h"

struct hash_index_row {
	uint64_t hash;
	uint32_t value; /* 0: free */
};

/* Zeroed is empty. */
struct hash_index {
	struct hash_index_row *rows;
	uint32_t cap;
	uint32_t n;
};

/* The number of a hash, or 0. */
uint32_t hash_index_find(const struct hash_index *x, uint64_t hash);
/* The row of a hash: its own, or a free one that is now taken for it, with the value 0 for the caller to set. It
 * stays until the next hash_index_take. NULL without memory. */
struct hash_index_row *hash_index_take(struct hash_index *x, struct arena *a,
	uint64_t hash) MUST_USE;
