/* SPDX-License-Identifier: Apache-2.0
 *
 * map: a task.map as it is planned.
 */
#pragma once
#include "cpu-node/grid.h"
#include "cpu-node/kinds_plan.h"

/* As the choices of "by". */
enum cut { CUT_AUTO, CUT_ITEMS, CUT_DOCS, CUT_RECORDS, CUT_RANGE, CUT_TILES, CUT_GRID };

struct map {
	const struct cpu_call *call; /* as if for the task.map */
	struct chain chain;
	struct span how; /* of task.reduce */
	struct chain join;
	enum cut cut;
	uint32_t parts_max;
	bool parts_given; /* by whom the task is */
	const struct plan_asked *asked;
	const char *unit;  /* of the work */
	struct sweep grid; /* of CUT_GRID */
	struct buf tiles;  /* of pictures, as task.reduce needs to know of them */
};

/* Is the chain one for CPU nodes, so that one part can run many points? */
bool map_is_local(const struct map *m);
/* Append facts of the mesh, for parts as for the whole. */
void map_put_facts(struct buf *b, const struct body *in);
/* Is it a picture that is cut? */
bool map_is_pictures(const struct map *m);
/* A part's body: begun with its parameters; its items are put; it goes into the plan. */
void map_part_begin(struct buf *b, const struct map *m);
int map_part_end(const struct buf *b, const struct map *m, uint64_t units) MUST_USE;
/* So many units are to be cut: what is known of their pace makes parts_max. */
void map_pace(struct map *m, const char *unit, uint64_t units);
/* Append all parts to the plan. */
int map_cut(struct map *m) MUST_USE;
int map_cut_pictures(struct map *m, struct buf *b) MUST_USE; /* b: room for one part */
