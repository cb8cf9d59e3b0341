/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_zip: what packing bodies costs and saves, by their size, and from which speed of a line on it no longer pays;
 * and what a dictionary does for short messages that it was not trained on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "run/keys.h"
#include "run/pack.h"
#include "run/zip_dict.h"
#include "tests/bench/corpus.h"
#include "tests/support/messages.h"

#define ROUNDS 7
#define MESSAGES 2000u
#define DICT_BYTES 65536u
#define SAMPLES 20000u

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of this thread alone: what else runs here does not count. */
static int64_t cpu_ns(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof *v, by_size);
	return v[ROUNDS / 2];
}

/* The bytes of one sort, in pieces of this size: packed and unpacked one by one. */
static void measure(const char *what, struct span text, size_t bytes)
{
	struct packer p;
	double pack_ns[ROUNDS], unpack_ns[ROUNDS];
	size_t in = 0, out = 0;

	packer_init(&p);
	for (int round = 0; round < ROUNDS; round++) {
		int64_t packing = 0, unpacking = 0, from;

		in = out = 0;
		for (size_t at = 0; at + bytes <= text.len && in < (size_t)4 << 20; at += bytes) {
			struct span piece = span_part(text, at, bytes), packed, back;
			int r;

			from = cpu_ns();
			packed = packer_pack(&p, piece);
			packing += cpu_ns() - from;
			CHECK(packed.len > 0);
			from = cpu_ns();
			r = packer_unpack(&p, packed, bytes, &back, NULL);
			unpacking += cpu_ns() - from;
			CHECK(r == 0 && span_eq(back, piece));
			in += bytes;
			out += packed.len;
		}
		pack_ns[round] = (double)packing;
		unpack_ns[round] = (double)unpacking;
	}
	double cost_ns = median(pack_ns) + median(unpack_ns);

	printf("figure %s_%zu_ratio %.2f ratio\n", what, bytes, (double)out / (double)in);
	printf("figure %s_%zu_pack_mb_per_s %.0f MB/s\n", what, bytes,
		(double)in * 1e3 / median(pack_ns));
	printf("figure %s_%zu_unpack_mb_per_s %.0f MB/s\n", what, bytes,
		(double)in * 1e3 / median(unpack_ns));
	printf("figure %s_%zu_pays_below_mbit %.0f Mbit/s\n", what, bytes,
		(double)(in - out) * 8e3 / cost_ns);
	packer_done(&p);
}

static void put_messages(struct buf *to, size_t *sizes, size_t n, struct prng *p)
{
	for (size_t i = 0; i < n; i++) {
		size_t before = to->len;

		message_put(to, p);
		sizes[i] = to->len - before;
	}
}

static void short_messages(void)
{
	static size_t sizes[SAMPLES], held[MESSAGES];
	struct buf all = { .max = 16 << 20 }, dict = { .max = DICT_BYTES },
		   test = { .max = 4 << 20 };
	struct buf packed = { .max = 4096 }, back = { .max = 4096 };
	struct zip zip = { 0 };
	struct prng p;
	struct zip_how how = { .level = 1, .is_bare = true }, alone = how;
	const struct zip_dict *unpacking;
	struct zip_caps caps = { 4096, INT64_MAX, &unpacking, 1, NULL };
	double pack_ns[ROUNDS], unpack_ns[ROUNDS];
	size_t with = 0, without = 0;
	int r;

	prng_seed(&p, 1);
	put_messages(&all, sizes, SAMPLES, &p);
	put_messages(&test, held, MESSAGES, &p);
	r = zip_dict_train(&dict, buf_span(&all), sizes, SAMPLES, DICT_BYTES, NULL);
	CHECK(r == 0 && zip_dicts_take(NULL, buf_span(&dict), 1, &how.dict, NULL) == 0);
	CHECK(zip_dicts_take(NULL, buf_span(&dict), 0, &unpacking, NULL) == 0);
	for (int round = 0; round < ROUNDS; round++) {
		int64_t packing = 0, unpacking_ns = 0, from;
		size_t at = 0;

		with = without = 0;
		for (size_t i = 0; i < MESSAGES; i++) {
			struct span m = span_part(buf_span(&test), at, held[i]);

			at += held[i];
			buf_reset(&packed);
			buf_reset(&back);
			CHECK(zip_pack(&zip, &packed, m, &alone, NULL) == 0);
			without += packed.len;
			buf_reset(&packed);
			from = cpu_ns();
			r = zip_pack(&zip, &packed, m, &how, NULL);
			packing += cpu_ns() - from;
			with += packed.len;
			from = cpu_ns();
			CHECK(r == 0 &&
				zip_unpack(&zip, &back, buf_span(&packed), &caps, NULL) == 0);
			unpacking_ns += cpu_ns() - from;
			CHECK(span_eq(buf_span(&back), m));
		}
		pack_ns[round] = (double)packing / MESSAGES;
		unpack_ns[round] = (double)unpacking_ns / MESSAGES;
	}
	zip_dicts_give(NULL, how.dict);
	zip_dicts_give(NULL, unpacking);
	zip_done(&zip);
	buf_done(&all);
	buf_done(&dict);
	buf_done(&packed);
	buf_done(&back);
	printf("figure message_bytes %zu bytes\n", test.len / MESSAGES);
	printf("figure message_alone_ratio %.2f ratio\n", (double)without / (double)test.len);
	printf("figure message_dictionary_ratio %.2f ratio\n", (double)with / (double)test.len);
	printf("figure message_pack_us %.2f us\n", median(pack_ns) / 1e3);
	printf("figure message_unpack_us %.2f us\n", median(unpack_ns) / 1e3);
	buf_done(&test);
}

int main(void)
{
	static const size_t sizes[] = { 4096, 16384, 65536, 524288 };
	static struct corpus corpus;
	struct buf records = { .max = 8 << 20 };
	struct prng p;
	int r = keys_open();

	CHECK(r == 0);
	prng_seed(&p, 2);
	while (records.len < (size_t)4 << 20) {
		message_put(&records, &p);
		buf_byte(&records, '\n');
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		measure("records", buf_span(&records), sizes[i]);
	corpus_read(&corpus, false);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		measure("text", buf_span(&corpus.all), sizes[i]);
	corpus_done(&corpus);
	buf_done(&records);
	short_messages();
	return 0;
}
