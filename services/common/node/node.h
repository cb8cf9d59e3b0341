/* SPDX-License-Identifier: Apache-2.0
 *
 * node: a daemon that runs a backend: decodes orders, steps the worker machine, performs its actions. The
 * mains of cpu-node, gpu-node, delegate and inbox are this and a row of backend_ops.
 */
#pragma once
#include "node/backend.h"
#include "run/conf.h"

/* Whether large bodies are packed on their way: unless NATS is on this machine; or always, or never. */
enum node_pack { PACK_AUTO, PACK_ALWAYS, PACK_NEVER };

/* Settings of every node; the first member of each node program's conf struct. */
struct node_conf {
	struct conf_base base;
	int64_t offer_every_ns; /* 5 s */
	int64_t blob_bytes;     /* of inputs by reference and large results in memory */
	int64_t blob_keep_ns;   /* how long the store keeps results beyond their deadlines */
	int pack;               /* enum node_pack */
	int64_t drain_ns;       /* how long running attempts may take after SIGTERM */
};
/* Rows of node_conf, the base's included, ended by key NULL; for CONF_INCLUDE. A program that wants another
 * default for `drain` makes a table of its own. */
#define NODE_ROWS(drain)                                                                           \
	{ "offer_every", CONF_TIME, offsetof(struct node_conf, offer_every_ns), "5s",              \
		INT64_C(100000000), INT64_C(60000000000), NULL,                                    \
		"how often the node tells what it can do" },                                       \
		{ "drain", CONF_TIME, offsetof(struct node_conf, drain_ns), drain, 0,              \
			INT64_C(3600000000000), NULL,                                              \
			"how long running attempts may take when the process is told to stop" },   \
		{ "blob_bytes", CONF_BYTES, offsetof(struct node_conf, blob_bytes), "64M",         \
			1 << 20, INT64_C(1) << 40, NULL,                                           \
			"memory for inputs that come from the store, and for results that go" },   \
		{ "blob_keep", CONF_TIME, offsetof(struct node_conf, blob_keep_ns), "25h", 0,      \
			INT64_C(31622400000000000), NULL,                                          \
			"how long the store keeps results beyond their deadlines" },               \
		{ "pack", CONF_CHOICE, offsetof(struct node_conf, pack), "auto", 0, 0,             \
			"auto,always,never",                                                       \
			"large bodies are packed on their way; auto: unless NATS is here" },       \
		CONF_INCLUDE(struct node_conf, base, conf_base_rows),                              \
	{                                                                                          \
		0                                                                                  \
	}
extern const struct conf_row node_rows[]; /* drain: 5 s */

/* Open daemon and backend, serve until told to stop, close. program: "cpu-node". Returns the exit status. */
int node_main(const char *program, const struct node_conf *conf, const struct backend_ops *ops,
	void *self);
