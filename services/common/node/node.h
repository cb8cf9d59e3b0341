/* SPDX-License-Identifier: Apache-2.0
 *
 * node: a daemon that runs a backend: decodes orders, steps the worker machine, performs its actions. The
 * mains of cpu-node, gpu-node, delegate and inbox are this and a row of backend_ops.
 */
#pragma once
#include "node/backend.h"
#include "run/conf.h"

/* Settings of every node; the first member of each node program's conf struct. */
struct node_conf {
	struct conf_base base;
	int64_t offer_every_ns; /* 5 s */
	int64_t drain_ns;       /* how long running attempts may take after SIGTERM */
};
/* Rows of node_conf, the base's included, ended by key NULL; for CONF_INCLUDE. */
extern const struct conf_row node_rows[];

/* Open daemon and backend, serve until told to stop, close. program: "cpu-node". Returns the exit status. */
int node_main(const char *program, const struct node_conf *conf, const struct backend_ops *ops, void *self);
