/* SPDX-License-Identifier: Apache-2.0
 *
 * inventory: the OpenCL devices of this machine. One card can appear through several platforms; all but its
 * first appearance are marked.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "gpu-node/device/opencl.h"

#define INVENTORY_MAX 64

struct facts {
	char name[128];
	char platform[128];
	char driver[128];
	char uuid[33];    /* hexadecimal, or empty */
	char pci[16];     /* "0000:3b:00", or empty: not known */
	const char *type; /* "cpu", "gpu", "other" */
	uint64_t memory_bytes;
	uint64_t allocation_bytes; /* the largest buffer */
	uint32_t units;
	uint32_t index;  /* in the order of platforms and their devices */
	int32_t same_as; /* index of the same device's first appearance, or -1 */
};

struct inventory {
	struct facts facts[INVENTORY_MAX];
	cl_device_id id[INVENTORY_MAX];
	unsigned n;
};

/* Ask every platform. No device at all is no error: n is then 0. */
void inventory_take(struct inventory *ret);
/* Set same_as of fact i from those before it. */
void inventory_mark(struct facts *facts, unsigned i);
/* Append the facts as one JSON object and a newline. */
void inventory_json(struct buf *b, const struct facts *f);
