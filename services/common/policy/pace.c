/* SPDX-License-Identifier: Apache-2.0
 *
 * pace: a short list, looked through from the start.
 */
#include "policy/pace.h"

#include "base/check.h"
#include "base/pure.h"

#define WEIGHT 8
#define PS_PER_US 1000000

static struct pace_row *find(struct pace *p, uint64_t key)
{
	for (uint32_t i = 0; i < PACE_ROWS; i++)
		if (p->rows[i].unit_ps > 0 && p->rows[i].key == key)
			return &p->rows[i];
	return NULL;
}

const struct pace_row *pace_find(struct pace *p, uint64_t key)
{
	struct pace_row *row = find(p, key);

	if (row != NULL)
		row->used = ++p->clock;
	return row;
}

static struct pace_row *oldest(struct pace *p)
{
	struct pace_row *row = &p->rows[0];

	for (uint32_t i = 1; i < PACE_ROWS; i++)
		if (p->rows[i].used < row->used)
			row = &p->rows[i];
	*row = (struct pace_row){ .unit_ps = 0 };
	return row;
}

void pace_learn(struct pace *p, uint64_t key, struct span unit, uint64_t units, int64_t run_us)
{
	struct pace_row *row = find(p, key);
	unsigned __int128 all = (unsigned __int128)(run_us < 1 ? 1 : run_us) * PS_PER_US;
	int64_t ps;

	if (units == 0 || unit.len == 0 || unit.len >= PACE_UNIT_BYTES)
		return;
	all /= units;
	ps = all > (unsigned __int128)PACE_UNIT_PS_MAX ? PACE_UNIT_PS_MAX : (int64_t)all;
	if (ps < 1)
		ps = 1;
	if (row == NULL)
		row = oldest(p);
	if (row->unit_ps == 0 || !span_is(unit, row->unit))
		row->unit_ps = ps;
	row->unit_ps += (ps - row->unit_ps) / WEIGHT;
	row->key = key;
	row->used = ++p->clock;
	span_copy(unit, row->unit, sizeof(row->unit));
}

uint32_t pace_parts(uint64_t units, int64_t unit_ps, uint32_t nodes, uint32_t most)
{
	unsigned __int128 all_us = (unsigned __int128)units * (uint64_t)unit_ps / PS_PER_US;
	unsigned __int128 parts = all_us / PACE_MOST_US + 1,
			  least = (uint64_t)nodes * PACE_PER_NODE;

	CHECK(unit_ps > 0 && most > 0);
	if (parts < least)
		parts = least;
	if (parts > all_us / PACE_LEAST_US)
		parts = all_us / PACE_LEAST_US;
	if (parts < 1)
		parts = 1;
	return parts > most ? most : (uint32_t)parts;
}
