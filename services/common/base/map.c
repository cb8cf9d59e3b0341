/* SPDX-License-Identifier: Apache-2.0
 *
 * map: linear probing. At most three quarters of the rows are taken or were taken, so there is always a
 * free row to end a walk. A drop leaves a mark that walks pass over, unless the run of rows ends there.
 */
#include "base/map.h"

#include "base/err.h"
#include "base/mem.h"

#include "base/pure.h"

#define FIRST_CAP 16u

enum { ROW_FREE, ROW_TAKEN, ROW_DEAD };

void map_init(struct map *m)
{
	*m = (struct map){ 0 };
}

void map_done(struct map *m)
{
	mem_free(m->rows);
	map_init(m);
}

void map_reset(struct map *m)
{
	if (m->cap > 0)
		memset(m->rows, 0, m->cap * sizeof(*m->rows));
	m->used = 0;
	m->dead = 0;
}

/* Where the walk over a hash begins. The product spreads hashes whose low bits are poor. */
static inline uint32_t home(const struct map *m, uint64_t hash)
{
	return (uint32_t)(hash * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (m->cap - 1);
}

static inline bool has_room(const struct map *m)
{
	return (uint64_t)m->used + m->dead < (uint64_t)m->cap - m->cap / 4;
}

void map_put(struct map *m, uint64_t hash, uint32_t value)
{
	uint32_t at;

	CHECK(has_room(m));
	at = home(m, hash);
	while (m->rows[at].state == ROW_TAKEN)
		at = (at + 1) & (m->cap - 1);
	if (m->rows[at].state == ROW_DEAD)
		m->dead--;
	m->rows[at] = (struct map_row){ .hash = hash, .value = value, .state = ROW_TAKEN };
	m->used++;
}

/* Move all rows to a table with at most half of its rows taken when `more` have come, which also forgets the dead. */
static int rehash(struct map *m, uint32_t more)
{
	struct map old = *m;
	uint64_t cap = FIRST_CAP;
	struct map_row *rows;

	while (cap / 2 <= (uint64_t)m->used + more)
		cap *= 2;
	if (cap > UINT32_MAX)
		return ERR_NO_MEMORY;
	rows = mem_alloc(cap * sizeof(*rows));
	if (rows == NULL)
		return ERR_NO_MEMORY;
	*m = (struct map){ .rows = rows, .cap = (uint32_t)cap };
	for (uint32_t i = 0; i < old.cap; i++) {
		if (old.rows[i].state == ROW_TAKEN)
			map_put(m, old.rows[i].hash, old.rows[i].value);
	}
	mem_free(old.rows);
	return 0;
}

int map_reserve(struct map *m)
{
	return has_room(m) ? 0 : rehash(m, 0);
}

int map_room(struct map *m, uint32_t n)
{
	return (uint64_t)m->used + m->dead + n <= (uint64_t)m->cap - m->cap / 4 ? 0 : rehash(m, n);
}

/* A walk that ends at the next row need not pass over this one, nor over the dead before it. */
static void bury(struct map *m, uint32_t at)
{
	uint32_t mask = m->cap - 1;

	m->rows[at].state = ROW_DEAD;
	m->dead++;
	if (m->rows[(at + 1) & mask].state != ROW_FREE)
		return;
	for (; m->rows[at].state == ROW_DEAD; at = (at - 1) & mask) {
		m->rows[at].state = ROW_FREE;
		m->dead--;
	}
}

bool map_drop(struct map *m, uint64_t hash, uint32_t value)
{
	uint32_t at = 0;
	uint32_t found;

	while (map_next(m, hash, &at, &found)) {
		if (found != value)
			continue;
		m->used--;
		bury(m, (home(m, hash) + at - 1) & (m->cap - 1));
		return true;
	}
	return false;
}

void map_expect(const struct map *m, uint64_t hash)
{
	if (m->cap > 0)
		__builtin_prefetch(&m->rows[home(m, hash)]);
}

bool map_next(const struct map *m, uint64_t hash, uint32_t *at, uint32_t *ret_value)
{
	uint32_t start;

	if (m->cap == 0)
		return false;
	start = home(m, hash);
	/* *at counts the rows looked at, so a walk survives drops but never a rehash. */
	for (uint32_t i = *at; i < m->cap; i++) {
		const struct map_row *row = &m->rows[(start + i) & (m->cap - 1)];

		if (row->state == ROW_FREE)
			return false;
		if (row->hash == hash && row->state == ROW_TAKEN) {
			*at = i + 1;
			*ret_value = row->value;
			return true;
		}
	}
	return false;
}
