/* SPDX-License-Identifier: Apache-2.0
 *
 * map: from a 64-bit hash to a 32-bit value (a slot index), open addressing, several values per hash. The
 * caller compares the real keys: map_find gives one candidate after the other.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct map_row {
	uint64_t hash;
	uint32_t value;
	uint32_t state; /* 0 free, 1 taken, 2 was taken */
};

struct map {
	struct map_row *rows;
	uint32_t cap;  /* power of two, or 0 */
	uint32_t used; /* taken */
	uint32_t dead; /* was taken */
};

void map_init(struct map *m);
void map_done(struct map *m);
/* Empty it; keeps the memory. */
void map_reset(struct map *m);
/* Room for one more; 0 or ERR_NO_MEMORY. Afterwards one map_put cannot fail. */
int map_reserve(struct map *m) MUST_USE;
/* The same for n more, at once: the map need not grow step by step. */
int map_room(struct map *m, uint32_t n) MUST_USE;
void map_put(struct map *m, uint64_t hash, uint32_t value);
/* Remove the row with this hash and value; true if there was one. */
bool map_drop(struct map *m, uint64_t hash, uint32_t value);

/* The rows of this hash are asked for soon: bring them near. */
void map_expect(const struct map *m, uint64_t hash);

/* Walk over the values of a hash: start with *at = 0; false when there are no more.
 *	uint32_t at = 0, v;
 *	while (map_next(m, hash, &at, &v)) if (same(v)) ...
 * The row found may be dropped during the walk; map_reserve and map_put end it. */
bool map_next(const struct map *m, uint64_t hash, uint32_t *at, uint32_t *ret_value);
