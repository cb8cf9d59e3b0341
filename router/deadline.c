/* SPDX-License-Identifier: Apache-2.0
 *
 * deadline: when tasks must have ended. One that a submitter names is a moment of the wall clock: it moves with that
 * clock when it is set. One that the router gives is a length, and keeps it.
 */
#include "router/machine.h"

#include "base/pure.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

int64_t router_wall_ms(const struct router *r, int64_t ns)
{
	return ns == 0 ? 0 : (ns + r->skew_ns) / NS_PER_MS;
}

static int64_t usual_ns(const struct router *r, const struct ladder *l)
{
	bool may_ask = l->n > 0 && l->rung[l->n - 1] == RUNG_HUMAN;

	return may_ask ? r->conf.human_deadline_ns : r->conf.deadline_ns;
}

int deadline_check(const struct router *r, int64_t deadline_ms, struct fail *why)
{
	int64_t now_ms = router_wall_ms(r, r->now_ns);
	int64_t most_ms = LIMIT_DEADLINE_DAYS * DAY_MS;

	if (deadline_ms == 0)
		return 0;
	if (deadline_ms <= now_ms)
		return fail_set(why, ERR_EXPIRED, "deadline_ms", now_ms,
			"the deadline lies in the past");
	if (deadline_ms - now_ms > most_ms)
		return fail_set(why, ERR_INVALID, "deadline_ms", now_ms + most_ms,
			"the deadline is more than %d days ahead", LIMIT_DEADLINE_DAYS);
	return 0;
}

void deadline_set(const struct router *r, struct task *t, int64_t deadline_ms)
{
	t->deadline_is_wall = deadline_ms != 0;
	t->deadline_ns = deadline_ms == 0 ? r->now_ns + usual_ns(r, &t->ladder)
					  : deadline_ms * NS_PER_MS - r->skew_ns;
}

int64_t deadline_left_ms(const struct router *r, const struct task *t)
{
	int64_t left_ns = t->deadline_ns - r->now_ns;

	return left_ns < NS_PER_MS ? 1 : left_ns / NS_PER_MS;
}

void deadline_again(const struct router *r, struct task *t, const struct task *from)
{
	int64_t length_ns = from->deadline_ns - from->accepted_ns;

	t->deadline_is_wall = false;
	t->deadline_ns = r->now_ns + (length_ns > 0 ? length_ns : usual_ns(r, &t->ladder));
}

void deadline_over(struct router *r, struct task *t)
{
	struct fail why = { 0 };

	fail_set(&why, ERR_EXPIRED, "deadline_ms", router_wall_ms(r, t->deadline_ns), NULL);
	finish(r, t, TASK_EXPIRE, &why);
}

void router_set_skew(struct router *r, int64_t skew_ns)
{
	int64_t by_ns = skew_ns - r->skew_ns;

	r->skew_ns = skew_ns;
	for (uint32_t i = 0; by_ns != 0 && i < r->tasks.slots.cap; i++) {
		struct task *t = slots_is_taken(&r->tasks.slots, i) ? tasks_at(&r->tasks, i) : NULL;

		if (t == NULL || !t->deadline_is_wall || !list_is_empty(&t->kept))
			continue;
		t->deadline_ns -= by_ns;
		if (!state_is_final(t->state))
			tasks_wake_by(&r->tasks, t, t->deadline_ns);
	}
}
