/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon: what every process shares: log, signals, loop, bus, control loop, service discovery, readiness.
 * Shutdown is a state: SIGTERM or SIGINT calls on_stop, the process drains and calls daemon_leave; a second
 * signal, or the drain time, ends it at once.
 *
 *	if (daemon_open(&d, "router", &conf.base, &hooks) < 0) return 1;
 *	subscribe, set d.metrics and d.endpoints ...
 *	status = daemon_run(&d);
 *	daemon_close(&d);
 */
#pragma once
#include "run/bus.h"
#include "run/conf.h"
#include "run/loop.h"
#include "run/metric.h"

struct daemon;

struct daemon_hooks {
	void (*on_turn)(void *ctx, int64_t now_ns); /* end of every turn, before sending; or NULL */
	void (*on_control)(void *ctx, int64_t now_ns); /* 10 Hz; or NULL */
	/* Connection lost or back, or NULL. The state before daemon_run is in bus->state. */
	void (*on_bus)(void *ctx, enum bus_state state);
	void (*on_stop)(void *ctx,
		int64_t now_ns); /* told to stop: drain, then daemon_leave; NULL: leave at once */
	void *ctx;
};

/* A subject that the process serves, as service discovery shows it. The texts live as long as the daemon. */
struct daemon_endpoint {
	const char *name; /* a token: "submit" */
	const char *subject;
	const char *group;        /* queue group, or "" */
	const uint64_t *requests; /* counter of messages handled, or NULL */
	const uint64_t *errors;   /* of those refused, or NULL */
};

#define DAEMON_DRAIN_NS (10 * NS_PER_S) /* default of drain_ns */
#define DAEMON_SUBS 9u /* PING, INFO, STATS, each for all, the program, the process */

enum daemon_phase { DAEMON_RUNS, DAEMON_DRAINS, DAEMON_LEAVES };

struct daemon {
	struct loop loop;
	struct bus *bus;
	const char *program;  /* "router"; NULL: not open */
	char name[65];        /* of this process in the mesh */
	uint64_t incarnation; /* greater at each start: Unix ms x 2^20 + 20 random bits */
	int64_t started_ns;
	struct daemon_hooks hooks;
	struct metric_set metrics; /* shown by $SRV.STATS; program NULL: none */
	const struct daemon_endpoint
		*endpoints; /* shown by $SRV.INFO, ended by name NULL; NULL: none */
	int64_t drain_ns;   /* a drain longer than this is cut off */
	enum daemon_phase phase;
	int status; /* what daemon_run returns */
	struct loop_fd signals;
	struct loop_timer stop_timer;
	struct loop_hook turn_hook;
	struct loop_hook send_hook;
	struct bus_sub *srv[DAEMON_SUBS];
	struct bus_sub *ready_sub; /* the message to itself that proves that it can be reached */
	bool is_reachable;         /* the server has taken all subscriptions */
	bool is_held;              /* the program has more to do before it is ready */
	bool is_ready;
	char servers[256]; /* the NATS servers as they may be shown: without users and passwords */
	int64_t told_ns;   /* when the log last said that none answers; 0: not in this outage */
	int told_code;     /* and with which error */
	int64_t complained_ns; /* since when the complaints of the server are counted */
	unsigned complaints;
	char complaint[256]; /* the last one */
	int signal_fd;
	int ready_fd; /* -1: none, or told */
};

/* Open everything, before any other thread is started: SIGTERM and SIGINT are blocked from here on. Name empty:
 * one is made. hooks is copied. 0 or a negative error after a message; then nothing is left open. */
int daemon_open(struct daemon *d, const char *program, const struct conf_base *conf,
	const struct daemon_hooks *hooks) MUST_USE;
/* Turns until the process is told to stop and has drained. Ready means: the bus is up and the server has taken
 * all subscriptions made before; it is told once, as a newline to ready_fd (which is then closed) and as READY=1
 * to NOTIFY_SOCKET. Returns the exit status: 0; 1 if the drain was cut off; 7 if the bus ended for good; 10 on
 * a failure of the loop. A second signal exits with 130 from inside. */
int daemon_run(struct daemon *d);
/* Before daemon_run: readiness also waits for daemon_release, which may be repeated. */
void daemon_hold(struct daemon *d);
void daemon_release(struct daemon *d);
/* The drain is over; the turn is finished and what it sends is sent. */
void daemon_leave(struct daemon *d);
/* A zeroed daemon is allowed. */
void daemon_close(struct daemon *d);
