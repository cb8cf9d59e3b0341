/* SPDX-License-Identifier: Apache-2.0
 *
 * work: a fixed pool of threads for what blocks or burns. A job runs on one of them; its end is called on
 * the owner thread, through a mailbox.
 */
#pragma once
#include <stdint.h>

#include "base/check.h"
#include "run/loop.h"
#include "run/mailbox.h"

/* The caller owns the struct until on_end was called. */
struct work_job {
	void (*on_run)(struct work_job *job); /* on a pool thread: touches only what the job owns */
	void (*on_end)(struct work_job *job); /* on the owner thread */
};

struct work_pool;

/* threads >= 1; at most queue_max jobs wait, run or have not ended. NULL without memory or threads. */
struct work_pool *work_open(struct loop *l, unsigned threads, uint32_t queue_max) MUST_USE;
/* Waits for running jobs; then on_end is called for every job, also for those that were never run: a job that
 * must know sets a mark in on_run. Not from on_end. NULL is allowed. */
void work_close(struct work_pool *p);
/* Owner only. ERR_BUSY when queue_max jobs have not ended; ERR_CLOSED from an on_end that work_close calls. */
int work_post(struct work_pool *p, struct work_job *job) MUST_USE;
/* Owner only, not from on_end: sleep until a job has run, and call its end, in the order in which jobs ended. False
 * at once if no job is left. */
bool work_wait(struct work_pool *p);
