/* SPDX-License-Identifier: Apache-2.0
 *
 * breaker: see breaker.h.
 */
#include "services/delegate/breaker.h"

#include "base/check.h"

#include "base/pure.h"

bool breaker_is_ready(const struct breaker *b, int64_t now_ns)
{
	return b->state == BREAKER_HEALTHY ||
	       (b->state == BREAKER_COOLING && now_ns >= b->until_ns);
}

bool breaker_begin(struct breaker *b, int64_t now_ns)
{
	CHECK(breaker_is_ready(b, now_ns));
	if (b->state == BREAKER_HEALTHY)
		return false;
	b->state = BREAKER_PROBING;
	return true;
}

static int64_t between(int64_t low, int64_t n, int64_t high)
{
	return n < low ? low : n > high ? high : n;
}

static int64_t cool_time(const struct breaker *b, enum breaker_end end, int64_t asked_ns)
{
	int64_t ns =
		b->cool_ns == 0 ? BREAKER_COOL_NS : between(0, b->cool_ns * 2, BREAKER_COOL_NS_MAX);

	if (end == BREAKER_REFUSED && ns < BREAKER_REFUSED_NS)
		ns = BREAKER_REFUSED_NS;
	/* What the API asks for is better than our guess, also if it is shorter. */
	return asked_ns > 0 && end != BREAKER_REFUSED
		       ? between(BREAKER_COOL_NS / 2, asked_ns, BREAKER_ASKED_NS_MAX)
		       : ns;
}

static void cool(struct breaker *b, int64_t now_ns, enum breaker_end end, int64_t asked_ns)
{
	int64_t ns = cool_time(b, end, asked_ns);

	/* Calls that began before end one after the other: they prolong, but do not count twice. */
	if (b->state == BREAKER_COOLING && now_ns + ns <= b->until_ns)
		return;
	b->until_ns = now_ns + ns;
	b->cause = end;
	if (b->state != BREAKER_COOLING)
		b->cool_ns = ns > BREAKER_COOL_NS_MAX ? BREAKER_COOL_NS_MAX : ns;
	b->state = BREAKER_COOLING;
}

/* The end of a call that does not decide alone. */
static void count(struct breaker *b, int64_t now_ns, enum breaker_end end, int64_t asked_ns)
{
	switch (end) {
	case BREAKER_WELL:
		b->faults = 0;
		break;
	case BREAKER_UNKNOWN:
		break;
	case BREAKER_FAULT:
		b->faults++;
		if (b->state == BREAKER_HEALTHY && (b->faults >= BREAKER_FAULTS || asked_ns > 0))
			cool(b, now_ns, end, asked_ns);
		break;
	case BREAKER_BUSY:
	case BREAKER_REFUSED:
		if (b->state != BREAKER_PROBING)
			cool(b, now_ns, end, asked_ns);
		break;
	}
}

void breaker_ended(struct breaker *b, int64_t now_ns, bool probe, enum breaker_end end,
	int64_t asked_ns)
{
	if (!probe) {
		count(b, now_ns, end, asked_ns);
		return;
	}
	CHECK(b->state == BREAKER_PROBING);
	if (end == BREAKER_WELL) {
		*b = (struct breaker){ .state = BREAKER_HEALTHY };
	} else if (end == BREAKER_UNKNOWN) { /* the next call is the probe */
		b->state = BREAKER_COOLING;
		b->until_ns = now_ns;
	} else {
		cool(b, now_ns, end, asked_ns);
	}
}

int64_t breaker_wake(const struct breaker *b, int64_t now_ns)
{
	return b->state == BREAKER_COOLING && b->until_ns > now_ns ? b->until_ns : INT64_MAX;
}
