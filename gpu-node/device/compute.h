/* SPDX-License-Identifier: Apache-2.0
 *
 * compute: what runs on a device, on host memory: copied there, computed in steps, copied back. The results
 * are those of the references in kernel/: to the bit, except for the rounding of matmul.
 *
 * All return 0, ERR_CANCELLED, ERR_NO_MEMORY or ERR_DEVICE, and on failure leave no result and no buffer.
 */
#pragma once
#include "gpu-node/device/device.h"
#include "gpu-node/device/pace.h"
#include "kernel/filter.h"
#include "kernel/montecarlo.h"

struct matmul_shape {
	uint32_t m;
	uint32_t k;
	uint32_t n;
};

/* C = A B with d->matmul; m, k and n are in 1..2048. */
int compute_matmul(struct device *d, struct matmul_shape shape, const float *a, const float *b,
	float *c, const struct pace *pace, struct fail *why) MUST_USE;

/* How many of the points are inside; first and samples are up to 2^60, samples at least 1. */
int compute_montecarlo(struct device *d, struct montecarlo_points points, uint64_t *ret_inside,
	const struct pace *pace, struct fail *why) MUST_USE;

struct filter_what {
	enum filter filter;
	unsigned radius; /* of gauss: 1..FILTER_RADIUS_MAX */
};

/* *out is made by picture_init. */
int compute_filter(struct device *d, const struct picture *in, struct filter_what what,
	struct picture *out, const struct pace *pace, struct fail *why) MUST_USE;
