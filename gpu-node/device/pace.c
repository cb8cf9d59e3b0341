/* SPDX-License-Identifier: Apache-2.0
 *
 * pace: see pace.h.
 */
#include "gpu-node/device/pace.h"

#define GROWTH_MAX 4 /* one quick step proves little */

uint64_t steps_next(const struct steps *s)
{
	const uint64_t left = s->total - s->done;

	return left < s->next ? left : s->next;
}

/* The step that would have taken PACE_STEP_NS. */
static uint64_t adapt(const struct steps *s, uint64_t did, int64_t ns)
{
	const double units = (double)did * PACE_STEP_NS / (double)(ns > 0 ? ns : 1);
	const double most = (double)s->next * GROWTH_MAX;
	const uint64_t next = (uint64_t)(units < most ? units : most) / s->unit * s->unit;

	if (next < s->unit)
		return s->unit;
	return next < s->step_max ? next : s->step_max;
}

bool steps_took(struct steps *s, int64_t ns, const struct pace *pace)
{
	const uint64_t did = steps_next(s);

	s->done += did;
	s->next = adapt(s, did, ns);
	if (pace->on_step == NULL)
		return true;
	/* 128 bits: totals times 1000 may not fit into 64 */
	return pace->on_step(pace->ctx, (uint32_t)((unsigned __int128)s->done * 1000 / s->total));
}
