/* SPDX-License-Identifier: Apache-2.0
 *
 * cache: results by request, in one fixed amount of memory. A request is found by XXH3 with a secret seed and
 * confirmed by comparing it whole, so a collision of hashes costs time and never gives a wrong answer. What is
 * asked for once makes room first (SIEVE, Zhang et al., NSDI 2024); a hit moves nothing.
 *
 * Requests of different scopes (a tenant, or one that several share) never meet: the scope is part of what is
 * compared. One owner thread; no locks.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct cache_conf {
	size_t bytes_max;     /* for everything, the tables included; at least CACHE_BYTES_MIN */
	uint32_t entries_max; /* 0: one for each KiB */
	uint64_t seed;        /* secret, so that nobody can choose what collides */
};

#define CACHE_BYTES_MIN ((size_t)64 << 10)
/* One result takes at most this share of the bytes. */
#define CACHE_SHARE 8u

struct cache_stats {
	uint64_t hits;
	uint64_t misses;
	uint64_t puts;
	uint64_t refused; /* too large, or no memory */
	uint64_t evicted;
	uint64_t expired;
	uint64_t purged;
	int64_t bytes; /* taken now, the tables included */
	int64_t entries;
};

struct cache_entry;
struct cache {
	struct cache_conf conf;
	struct cache_stats stats;
	struct cache_entry *entries;
	uint32_t *heads; /* by hash: the first entry of its chain, +1 */
	uint32_t heads_mask;
	uint32_t used_n; /* entries that were ever in use: those behind it are untouched */
	uint32_t free;   /* the first one given back, +1 */
	uint32_t newest; /* of the queue, +1 */
	uint32_t oldest;
	uint32_t hand; /* where SIEVE goes on, +1; 0: at the oldest */
};

/* What is asked for. Spans are borrowed. */
struct cache_key {
	struct span scope;
	struct span request; /* canonical: equal bytes mean an equal answer */
	uint64_t hash;
};

/* 0 or ERR_NO_MEMORY. Memory that is not used yet is not touched. */
int cache_init(struct cache *c, const struct cache_conf *conf) MUST_USE;
void cache_done(struct cache *c);

struct cache_key cache_key_of(const struct cache *c, struct span scope, struct span request);

/* The result of an equal request that was put before and is not older than its time to live. The value is
 * borrowed until the next put or purge. */
bool cache_get(struct cache *c, int64_t now_ns, const struct cache_key *key, struct span *ret_value,
	int64_t *ret_age_ns);
/* Keep a copy of the value for ttl_ns, in place of an older one of the same request. ERR_TOO_BIG (more than a
 * CACHE_SHARE-th of the bytes), ERR_NO_MEMORY: it is not kept, nor is the older one. */
int cache_put(struct cache *c, int64_t now_ns, const struct cache_key *key, struct span value,
	int64_t ttl_ns) MUST_USE;
/* How long the oldest result has been kept; 0: there is none. */
int64_t cache_oldest_ns(const struct cache *c, int64_t now_ns);
/* Forget everything, or what has this scope. Returns how many results that were. */
uint32_t cache_purge(struct cache *c);
uint32_t cache_purge_scope(struct cache *c, struct span scope);
