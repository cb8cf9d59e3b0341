/* SPDX-License-Identifier: Apache-2.0
 *
 * frame: typed messages of bounded size over a stream socket between a node and a process that it started on
 * the same machine. What arrives is checked: the other end may have been taken over by what it works on.
 */
#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/span.h"

#define FRAME_TYPE_MAX 255u

struct frame {
	uint32_t type; /* 1..FRAME_TYPE_MAX; the program's */
	uint32_t arg;  /* the type's */
	uint64_t id;   /* the type's */
	struct span body;
};

/* One direction's end of a socket: bytes that wait to be sent, or that arrived and were not taken yet. Its
 * ceiling is what limits a frame. */
struct frames {
	struct buf bytes;
	size_t taken; /* of the frame given out last */
};

/* body_max: the largest body of a frame; twice that much may wait. */
void frames_init(struct frames *f, size_t body_max);
void frames_done(struct frames *f);
/* Drop what waits, for a new socket. */
void frames_reset(struct frames *f);

/* Queue a frame to send. ERR_TOO_BIG if its body is over the limit, ERR_BUSY when too much waits already,
 * ERR_NO_MEMORY; then nothing was queued. */
int frames_put(struct frames *f, const struct frame *frame) MUST_USE;
/* Send what waits as far as fd takes it without blocking. 0, ERR_CLOSED or ERR_IO. */
int frames_send(struct frames *f, int fd) MUST_USE;
static inline size_t frames_waiting(const struct frames *f)
{
	return f->bytes.len;
}

/* Read what has arrived at fd without blocking, as far as there is room. 0 (also if nothing has arrived),
 * ERR_CLOSED at the end of the stream, ERR_IO, ERR_NO_MEMORY. */
int frames_read(struct frames *f, int fd) MUST_USE;
/* The next whole frame; its body lives until the next call. 1, or 0 if none is complete, or ERR_MALFORMED for
 * a size or type outside the limits: the stream is then useless. */
int frames_take(struct frames *f, struct frame *ret) MUST_USE;
