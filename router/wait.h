/* SPDX-License-Identifier: Apache-2.0
 *
 * wait: the tasks that wait for a free slot, per kind and class. Ten levels, one per priority, each first in
 * first out. Ageing: a task gains one level for every WAIT_AGE_NS it has waited, so none waits for ever; the
 * best of the ten oldest is found by comparing since - priority * WAIT_AGE_NS.
 */
#pragma once
#include "router/task.h"

#define WAIT_LEVELS (LIMIT_PRIORITY + 1)
#define WAIT_AGE_NS INT64_C(10000000000) /* 10 s: AI Horde gives +50 kudos of priority every 10 s */

struct wait {
	struct list level[WAIT_LEVELS];
	struct list dirty; /* in the router's list of queues worth a look */
	uint32_t n;
	uint32_t kind;
	enum rung rung;
};

void wait_init(struct wait *w, uint32_t kind, enum rung rung);
/* At the end of its level: it has waited since task.rung_ns.*/
void wait_push(struct wait *w, struct task *t);
void wait_drop(struct wait *w, struct task *t);

/* Walk in order of urgency: the cursor starts zeroed; NULL when there are no more. Tasks given may be dropped
 * from the queue during the walk. */
struct wait_cursor {
	struct list *at[WAIT_LEVELS];
	bool begun;
};
struct task *wait_next(struct wait *w, struct wait_cursor *c);
