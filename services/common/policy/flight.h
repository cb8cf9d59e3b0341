/* SPDX-License-Identifier: Apache-2.0
 *
 * flight: equal requests in flight are worked on once. The first one leads; those that come while it runs follow
 * it, and get its result. If it ends without one, a follower leads on. The links lie inside the callers' records;
 * no memory is taken.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/list.h"

#define FLIGHT_BUCKETS 256u

struct flight {
	struct list link;      /* leader: in its bucket; follower: in its leader's list */
	struct list followers; /* of a leader, in the order in which they came */
	uint64_t hash;         /* of the request */
	struct flight *leader; /* itself if it leads; NULL: it is in no flight */
};

struct flights {
	struct list buckets[FLIGHT_BUCKETS];
};

void flights_init(struct flights *fs);
void flight_init(struct flight *f);

/* The leader of an equal request, or NULL. same(ctx, f) confirms what has the hash: it compares whole. */
struct flight *flight_find(struct flights *fs, uint64_t hash,
	bool (*same)(void *ctx, const struct flight *f), void *ctx);
void flight_lead(struct flights *fs, struct flight *f, uint64_t hash);
void flight_follow(struct flight *f, struct flight *leader);
/* Take it out; nothing happens if it is in no flight. Its first follower leads now, and is returned: its caller
 * has to do the work. NULL: nobody followed, or it led nobody. */
struct flight *flight_leave(struct flights *fs, struct flight *f);
/* Take the first follower of a leader out, or NULL: for giving each of them the result. */
struct flight *flight_pop(struct flight *leader);
