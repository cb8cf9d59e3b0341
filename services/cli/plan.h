/* SPDX-License-Identifier: Apache-2.0
 *
 * plan: which processes a mesh on this machine has, with their programs and arguments, and the settings of its
 * nats-server.
 */
#pragma once
#include <limits.h>
#include <sys/types.h>

#include "services/cli/opts.h"
#include "services/cli/supervise.h"

#define PLAN_PORT 14222
#define PLAN_CPU_NODES 2
#define PLAN_ARGS 12u
#define PLAN_READY_FD 3 /* of a child: gets a newline when it is ready */

struct plan_process {
	char name[65];
	unsigned stage;
	char *argv[PLAN_ARGS]; /* [0]: path of the program; ended by NULL */
};

struct plan {
	char dir[PATH_MAX];
	char url[64];
	uint16_t port;
	struct plan_process processes
		[SUPERVISE_MAX]; /* the first is nats-server, which knows no ready descriptor */
	unsigned n;
};

/* Choose port and programs. ERR_UNKNOWN: a program is missing; ERR_CONFLICT: the port is taken; ERR_INVALID,
 * ERR_NO_MEMORY. */
int plan_make(struct plan *p, const struct opts *o, const char *dir, struct fail *why) MUST_USE;
void plan_done(struct plan *p);
/* Write the settings of nats-server and the URL into the state directory. */
int plan_write(const struct plan *p, struct fail *why) MUST_USE;
