/* SPDX-License-Identifier: Apache-2.0
 *
 * clock: a router's own time: what its machine calls now, and counts leases, pauses and lengths in. It starts as Unix
 * time and only goes forward, also from one life of the router to the next (router/mark.h), whatever is done to the
 * machine's clock;
 * and while the process did not run (stopped, or on a computer that slept) or could hear nobody it stands, so that a
 * silence that was the router's own is nobody's fault. Pure: what the process's clock says is passed in.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define CLOCK_PAUSE_NS                                                                             \
	INT64_C(1000000000) /* no beat for so long, of ten in a second: it did not run */
#define CLOCK_STEP_NS INT64_C(1000000000) /* a wall clock that is further off was set */

/* Zeroed at the start. */
struct clock {
	int64_t shift_ns; /* own time minus the process's */
	int64_t beat_ns;  /* of the process's time; 0: none yet */
	int64_t told_ns;  /* the own time that clock_now told last */
	bool stands;      /* between clock_stand and clock_go */
};

/* What time it is: never less than was told before. */
static inline int64_t clock_now(struct clock *c, int64_t process_ns)
{
	if (!c->stands && process_ns + c->shift_ns > c->told_ns)
		c->told_ns = process_ns + c->shift_ns;
	return c->told_ns;
}

/* What is due then, in the process's time; INT64_MAX stays, and stands for what is to come while it stands. */
static inline int64_t clock_due(const struct clock *c, int64_t own_ns)
{
	if (own_ns == INT64_MAX || (c->stands && own_ns > c->told_ns))
		return INT64_MAX;
	return own_ns - c->shift_ns;
}

/* Before the first step: nothing happened after newest_ns, and all that follows does. */
void clock_floor(struct clock *c, int64_t process_ns, int64_t newest_ns);
/* Ten times a second, before anything else of a turn. */
void clock_beat(struct clock *c, int64_t process_ns);
/* From now on it stands, until it goes on. Either may come twice. */
void clock_stand(struct clock *c, int64_t process_ns);
void clock_go(struct clock *c, int64_t process_ns);
