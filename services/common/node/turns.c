/* SPDX-License-Identifier: Apache-2.0
 *
 * turns: tenants by number, as many as there are with something that waits or works: few, so they are looked
 * through.
 */
#include "node/turns.h"

#include "base/err.h"

#include "base/pure.h"

struct tenant {
	char name[LIMIT_TOKEN_BYTES + 1];
	struct share share;
	struct list waits;
	uint32_t held; /* that waits or works */
};

void turns_init(struct turns *ts, uint32_t max)
{
	*ts = (struct turns){ .waiting = 0 };
	slots_init(&ts->tenants, sizeof(struct tenant), max);
}

void turns_done(struct turns *ts)
{
	slots_done(&ts->tenants);
}

static struct tenant *at(const struct turns *ts, uint32_t i)
{
	return slots_is_taken(&ts->tenants, i) ? slots_at(&ts->tenants, i) : NULL;
}

static uint32_t find(const struct turns *ts, struct span name)
{
	for (uint32_t i = 0; i < ts->tenants.cap; i++)
		if (at(ts, i) != NULL && span_is(name, at(ts, i)->name))
			return i;
	return SLOT_NONE;
}

static uint32_t need(struct turns *ts, struct span name)
{
	uint32_t i = find(ts, name);

	if (i != SLOT_NONE)
		return i;
	i = slots_take(&ts->tenants);
	if (i == SLOT_NONE)
		return i;
	struct tenant *n = slots_at(&ts->tenants, i);

	span_copy(name, n->name, sizeof n->name);
	share_init(&n->share, 1);
	list_init(&n->waits);
	return i;
}

int turns_put(struct turns *ts, struct turn *t, struct span tenant)
{
	uint32_t i = need(ts, tenant);
	struct tenant *n;

	CHECK(t->is == TURN_NONE);
	if (i == SLOT_NONE)
		return ts->tenants.used == ts->tenants.max ? ERR_BUSY : ERR_NO_MEMORY;
	n = slots_at(&ts->tenants, i);
	*t = (struct turn){ .tenant = i, .is = TURN_WAITS };
	list_push(&n->waits, &t->link);
	share_wait(&n->share, ts->round);
	n->held++;
	ts->waiting++;
	return 0;
}

static void leave_queue(struct turns *ts, struct tenant *n, struct turn *t)
{
	list_drop(&t->link);
	share_leave(&n->share);
	ts->waiting--;
}

/* Within a round, who has more of it left. */
static bool is_before(const struct share *a, const struct share *b)
{
	return a->round != b->round ? a->round < b->round : a->credit_us > b->credit_us;
}

struct turn *turns_take(struct turns *ts)
{
	struct tenant *best = NULL;
	struct turn *t;

	for (uint32_t i = 0; i < ts->tenants.cap; i++) {
		struct tenant *n = at(ts, i);

		if (n != NULL && !list_is_empty(&n->waits) &&
			(best == NULL || is_before(&n->share, &best->share)))
			best = n;
	}
	if (best == NULL)
		return NULL;
	t = CONTAINER(best->waits.next, struct turn, link);
	leave_queue(ts, best, t);
	if (best->share.round > ts->round)
		ts->round = best->share.round;
	t->is = TURN_WORKS;
	t->paid_us =
		SHARE_QUANTUM_US; /* so that the next turn is another one's; set right at the end */
	share_pay(&best->share, t->paid_us, ts->round);
	return t;
}

void turns_end(struct turns *ts, struct turn *t, int64_t worked_us)
{
	struct tenant *n;

	if (t->is == TURN_NONE)
		return;
	n = slots_at(&ts->tenants, t->tenant);
	if (t->is == TURN_WAITS)
		leave_queue(ts, n, t);
	else if (worked_us > t->paid_us)
		share_pay(&n->share, worked_us - t->paid_us, ts->round);
	else
		share_give_back(&n->share, t->paid_us - worked_us);
	t->is = TURN_NONE;
	if (--n->held == 0)
		slots_drop(&ts->tenants, t->tenant);
}
