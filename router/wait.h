/* SPDX-License-Identifier: Apache-2.0
 *
 * wait: the tasks that wait for a free slot, per kind and class (a queue), and in it per tenant (a lane).
 *
 * Between the lanes of all queues of a class it is deficit round robin: the lane whose tenant is in the lowest round
 * goes first (policy/share.h). Within a lane there are ten levels, one per priority, each first in first out.
 * Ageing: a task gains one level for every WAIT_AGE_NS it has waited, so none waits for ever; the best of
 * the ten oldest is found by comparing since - priority * WAIT_AGE_NS.
 *
 * A look goes over the queues that are dirty: waits_turn says whose turn it is, the caller places or passes, until
 * none is left.
 */
#pragma once
#include "base/pairing.h"
#include "router/task.h"
#include "router/tenant.h"

#define WAIT_LEVELS (LIMIT_PRIORITY + 1)
#define WAIT_AGE_NS INT64_C(10000000000) /* 10 s: AI Horde gives +50 kudos of priority every 10 s */

struct wait;

/* A tenant's tasks in one queue. */
struct lane {
	struct pairing_link
		link; /* in the queue, by round, while it has tasks and is not passed by */
	struct list level[WAIT_LEVELS];
	struct list *at[WAIT_LEVELS]; /* where this look has come to */
	uint64_t look;                /* which that is */
	struct list passed;           /* in the queue's list, or in that of the empty ones */
	struct list of_tenant;
	struct wait *wait;
	struct tenant *tenant;
	uint32_t tenant_index;
	uint32_t index; /* of itself */
	uint32_t n;
	uint64_t floor; /* passed by in vain: not before this round */
};

#define WAIT_MISSES 8u /* needs remembered in one look */

/* What one look at a queue has found so far. */
struct walk {
	uint64_t look;
	struct {
		const struct task *task;
		int tried;
	} missed[WAIT_MISSES]; /* needs that found nobody: who needs the same need not be tried */
	unsigned missed_n;
	unsigned walked;
	unsigned blocked;
};

struct wait {
	struct pairing lanes;
	struct list passed; /* lanes that had their look */
	struct list dirty;  /* in the list of queues worth a look */
	bool is_looked_at;
	bool again; /* something changed during the look */
	struct walk walk;
	uint64_t look; /* its number */
	uint32_t n;
	uint32_t kind;
	enum rung rung;
};

struct waits {
	struct wait **at; /* [kind * RUNGS + rung], made when first used */
	uint32_t n;
	struct slots lanes;
	struct map lane_of;
	struct list dirty;
	struct list empty; /* lanes without tasks, until the look ends */
	uint64_t round[RUNGS];
};

/* 0 or ERR_NO_MEMORY. */
int waits_init(struct waits *ws, uint32_t kinds_max, uint32_t tasks_max) MUST_USE;
void waits_done(struct waits *ws);
/* A task comes to the end of its level in its tenant's lane: it has waited since task.rung_ns. The queue becomes
 * dirty. ERR_NO_MEMORY: it does not wait. */
int wait_push(struct waits *ws, struct task *t, const struct tenants *tenants) MUST_USE;
/* Nothing happens if it does not wait. */
void wait_drop(struct waits *ws, struct task *t);
/* Does nobody wait in this queue, and is no look due anywhere? */
bool waits_are_idle(const struct waits *ws, uint32_t kind, enum rung rung);
/* What could serve this queue's tasks has changed. */
void waits_touch(struct waits *ws, uint32_t kind, enum rung rung);
void waits_touch_all(struct waits *ws);

/* The lane whose turn it is; NULL: the look is over. */
struct lane *waits_turn(struct waits *ws);
/* The lane's next task in order of urgency; NULL: it has none that was not looked at. Tasks may come and go
 * meanwhile. */
struct task *lane_next(struct lane *l);
/* The lane had its look; lost: others may have used what it could not, which was its turn. */
void lane_pass(struct waits *ws, struct lane *l, bool lost);
/* The queue is not worth more of this look. */
void wait_rest(struct wait *w);

/* A tenant uses node time of a class, or used less than was paid for. */
void waits_pay(struct waits *ws, struct tenant *n, enum rung rung, int64_t us);
void waits_give_back(struct waits *ws, struct tenant *n, enum rung rung, int64_t us);
