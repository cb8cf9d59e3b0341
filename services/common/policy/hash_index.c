/* SPDX-License-Identifier: Apache-2.0
 *
 * hash_index: linear probing; the old rows are given back with the arena.
 */
#include "policy/hash_index.h"

#include "base/err.h"

#include "base/pure.h"

#define FIRST_CAP 64u

int hash_index_reserve(struct hash_index *x, struct arena *a, uint32_t n)
{
	struct hash_index grown = { .cap = x->cap == 0 ? FIRST_CAP : x->cap, .n = x->n };

	while (grown.cap / 2 < (uint64_t)x->n + n) {
		if (grown.cap > UINT32_MAX / 2)
			return ERR_NO_MEMORY;
		grown.cap *= 2;
	}
	if (grown.cap == x->cap)
		return 0;
	grown.rows = arena_alloc(a, grown.cap * sizeof(*grown.rows));
	if (grown.rows == NULL)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < x->cap; i++) {
		if (x->rows[i].value != 0)
			*hash_index_row(&grown, x->rows[i].hash) = x->rows[i];
	}
	*x = grown;
	return 0;
}
