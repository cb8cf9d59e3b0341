/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_child: a spu-gpu-device that a test talks to as its supervisor would.
 */
#pragma once
#include <sys/types.h>

#include "gpu-node/protocol.h"
#include "node/frame.h"

struct gpu_child {
	pid_t pid;
	int fd; /* our end of the socket */
	struct frames in;
	struct frames out;
};

/* Start it on the first device, with its cache in ./cache, and take its HELLO. Fails the test after a minute. */
void gpu_child_start(struct gpu_child *c);
/* Close the socket and wait for its end; returns the status as of waitpid. */
int gpu_child_end(struct gpu_child *c);
void gpu_child_put(struct gpu_child *c, enum gpu_frame type, uint64_t id, uint32_t arg,
	struct span body);
/* The next frame, with its body valid until the next call. Waits at most `ms`: false if none came, or the
 * socket was closed. */
bool gpu_child_take(struct gpu_child *c, struct frame *ret, int ms);
/* The next frame that is no PROGRESS; the test fails if none comes in half a minute. */
void gpu_child_answer(struct gpu_child *c, struct frame *ret);
