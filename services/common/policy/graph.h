/* SPDX-License-Identifier: Apache-2.0
 *
 * graph: the plan of a task graph: which parts there are to run, in which order they may, and which share one
 * run. A part with a fan-in becomes a tree of runs. Parts that do the same with the same are run once.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

#define GRAPH_NONE UINT32_MAX

/* A part as its submitter wrote it. Spans must live as long as the plan. */
struct graph_part {
	struct span name;
	struct span kind;
	struct span
		content;    /* what it does with its inputs, as bytes: equal bytes are equal work */
	struct span inputs; /* names of parts whose results it gets, in order, between blanks */
	struct span after;  /* names of parts that must have ended before it */
	uint32_t fan_in;    /* results that one run takes at most; 0: all at once; else >= 2 */
	bool output;
};

/* Something to run. The first ones are the parts, in order; runs that trees need come behind them. */
struct graph_node {
	uint32_t *needs; /* nodes: the inputs in order, then those it only runs after */
	uint32_t *users; /* nodes that need it, once for each time */
	uint32_t part;
	uint32_t same; /* itself, or an earlier one whose result is this one's, too */
	uint32_t inputs_n;
	uint32_t needs_n;
	uint32_t users_n;
	uint32_t waits : 30; /* of its needs, for how many it waits */
	bool begun : 1;
	bool taken : 1; /* its result is an input of another */
};

struct graph {
	const struct graph_part *parts;
	uint32_t parts_n;
	struct graph_node *nodes;
	uint32_t nodes_n;
	uint32_t runs_n;  /* nodes that are their own `same` */
	uint32_t ended_n; /* of the runs */
	uint32_t *
		outputs; /* parts that make up the result: those that say so, else those that none takes in */
	uint32_t outputs_n;
	uint32_t *ready;
	uint32_t ready_at;
	uint32_t ready_n;
};

/* Plan 1 to nodes_max parts. ERR_INVALID: a name twice, a part that is not there, a cycle (its parts are
 * named); ERR_TOO_BIG: more runs than nodes_max; ERR_NO_MEMORY. */
int graph_plan(struct arena *a, const struct graph_part *parts, size_t n, uint32_t nodes_max,
	struct graph *ret, struct fail *why) MUST_USE;
/* A node that may run now and has not begun; it has now. GRAPH_NONE if there is none. */
uint32_t graph_next(struct graph *g);
/* A run that has begun has ended, well or not: who waited for it waits no more. Once for each. */
void graph_end(struct graph *g, uint32_t node);
