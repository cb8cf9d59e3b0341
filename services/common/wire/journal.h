/* SPDX-License-Identifier: Apache-2.0
 *
 * journal: the domain structs of proto/spu/v1/journal.proto and their codecs: a task as a router keeps it on
 * disk. Spans of what is decoded point into the bytes or the arena.
 */
#pragma once
#include "wire/task.h"

#define JOURNAL_HASH 32 /* bytes of a content hash */

struct task_order {
	struct span kind;
	struct span tenant;
	struct span key;
	struct span hash; /* JOURNAL_HASH bytes, or empty */
	struct span stream;
	struct span model;
	struct span body; /* encoded Body, or empty */
	struct ulid parent;
	struct ladder ladder;
	int64_t max_price_ucr;
	int64_t start_within_ns;
	int64_t keep_ns;
	int64_t accepted_ns;
	int64_t deadline_ns;
	bool deadline_is_wall; /* of the wall clock; else of the router's own time, as all others */
	uint32_t priority;
	uint32_t role;
	uint32_t part;
	uint32_t depth;
};

struct split_state {
	const struct ulid *parts;
	size_t parts_n;
	struct ulid plan;
	struct ulid join;
	struct span join_body;
	struct span join_kind;
	uint32_t fan_in;
	uint32_t level_at;
	bool released;
};

/* A second attempt beside the current one. */
struct twin_state {
	uint32_t attempt; /* 0: there is none */
	struct span node;
	bool started;
};

struct task_state {
	enum state state;
	struct span node;
	struct span steps;               /* encoded Explain with steps only */
	struct span result;              /* encoded Body */
	struct fail fail;                /* code 0: none */
	const struct split_state *split; /* NULL: not split */
	int64_t rung_ns;
	int64_t retry_ns;
	int64_t started_ns;
	int64_t ended_ns;
	int64_t price_ucr;
	int64_t spent_ucr;
	int64_t run_us;
	int64_t cache_age_ms;
	uint32_t cache_near;
	bool cache_hit;
	uint64_t seq;
	uint64_t chunks;
	uint32_t rung_at;
	uint32_t tries;
	uint32_t attempt;
	uint32_t attempts;
	uint32_t steps_dropped;
	uint32_t parts_done;
	uint32_t twins; /* so far */
	struct twin_state twin;
	int64_t paused_ns;
};

void task_order_put(struct buf *b, const struct task_order *o);
void task_state_put(struct buf *b, const struct task_state *s);
/* 0, or ERR_MALFORMED, ERR_INVALID, ERR_TOO_BIG or ERR_NO_MEMORY and *why (may be NULL) names the field. */
int task_order_decode(struct arena *a, struct span bytes, struct task_order *ret,
	struct fail *why) MUST_USE;
int task_state_decode(struct arena *a, struct span bytes, struct task_state *ret,
	struct fail *why) MUST_USE;
