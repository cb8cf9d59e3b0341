/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon: what every process shares: log, signals, loop, bus, control loop, service discovery, readiness.
 * Shutdown is a state: SIGTERM or SIGINT calls on_stop, the process drains and calls daemon_leave; a second
 * signal, or the drain time, ends it at once.
 */
#pragma once
#include "run/bus.h"
#include "run/conf.h"
#include "run/loop.h"
#include "run/metric.h"

struct daemon;

struct daemon_hooks {
	void (*on_turn)(void *ctx, int64_t now_ns);                 /* end of every turn, before sending; or NULL */
	void (*on_control)(void *ctx, int64_t now_ns);              /* 10 Hz; or NULL */
	void (*on_bus)(void *ctx, enum bus_state state);            /* connection lost or back; or NULL */
	void (*on_stop)(void *ctx, int64_t now_ns);                 /* told to stop: drain, then daemon_leave; NULL: leave at once */
	void *ctx;
};

struct daemon {
	struct loop loop;
	struct bus *bus;
	const char *program; /* "router" */
	char name[65];       /* of this process in the mesh */
	uint64_t incarnation;
	int64_t started_ns;
	struct daemon_hooks hooks;
	struct metric_set metrics; /* shown by $SRV.STATS; program NULL: none */
	struct loop_fd signals;
	struct loop_timer stop_timer;
	struct loop_hook turn_hook;
	struct loop_hook send_hook;
	struct bus_sub *srv[9];
	int signal_fd;
	int ready_fd;
	int stopping; /* 0 no, 1 draining, 2 leaving */
};

#define DAEMON_DRAIN_NS (10 * NS_PER_S) /* a drain longer than this is cut off */

/* Open everything; conf->name empty: a name is made. hooks is copied. 0 or a negative error after a message. */
int daemon_open(struct daemon *d, const char *program, const struct conf_base *conf,
                const struct daemon_hooks *hooks) MUST_USE;
/* Turns until the process is told to stop and has drained. Tells readiness first. Returns the exit status. */
int daemon_run(struct daemon *d);
/* The drain is over. */
void daemon_leave(struct daemon *d);
void daemon_close(struct daemon *d);
