/* SPDX-License-Identifier: Apache-2.0
 *
 * core: a node without its process: decodes orders, steps the worker machine, performs its actions on a bus
 * and a backend. Time comes from a function, so that the simulator runs the same code with a clock of its
 * own; node.c puts a daemon around it.
 *
 * A message from the bus, an event of the backend or the passing of time changes the machine at once; what
 * is to be sent leaves at the end of the turn (node_core_turn).
 */
#pragma once
#include "base/hist.h"
#include "node/backend.h"
#include "run/bus.h"
#include "run/metric.h"

struct node_core_conf {
	struct bus *bus;      /* borrowed */
	const char *name;     /* of the node: a token, not "all"; copied */
	uint64_t incarnation; /* not 0, and greater at each start: the daemon's */
	uint32_t slots_max;   /* 1..LIMIT_OFFER_SLOTS: at most this many of the backend's slots */
	int64_t offer_every_ns;
	int64_t drain_ns;
	int64_t (*now)(void *ctx); /* Unix time in ns; never goes back */
	void *now_ctx;
	const struct backend_ops *ops;
	void *self;           /* of the backend */
	struct loop *loop;    /* for blobs; NULL: bodies that are larger than a message do not go */
	uint64_t blob_bytes;  /* of inputs by reference and large results in memory */
	int64_t blob_keep_ns; /* how long the store keeps results beyond their deadlines */
	bool packs;           /* large bodies are wanted packed, and sent so */
	struct daemon *daemon; /* what node_daemon gives; NULL where there is none */
};

struct node_metrics {
	uint64_t orders;  /* messages of orders that came */
	uint64_t started; /* attempts that the backend took */
	uint64_t done;
	uint64_t failed;
	uint64_t refused;
	uint64_t malformed;        /* messages and items that were not what their subject carries */
	uint64_t packed, unpacked; /* bodies that were sent, and came, so */
	uint64_t unsent; /* reports that could not be encoded, messages that the bus refused */
	uint64_t tokens_in, tokens_out, tokens_saved; /* of language models */
	int64_t running;
	struct hist run_us;       /* of attempts that were computed */
	struct cache_stats cache; /* of the backend's results */
};
/* Rows of node_metrics, ended by name NULL. */
extern const struct metric_row node_metric_rows[];

/* Subscribe to the orders and open the backend, in this order. NULL and *why: the name is wrong, the bus
 * refuses, no memory, or the backend's error. */
struct node *node_core_open(const struct node_core_conf *conf, struct fail *why) MUST_USE;
/* Close the backend, drop the subscriptions. NULL is allowed. */
void node_core_close(struct node *n);
/* Do what is due, then send all that was gathered. At the end of each turn, and when node_core_wake is due. */
void node_core_turn(struct node *n);
/* When to turn next though nothing happens; INT64_MAX: never. */
int64_t node_core_wake(const struct node *n);
/* The bus was lost or is back. */
void node_core_bus(struct node *n, enum bus_state state);
/* Drain, say farewell; then node_core_has_left. */
void node_core_stop(struct node *n);
bool node_core_has_left(const struct node *n);
const struct node_metrics *node_core_metrics(const struct node *n);
