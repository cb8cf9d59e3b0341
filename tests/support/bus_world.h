/* SPDX-License-Identifier: Apache-2.0
 *
 * bus_world: what every bus must do, as one table of tests for all implementations. A world has three peers
 * on one bus.
 */
#pragma once
#include "run/bus.h"
#include "tests/support/test.h"

#define WORLD_PEERS 3

struct world {
	struct bus *peer[WORLD_PEERS];
	void (*pump)(struct world *w); /* let messages move; may wait a few ms */
	void *ctx;                     /* the implementation's */
	unsigned round;                /* of barriers */
	unsigned seen[WORLD_PEERS][WORLD_PEERS];
	struct world_watch {
		struct world *w;
		unsigned peer;
	} watch[WORLD_PEERS];
};

/* After the peers are open. */
void world_init(struct world *w);
/* Everything published or subscribed before has arrived everywhere. */
void world_settle(struct world *w);

/* Run the table; set_up makes a struct world its state. Returns the number of failed tests. */
int world_run(const char *name, CMFixtureFunction set_up, CMFixtureFunction tear_down);
