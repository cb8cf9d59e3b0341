/* SPDX-License-Identifier: Apache-2.0
 *
 * admit: may a tenant hand over one more task? Each may have a limit of its own on open tasks, on their bytes and on
 * the rate; and of what all share nobody may take so much that a newcomer finds nothing left: a tenant may
 * hold ADMIT_SHARE times its weight of what is still free (dynamic thresholds: Choudhury, Hahne: Dynamic
 * queue length thresholds for shared-memory packet switches, 1998). One alone can so use 8/9 of the whole.
 */
#pragma once
#include "base/err.h"

#define ADMIT_SHARE 8u
#define ADMIT_RETRY_LEAST_MS 50
#define ADMIT_RETRY_MOST_MS 30000

/* The limits of each tenant; 0: none. */
struct admit_limits {
	uint32_t tasks; /* open */
	uint64_t bytes; /* of their bodies */
	uint32_t rate;  /* submits a second */
	uint32_t burst; /* of those at once */
};

/* What there is now. */
struct admit_load {
	uint64_t tasks, all_tasks, tasks_max; /* of the tenant; of all; at most */
	uint64_t bytes, all_bytes, bytes_max;
	uint32_t weight;
	int64_t end_gap_ns; /* between the ends of the tenant's tasks; 0: unknown */
};

/* When the tenant's next submit is due, by its rate (generic cell rate algorithm, ITU-T I.371: the virtual schedule). */
struct admit_rate {
	int64_t due_ns;
};

/* One more task with a body of so many bytes. 0, and *rate moves on; or ERR_BUSY with field, limit and the time
 * after which it is worth another try; why is needed. */
int admit_task(const struct admit_limits *limits, const struct admit_load *load,
	uint64_t body_bytes, struct admit_rate *rate, int64_t now_ns, struct fail *why) MUST_USE;
/* A moving average of the time between ends. */
int64_t admit_gap(int64_t gap_ns, int64_t since_last_ns);
