/* SPDX-License-Identifier: Apache-2.0
 *
 * core_rig: a router's core on a bus in memory with a journal in memory, a peer who speaks to it, and a clock by hand.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "router/core.h"
#include "run/bus_mem.h"

#define CORE_NOTHING span_of(NULL, 0)

struct core_rig {
	struct bus_net *net;
	struct bus *router_bus, *peer;
	struct journal *journal;
	struct router_core_conf conf; /* of the next opening */
	struct router_core *core;
	int64_t now_ns;
	/* The last answer that the peer heard, and how many messages it heard: its own, too. */
	char subject[128];
	struct buf data;
	unsigned heard;
	struct arena arena;
};

/* cmocka's; *state is a struct core_rig. */
int core_set_up(void **state);
int core_tear_down(void **state);
/* Open a core with the rig's configuration, after the last one was closed. */
void core_open(struct core_rig *g);
/* Messages move and the core turns until nothing is left to do. */
void core_pump(struct core_rig *g);
/* Send bytes; what was heard last is in the rig. */
void core_say(struct core_rig *g, const char *subject, const char *reply, struct span data);
/* Ask, and hear the answer; the test fails without one. */
struct query_reply core_ask(struct core_rig *g, const char *tenant, const struct query *q);
/* Submit, and hear the reply; the test fails without one. */
struct submit_reply core_submit(struct core_rig *g, const char *tenant, const struct submit *s);
/* The offer of node n<i>, of util.echo and more kinds up to kinds_n, which are not ready if there is a why. */
void core_offer(struct core_rig *g, uint32_t i, size_t kinds_n, struct span why);
