/* SPDX-License-Identifier: Apache-2.0 */
#include "router/clock.h"

#include "base/pure.h"

void clock_floor(struct clock *c, int64_t process_ns, int64_t newest_ns)
{
	if (clock_now(c, process_ns) < newest_ns)
		c->shift_ns = newest_ns - process_ns;
}

void clock_beat(struct clock *c, int64_t process_ns)
{
	/* It went on working after the last beat: own time stands where it was told last. */
	if (c->beat_ns != 0 && process_ns - c->beat_ns > CLOCK_PAUSE_NS)
		c->shift_ns = c->told_ns - process_ns;
	c->beat_ns = process_ns;
}

void clock_stand(struct clock *c, int64_t process_ns)
{
	(void)clock_now(c, process_ns);
	c->stands = true;
}

void clock_go(struct clock *c, int64_t process_ns)
{
	if (c->stands)
		c->shift_ns = c->told_ns - process_ns;
	c->stands = false;
}
