/* SPDX-License-Identifier: Apache-2.0
 *
 * loop: one turn is bounded: the control loop's beat, at most LOOP_READY_MAX descriptors, each due timer once (a
 * timer set from a handler fires in the next turn at the earliest), each hook once.
 */
#include "run/loop.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

int loop_open(struct loop *l)
{
	*l = (struct loop){ .epoll_fd = -1 };
	clocks_open(&l->clocks);
	l->now_ns = clocks_now(&l->clocks);
	heap_init(&l->timers);
	list_init(&l->hooks);
	if (heap_reserve(&l->timers, LOOP_TIMERS_MAX) < 0) {
		heap_done(&l->timers); /* it may have got a part */
		return ERR_NO_MEMORY;
	}
	for (uint32_t i = 0; i < LOOP_TIMERS_MAX; i++)
		l->timer_free[l->timer_free_n++] = LOOP_TIMERS_MAX - 1 - i;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd >= 0)
		return 0;
	heap_done(&l->timers);
	return ERR_IO;
}

void loop_close(struct loop *l)
{
	if (l->timers.rows == NULL)
		return;
	heap_done(&l->timers);
	close(l->epoll_fd);
	*l = (struct loop){ .epoll_fd = -1 };
}

/* Descriptors */

static int change_fd(struct loop *l, int op, struct loop_fd *f, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = f };

	return epoll_ctl(l->epoll_fd, op, f->fd, &e) == 0 ? 0 : ERR_IO;
}

int loop_fd_add(struct loop *l, struct loop_fd *f)
{
	CHECK(f->on_ready != NULL);
	return change_fd(l, EPOLL_CTL_ADD, f, f->events);
}

int loop_fd_set(struct loop *l, struct loop_fd *f, uint32_t events)
{
	/* Atomic because threads of libraries change it while the owner may look. */
	__atomic_store_n(&f->events, events, __ATOMIC_RELAXED);
	return change_fd(l, EPOLL_CTL_MOD, f, events);
}

void loop_fd_drop(struct loop *l, struct loop_fd *f)
{
	(void)change_fd(l, EPOLL_CTL_DEL, f, 0);
	for (unsigned i = 0; i < l->ready_n; i++)
		if (l->ready[i].data.ptr == f)
			l->ready[i].data.ptr = NULL;
}

static void serve_ready(struct loop *l)
{
	for (unsigned i = 0; i < l->ready_n; i++) {
		struct loop_fd *f = l->ready[i].data.ptr;

		if (f != NULL)
			f->on_ready(f->ctx, l->ready[i].events);
	}
	l->ready_n = 0;
}

/* Timers */

int loop_timer_set(struct loop *l, struct loop_timer *t, int64_t due_ns)
{
	CHECK(t->on_due != NULL);
	if (t->index == 0) {
		if (l->timer_free_n == 0)
			return ERR_BUSY;
		t->index = l->timer_free[--l->timer_free_n] + 1;
		l->timer_at[t->index - 1] = t;
	}
	/* Later than this turn's now, so that a turn cannot fire for ever. */
	heap_set(&l->timers, t->index - 1, due_ns > l->now_ns ? due_ns : l->now_ns + 1);
	return 0;
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	if (t->index == 0)
		return;
	heap_drop(&l->timers, t->index - 1);
	l->timer_free[l->timer_free_n++] = t->index - 1;
	l->timer_at[t->index - 1] = NULL;
	t->index = 0;
}

static void fire_timers(struct loop *l)
{
	for (;;) {
		const struct heap_row *top = heap_top(&l->timers);
		struct loop_timer *t;

		if (top == NULL || top->key > l->now_ns)
			return;
		t = l->timer_at[top->item];
		loop_timer_stop(l, t);
		t->on_due(t->ctx, l->now_ns);
	}
}

/* Hooks */

void loop_hook_add(struct loop *l, struct loop_hook *h)
{
	CHECK(h->on_turn != NULL);
	list_push(&l->hooks, &h->link);
}

void loop_hook_drop(struct loop *l, struct loop_hook *h)
{
	if (l->hook_next == &h->link)
		l->hook_next = h->link.next;
	list_drop(&h->link);
}

static void call_hooks(struct loop *l)
{
	struct list *at = l->hooks.next;

	while (at != &l->hooks) {
		struct loop_hook *h = CONTAINER(at, struct loop_hook, link);

		l->hook_next = at->next;
		h->on_turn(h->ctx, l->now_ns);
		at = l->hook_next;
	}
	l->hook_next = NULL;
}

/* The control loop */

static void control_due(void *ctx, int64_t now_ns)
{
	struct loop *l = ctx;
	int64_t late_ns = now_ns - l->control_due_ns;

	hist_add(&l->jitter_us, late_ns / NS_PER_US);
	l->control_due_ns += (late_ns / LOOP_CONTROL_NS + 1) * LOOP_CONTROL_NS;
	/* This timer gave its place back just now, so there is one. */
	CHECK(loop_timer_set(l, &l->control_timer, l->control_due_ns) == 0);
	l->on_control(l->control_ctx, now_ns);
}

int loop_control(struct loop *l, void (*on_control)(void *ctx, int64_t now_ns), void *ctx)
{
	l->on_control = on_control;
	l->control_ctx = ctx;
	l->control_timer.on_due = control_due;
	l->control_timer.ctx = l;
	l->control_due_ns = l->now_ns + LOOP_CONTROL_NS;
	return loop_timer_set(l, &l->control_timer, l->control_due_ns);
}

/* Before what is ready is served, so that the beat waits for the rest of one turn at most. Other timers come after
 * it: what has arrived may set them anew. */
static void keep_beat(struct loop *l)
{
	if (l->control_timer.index == 0 || l->control_due_ns > l->now_ns)
		return;
	loop_timer_stop(l, &l->control_timer);
	control_due(l, l->now_ns);
}

/* Turns */

/* How long to wait: until the next timer, at most wait_ns; -1: for ever. */
static int64_t wait_for(const struct loop *l, int64_t wait_ns)
{
	const struct heap_row *top = heap_top(&l->timers);
	int64_t left_ns;

	if (top == NULL || wait_ns == 0)
		return wait_ns;
	left_ns = top->key - clocks_now(&l->clocks);
	if (left_ns < 0)
		left_ns = 0;
	return wait_ns < 0 || left_ns < wait_ns ? left_ns : wait_ns;
}

static int wait_coarse(struct loop *l, int64_t wait_ns)
{
	int64_t ms = wait_ns < 0 ? -1 : wait_ns / NS_PER_MS + (wait_ns % NS_PER_MS != 0);

	return epoll_wait(l->epoll_fd, l->ready, LOOP_READY_MAX,
		ms > INT32_MAX ? INT32_MAX : (int)ms);
}

static int wait_ready(struct loop *l, int64_t wait_ns)
{
	struct timespec t = { .tv_sec = wait_ns / NS_PER_S, .tv_nsec = wait_ns % NS_PER_S };
	int n;

	if (l->coarse || wait_ns == 0)
		return wait_coarse(l, wait_ns);
	n = epoll_pwait2(l->epoll_fd, l->ready, LOOP_READY_MAX, wait_ns < 0 ? NULL : &t, NULL);
	/* Old kernels, some sandboxes and valgrind do not know it. */
	if (n < 0 && (errno == ENOSYS || errno == EPERM)) {
		l->coarse = true;
		return wait_coarse(l, wait_ns);
	}
	return n;
}

int loop_turn(struct loop *l, int64_t wait_ns)
{
	int n = wait_ready(l, wait_for(l, wait_ns));

	/* A process that was stopped and goes on comes here, and what has arrived meanwhile must be served before the
	 * timers that are due by now: else who has reported in time is taken for silent. */
	if (n < 0 && errno == EINTR)
		n = wait_ready(l, 0);
	if (n < 0 && errno != EINTR)
		return ERR_IO;
	l->ready_n = n < 0 ? 0 : (unsigned)n;
	l->now_ns = clocks_now(&l->clocks);
	keep_beat(l);
	serve_ready(l);
	fire_timers(l);
	call_hooks(l);
	return 0;
}

int loop_run(struct loop *l)
{
	while (!l->stop) {
		int r = loop_turn(l, -1);

		if (r < 0)
			return r;
	}
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}
