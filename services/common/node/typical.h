/* SPDX-License-Identifier: Apache-2.0
 *
 * typical: how long attempts take, one row for each kind that the node offers: a moving average, so that the
 * router learns what this machine really needs. Integers only.
 */
#pragma once
#include <stdint.h>

#include "base/limits.h"
#include "base/span.h"

#define TYPICAL_NONE UINT32_MAX

struct typical_row {
	char kind[LIMIT_KIND_BYTES];
	size_t kind_len;
	int64_t run_us; /* 0: none measured so far */
};

struct typical {
	struct typical_row rows[LIMIT_OFFER_KINDS];
	uint32_t n;
};

/* The row of a kind, or TYPICAL_NONE. */
uint32_t typical_find(const struct typical *t, struct span kind);
/* The same, but makes a row for a new kind. TYPICAL_NONE if there is no room, or the name is too long. */
uint32_t typical_row(struct typical *t, struct span kind);
/* Count one attempt in; TYPICAL_NONE is allowed. The first one sets the value, each later one moves it by an
 * eighth of the difference. */
void typical_add(struct typical *t, uint32_t row, int64_t run_us);
/* 0: unknown, also for TYPICAL_NONE. */
int64_t typical_us(const struct typical *t, uint32_t row);
