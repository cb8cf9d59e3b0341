/* SPDX-License-Identifier: Apache-2.0
 *
 * answers: results that the router keeps, and equal tasks that are under way at the same time. A task whose request
 * was answered before ends at once, without an attempt; one that is equal to an open one follows it: it waits in
 * no queue, and gets its result. Nothing of this is in the journal: after a restart nothing is kept, and who followed
 * goes its own way.
 *
 * What is equal, and who may share it: wire/canon.h. A result of the rungs split and human goes only to tasks whose
 * ladder begins there, since for others it was the second best.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "policy/cache.h"
#include "policy/flight.h"
#include "router/task.h"
#include "wire/canon.h"
#include "wire/node.h"

struct router;
struct router_event;

struct answers_conf {
	size_t bytes_max; /* 0: nothing is kept; else CACHE_BYTES_MIN at least */
	int64_t ttl_ns;
	bool near; /* tasks that ask for it may have results of nearly the same words */
	uint64_t seed;
};

/* A body as a request. */
struct question {
	enum canon_share share;
	struct span tenant;
	struct span prompt; /* where its words may differ; empty: nowhere */
	uint64_t hash;      /* of its form; of a submit only */
};

struct answers {
	struct answers_conf conf;
	struct cache cache;
	struct flights flights; /* of struct asked */
	struct question now;    /* of the submit at hand */
	struct buf form;        /* the canonical form of it, or of a task that is done */
	struct buf near;        /* the same with its prompt's wording in place of the prompt */
	struct buf other;       /* of a task that it is compared with */
	struct buf value;       /* that is to be kept */
	struct arena arena;     /* of one body */
	uint64_t hits, misses, near_hits, followed;
};

/* Of an open task that others may follow, or that follows. */
struct asked {
	struct flight flight;
	struct task *task;
	bool is_shared;
};

/* 0 or ERR_NO_MEMORY. */
int answers_init(struct answers *a, const struct answers_conf *conf) MUST_USE;
void answers_done(struct answers *a);

/* Read what the submit says of caches; answers_take goes by it. 0, or ERR_INVALID and *why. */
int answers_ask(struct router *r, uint32_t kind, const struct router_event *e,
	struct fail *why) MUST_USE;
/* The new task of this submit ends at once, or follows another; false: it has to go its own way. */
bool answers_take(struct router *r, struct task *t) MUST_USE;
/* The task is done, with a result that is age_ms old, and still has its body. */
void answers_keep(struct router *r, const struct task *t, struct span result, int64_t age_ms);
/* The task has ended: who followed it has its result, or goes on. */
void answers_end(struct router *r, struct task *t);
/* It is to stand still: who followed it goes on, and it follows nobody. */
void answers_leave(struct router *r, struct task *t);
bool answers_is_follower(const struct task *t);

/* Forget the results of a tenant, or all if it is empty; returns how many. */
uint32_t answers_purge(struct router *r, struct span tenant);
struct cache_view answers_view(const struct router *r, int64_t now_ns);
