/* SPDX-License-Identifier: Apache-2.0
 *
 * mark: a small file beside the journal, by which the next life of a router knows what time it is by the router's own
 * clock (router/clock.h), also if the machine's clock was set meanwhile: until the machine starts anew its uptime
 * tells what has passed, afterwards its wall clock, and how far that was off. It helps, and no more: without it, or
 * with one that cannot be read, a life begins with the wall clock.
 */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "run/clocks.h"

struct mark {
	char path[PATH_MAX];
	char boot[CLOCKS_BOOT_ID];
	int64_t since_boot_ns; /* own time minus uptime, and: */
	int64_t skew_ns;       /* wall clock minus own time, as they were kept last */
	bool is_kept;
	bool is_told; /* that it cannot be kept */
};

/* For the journal in this file. What time it is by the own clock, or 0: nobody knows. */
int64_t mark_open(struct mark *m, const char *journal);
/* Keep it, if it is another one by more than a clock's noise. 0, or ERR_IO, once: it cannot be written. */
int mark_keep(struct mark *m, int64_t own_ns) MUST_USE;
