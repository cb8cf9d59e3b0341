/* SPDX-License-Identifier: Apache-2.0
 *
 * told: pieces of a result that a pool thread gives out while it computes, on their way to the owner thread. Those of
 * one run wait in a buffer of their own; a mailbox says which runs have some, each once, so it never is full.
 */
#pragma once
#include <pthread.h>

#include "base/buf.h"
#include "run/loop.h"
#include "run/mailbox.h"

#define TOLD_BYTES ((size_t)64 << 10) /* of one run that may wait; a single piece may be larger */

/* Of one run. */
struct told {
	pthread_mutex_t lock;
	struct buf waiting; /* pieces, each behind its length */
	bool posted;        /* it stands in the mailbox */
};

struct told_box {
	struct mailbox box;
	struct loop_fd fd;
	struct loop *loop;
	void (*on_piece)(struct told *t, struct span piece);
	struct buf taken; /* of the run that is served */
};

void told_init(struct told *t);
void told_done(struct told *t);
/* Any thread: a copy of the piece. ERR_BUSY while there is no room, ERR_NO_MEMORY. */
int told_put(struct told_box *b, struct told *t, struct span piece) MUST_USE;

/* on_piece is called on the owner thread, in order, for each piece. 0, ERR_NO_MEMORY or ERR_IO. */
int told_open(struct told_box *b, struct loop *l, uint32_t runs_max,
	void (*on_piece)(struct told *t, struct span piece)) MUST_USE;
/* Owner only: all that waits, now; before a run is freed, so that the mailbox does not name it any more. */
void told_serve(struct told_box *b);
void told_close(struct told_box *b);
