/* SPDX-License-Identifier: Apache-2.0
 *
 * cache_view: a cache's figures as they are told to others.
 */
#pragma once
#include "policy/cache.h"
#include "wire/node.h"

static inline struct cache_view cache_view_of(const struct cache *c, int64_t now_ns)
{
	return (struct cache_view){
		.bytes = (uint64_t)c->stats.bytes,
		.bytes_max = c->conf.bytes_max,
		.entries = (uint64_t)c->stats.entries,
		.hits = c->stats.hits,
		.misses = c->stats.misses,
		.evicted = c->stats.evicted,
		.expired = c->stats.expired,
		.purged = c->stats.purged,
		.oldest_ms = cache_oldest_ns(c, now_ns) / 1000000,
	};
}
