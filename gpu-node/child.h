/* SPDX-License-Identifier: Apache-2.0
 *
 * child: one device's process: started, greeted, given one job at a time, killed when it gives no sign of life
 * and started again after a while that doubles. A job that it took with it is reported as failed with
 * ERR_DEVICE: the router tries it elsewhere.
 *
 * STARTING -> READY -> ENDING (killed, its end is awaited) -> RESTING -> STARTING ...
 */
#pragma once
#include "base/ulid.h"
#include "gpu-node/listing.h"
#include "gpu-node/process.h"
#include "gpu-node/protocol.h"
#include "node/frame.h"
#include "run/loop.h"

enum child_state { CHILD_STARTING, CHILD_READY, CHILD_ENDING, CHILD_RESTING };

/* One that runs and one that waits, so that the device has no pause between them. */
#define CHILD_JOBS 2

struct child_job {
	uint64_t id; /* in frames; 0: not sent to the child */
	struct ulid task;
	uint32_t attempt;
	enum gpu_kind kind;
	int64_t deadline_ns;
	unsigned char *body; /* encoded; owned */
	size_t body_len;
	int stop; /* ERR_CANCELLED or ERR_EXPIRED: it was told to end; or 0 */
};

/* What the child says of its device. */
struct child_facts {
	char name[128];
	bool is_ready[GPU_KINDS];
	char why[GPU_KINDS][160]; /* if not */
	int64_t launch_us;
	int64_t matmul_mflops;
	int64_t montecarlo_per_s;
};

struct child_conf {
	const char *program;   /* path of spu-gpu-device */
	const char *cache_dir; /* each child gets a folder in it */
	int64_t threads;       /* of CPU devices; 0: the driver's choice */
	int64_t watchdog_ns;   /* a job's child is killed when it is silent for that long */
};

struct child;
struct child_hooks {
	void (*on_state)(void *ctx, const struct child *c); /* c->state or c->facts changed */
	void (*on_done)(void *ctx, const struct child_job *job, struct span body);
	void (*on_failed)(void *ctx, const struct child_job *job, const struct fail *why);
	void (*on_progress)(void *ctx, const struct child_job *job, uint32_t permille);
	void *ctx;
};

struct child {
	struct loop *loop;
	const struct child_conf *conf;
	struct child_hooks hooks;
	struct listing_row row;
	enum child_state state;
	char why[160];            /* of the last death; empty: none */
	struct child_facts facts; /* in READY */
	struct process process;
	struct loop_fd exited; /* the pidfd */
	struct loop_fd socket; /* fd -1: closed */
	struct frames in;
	struct frames out;
	struct loop_timer timer;           /* STARTING, READY: watchdog; RESTING: start again */
	int64_t heard_ns;                  /* its last sign of life */
	int64_t stop_ns;                   /* when the running job was told to end */
	struct child_job jobs[CHILD_JOBS]; /* the first one runs */
	unsigned jobs_n;
	uint64_t last_id;
	unsigned deaths; /* since a job was done */
};

/* conf and hooks outlive the child. Starts the process; a failure to do so is a death like any other. */
void child_open(struct child *c, struct loop *loop, const struct child_conf *conf,
	const struct child_hooks *hooks, const struct listing_row *row);
/* Ends the process; jobs are reported with ERR_CLOSED. */
void child_close(struct child *c);

static inline bool child_has_room(const struct child *c)
{
	return c->state == CHILD_READY && c->jobs_n < CHILD_JOBS;
}

/* Takes the job and its body (only on success). ERR_BUSY. */
int child_put(struct child *c, const struct child_job *job) MUST_USE;
/* End a job soon. False if it is not here. */
bool child_cancel(struct child *c, struct ulid task, uint32_t attempt);
/* "STARTING" ... */
const char *child_state_name(enum child_state s);
