/* SPDX-License-Identifier: Apache-2.0
 *
 * lane: the store on a thread of its own. The owner thread decodes what comes and sends what goes; between, one
 * thread writes, hashes, flushes and reads, one message after the other, in the order in which they came.
 */
#pragma once
#include "run/bus.h"
#include "run/loop.h"
#include "run/work.h"
#include "services/store/store.h"

#define LANE_MESSAGES 16u /* that wait, are served or are not sent yet; then the owner waits */

struct lane {
	struct loop *loop;
	struct bus *bus;
	struct store *store; /* the thread's, from lane_open to lane_close */
	struct work_pool *pool;
	struct lane_job *jobs; /* LANE_MESSAGES */
	struct list idle;      /* what was used last first: its memory is warm */
	struct list unsent;    /* the bus took no more: these go first */
	struct loop_hook hook; /* tries again */
	struct work_job sweep;
	int64_t sweep_ns;
	bool is_sweeping;
	struct store_metrics metrics; /* as of the last message that was served */
	uint64_t messages;
	uint64_t
		unanswered; /* that named no place to answer to, or whose answer the bus did not take */
};

/* ERR_NO_MEMORY; then nothing is open. */
int lane_open(struct lane *l, struct loop *loop, struct bus *bus, struct store *s) MUST_USE;
/* A message on the store's subject. Waits while LANE_MESSAGES are under way. */
void lane_take(struct lane *l, const struct bus_msg *m);
/* Let the store look at what is due, unless it still does so. */
void lane_sweep(struct lane *l, int64_t now_ns);
/* What came is served and answered first. A zeroed lane is allowed. */
void lane_close(struct lane *l);
