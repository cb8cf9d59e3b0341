/* SPDX-License-Identifier: Apache-2.0
 *
 * graph: a task of kind task.graph, whose parts its submitter named. Only for files of the router machine.
 */
#pragma once
#include "router/machine.h"

struct graph_run;

bool graph_is(const struct router *r, const struct task *t);
/* Can a task with this ladder be this graph? Else why not; for the reply to the submit. */
int graph_check(struct router *r, const struct ladder *ladder, struct span body,
	struct fail *why) MUST_USE;
/* Run a QUEUED graph at its split rung. */
void graph_begin(struct router *r, struct task *t);
/* A part ended, while the graph goes on. */
void graph_child_ended(struct router *r, struct task *parent, struct task *child);
/* The graph has ended: its plan is needed no more. */
void graph_let_go(struct split *s);
void graph_run_free(struct graph_run *run);
