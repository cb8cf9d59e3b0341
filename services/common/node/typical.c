/* SPDX-License-Identifier: Apache-2.0
 *
 * typical: rows in the order of their first offer; looked through from the start, since a node offers few
 * kinds.
 */
#include "node/typical.h"

#include "base/check.h"
#include "base/pure.h"

#define WEIGHT                                                                                     \
	8 /* about the last 8 attempts count: old inputs are forgotten, one odd one moves little */

uint32_t typical_find(const struct typical *t, struct span kind)
{
	for (uint32_t i = 0; i < t->n; i++) {
		if (span_eq(span_of(t->rows[i].kind, t->rows[i].kind_len), kind))
			return i;
	}
	return TYPICAL_NONE;
}

uint32_t typical_row(struct typical *t, struct span kind)
{
	uint32_t i = typical_find(t, kind);
	struct typical_row *row;

	if (i != TYPICAL_NONE)
		return i;
	if (t->n == ARRAY_LEN(t->rows) || kind.len > sizeof(row->kind) || kind.len == 0)
		return TYPICAL_NONE;
	row = &t->rows[t->n];
	memcpy(row->kind, kind.at, kind.len);
	row->kind_len = kind.len;
	return t->n++;
}

void typical_add(struct typical *t, uint32_t row, int64_t run_us)
{
	int64_t *us;

	if (row == TYPICAL_NONE)
		return;
	CHECK(row < t->n);
	us = &t->rows[row].run_us;
	if (run_us < 1) /* 0 would say that nothing is known */
		run_us = 1;
	*us = *us == 0 ? run_us : *us + (run_us - *us) / WEIGHT;
}

int64_t typical_us(const struct typical *t, uint32_t row)
{
	if (row == TYPICAL_NONE)
		return 0;
	CHECK(row < t->n);
	return t->rows[row].run_us;
}
