/* SPDX-License-Identifier: Apache-2.0
 *
 * told: the owner takes a run's whole buffer for an empty one, so the lock is held for no longer than a copy.
 */
#include "cpu-node/told.h"

#include <string.h>

#include "base/limits.h"

#define WAITING_MAX (TOLD_BYTES + LIMIT_BODY_BYTES + sizeof(uint32_t))

void told_init(struct told *t)
{
	*t = (struct told){ .posted = false };
	CHECK(pthread_mutex_init(&t->lock, NULL) == 0);
	buf_init(&t->waiting, WAITING_MAX);
}

void told_done(struct told *t)
{
	buf_done(&t->waiting);
	pthread_mutex_destroy(&t->lock);
}

/* The whole piece or nothing. */
static int append(struct buf *b, struct span piece)
{
	uint32_t len = (uint32_t)piece.len;
	size_t before = b->len;
	int r;

	buf_add(b, span_of(&len, sizeof(len)));
	buf_add(b, piece);
	r = buf_err(b);
	if (r < 0) {
		b->len = before;
		b->err = 0;
	}
	return r;
}

int told_put(struct told_box *b, struct told *t, struct span piece)
{
	int r = ERR_BUSY;

	if (piece.len > LIMIT_BODY_BYTES)
		piece = span_part(piece, 0, LIMIT_BODY_BYTES);
	CHECK(pthread_mutex_lock(&t->lock) == 0);
	if (t->waiting.len == 0 || t->waiting.len + piece.len <= TOLD_BYTES)
		r = append(&t->waiting, piece);
	if (r == 0 && !t->posted)
		t->posted = mailbox_post(&b->box, t);
	CHECK(pthread_mutex_unlock(&t->lock) == 0);
	return r;
}

static void serve(struct told_box *b, struct told *t)
{
	struct span left;
	uint32_t len;

	CHECK(pthread_mutex_lock(&t->lock) == 0);
	struct buf waiting = t->waiting;

	t->waiting = b->taken;
	t->posted = false;
	CHECK(pthread_mutex_unlock(&t->lock) == 0);
	b->taken = waiting;
	for (left = buf_span(&b->taken); left.len > 0; left = span_part(left, len, left.len)) {
		memcpy(&len, left.at, sizeof(len));
		left = span_part(left, sizeof(len), left.len);
		b->on_piece(t, span_part(left, 0, len));
	}
	buf_reset(&b->taken);
}

void told_serve(struct told_box *b)
{
	struct told *t;

	while ((t = mailbox_take(&b->box)) != NULL)
		serve(b, t);
}

static void on_ready(void *ctx, uint32_t events)
{
	(void)events;
	told_serve(ctx);
}

int told_open(struct told_box *b, struct loop *l, uint32_t runs_max,
	void (*on_piece)(struct told *t, struct span piece))
{
	int r;

	*b = (struct told_box){ .on_piece = on_piece };
	buf_init(&b->taken, WAITING_MAX);
	r = mailbox_open(&b->box, runs_max);
	if (r < 0)
		return r;
	b->fd = (struct loop_fd){ b->box.fd, EPOLLIN, on_ready, b };
	r = loop_fd_add(l, &b->fd);
	if (r == 0)
		b->loop = l;
	return r;
}

void told_close(struct told_box *b)
{
	if (b->loop != NULL)
		loop_fd_drop(b->loop, &b->fd);
	mailbox_close(&b->box);
	buf_done(&b->taken);
	b->loop = NULL;
}
