/* SPDX-License-Identifier: Apache-2.0
 *
 * haul: the blobs of attempts on their way: an input that came by reference, before the attempt starts, and a result
 * that is larger than a message, before it is told. What is fetched stays in memory until the attempt has ended.
 *
 * A few attempts' blobs move at a time, one of each; the others wait in order.
 */
#pragma once
#include "base/buf.h"
#include "node/backend.h"
#include "node/worker.h"
#include "run/loop.h"

struct hauls;

struct hauls_conf {
	struct loop *loop;
	struct bus *bus;
	uint64_t bytes_max; /* of inputs held */
	int64_t keep_ns;    /* how long the store keeps a result, from the task's deadline on */
	/* The input is there, or why->code says why not. The job lives until hauls_drop. */
	void (*on_in)(void *ctx, const struct job *job, const struct fail *why);
	/* What was handed to hauls_out, with a body that goes into a message; or why->code says why not. */
	void (*on_out)(void *ctx, const struct worker_event *done, const struct fail *why);
	void *ctx;
};

/* NULL without memory. */
struct hauls *hauls_new(const struct hauls_conf *conf) MUST_USE;
/* What is on its way is given up, without a call. NULL is allowed. */
void hauls_free(struct hauls *h);
/* Fetch the input of an assignment, whose body takes so many bytes when it is whole. ERR_BUSY (more than bytes_max
 * are held; field "blob_bytes"), ERR_NO_MEMORY. */
int hauls_in(struct hauls *h, const struct down *d, uint64_t bytes, struct fail *why) MUST_USE;
/* Put the largest items of a WORKER_DONE's result into the store, until the rest is no larger than it is to be in a
 * message (LIMIT_BODY_BYTES, or what its ASSIGN said); of a plan, items of its parts. 0: the body was taken over.
 * 1: it can stay as it is, and nothing could be put elsewhere. ERR_TOO_BIG (it cannot), ERR_MALFORMED (no body),
 * ERR_NO_MEMORY. If the store does not take it, what can go into a message does. */
int hauls_out(struct hauls *h, const struct worker_event *done, const struct worker_about *about,
	bool is_plan, struct buf *body, struct fail *why) MUST_USE;
/* True if blobs of this attempt were on their way: they are no more. */
bool hauls_stop(struct hauls *h, struct ulid task, uint32_t attempt);
/* The attempt needs its input no more; it may still be read until the turn's end. */
void hauls_drop(struct hauls *h, struct ulid task, uint32_t attempt);
/* At the end of each turn. */
void hauls_turn(struct hauls *h);
