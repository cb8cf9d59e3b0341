/* SPDX-License-Identifier: Apache-2.0
 *
 * pace: work in steps. OpenCL cannot stop a kernel, so long work is cut into runs of about PACE_STEP_NS;
 * between two of them it can be watched and cancelled.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/fmt.h"

#define PACE_STEP_NS (20 * NS_PER_MS)

struct pace {
	/* After each step; false: stop, the work ends with ERR_CANCELLED. NULL: never. */
	bool (*on_step)(void *ctx, uint32_t permille);
	void *ctx;
};

/* Work of `total` units in steps that adapt to the device's speed. */
struct steps {
	uint64_t total;
	uint64_t done;
	uint64_t next;     /* units of the next step */
	uint64_t unit;     /* steps are multiples of this, but for the last one */
	uint64_t step_max; /* a multiple of unit */
};

/* first is a multiple of unit, and small enough for the slowest device. */
static inline struct steps steps_of(uint64_t total, uint64_t first, uint64_t unit,
	uint64_t step_max)
{
	return (struct steps){ .total = total, .next = first, .unit = unit, .step_max = step_max };
}

/* Units to do now; 0: all are done. */
uint64_t steps_next(const struct steps *s);
/* The step of steps_next took ns. False: cancelled. */
bool steps_took(struct steps *s, int64_t ns, const struct pace *pace);
