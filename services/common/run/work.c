/* SPDX-License-Identifier: Apache-2.0
 *
 * work: one queue of jobs under a mutex, one mailbox back. A job counts until the owner thread has taken its
 * end, so neither the queue nor the mailbox can be full when it must not be.
 */
#include "run/work.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"

#define ENDS_PER_TURN 256u /* then the loop serves others, too */

struct work_pool {
	struct loop *loop;
	struct loop_fd ended_fd;
	struct mailbox ended;
	uint32_t open; /* owner only: posted, end not yet called */
	uint32_t max;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct work_job **queue; /* ring of max */
	uint32_t head;
	uint32_t len;
	bool stop;
	unsigned threads_n;
	pthread_t threads[];
};

/* The next job, or NULL when the pool closes. */
static struct work_job *next_job(struct work_pool *p)
{
	struct work_job *job = NULL;

	CHECK(pthread_mutex_lock(&p->lock) == 0);
	while (p->len == 0 && !p->stop)
		CHECK(pthread_cond_wait(&p->wake, &p->lock) == 0);
	if (!p->stop) {
		job = p->queue[p->head];
		p->head = (p->head + 1) % p->max;
		p->len--;
	}
	CHECK(pthread_mutex_unlock(&p->lock) == 0);
	return job;
}

static void *run_jobs(void *ctx)
{
	struct work_pool *p = ctx;
	struct work_job *job;

	while ((job = next_job(p)) != NULL) {
		job->on_run(job);
		CHECK(mailbox_post(&p->ended, job));
	}
	return NULL;
}

static void end_job(struct work_pool *p, struct work_job *job)
{
	p->open--;
	job->on_end(job);
}

static void on_ended(void *ctx, uint32_t events)
{
	struct work_pool *p = ctx;

	(void)events;
	for (unsigned i = 0; i < ENDS_PER_TURN; i++) {
		struct work_job *job = mailbox_take(&p->ended);

		if (job == NULL)
			return;
		end_job(p, job);
	}
}

/* Signals belong to the owner thread. */
static int start_threads(struct work_pool *p, unsigned threads)
{
	sigset_t all, old;
	int r = 0;

	sigfillset(&all);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &old) == 0);
	while (r == 0 && p->threads_n < threads) {
		char name[16];

		r = pthread_create(&p->threads[p->threads_n], NULL, run_jobs, p);
		if (r != 0)
			break;
		snprintf(name, sizeof(name), "spu-work-%u", p->threads_n % 1000);
		(void)pthread_setname_np(p->threads[p->threads_n], name);
		p->threads_n++;
	}
	CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
	return r == 0 ? 0 : ERR_NO_MEMORY;
}

struct work_pool *work_open(struct loop *l, unsigned threads, uint32_t queue_max)
{
	struct work_pool *p;

	CHECK(threads >= 1 && queue_max >= 1);
	p = mem_alloc(sizeof(*p) + threads * sizeof(p->threads[0]));
	if (p == NULL)
		return NULL;
	p->loop = l;
	p->max = queue_max;
	CHECK(pthread_mutex_init(&p->lock, NULL) == 0 && pthread_cond_init(&p->wake, NULL) == 0);
	p->queue = mem_alloc(queue_max * sizeof(struct work_job *));
	if (p->queue == NULL || mailbox_open(&p->ended, queue_max) < 0)
		goto fail;
	p->ended_fd = (struct loop_fd){ p->ended.fd, EPOLLIN, on_ended, p };
	if (loop_fd_add(l, &p->ended_fd) < 0) {
		p->ended_fd.on_ready = NULL;
		goto fail;
	}
	if (start_threads(p, threads) == 0)
		return p;
fail:
	work_close(p);
	return NULL;
}

static void stop_threads(struct work_pool *p)
{
	CHECK(pthread_mutex_lock(&p->lock) == 0);
	p->stop = true;
	CHECK(pthread_cond_broadcast(&p->wake) == 0);
	CHECK(pthread_mutex_unlock(&p->lock) == 0);
	for (unsigned i = 0; i < p->threads_n; i++)
		CHECK(pthread_join(p->threads[i], NULL) == 0);
}

static void end_all(struct work_pool *p)
{
	struct work_job *job;

	while (p->ended.ring != NULL && (job = mailbox_take(&p->ended)) != NULL)
		end_job(p, job);
	for (; p->len > 0; p->len--) {
		job = p->queue[p->head];
		p->head = (p->head + 1) % p->max;
		end_job(p, job);
	}
	CHECK(p->open == 0);
}

void work_close(struct work_pool *p)
{
	if (p == NULL)
		return;
	stop_threads(p);
	if (p->ended_fd.on_ready != NULL)
		loop_fd_drop(p->loop, &p->ended_fd);
	end_all(p);
	mailbox_close(&p->ended);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	mem_free(p->queue);
	mem_free(p);
}

int work_post(struct work_pool *p, struct work_job *job)
{
	if (p->stop)
		return ERR_CLOSED;
	if (p->open == p->max)
		return ERR_BUSY;
	p->open++;
	CHECK(pthread_mutex_lock(&p->lock) == 0);
	p->queue[(p->head + p->len++) % p->max] = job;
	CHECK(pthread_cond_signal(&p->wake) == 0);
	CHECK(pthread_mutex_unlock(&p->lock) == 0);
	return 0;
}

bool work_wait(struct work_pool *p)
{
	struct pollfd ended = { .fd = p->ended.fd, .events = POLLIN };
	struct work_job *job;

	if (p->open == 0)
		return false;
	while ((job = mailbox_take(&p->ended)) == NULL)
		(void)poll(&ended, 1, -1);
	end_job(p, job);
	return true;
}
