/* SPDX-License-Identifier: Apache-2.0
 *
 * hash_index: from 64-bit hashes to numbers, in an arena: open addressing, never more than half full. Two things with
 * one hash are one to it.
 */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "policy/scatter.h"

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

static inline struct hash_index_row *hash_index_row(const struct hash_index *x, uint64_t hash)
{
	uint32_t at = (uint32_t)scatter(x->rows, hash) & (x->cap - 1);

	while (x->rows[at].value != 0 && x->rows[at].hash != hash)
		at = (at + 1) & (x->cap - 1);
	return &x->rows[at];
}

/* Make room for n more without growing again. 0 or ERR_NO_MEMORY. */
int hash_index_reserve(struct hash_index *x, struct arena *a, uint32_t n) MUST_USE;

/* The number of a hash, or 0. */
static inline uint32_t hash_index_find(const struct hash_index *x, uint64_t hash)
{
	return x->cap == 0 ? 0 : hash_index_row(x, hash)->value;
}

/* As hash_index_take, but there is room: some was reserved. */
static inline struct hash_index_row *hash_index_put(struct hash_index *x, uint64_t hash)
{
	struct hash_index_row *row = hash_index_row(x, hash);

	if (row->value == 0) {
		row->hash = hash;
		x->n++;
	}
	return row;
}

/* The row of a hash: its own, or a free one that is now taken for it, with the value 0 for the caller to set. It
 * stays until the next hash_index_take. NULL without memory. */
static inline MUST_USE struct hash_index_row *hash_index_take(struct hash_index *x, struct arena *a,
	uint64_t hash)
{
	return x->n >= x->cap / 2 && hash_index_reserve(x, a, 1) < 0 ? NULL
								     : hash_index_put(x, hash);
}
