/* SPDX-License-Identifier: Apache-2.0
 *
 * protocol: what the supervisor (spu-gpu-node) and its children (spu-gpu-device) say to each other in frames
 * (node/frame.h). The child works on what strangers sent: the supervisor believes nothing of it unchecked.
 *
 *	supervisor -> child   JOB, CANCEL; closing the socket ends the child
 *	child -> supervisor   HELLO once, when every kernel was tried; then PROGRESS, and one DONE or FAILED a job
 */
#pragma once
#include "base/limits.h"

enum gpu_frame {
	GPU_HELLO = 1, /* body: facts and measurements, see below */
	GPU_JOB,       /* id, arg: enum gpu_kind, body: the task's encoded Body. One at a time */
	GPU_CANCEL,    /* id */
	GPU_PROGRESS, /* id, arg: permille; at least each GPU_PROGRESS_NS while a job runs in steps */
	GPU_DONE,     /* id, body: the result's encoded Body */
	GPU_FAILED,   /* id, arg: the error's wire number, body: parameters field, limit, detail */
};

/* The kinds that run on devices. */
enum gpu_kind { GPU_MATMUL, GPU_MONTECARLO, GPU_FILTER, GPU_KINDS };

static inline const char *gpu_kind_name(enum gpu_kind kind)
{
	static const char *const names[GPU_KINDS] = { "compute.matmul", "compute.montecarlo",
		"image.filter" };

	return names[kind];
}

/* HELLO is an encoded Body with the parameters name, platform, driver, memory_bytes, units, launch_us (an
 * empty step, start to end), matmul_mflops, montecarlo_per_s, and one for each kind with its name: empty if
 * its kernels gave what the C reference gives, else why not. */

#define GPU_FRAME_BYTES ((size_t)LIMIT_BODY_BYTES)
#define GPU_PROGRESS_NS (100 * NS_PER_MS)
/* The descriptor that the child finds its socket at. */
#define GPU_CHILD_FD 3
