/* SPDX-License-Identifier: Apache-2.0
 *
 * pace: how long a unit of some work takes, learned from parts that have ended, and how many parts work of that sort
 * is cut into. Pure integers; a bounded table, in which what was not asked for longest gives way.
 */
#pragma once
#include <stdint.h>

#include "base/span.h"

#define PACE_ROWS 64u
#define PACE_UNIT_BYTES 16u
#define PACE_UNIT_PS_MAX INT64_C(1000000000000000) /* 1,000 s for a unit */
#define PACE_LEAST_US INT64_C(100000) /* of a part: a hundred times what it costs to have one */
#define PACE_MOST_US INT64_C(1000000) /* more, and nodes wait for the last one */
#define PACE_PER_NODE 3u              /* parts, so that a slow node takes fewer */

struct pace_row {
	uint64_t key; /* of the work */
	uint64_t used;
	int64_t unit_ps;            /* 0: the row is free */
	char unit[PACE_UNIT_BYTES]; /* what is counted */
};

struct pace {
	struct pace_row rows[PACE_ROWS];
	uint64_t clock;
};

/* What is known of this work, or NULL. */
const struct pace_row *pace_find(struct pace *p, uint64_t key);
/* So many units took so long, of which nothing is learned if there are none. The last eight parts count most; another
 * unit than before begins anew. */
void pace_learn(struct pace *p, uint64_t key, struct span unit, uint64_t units, int64_t run_us);
/* Parts for so many units at this pace (> 0): each of 100 ms to 1 s, but three for each node as long as they are not
 * shorter; 1..most. */
uint32_t pace_parts(uint64_t units, int64_t unit_ps, uint32_t nodes, uint32_t most);
