/* SPDX-License-Identifier: Apache-2.0
 *
 * device: one opened OpenCL device: its own context, one in-order queue, the programs built from the embedded
 * sources, and every buffer. Kernels run with the local size they were written for; each call waits for its
 * end. No error of the driver is fatal here.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu-node/device/inventory.h"

enum device_program { PROGRAM_MATMUL, PROGRAM_MONTECARLO, PROGRAM_FILTER, PROGRAMS };

enum device_kernel {
	KERNEL_MATMUL_TILED,
	KERNEL_MATMUL_VECTOR,
	KERNEL_MONTECARLO,
	KERNEL_GREY,
	KERNEL_LUMA,
	KERNEL_GAUSS,
	KERNEL_SOBEL,
	KERNELS,
};

struct device {
	struct facts facts;
	cl_device_id id;
	cl_context context;
	cl_command_queue queue;
	cl_program programs[PROGRAMS];
	cl_kernel kernels[KERNELS]; /* NULL: could not be built; why is in `unbuilt` */
	struct fail unbuilt[PROGRAMS];
	uint64_t held_bytes;       /* of all buffers */
	uint64_t runs[KERNELS];    /* how often each kernel ran to its end */
	enum device_kernel matmul; /* the better of the two on this device; set by probe_run */
};

/* Open the device and build its programs. A program that does not build leaves its kernels NULL and is no
 * failure of this call. *ret needs no device_close on failure. */
int device_open(struct device *ret, const struct facts *facts, cl_device_id id,
	struct fail *why) MUST_USE;
void device_close(struct device *d);

/* A buffer of zero bytes, or why not: ERR_NO_MEMORY also for sizes beyond the device's largest allocation or
 * nine tenths of its memory. bytes is at least 1. */
int device_take(struct device *d, size_t bytes, cl_mem *ret, struct fail *why) MUST_USE;
/* Wipe and release; NULL is allowed. */
void device_drop(struct device *d, cl_mem *buffer);

/* A rectangle of rows between host memory without gaps and a buffer with `pitch` bytes a row. */
struct device_rows {
	size_t row_bytes;
	size_t rows;
	size_t pitch;
};
int device_write(struct device *d, cl_mem to, struct device_rows shape, const void *from,
	struct fail *why) MUST_USE;
int device_read(struct device *d, cl_mem from, struct device_rows shape, void *to,
	struct fail *why) MUST_USE;

struct device_arg {
	size_t bytes;
	const void *at;
};
#define DEVICE_ARG(v)                                                                              \
	{                                                                                          \
		sizeof(v), &(v)                                                                    \
	}

/* One run of a kernel over x * y work-items, rounded up to whole groups; both at least 1. *ret_ns: how long
 * it took, start to end. */
struct device_launch {
	enum device_kernel kernel;
	const struct device_arg *args;
	unsigned args_n;
	size_t x;
	size_t y;
};
int device_run(struct device *d, const struct device_launch *launch, int64_t *ret_ns,
	struct fail *why) MUST_USE;
/* The name of a kernel in its source. */
const char *device_kernel_name(enum device_kernel k);
