/* SPDX-License-Identifier: Apache-2.0
 *
 * index: linear probing; the old rows are given back with the arena.
 */
#include "policy/index.h"

#include "base/err.h"

#include "base/pure.h"

#define FIRST_CAP 1024u

static struct index_row *index_row(const struct index *x, uint64_t hash)
{
	uint32_t at = (uint32_t)(hash ^ hash >> 32) & (x->cap - 1);

	while (x->rows[at].value != 0 && x->rows[at].hash != hash)
		at = (at + 1) & (x->cap - 1);
	return &x->rows[at];
}

static int index_grow(struct index *x, struct arena *a)
{
	struct index grown = { .cap = x->cap == 0 ? FIRST_CAP : x->cap * 2, .n = x->n };

	if (grown.cap < x->cap)
		return ERR_NO_MEMORY;
	grown.rows = arena_alloc(a, grown.cap * sizeof(*grown.rows));
	if (grown.rows == NULL)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < x->cap; i++) {
		if (x->rows[i].value != 0)
			*index_row(&grown, x->rows[i].hash) = x->rows[i];
	}
	*x = grown;
	return 0;
}

struct index_row *index_take(struct index *x, struct arena *a, uint64_t hash)
{
	struct index_row *row;

	if (x->n >= x->cap / 2 && index_grow(x, a) < 0)
		return NULL;
	row = index_row(x, hash);
	if (row->value == 0) {
		row->hash = hash;
		x->n++;
	}
	return row;
}

uint32_t index_find(const struct index *x, uint64_t hash)
{
	return x->cap == 0 ? 0 : index_row(x, hash)->value;
}
