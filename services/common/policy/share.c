/* SPDX-License-Identifier: Apache-2.0
 *
 * share: the arithmetic of rounds.
 */
#include "policy/share.h"

#include "base/check.h"

#include "base/pure.h"

static int64_t quantum(const struct share *s)
{
	return SHARE_QUANTUM_US * (int64_t)s->weight;
}

static int64_t within(int64_t us)
{
	return us < 0 ? 0 : us > SHARE_MOST_US ? SHARE_MOST_US : us;
}

static void move_to(struct share *s, uint64_t round)
{
	s->round = round;
	s->credit_us = quantum(s);
}

void share_init(struct share *s, uint32_t weight)
{
	CHECK(weight >= 1 && weight <= LIMIT_WEIGHT);
	*s = (struct share){ .weight = weight };
	s->credit_us = quantum(s);
}

void share_wait(struct share *s, uint64_t now)
{
	if (s->waiting++ == 0 && s->round < now)
		move_to(s, now);
}

void share_leave(struct share *s)
{
	CHECK(s->waiting > 0);
	s->waiting--;
}

void share_pay(struct share *s, int64_t us, uint64_t now)
{
	uint64_t lag = s->waiting == 0 ? 0 : now < SHARE_LAG ? now : SHARE_LAG;

	if (s->round < now - lag)
		move_to(s, now - lag);
	s->credit_us -= within(us);
	if (s->credit_us <= 0) {
		int64_t rounds = -s->credit_us / quantum(s) + 1;

		s->round += (uint64_t)rounds;
		s->credit_us += rounds * quantum(s);
	}
}

void share_give_back(struct share *s, int64_t us)
{
	s->credit_us += within(us);
	if (s->credit_us > quantum(s)) {
		uint64_t rounds = (uint64_t)((s->credit_us - 1) / quantum(s));

		s->round -= rounds < s->round ? rounds : s->round;
		s->credit_us = (s->credit_us - 1) % quantum(s) + 1;
	}
}
