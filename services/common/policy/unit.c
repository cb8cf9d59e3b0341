/* SPDX-License-Identifier: Apache-2.0
 *
 * unit: arrays that double in an arena: the old copies are given back with it.
 */
#include "policy/unit.h"

#include "base/pure.h"

#define FIRST_ROWS 256u

void *rows_more(struct arena *a, void *rows, uint32_t n, uint32_t *cap, size_t row_bytes)
{
	uint32_t more = *cap == 0 ? FIRST_ROWS : *cap * 2;
	void *grown;

	if (more <= *cap)
		return NULL;
	grown = arena_raw(a, more * row_bytes);
	if (grown == NULL)
		return NULL;
	if (n > 0)
		memcpy(grown, rows, n * row_bytes);
	*cap = more;
	return grown;
}

struct unit *units_add(struct units *u)
{
	struct unit *rows = rows_grow(u->arena, u->rows, u->n, &u->cap, sizeof(*rows));

	if (rows == NULL)
		return NULL;
	u->rows = rows;
	rows[u->n] = (struct unit){ .needs = UNIT_NONE, .lines = 1 };
	return &rows[u->n++];
}
