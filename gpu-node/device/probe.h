/* SPDX-License-Identifier: Apache-2.0
 *
 * probe: what a device says of itself counts for little: each kernel is run and compared with the C reference
 * before its kind is offered, and speeds are measured.
 */
#pragma once
#include "gpu-node/device/device.h"
#include "gpu-node/protocol.h"

struct probe {
	struct fail kinds[GPU_KINDS]; /* code 0: passed */
	int64_t launch_ns;            /* a kernel that does next to nothing, start to end */
	int64_t matmul_mflops;        /* 0: not measured */
	int64_t montecarlo_per_s;     /* samples */
};

/* Runs every kernel; sets d->matmul to the faster of those that are right. Takes as long as the drivers take
 * to compile. */
void probe_run(struct device *d, struct probe *ret);
