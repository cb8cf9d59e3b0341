/* SPDX-License-Identifier: Apache-2.0
 *
 * loop: the owner thread's turn: wait in one epoll, read the clock once, serve what is ready, fire due
 * timers, then run the end-of-turn hooks (which send what the turn produced, all at once).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/heap.h"
#include "base/hist.h"
#include "base/list.h"
#include "run/clocks.h"

/* A descriptor in the loop. The caller owns the struct and keeps it until loop_fd_drop. */
struct loop_fd {
	int fd;
	uint32_t events; /* EPOLLIN ... as registered */
	void (*on_ready)(void *ctx, uint32_t events);
	void *ctx;
};

/* A timer. The caller owns the struct; `index` is the loop's. Zero-initialise, then set on_due and ctx. */
struct loop_timer {
	void (*on_due)(void *ctx, int64_t now_ns);
	void *ctx;
	uint32_t index; /* 0: never set so far */
};

/* Called at the end of every turn in the order of registration. */
struct loop_hook {
	struct list link;
	void (*on_turn)(void *ctx, int64_t now_ns);
	void *ctx;
};

#define LOOP_TIMERS_MAX 4096u

struct loop {
	int epoll_fd;
	struct clocks clocks;
	int64_t now_ns; /* of this turn; Unix time (clocks.h) */
	struct heap timers;
	struct loop_timer *timer_at[LOOP_TIMERS_MAX];
	uint32_t timer_free[LOOP_TIMERS_MAX];
	uint32_t timer_free_n;
	struct list hooks;
	bool stop;
	struct loop_timer control_timer;
	int64_t control_due_ns;
	void (*on_control)(void *ctx, int64_t now_ns); /* the 10 Hz control loop */
	void *control_ctx;
	struct hist jitter_us; /* how late the control loop ran */
};

int loop_open(struct loop *l) MUST_USE;
void loop_close(struct loop *l);
int loop_fd_add(struct loop *l, struct loop_fd *f) MUST_USE;
/* Change f->events. May be called from any thread while f is registered. */
int loop_fd_set(struct loop *l, struct loop_fd *f, uint32_t events) MUST_USE;
void loop_fd_drop(struct loop *l, struct loop_fd *f);
/* Set or move a timer. ERR_BUSY beyond LOOP_TIMERS_MAX. due_ns in the past fires in the next turn. */
int loop_timer_set(struct loop *l, struct loop_timer *t, int64_t due_ns) MUST_USE;
void loop_timer_stop(struct loop *l, struct loop_timer *t);
void loop_hook_add(struct loop *l, struct loop_hook *h);
void loop_hook_drop(struct loop *l, struct loop_hook *h);
/* Start the 10 Hz control loop: fixed beat, no drift; late beats are measured, missed ones skipped. */
int loop_control(struct loop *l, void (*on_control)(void *ctx, int64_t now_ns), void *ctx) MUST_USE;
/* One turn that waits at most wait_ns (-1: until something happens). 0, or ERR_IO. */
int loop_turn(struct loop *l, int64_t wait_ns) MUST_USE;
/* Turns until loop_stop. */
int loop_run(struct loop *l) MUST_USE;
void loop_stop(struct loop *l);
