/* SPDX-License-Identifier: Apache-2.0
 *
 * core: a router without its process: decodes what comes on the bus, steps the machine, encodes what follows.
 * Time comes from a function, so that the simulator runs the same code with a clock of its own.
 *
 * What a turn says about `fast` tasks leaves at its end. What it says about the others is held until the journal
 * is safe up to there, so that nothing is acknowledged that may be lost; while one group is written the next one
 * gathers. What gathers has a limit, beyond which new tasks are refused that are not `fast`.
 */
#pragma once
#include "router/held.h"
#include "router/router.h"
#include "run/bus.h"
#include "run/metric.h"

struct router_core_conf {
	struct bus *bus;             /* borrowed */
	struct journal *journal;     /* borrowed; NULL: tasks live in memory only */
	struct backlog_conf backlog; /* how far the journal may be behind */
	/* Told of all that happens, or NULL. */
	void (*watch)(void *ctx, const struct journal_record *record);
	void *watch_ctx;
	const char *name; /* of this router; lives as long as the core */
	const char *
		operators; /* tenants that see all and may drain, separated by commas; lives as long */
	struct router_conf machine;
	int64_t own_ns; /* what time it is by the router's own clock (router/clock.h); 0: by `now` */
	int64_t (*now)(void *ctx);  /* Unix time in ns; never goes back while the process lives */
	int64_t (*wall)(void *ctx); /* the wall clock, which may be set; NULL: it agrees */
	void *now_ctx;
	const struct hist *jitter_us; /* of the control loop, or NULL */
};

struct router_metrics {
	uint64_t submits, submit_errors; /* messages, and those that were malformed */
	uint64_t queries, query_errors;
	uint64_t ups, up_errors;
	uint64_t
		behind; /* submits and replays refused: the journal was behind, or its disk nearly full */
	uint64_t unread; /* submits and queries refused because the journal could not be read */
	uint64_t unsent; /* replies, events and orders that could not be sent */
	/* Copied from the machine by router_core_measure. */
	uint64_t accepted, refused, succeeded, failed, cancelled, expired, dead;
	uint64_t placed, hops, retries, lost, stale, offers_refused, evicted, resends;
	uint64_t tokens_in, tokens_out, tokens_saved;
	uint64_t twins, twins_won;
	uint64_t cache_hits, cache_misses, cache_followed, cache_near, cache_evicted, cache_expired;
	int64_t cache_entries, cache_bytes;
	int64_t streams, stream_bytes;
	int64_t queued, running, split, kept, nodes, nodes_up;
	struct hist place_us; /* a step that took a submit in, placement included */
};
extern const struct metric_row router_metric_rows[];
void router_metrics_measure(struct router_metrics *m, const struct router *r);

struct router_core;

/* Read the journal, subscribe. NULL and *why: a row that cannot be read, the bus refuses, or no memory. */
struct router_core *router_core_open(const struct router_core_conf *conf,
	struct fail *why) MUST_USE;
void router_core_close(struct router_core *c);
/* Do what is due, hand the journal what is new, send what is safe. 0, or the journal's error: then stop; what was
 * not safe was not sent. Turn again when the journal says that more is safe. */
int router_core_turn(struct router_core *c) MUST_USE;
/* When to turn next though nothing happens. */
int64_t router_core_wake(const struct router_core *c);
/* Greet the nodes, so that they tell what they hold. */
void router_core_greet(struct router_core *c);
/* The bus was lost: until it is back the router's own time stands. Or it is back: then the nodes are greeted. */
void router_core_bus(struct router_core *c, enum bus_state state);
/* Ten times a second, before anything else of a turn: look at the clocks. What is not called so goes by `now` alone. */
void router_core_beat(struct router_core *c);
/* The router's own time (router/clock.h). */
int64_t router_core_now(struct router_core *c);
/* Bring the machine's numbers into the metrics. */
void router_core_measure(struct router_core *c);
const struct router_metrics *router_core_metrics(const struct router_core *c);
struct router *router_core_machine(struct router_core *c);
