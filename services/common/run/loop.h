/* SPDX-License-Identifier: Apache-2.0
 *
 * loop: the owner thread's turn: wait in one epoll, read the clock once, run the control loop if it is due, serve
 * what is ready, fire due timers, then run the end-of-turn hooks (which send what the turn produced, all at once).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <sys/epoll.h>

#include "base/check.h"
#include "base/fmt.h"
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

/* A timer, fires once. The caller owns the struct; `index` is the loop's. Zero-initialise, then set on_due
 * and ctx. */
struct loop_timer {
	void (*on_due)(void *ctx, int64_t now_ns);
	void *ctx;
	uint32_t index; /* 0: not set */
};

/* Called at the end of every turn in the order of registration. */
struct loop_hook {
	struct list link;
	void (*on_turn)(void *ctx, int64_t now_ns);
	void *ctx;
};

#define LOOP_TIMERS_MAX 4096u
#define LOOP_READY_MAX 64u /* descriptors served in one turn; the rest comes in the next */
#define LOOP_CONTROL_NS (100 * NS_PER_MS)

struct loop {
	int epoll_fd;
	bool coarse; /* the system has no epoll_pwait2: waits are rounded up to 1 ms */
	struct clocks clocks;
	int64_t now_ns;     /* of this turn; Unix time (clocks.h) */
	struct heap timers; /* by due time; items are indices into timer_at */
	struct loop_timer *timer_at[LOOP_TIMERS_MAX];
	uint32_t timer_free[LOOP_TIMERS_MAX]; /* indices that are not taken */
	uint32_t timer_free_n;
	struct epoll_event ready[LOOP_READY_MAX]; /* of this turn */
	unsigned ready_n;
	struct list hooks;
	struct list *hook_next; /* during their calls */
	bool stop;
	struct loop_timer control_timer;
	int64_t control_due_ns;
	void (*on_control)(void *ctx, int64_t now_ns); /* the 10 Hz control loop */
	void *control_ctx;
	struct hist jitter_us; /* how late the control loop ran */
};

/* 0, ERR_NO_MEMORY or ERR_IO. */
int loop_open(struct loop *l) MUST_USE;
/* Descriptors, timers and hooks that are still registered stay untouched and are not called again. A zeroed
 * loop is allowed. */
void loop_close(struct loop *l);
/* f->events is asked for; EPOLLERR and EPOLLHUP come unasked. ERR_IO. */
int loop_fd_add(struct loop *l, struct loop_fd *f) MUST_USE;
/* Change f->events. May be called from any thread while f is registered. */
int loop_fd_set(struct loop *l, struct loop_fd *f, uint32_t events) MUST_USE;
/* Before the descriptor is closed. on_ready is not called after this, not even for what this turn's wait has
 * already seen. */
void loop_fd_drop(struct loop *l, struct loop_fd *f);
/* Set or move a timer. ERR_BUSY beyond LOOP_TIMERS_MAX. due_ns in the past fires in the next turn. It may be
 * set again from on_due. */
int loop_timer_set(struct loop *l, struct loop_timer *t, int64_t due_ns) MUST_USE;
void loop_timer_stop(struct loop *l, struct loop_timer *t);
/* Hooks may drop themselves or others while they are called. */
void loop_hook_add(struct loop *l, struct loop_hook *h);
void loop_hook_drop(struct loop *l, struct loop_hook *h);
/* Start the 10 Hz control loop: fixed beat, no drift; late beats are measured, missed ones skipped. */
int loop_control(struct loop *l, void (*on_control)(void *ctx, int64_t now_ns), void *ctx) MUST_USE;
/* One turn that waits at most wait_ns (-1: until something happens). 0, or ERR_IO. */
int loop_turn(struct loop *l, int64_t wait_ns) MUST_USE;
/* Turns until loop_stop. */
int loop_run(struct loop *l) MUST_USE;
void loop_stop(struct loop *l);
