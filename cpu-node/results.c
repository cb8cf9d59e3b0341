/* SPDX-License-Identifier: Apache-2.0
 *
 * results: canonical forms are made anew where they are needed, instead of kept: that takes microseconds and no
 * memory.
 */
#include "cpu-node/results.h"

#include "wire/canon.h"

int results_open(struct results *r, int64_t bytes, int64_t ttl_ns, uint64_t seed, struct fail *why)
{
	struct cache_conf conf = { .bytes_max = (size_t)bytes, .seed = seed };

	*r = (struct results){ .ttl_ns = ttl_ns };
	buf_init(&r->form, CANON_BYTES_MAX);
	buf_init(&r->other, CANON_BYTES_MAX);
	flights_init(&r->flights);
	if (bytes == 0)
		return 0;
	if (conf.bytes_max < CACHE_BYTES_MIN)
		return fail_set(why, ERR_INVALID, "cache_bytes", CACHE_BYTES_MIN,
			"0 switches the cache off; it takes %zu bytes at least", CACHE_BYTES_MIN);
	if (cache_init(&r->cache, &conf) < 0)
		return fail_set(why, ERR_NO_MEMORY, "cache_bytes", bytes, NULL);
	r->is_on = true;
	return 0;
}

void results_close(struct results *r)
{
	cache_done(&r->cache);
	buf_done(&r->form);
	buf_done(&r->other);
	r->is_on = false;
}

int results_key(struct results *r, const struct job *job, struct cache_key *ret, struct fail *why)
{
	enum canon_share share;
	int err = canon_share(job->row, job->body, &share, why);

	if (err < 0)
		return err;
	/* without a tenant, `own` would be `shared` */
	if (!r->is_on || share == CANON_NOBODY || job->tenant.len == 0)
		return 0;
	buf_reset(&r->form);
	canon_request(&r->form, job->row, job->body);
	if (buf_err(&r->form) < 0)
		return 0;
	*ret = cache_key_of(&r->cache, share == CANON_SHARED ? (struct span){ 0 } : job->tenant,
		buf_span(&r->form));
	return 1;
}

bool results_get(struct results *r, int64_t now_ns, const struct cache_key *key,
	struct span *ret_value, int64_t *ret_age_ms)
{
	int64_t age_ns;

	if (!cache_get(&r->cache, now_ns, key, ret_value, &age_ns))
		return false;
	*ret_age_ms = age_ns / 1000000;
	return true;
}

void results_put(struct results *r, int64_t now_ns, const struct cache_key *key, struct span value)
{
	int err = cache_put(&r->cache, now_ns, key, value, r->ttl_ns);

	(void)err; /* counted in its stats; the task has its result all the same */
}

void results_keep(struct results *r, int64_t now_ns, const struct result_of *of, struct span value)
{
	struct cache_key key;

	if (!of->is_cached)
		return;
	buf_reset(&r->other);
	canon_request(&r->other, of->kind, of->body);
	if (buf_err(&r->other) < 0)
		return;
	key = cache_key_of(&r->cache, of->scope, buf_span(&r->other));
	results_put(r, now_ns, &key, value);
}

void results_purge(struct results *r, struct span tenant)
{
	if (!r->is_on)
		return;
	if (tenant.len == 0)
		cache_purge(&r->cache);
	else
		cache_purge_scope(&r->cache, tenant);
}

struct asked {
	struct results *results;
	const struct cache_key *key;
};

static bool is_same(void *ctx, const struct flight *f)
{
	const struct asked *asked = ctx;
	const struct result_of *of = CONTAINER(f, struct result_of, flight);
	struct buf *form = &asked->results->other;

	if (!span_eq(of->scope, asked->key->scope))
		return false;
	buf_reset(form);
	canon_request(form, of->kind, of->body);
	return buf_err(form) == 0 && span_eq(buf_span(form), asked->key->request);
}

struct result_of *results_leader(struct results *r, const struct cache_key *key)
{
	struct asked asked = { r, key };
	struct flight *f = flight_find(&r->flights, key->hash, is_same, &asked);

	return f == NULL ? NULL : CONTAINER(f, struct result_of, flight);
}
