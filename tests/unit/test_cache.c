/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/cache.h"

#include <stdio.h>

#include "base/mem.h"
#include "tests/support/test.h"

#define SMALL_BYTES CACHE_BYTES_MIN
#define HOUR (INT64_C(3600) * 1000000000)

static void open_cache(struct cache *c, size_t bytes, uint32_t entries)
{
	struct cache_conf conf = { .bytes_max = bytes, .entries_max = entries, .seed = 7 };

	assert_int_equal(cache_init(c, &conf), 0);
}

static void put(struct cache *c, const char *scope, const char *request, const char *value)
{
	struct cache_key key = cache_key_of(c, span_str(scope), span_str(request));

	assert_int_equal(cache_put(c, 0, &key, span_str(value), HOUR), 0);
}

/* Whether the answer is `value`; NULL: whether there is none. */
static bool gives(struct cache *c, int64_t now_ns, const char *scope, const char *request,
	const char *value)
{
	struct cache_key key = cache_key_of(c, span_str(scope), span_str(request));
	struct span got;
	int64_t age_ns;

	if (!cache_get(c, now_ns, &key, &got, &age_ns))
		return value == NULL;
	assert_int_equal(age_ns, now_ns);
	return value != NULL && span_is(got, value);
}

static void test_keeps(void **state)
{
	struct cache c;

	(void)state;
	open_cache(&c, SMALL_BYTES, 8);
	assert_true(gives(&c, 0, "t", "a", NULL));
	put(&c, "t", "a", "1");
	put(&c, "t", "empty", "");
	put(&c, "t", "", "of nothing");
	assert_true(gives(&c, 5, "t", "a", "1"));
	assert_true(gives(&c, 5, "t", "empty", ""));
	assert_true(gives(&c, 5, "t", "", "of nothing"));
	put(&c, "t", "a", "2");
	assert_true(gives(&c, 5, "t", "a", "2"));
	assert_int_equal(c.stats.entries, 3);
	assert_int_equal(c.stats.hits, 4);
	assert_int_equal(c.stats.misses, 1);
	cache_done(&c);
	assert_int_equal(mem_held(), 0);
}

static void test_scopes_never_meet(void **state)
{
	struct cache c;

	(void)state;
	open_cache(&c, SMALL_BYTES, 8);
	put(&c, "ab", "c", "of ab");
	assert_true(gives(&c, 0, "a", "bc", NULL)); /* the same bytes, cut elsewhere */
	assert_true(gives(&c, 0, "", "abc", NULL));
	put(&c, "a", "c", "of a");
	put(&c, "", "c", "of all");
	assert_true(gives(&c, 0, "ab", "c", "of ab"));
	assert_true(gives(&c, 0, "a", "c", "of a"));
	assert_true(gives(&c, 0, "", "c", "of all"));
	assert_int_equal(cache_purge_scope(&c, SPAN_LIT("ab")), 1);
	assert_true(gives(&c, 0, "ab", "c", NULL));
	assert_true(gives(&c, 0, "a", "c", "of a"));
	assert_int_equal(cache_purge(&c), 2);
	assert_int_equal(c.stats.purged, 3);
	assert_true(gives(&c, 0, "a", "c", NULL));
	cache_done(&c);
}

static void test_time_to_live(void **state)
{
	struct cache c;

	(void)state;
	open_cache(&c, SMALL_BYTES, 8);
	put(&c, "t", "a", "1");
	assert_true(gives(&c, HOUR - 1, "t", "a", "1"));
	assert_true(gives(&c, HOUR, "t", "a", NULL));
	assert_int_equal(c.stats.expired, 1);
	assert_int_equal(c.stats.entries, 0);
	cache_done(&c);
}

/* Requests with one and the same hash: each gets its own answer, and the chain stays short. */
static void test_collisions(void **state)
{
	struct cache c;
	struct span got;
	int64_t age_ns;
	unsigned kept = 0;

	(void)state;
	open_cache(&c, (size_t)1 << 20, 1000);
	for (unsigned char i = 0; i < 100; i++) {
		struct cache_key key = { SPAN_LIT("t"), span_of(&i, 1), 42 };

		assert_int_equal(cache_put(&c, 0, &key, span_of(&i, 1), HOUR), 0);
	}
	for (unsigned char i = 0; i < 100; i++) {
		struct cache_key key = { SPAN_LIT("t"), span_of(&i, 1), 42 };

		if (!cache_get(&c, 0, &key, &got, &age_ns))
			continue;
		kept++;
		assert_true(span_eq(got, span_of(&i, 1)));
	}
	assert_in_range(kept, 8, 16);
	assert_int_equal(c.stats.entries, kept);
	cache_done(&c);
}

/* The hand clears the mark of what was asked for and takes the next one; new ones have to earn theirs. */
static void test_sieve(void **state)
{
	struct cache c;

	(void)state;
	open_cache(&c, SMALL_BYTES, 3);
	put(&c, "t", "a", "1");
	put(&c, "t", "b", "2");
	put(&c, "t", "c", "3");
	assert_true(gives(&c, 0, "t", "a", "1"));
	put(&c, "t", "d", "4");
	assert_true(gives(&c, 0, "t", "b", NULL));
	put(&c, "t", "e", "5"); /* the hand stood at c */
	assert_true(gives(&c, 0, "t", "c", NULL));
	assert_true(gives(&c, 0, "t", "a", "1"));
	assert_true(gives(&c, 0, "t", "d", "4"));
	assert_true(gives(&c, 0, "t", "e", "5"));
	put(&c, "t", "f",
		"6"); /* all are marked: one round clears them, and where it began one goes */
	assert_int_equal(c.stats.entries, 3);
	assert_int_equal(c.stats.evicted, 3);
	assert_true(gives(&c, 0, "t", "f", "6"));
	cache_done(&c);
}

static void test_what_is_out_of_date_goes_first(void **state)
{
	struct cache c;
	struct cache_key key;

	(void)state;
	open_cache(&c, SMALL_BYTES, 2);
	key = cache_key_of(&c, SPAN_LIT("t"), SPAN_LIT("old"));
	put(&c, "t", "a", "1");
	assert_int_equal(cache_put(&c, 0, &key, SPAN_LIT("2"), 10), 0);
	assert_true(gives(&c, 0, "t", "a", "1"));
	assert_true(gives(&c, 0, "t", "old", "2"));
	key = cache_key_of(&c, SPAN_LIT("t"), SPAN_LIT("new"));
	assert_int_equal(cache_put(&c, 10, &key, SPAN_LIT("3"), HOUR), 0);
	assert_true(gives(&c, 10, "t", "a", "1"));
	cache_done(&c);
}

static void test_too_big(void **state)
{
	static unsigned char large[SMALL_BYTES];
	struct cache c;
	struct cache_key key;

	(void)state;
	open_cache(&c, SMALL_BYTES, 8);
	put(&c, "t", "a", "1");
	key = cache_key_of(&c, SPAN_LIT("t"), SPAN_LIT("a"));
	assert_int_equal(cache_put(&c, 0, &key, span_of(large, sizeof(large) / 8), HOUR),
		ERR_TOO_BIG);
	assert_true(gives(&c, 0, "t", "a", NULL)); /* the old answer is not the answer any more */
	assert_int_equal(c.stats.refused, 1);
	assert_int_equal(cache_put(&c, 0, &key, span_of(large, sizeof(large) / 8 - 2), HOUR), 0);
	cache_done(&c);
}

/* Nearly all of the bytes are tables: what does not fit beside them is refused. */
static void test_no_room_beside_the_tables(void **state)
{
	static unsigned char large[5000];
	struct cache c;
	struct cache_key key;

	(void)state;
	open_cache(&c, SMALL_BYTES, 895);
	put(&c, "t", "a", "1");
	key = cache_key_of(&c, SPAN_LIT("t"), SPAN_LIT("b"));
	assert_int_equal(cache_put(&c, 0, &key, span_of(large, sizeof(large)), HOUR), ERR_TOO_BIG);
	assert_true((size_t)c.stats.bytes <= c.conf.bytes_max);
	cache_done(&c);
}

/* A value that was got may be put again. */
static void test_value_of_its_own(void **state)
{
	struct cache c;
	struct cache_key key;
	struct span got;
	int64_t age_ns;

	(void)state;
	open_cache(&c, SMALL_BYTES, 1);
	put(&c, "t", "a", "the value");
	key = cache_key_of(&c, SPAN_LIT("t"), SPAN_LIT("a"));
	assert_true(cache_get(&c, 0, &key, &got, &age_ns));
	assert_int_equal(cache_put(&c, 0, &key, got, HOUR), 0);
	assert_true(cache_get(&c, 0, &key, &got, &age_ns));
	key = cache_key_of(&c, SPAN_LIT("t"), SPAN_LIT("b"));
	assert_int_equal(cache_put(&c, 0, &key, got, HOUR), 0);
	assert_true(gives(&c, 0, "t", "b", "the value"));
	cache_done(&c);
}

#define KEYS 200u
#define VALUE_MAX 3000u

/* What the cache may know of a request: its last value, until it is out of date. */
struct model {
	bool has;
	unsigned char fill;
	size_t bytes;
	int64_t stored_ns;
	int64_t expire_ns;
};

static void check_get(struct cache *c, struct model *m, const struct cache_key *key, int64_t now_ns)
{
	struct span got;
	int64_t age_ns;

	if (!cache_get(c, now_ns, key, &got, &age_ns))
		return;
	assert_true(m->has && now_ns < m->expire_ns);
	assert_int_equal(age_ns, now_ns - m->stored_ns);
	assert_int_equal(got.len, m->bytes);
	for (size_t i = 0; i < got.len; i++)
		assert_int_equal(got.at[i], m->fill);
}

static void check_put(struct cache *c, struct model *m, const struct cache_key *key,
	struct prng *prng, int64_t now_ns)
{
	static unsigned char value[SMALL_BYTES];
	size_t bytes = prng_chance(prng, 1, 50) ? sizeof(value) : prng_below(prng, VALUE_MAX);
	int64_t ttl_ns = (int64_t)prng_below(prng, 500);
	int r;

	*m = (struct model){ .stored_ns = now_ns, .expire_ns = now_ns + ttl_ns, .bytes = bytes };
	m->fill = (unsigned char)prng_next(prng);
	memset(value, m->fill, bytes);
	r = cache_put(c, now_ns, key, span_of(value, bytes), ttl_ns);
	assert_true(r == 0 || (r == ERR_TOO_BIG && bytes == sizeof(value)));
	m->has = r == 0;
}

/* Never more than its bytes, never a wrong or an old answer, whatever is asked in whatever order. */
static void test_property(void **state)
{
	static struct model models[KEYS];
	struct prng prng;
	struct cache c;
	int64_t now_ns = 0;

	(void)state;
	rand_start(&prng);
	open_cache(&c, 2 * SMALL_BYTES, 60);
	for (unsigned i = 0; i < 200000; i++) {
		uint32_t n = (uint32_t)prng_below(&prng, KEYS);
		char request[32];
		struct cache_key key;

		now_ns += (int64_t)prng_below(&prng, 3);
		key = cache_key_of(&c, span_str(n % 2 == 0 ? "even" : "odd"),
			span_of(request, (size_t)snprintf(request, sizeof(request), "r%u", n / 2)));
		if (n % 3 == 0) /* hashes that collide */
			key.hash = n % 4;
		if (prng_chance(&prng, 1, 3))
			check_put(&c, &models[n], &key, &prng, now_ns);
		else
			check_get(&c, &models[n], &key, now_ns);
		if (prng_chance(&prng, 1, 5000))
			cache_purge_scope(&c, SPAN_LIT("even"));
		assert_true((size_t)c.stats.bytes <= c.conf.bytes_max);
		assert_true(c.stats.entries <= 60);
		assert_int_equal(mem_held(), 2 + c.stats.entries);
	}
	assert_true(c.stats.hits > 1000 && c.stats.evicted > 1000 && c.stats.expired > 1000);
	cache_done(&c);
	assert_int_equal(mem_held(), 0);
}

static int fill(void *arg)
{
	struct cache_conf conf = { .bytes_max = SMALL_BYTES, .entries_max = 2 };
	struct cache c;
	int r = cache_init(&c, &conf);

	(void)arg;
	for (unsigned char i = 0; r == 0 && i < 4; i++) {
		struct cache_key key = cache_key_of(&c, SPAN_LIT("t"), span_of(&i, 1));

		r = cache_put(&c, 0, &key, SPAN_LIT("value"), HOUR);
	}
	cache_done(&c);
	return r;
}

static void test_no_memory(void **state)
{
	(void)state;
	assert_int_equal(nth_alloc(fill, NULL), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeps),
		cmocka_unit_test(test_scopes_never_meet),
		cmocka_unit_test(test_time_to_live),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_sieve),
		cmocka_unit_test(test_what_is_out_of_date_goes_first),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_no_room_beside_the_tables),
		cmocka_unit_test(test_value_of_its_own),
		cmocka_unit_test(test_property),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
