/* SPDX-License-Identifier: Apache-2.0
 *
 * cache: an array of entries, chained by hash and linked into one queue by age; scope, request and value of an
 * entry lie in one block. Links are indices + 1; 0 is none.
 */
#include "policy/cache.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"
#include "base/pure.h"

#define BYTES_AN_ENTRY 1024u /* without a number of entries: what one is expected to take */
#define BLOCK_HEAD 16u       /* what the heap takes besides a block */
/* Chains are about one long. A longer one than this is an attack or a fault of the hash: it loses its end, so
 * that a look-up stays short. */
#define CHAIN_MAX 16u

struct cache_entry {
	uint64_t hash;
	unsigned char *block; /* scope, request, value; NULL: free */
	uint32_t scope_bytes;
	uint32_t request_bytes;
	uint32_t value_bytes;
	uint32_t next; /* of the chain, or of the free ones */
	uint32_t newer;
	uint32_t older;
	int64_t stored_ns;
	int64_t expire_ns;
	bool is_visited;
};
_Static_assert(sizeof(struct cache_entry) <= 64, "an entry is one line of the processor's cache");

static struct cache_entry *entry_at(const struct cache *c, uint32_t link)
{
	return &c->entries[link - 1];
}

static uint32_t *head_of(const struct cache *c, uint64_t hash)
{
	return &c->heads[hash & c->heads_mask];
}

static size_t block_cost(size_t bytes)
{
	return (bytes + BLOCK_HEAD + 15) / 16 * 16;
}

static size_t entry_cost(const struct cache_entry *e)
{
	return block_cost((size_t)e->scope_bytes + e->request_bytes + e->value_bytes);
}

static bool has_room(const struct cache *c, size_t bytes)
{
	return (size_t)c->stats.bytes + bytes <= c->conf.bytes_max;
}

static uint32_t power_of_two(uint32_t least)
{
	uint32_t n = 1;

	while (n < least)
		n *= 2;
	return n;
}

int cache_init(struct cache *c, const struct cache_conf *conf)
{
	uint64_t entries =
		conf->entries_max != 0 ? conf->entries_max : conf->bytes_max / BYTES_AN_ENTRY;
	uint32_t heads;

	CHECK(conf->bytes_max >= CACHE_BYTES_MIN);
	if (entries > UINT32_MAX / 4)
		entries = UINT32_MAX / 4;
	heads = power_of_two((uint32_t)entries);
	*c = (struct cache){ .conf = *conf, .heads_mask = heads - 1 };
	c->conf.entries_max = (uint32_t)entries;
	c->stats.bytes = (int64_t)(entries * sizeof(*c->entries) + heads * sizeof(*c->heads));
	CHECK(has_room(c, 0));
	c->entries = mem_alloc(entries * sizeof(*c->entries));
	c->heads = mem_alloc(heads * sizeof(*c->heads));
	if (c->entries != NULL && c->heads != NULL)
		return 0;
	cache_done(c);
	return ERR_NO_MEMORY;
}

void cache_done(struct cache *c)
{
	for (uint32_t i = 0; c->entries != NULL && i < c->used_n; i++)
		mem_free(c->entries[i].block);
	mem_free(c->entries);
	mem_free(c->heads);
	*c = (struct cache){ 0 };
}

struct cache_key cache_key_of(const struct cache *c, struct span scope, struct span request)
{
	uint64_t seed = c->conf.seed;

	/* an empty span may have no address */
	if (scope.len > 0)
		seed = XXH3_64bits_withSeed(scope.at, scope.len, seed);
	return (struct cache_key){
		.scope = scope,
		.request = request,
		.hash = XXH3_64bits_withSeed(request.len > 0 ? (const void *)request.at : "",
			request.len, seed),
	};
}

static bool is_same(const struct cache_entry *e, const struct cache_key *key)
{
	return e->hash == key->hash && span_eq(span_of(e->block, e->scope_bytes), key->scope) &&
	       span_eq(span_of(e->block + e->scope_bytes, e->request_bytes), key->request);
}

static uint32_t find(const struct cache *c, const struct cache_key *key)
{
	uint32_t at = *head_of(c, key->hash);

	while (at != 0 && !is_same(entry_at(c, at), key))
		at = entry_at(c, at)->next;
	return at;
}

static void unchain(struct cache *c, uint32_t at)
{
	uint32_t *link = head_of(c, entry_at(c, at)->hash);

	while (*link != at)
		link = &entry_at(c, *link)->next;
	*link = entry_at(c, at)->next;
}

static void unqueue(struct cache *c, uint32_t at)
{
	struct cache_entry *e = entry_at(c, at);

	if (c->hand == at)
		c->hand = e->newer;
	*(e->newer != 0 ? &entry_at(c, e->newer)->older : &c->newest) = e->older;
	*(e->older != 0 ? &entry_at(c, e->older)->newer : &c->oldest) = e->newer;
}

static void drop(struct cache *c, uint32_t at)
{
	struct cache_entry *e = entry_at(c, at);

	unchain(c, at);
	unqueue(c, at);
	c->stats.bytes -= (int64_t)entry_cost(e);
	c->stats.entries--;
	mem_free(e->block);
	*e = (struct cache_entry){ .next = c->free };
	c->free = at;
}

bool cache_get(struct cache *c, int64_t now_ns, const struct cache_key *key, struct span *ret_value,
	int64_t *ret_age_ns)
{
	uint32_t at = find(c, key);
	struct cache_entry *e;

	c->stats.misses += at == 0;
	if (at == 0)
		return false;
	e = entry_at(c, at);
	if (now_ns >= e->expire_ns) {
		c->stats.expired++;
		c->stats.misses++;
		drop(c, at);
		return false;
	}
	c->stats.hits++;
	e->is_visited = true;
	*ret_value = span_of(e->block + e->scope_bytes + e->request_bytes, e->value_bytes);
	*ret_age_ns = now_ns > e->stored_ns ? now_ns - e->stored_ns : 0;
	return true;
}

/* SIEVE: from the oldest towards the newest; who was asked for since the hand last came by may stay. Each step
 * takes a mark away, so one round ends it. */
static void evict_one(struct cache *c, int64_t now_ns)
{
	uint32_t at = c->hand != 0 ? c->hand : c->oldest;

	while (entry_at(c, at)->is_visited && now_ns < entry_at(c, at)->expire_ns) {
		entry_at(c, at)->is_visited = false;
		at = entry_at(c, at)->newer;
		if (at == 0)
			at = c->oldest;
	}
	c->hand = at; /* drop moves it on */
	c->stats.evicted++;
	drop(c, at);
}

/* An entry that is in no chain and no queue; there is one. */
static uint32_t take_entry(struct cache *c)
{
	uint32_t at = c->free;

	if (at == 0)
		return ++c->used_n;
	c->free = entry_at(c, at)->next;
	return at;
}

static void shorten_chain(struct cache *c, uint64_t hash)
{
	uint32_t at = *head_of(c, hash), last = at;
	unsigned n = 0;

	for (; at != 0; at = entry_at(c, at)->next, n++)
		last = at;
	if (n < CHAIN_MAX)
		return;
	c->stats.evicted++;
	drop(c, last);
}

static void put_block(struct cache *c, struct cache_entry e)
{
	uint32_t at = take_entry(c), *head = head_of(c, e.hash);

	e.next = *head;
	e.older = c->newest;
	*head = at;
	*(c->newest != 0 ? &entry_at(c, c->newest)->newer : &c->oldest) = at;
	c->newest = at;
	*entry_at(c, at) = e;
	c->stats.bytes += (int64_t)entry_cost(&e);
	c->stats.entries++;
	c->stats.puts++;
}

static unsigned char *block_of(const struct cache_key *key, struct span value)
{
	const struct span parts[] = { key->scope, key->request, value };
	unsigned char *block = mem_grow(NULL, key->scope.len + key->request.len + value.len), *to;

	to = block;
	for (size_t i = 0; block != NULL && i < ARRAY_LEN(parts); i++) {
		if (parts[i].len > 0)
			memcpy(to, parts[i].at, parts[i].len);
		to += parts[i].len;
	}
	return block;
}

static bool is_too_big(const struct cache *c, const struct cache_key *key, struct span value)
{
	size_t most = c->conf.bytes_max / CACHE_SHARE;

	return value.len > most || key->request.len > most || key->scope.len > most ||
	       most > UINT32_MAX || value.len + key->request.len + key->scope.len > most;
}

static int refuse(struct cache *c, int why)
{
	c->stats.refused++;
	return why;
}

int cache_put(struct cache *c, int64_t now_ns, const struct cache_key *key, struct span value,
	int64_t ttl_ns)
{
	size_t bytes = key->scope.len + key->request.len + value.len;
	bool fits = !is_too_big(c, key, value);
	/* first of all: the value may be borrowed from an entry that goes */
	unsigned char *block = fits ? block_of(key, value) : NULL;
	uint32_t old = find(c, key);

	if (old != 0)
		drop(c, old);
	if (block == NULL)
		return refuse(c, fits ? ERR_NO_MEMORY : ERR_TOO_BIG);
	while (c->stats.entries > 0 &&
		(c->stats.entries == c->conf.entries_max || !has_room(c, block_cost(bytes))))
		evict_one(c, now_ns);
	if (!has_room(c, block_cost(bytes))) {
		mem_free(block); /* the tables leave less than a share */
		return refuse(c, ERR_TOO_BIG);
	}
	shorten_chain(c, key->hash);
	put_block(c, (struct cache_entry){
			     .hash = key->hash,
			     .block = block,
			     .scope_bytes = (uint32_t)key->scope.len,
			     .request_bytes = (uint32_t)key->request.len,
			     .value_bytes = (uint32_t)value.len,
			     .stored_ns = now_ns,
			     .expire_ns = ttl_ns < INT64_MAX - now_ns ? now_ns + ttl_ns : INT64_MAX,
		     });
	return 0;
}

int64_t cache_oldest_ns(const struct cache *c, int64_t now_ns)
{
	int64_t stored_ns = c->oldest == 0 ? now_ns : entry_at(c, c->oldest)->stored_ns;

	return now_ns > stored_ns ? now_ns - stored_ns : 0;
}

uint32_t cache_purge_scope(struct cache *c, struct span scope)
{
	uint32_t dropped = 0;

	for (uint32_t i = 0; i < c->used_n; i++) {
		const struct cache_entry *e = &c->entries[i];

		if (e->block == NULL || !span_eq(span_of(e->block, e->scope_bytes), scope))
			continue;
		drop(c, i + 1);
		dropped++;
	}
	c->stats.purged += dropped;
	return dropped;
}

uint32_t cache_purge(struct cache *c)
{
	uint32_t dropped = (uint32_t)c->stats.entries;

	while (c->newest != 0)
		drop(c, c->newest);
	c->stats.purged += dropped;
	return dropped;
}
