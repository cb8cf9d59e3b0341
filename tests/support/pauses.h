/* SPDX-License-Identifier: Apache-2.0
 *
 * pauses: orders to pause and to resume tasks of the tenant "t".
 */
#pragma once
#include "tests/support/router_kit.h"
#include "tests/support/test.h"

static inline int pauses_order(struct kit *k, enum router_event_kind kind, const char *who,
	struct ulid task)
{
	return kit_step(k,
		&(struct router_event){ .kind = kind, .who = span_str(who), .task = task });
}

static inline void pause_task(struct kit *k, const struct task *t)
{
	assert_int_equal(pauses_order(k, ROUTER_PAUSE, "t", t->id), 0);
	assert_int_equal(t->paused_ns, k->now_ns);
}

static inline void resume_task(struct kit *k, const struct task *t)
{
	assert_int_equal(pauses_order(k, ROUTER_RESUME, "t", t->id), 0);
	assert_int_equal(t->paused_ns, 0);
}
