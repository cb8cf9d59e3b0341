/* SPDX-License-Identifier: Apache-2.0
 *
 * graph_body: what the Body of a task.graph says, checked.
 */
#pragma once
#include "base/arena.h"
#include "policy/graph.h"
#include "wire/body.h"

#define GRAPH_KIND "task.graph"

struct graph_order {
	struct graph plan;
	struct body *bodies; /* of each part: its own parameters and items */
	uint32_t allow_failures;
	uint32_t in_flight;
};

/* All of it in the arena. ERR_MALFORMED, ERR_TOO_BIG, ERR_INVALID (the detail names the part), ERR_NO_MEMORY. */
int graph_body_read(struct arena *a, struct span bytes, struct graph_order *ret,
	struct fail *why) MUST_USE;
