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
	int64_t silent_ns = process_ns - c->beat_ns;

	if (c->beat_ns != 0 && silent_ns > CLOCK_PAUSE_NS)
		c->shift_ns -= silent_ns;
	c->beat_ns = process_ns;
}
