/* SPDX-License-Identifier: Apache-2.0
 *
 * results: what the node computed before, and equal requests that it computes now. Who may share a result is part
 * of the request: a tenant meets its own results only, or, if a task says cache.mode=shared, those of all tasks
 * that say so.
 */
#pragma once
#include "node/backend.h"
#include "policy/cache.h"
#include "policy/flight.h"

struct results {
	struct cache cache;
	struct flights flights; /* of struct result_of */
	struct buf form;        /* canonical form of the request at hand */
	struct buf other;       /* of one that it is compared with */
	int64_t ttl_ns;
	bool is_on;
};

/* What is kept of a request while it is worked on. */
struct result_of {
	struct flight flight;
	bool is_cached;
	struct span scope; /* lives as long as the request */
	const struct kind_row *kind;
	const struct body *body; /* the same */
};

/* bytes 0: off. ERR_INVALID (field "cache_bytes"), ERR_NO_MEMORY. */
int results_open(struct results *r, int64_t bytes, int64_t ttl_ns, uint64_t seed,
	struct fail *why) MUST_USE;
void results_close(struct results *r);

/* The key of a job, for the calls below, until the next results_key. 1, or 0 if its result is not to be kept: the
 * cache is off, or the kind or the task says so; ERR_INVALID as canon_share. */
int results_key(struct results *r, const struct job *job, struct cache_key *ret,
	struct fail *why) MUST_USE;
bool results_get(struct results *r, int64_t now_ns, const struct cache_key *key,
	struct span *ret_value, int64_t *ret_age_ms);
void results_put(struct results *r, int64_t now_ns, const struct cache_key *key, struct span value);

/* Keep the result of a request from its own copy of the body. */
void results_keep(struct results *r, int64_t now_ns, const struct result_of *of, struct span value);
/* Forget what is kept of a tenant; empty: everything. */
void results_purge(struct results *r, struct span tenant);
/* The request that works on the same now, or NULL. */
struct result_of *results_leader(struct results *r, const struct cache_key *key);
