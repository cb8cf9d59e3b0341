/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu: the backend of class `gpu`: a child process for each OpenCL device, jobs to the one that will be done
 * first. This process never loads a driver and never decodes what tasks contain.
 */
#pragma once
#include "gpu-node/child.h"
#include "node/node.h"

struct gpu_conf {
	struct node_conf node;
	char devices[129];
	char device_program[513]; /* empty: beside this program */
	char cache_dir[401];      /* empty: made from the user's */
	int64_t watchdog_ns;
	int64_t price_ucr; /* of one task, of any kind */
	int64_t threads;
	bool probe;
};
/* Rows of gpu_conf, node_rows included. */
extern const struct conf_row gpu_rows[];
/* Fill the settings left empty, check `devices`, and make the folder for caches. ERR_INVALID or ERR_IO. */
int gpu_conf_complete(struct gpu_conf *conf, struct fail *why) MUST_USE;

struct gpu {
	const struct gpu_conf *conf;
	struct child_conf child;
	struct node *node;
	struct listing listing;
	struct loop_timer again;    /* looks for devices again where none were found */
	struct loop_timer patience; /* readiness is not held back beyond it */
	struct child *children;     /* children_n of them; they do not move */
	unsigned children_n;
	char why[256]; /* why there is no child */
};

extern const struct backend_ops gpu_ops;
/* conf outlives it. The self of gpu_ops. */
void gpu_init(struct gpu *g, const struct gpu_conf *conf);
/* Prints the devices and what their self-tests say. The exit status. */
int gpu_probe(const struct gpu_conf *conf);
