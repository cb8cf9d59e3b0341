/* SPDX-License-Identifier: Apache-2.0
 *
 * runs: the jobs that the backend holds: asleep, waiting for a thread, on one, or standing still. Nobody but
 * backend_cpu includes this.
 */
#pragma once
#include "cpu-node/backend_cpu.h"
#include "cpu-node/kinds.h"

/* The pool and its timers; ERR_NO_MEMORY. */
int runs_open(struct cpu_backend *b) MUST_USE;
/* Cancel all and wait for the threads. */
void runs_close(struct cpu_backend *b);
/* Hold the job: asleep for delay_ns, in the pool, or with an equal one. key: of its result, or NULL. 0, or BUSY and
 * what else *why says. */
int runs_hold(struct cpu_backend *b, const struct cpu_kind *kind, const struct job *job,
	int64_t delay_ns, const struct cache_key *key, struct fail *why) MUST_USE;
/* These three: nothing for an attempt that is not held. */
void runs_cancel(struct cpu_backend *b, struct ulid task, uint32_t attempt);
/* What sleeps or follows is parked at once, what is in the pool when its thread has seen the mark. From now on nobody
 * follows it; where somebody does already, or the kind cannot, it cannot be paused: ERR_UNSUPPORTED. */
int runs_pause(struct cpu_backend *b, struct ulid task, uint32_t attempt) MUST_USE;
void runs_resume(struct cpu_backend *b, struct ulid task, uint32_t attempt);

/* Tell how an attempt ended: why->code < 0, or out, which may be taken over. */
void runs_report(struct cpu_backend *b, const struct ulid *task, uint32_t attempt,
	const struct fail *why, struct buf *out);
/* Answer an equal request with a result that was computed before. */
void runs_report_before(struct cpu_backend *b, const struct ulid *task, uint32_t attempt,
	struct span result, int64_t age_ms);
