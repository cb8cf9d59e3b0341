/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_cache: look-ups a second and their 99th percentile, each with hashing the request and comparing it whole
 * (get_per_s, get_p99_ns); from the decoded body of a request of 32 KiB to its cached result (canonical_32k_us);
 * and the share of hits on requests whose frequencies follow Zipf's law (exponent 1, 100,000 requests, room for a
 * tenth), against two bounds (hit_to_optimum, hit_to_belady), without and with sweeps of requests that come once.
 * The first half of the requests fills the cache, the second is counted. With valgrind: get_1k_instructions, those of
 * 1,000 look-ups with hashing and comparing.
 *
 *	optimum   the best without knowing the future: the most frequent requests stay, known from the start
 *	belady    the best with knowing the future: goes what comes last, or is not let in
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hist.h"
#include "base/mem.h"
#include "base/prng.h"
#include "policy/cache.h"
#include "run/clocks.h"
#include "tests/bench/counted.h"
#include "wire/canon.h"

#define KEYS 100000u
#define ROOM 10000u
#define TRACE 1200000u
#define SWEEP_EVERY 100000u /* requests of the trace between two sweeps */
#define SWEEP 20000u        /* requests of a sweep; each comes once, ever */
#define SWEPT ((TRACE / SWEEP_EVERY - 1) * SWEEP)
#define REQUEST_BYTES 200u
#define VALUE_BYTES 256u
#define ROUNDS 5u
#define TTL_NS (INT64_C(3600) * 1000000000)

static unsigned char requests[KEYS + SWEPT][REQUEST_BYTES];
static uint32_t trace[TRACE + SWEPT];

/* --- requests ------------------------------------------------------------------------------------ */

static void make_requests(void)
{
	struct prng prng;

	prng_seed(&prng, 1);
	for (uint32_t i = 0; i < KEYS + SWEPT; i++) {
		for (size_t at = 0; at < REQUEST_BYTES; at += 8) {
			uint64_t bits = prng_next(&prng);

			memcpy(requests[i] + at, &bits, 8);
		}
	}
}

static uint32_t pick(const double *upto, struct prng *prng)
{
	double x = (double)(prng_next(prng) >> 11) / 9007199254740992.0 * upto[KEYS - 1];
	uint32_t low = 0, high = KEYS - 1;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (upto[mid] < x)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Number 0 is the most frequent. Returns how many. */
static uint32_t make_trace(bool sweeps)
{
	static double upto[KEYS];
	struct prng prng;
	uint32_t n = 0, once = KEYS;

	for (uint32_t i = 0; i < KEYS; i++)
		upto[i] = (i == 0 ? 0 : upto[i - 1]) + 1.0 / (i + 1);
	prng_seed(&prng, 2);
	for (uint32_t i = 0; i < TRACE; i++) {
		for (uint32_t k = 0; sweeps && i > 0 && i % SWEEP_EVERY == 0 && k < SWEEP; k++)
			trace[n++] = once++;
		trace[n++] = pick(upto, &prng);
	}
	return n;
}

static struct cache_key key_of(const struct cache *c, uint32_t i)
{
	return cache_key_of(c, SPAN_LIT("tenant"), span_of(requests[i], REQUEST_BYTES));
}

static void open_cache(struct cache *c)
{
	struct cache_conf conf = {
		.bytes_max = (size_t)64 << 20,
		.entries_max = ROOM,
		.seed = 3,
	};

	CHECK(cache_init(c, &conf) == 0);
}

static void put(struct cache *c, const struct cache_key *key)
{
	static const unsigned char value[VALUE_BYTES];

	CHECK(cache_put(c, 0, key, span_of(value, sizeof(value)), TTL_NS) == 0);
}

/* --- hits ---------------------------------------------------------------------------------------- */

static double hits_of_cache(uint32_t n)
{
	struct cache c;
	struct span value;
	int64_t age_ns;
	double hits;

	open_cache(&c);
	for (uint32_t i = 0; i < n; i++) {
		struct cache_key key = key_of(&c, trace[i]);

		if (i == n / 2)
			c.stats.hits = 0;
		if (!cache_get(&c, 0, &key, &value, &age_ns))
			put(&c, &key);
	}
	hits = (double)c.stats.hits;
	cache_done(&c);
	return hits;
}

static double hits_of_optimum(uint32_t n)
{
	double hits = 0;

	for (uint32_t i = n / 2; i < n; i++)
		hits += trace[i] < ROOM;
	return hits;
}

/* A heap with the request on top that comes again last. What is out of date in it is skipped. */
struct later {
	uint32_t next;
	uint32_t key;
};

static struct later heap[TRACE + SWEPT + 1];
static uint32_t heap_n;

static void heap_push(struct later l)
{
	uint32_t at = heap_n++;

	for (; at > 0 && heap[(at - 1) / 2].next < l.next; at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = l;
}

static void heap_pop(void)
{
	struct later l = heap[--heap_n];
	uint32_t at = 0;

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < heap_n && heap[child + 1].next > heap[child].next)
			child++;
		if (child >= heap_n || heap[child].next <= l.next)
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = l;
}

static double hits_of_belady(uint32_t n)
{
	static uint32_t next[TRACE + SWEPT], seen[KEYS + SWEPT], comes[KEYS + SWEPT];
	static bool is_in[KEYS + SWEPT];
	uint32_t in = 0;
	double hits = 0;

	memset(seen, 0xff, sizeof(seen));
	memset(is_in, 0, sizeof(is_in));
	heap_n = 0;
	for (uint32_t i = n; i > 0; i--) {
		next[i - 1] = seen[trace[i - 1]];
		seen[trace[i - 1]] = i - 1;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t key = trace[i];

		hits += i >= n / 2 && is_in[key];
		in += !is_in[key];
		is_in[key] = true;
		comes[key] = next[i];
		heap_push((struct later){ next[i], key });
		while (in > ROOM) { /* at most one goes, perhaps the one that came */
			struct later last = heap[0];

			heap_pop();
			if (!is_in[last.key] || comes[last.key] != last.next)
				continue;
			is_in[last.key] = false;
			in--;
		}
	}
	return hits;
}

static void measure_hits(bool sweeps)
{
	const char *tail = sweeps ? "_sweeps" : "";
	uint32_t n = make_trace(sweeps);
	double cache = hits_of_cache(n), optimum = hits_of_optimum(n), belady = hits_of_belady(n);

	printf("figure hit_rate%s %.4f share\n", tail, cache / (n - n / 2));
	printf("figure hit_to_optimum%s %.4f ratio\n", tail, cache / optimum);
	printf("figure hit_to_belady%s %.4f ratio\n", tail, cache / belady);
}

/* --- time ---------------------------------------------------------------------------------------- */

/* Requests that are there, as often as they come. */
static uint32_t warm(struct cache *c)
{
	uint32_t n = make_trace(false), kept = 0;
	struct span value;
	int64_t age_ns;

	for (uint32_t i = 0; i < n; i++) {
		struct cache_key key = key_of(c, trace[i]);

		if (!cache_get(c, 0, &key, &value, &age_ns))
			put(c, &key);
	}
	for (uint32_t i = 0; i < n; i++) {
		struct cache_key key = key_of(c, trace[i]);

		if (cache_get(c, 0, &key, &value, &age_ns))
			trace[kept++] = trace[i];
	}
	return kept;
}

static void measure_gets(void)
{
	static struct hist hist;
	struct cache c;
	struct span value;
	int64_t age_ns, best = INT64_MAX;
	uint32_t n;

	open_cache(&c);
	n = warm(&c);
	for (unsigned round = 0; round < ROUNDS; round++) {
		int64_t from = clocks_mono(), took;

		for (uint32_t i = 0; i < n; i++) {
			struct cache_key key = key_of(&c, trace[i]);

			CHECK(cache_get(&c, 0, &key, &value, &age_ns));
		}
		took = clocks_mono() - from;
		best = took < best ? took : best;
	}
	for (uint32_t i = 0; i < n; i++) {
		int64_t from = clocks_mono();
		struct cache_key key = key_of(&c, trace[i]);

		CHECK(cache_get(&c, 0, &key, &value, &age_ns));
		hist_add(&hist, clocks_mono() - from);
	}
	cache_done(&c);
	printf("figure get_per_s %.0f /s\n", (double)n / (double)best * 1e9);
	printf("figure get_p50_ns %llu ns\n", (unsigned long long)hist_at(&hist, 500));
	printf("figure get_p99_ns %llu ns\n", (unsigned long long)hist_at(&hist, 990));
}

static void measure_canonical(void)
{
	static unsigned char document[32768];
	static struct hist hist;
	struct param params[] = {
		{ SPAN_LIT("sentences"), SPAN_LIT("12") },
		{ SPAN_LIT("query"), SPAN_LIT("what is kept") },
	};
	struct item item = { .data = span_of(document, sizeof(document)) };
	struct body body = { params, ARRAY_LEN(params), &item, 1 };
	const struct kind_row *row = kind_find(SPAN_LIT("text.extract"));
	struct cache c;
	struct buf b;

	open_cache(&c);
	buf_init(&b, CANON_BYTES_MAX);
	for (unsigned i = 0; i < 20000; i++) {
		int64_t from = clocks_mono(), age_ns;
		struct cache_key key;
		struct span value;

		buf_reset(&b);
		canon_request(&b, row, &body);
		key = cache_key_of(&c, SPAN_LIT("tenant"), buf_span(&b));
		if (cache_get(&c, 0, &key, &value, &age_ns))
			hist_add(&hist, clocks_mono() - from);
		else
			put(&c, &key);
	}
	CHECK(hist.count == 19999);
	buf_done(&b);
	cache_done(&c);
	printf("figure canonical_32k_us %.2f us\n", (double)hist_at(&hist, 500) / 1000);
	printf("figure canonical_32k_p99_us %.2f us\n", (double)hist_at(&hist, 990) / 1000);
}

/* --- what is counted ------------------------------------------------------------------------------ */

/* 1,000 requests with their hashes, each of which is there from the first call on. */
static void get_1k(void)
{
	static struct cache c;
	struct span value;
	int64_t age_ns;

	if (c.entries == NULL)
		open_cache(&c);
	for (uint32_t i = 0; i < 1000; i++) {
		struct cache_key key = key_of(&c, i);

		if (!cache_get(&c, 0, &key, &value, &age_ns))
			put(&c, &key);
	}
}

static const struct counted counted[] = { { "get_1k", get_1k } };

int main(int argc, char **argv)
{
	make_requests();
	if (counted_child(counted, ARRAY_LEN(counted), argc, argv))
		return 0;
	measure_gets();
	measure_canonical();
	measure_hits(false);
	measure_hits(true);
	counted_print(counted, ARRAY_LEN(counted), argv[0]);
	return 0;
}
