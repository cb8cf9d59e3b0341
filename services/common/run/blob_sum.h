/* SPDX-License-Identifier: Apache-2.0
 *
 * blob_sum: the hash of a transfer's bytes, in order, and the room in which they lie meanwhile. Where much comes it is
 * made on a thread, so that the owner moves the next piece.
 */
#pragma once
#include "base/arena.h"
#include "run/keys.h"
#include "run/work.h"
#include "wire/blob.h"

#define BLOB_SUM_ROOMS 4u

struct blob_sum;
struct blob_sum_room {
	struct work_job work;
	struct blob_sum *sum;
	struct arena arena;
	struct span bytes; /* on the thread */
	bool is_taken;
};

struct blob_sum {
	struct keys_stream hash; /* the thread's while a room is taken */
	uint64_t upto;           /* all before was added */
	struct work_pool *pool;  /* NULL: the owner does it */
	struct blob_sum_room rooms[BLOB_SUM_ROOMS];
	struct blob_sum_room *room; /* the latest */
};

/* room_bytes: what one piece needs at most. The struct stays where it is until blob_sum_done. */
void blob_sum_init(struct blob_sum *s, size_t room_bytes);
void blob_sum_done(struct blob_sum *s);
/* From now on a thread does it. Without memory for one nothing changes. */
void blob_sum_start_thread(struct blob_sum *s, struct loop *l);
/* Empty room for the next piece; what lay in it was hashed. Waits if all are taken. */
struct arena *blob_sum_next_room(struct blob_sum *s);
/* The bytes that follow, which lie in the latest room, and are only read from now on. */
void blob_sum_add(struct blob_sum *s, struct span bytes);
/* Of all that was added; more may follow. Waits. */
struct blob_hash blob_sum_hash(struct blob_sum *s);
