/* SPDX-License-Identifier: Apache-2.0
 *
 * hash_index: linear probing; the old rows are given back with the arena.
 */
#include "policy/hash_index.h"

#include "base/err.h"

#include "base/pure.h"

#define FIRST_CAP 1024u

static struct hash_index_row *row_of(const struct hash_index *x, uint64_t hash)
{
	uint32_t at = (uint32_t)(hash ^ hash >> 32) & (x->cap - 1);

	while (x->rows[at].value != 0 && x->rows[at].hash != hash)
		at = (at + 1) & (x->cap - 1);
	return &x->rows[at];
}

static int grow(struct hash_index *x, struct arena *a)
{
	struct hash_index grown = { .cap = x->cap == 0 ? FIRST_CAP : x->cap * 2, .n = x->n };

	if (grown.cap < x->cap)
		return ERR_NO_MEMORY;
	grown.rows = arena_alloc(a, grown.cap * sizeof(*grown.rows));
	if (grown.rows == NULL)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < x->cap; i++) {
		if (x->rows[i].value != 0)
			*row_of(&grown, x->rows[i].hash) = x->rows[i];
	}
	*x = grown;
	return 0;
}

struct hash_index_row *hash_index_take(struct hash_index *x, struct arena *a, uint64_t hash)
{
	struct hash_index_row *row;

	if (x->n >= x->cap / 2 && grow(x, a) < 0)
		return NULL;
	row = row_of(x, hash);
	if (row->value == 0) {
		row->hash = hash;
		x->n++;
	}
	return row;
}

uint32_t hash_index_find(const struct hash_index *x, uint64_t hash)
{
	return x->cap == 0 ? 0 : row_of(x, hash)->value;
}
