/* SPDX-License-Identifier: Apache-2.0
 *
 * listing: asks the device program which OpenCL devices there are. It runs beside the loop: loading drivers
 * can take seconds, or crash.
 */
#pragma once
#include "base/buf.h"
#include "gpu-node/process.h"
#include "run/loop.h"

#define LISTING_MAX 64 /* devices */

struct listing_row {
	uint32_t index; /* for --device */
	char name[128];
	char platform[64];
	char driver[64];
	char type[8];   /* "cpu", "gpu", "other" */
	char place[64]; /* PCI address, or UUID, or empty */
	int64_t memory_bytes;
	int64_t units;
	int64_t same_as; /* index of the same device's first appearance, or -1 */
};

struct listing {
	struct loop *loop;
	/* Called once for each start; rows live only until it returns. why->code is 0 if the program did what it
	 * should; n may be 0 then, too. */
	void (*on_end)(void *ctx, const struct listing_row *rows, unsigned n,
		const struct fail *why);
	void *ctx;
	struct process process;
	struct loop_fd out;    /* its standard output */
	struct loop_fd exited; /* its pidfd, once the output has ended */
	struct loop_timer timer;
	struct buf bytes;
};

void listing_init(struct listing *l, struct loop *loop);
/* program: path of spu-gpu-device. */
int listing_start(struct listing *l, const char *program, const char *cache_dir,
	struct fail *why) MUST_USE;
/* Stops what runs, without on_end. */
void listing_done(struct listing *l);

/* One line of the program's output. ERR_MALFORMED, ERR_NO_MEMORY. */
int listing_parse(struct span line, struct listing_row *ret) MUST_USE;
/* Is a row meant by the setting `devices`: "all", "cpu", "gpu" or indices, "0,2"? Not a repeated one. */
bool listing_wants(const char *devices, const struct listing_row *row);
/* ERR_INVALID if `devices` is none of these. */
int listing_check(const char *devices) MUST_USE;
