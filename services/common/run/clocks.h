/* SPDX-License-Identifier: Apache-2.0
 *
 * clocks: the only place that asks what time it is. Everything else is handed `now`.
 */
#pragma once
#include <stdint.h>

struct clocks {
	int64_t offset_ns; /* wall clock minus monotonic clock, when opened */
};

void clocks_open(struct clocks *c);
/* Unix time in ns, carried forward by the monotonic clock: never jumps, whatever is done to the machine's
 * clock afterwards, so leases and deadlines keep their length. */
int64_t clocks_now(const struct clocks *c);
/* CLOCK_MONOTONIC in ns, for measuring. */
int64_t clocks_mono(void);
