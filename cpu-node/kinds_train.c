/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_train: blob.train: most of the samples make the dictionary; every eighth is held out, and tells what it is
 * worth. Of more samples than help, each second, third ... is taken, from all over the input.
 */
#include "cpu-node/kinds.h"
#include "run/zip.h"
#include "wire/blob.h"

#define SAMPLES_PER_BYTE 100u /* of the dictionary: as zstd advises; more helps little */
#define SAMPLES_BYTES_MAX ((size_t)4 << 20) /* a second for zstd, which cannot be stopped */
#define HELD_OUT 8u
#define HELD_OUT_FROM 16u /* of less every sample is needed */

enum { UNIT_ITEM, UNIT_LINE };

/* The samples of a call, one after the other. */
struct walk {
	const struct cpu_call *call;
	bool lines;
	size_t item;
	struct span rest; /* of the lines of this item */
};

static bool walk_next(struct walk *w, struct span *ret)
{
	const struct body *in = w->call->in;

	do {
		if (w->rest.len == 0 && w->item == in->items_n)
			return false;
		if (w->rest.len == 0)
			w->rest = in->items[w->item++].data;
		*ret = w->rest;
		if (w->lines)
			*ret = span_cut(&w->rest, '\n');
		else
			w->rest = (struct span){ 0 };
	} while (ret->len == 0);
	*ret = span_part(*ret, 0, ZIP_SAMPLE_BYTES);
	return true;
}

static struct walk walk_of(const struct cpu_call *call)
{
	return (struct walk){ .call = call,
		.lines = kind_choice(call->kind, call->in, "unit") == UNIT_LINE };
}

struct samples {
	unsigned char *all; /* those to learn from, one after the other */
	size_t *sizes;
	size_t n, bytes;
	struct span *held; /* those to try it out */
	size_t held_n;
};

/* Every how manyth sample is taken; *ret_n: of how many. */
static size_t count(const struct cpu_call *call, size_t bytes_max, size_t *ret_n)
{
	struct walk w = walk_of(call);
	size_t n = 0, bytes = 0, by_n, by_bytes;
	struct span s;

	while (walk_next(&w, &s)) {
		n++;
		bytes += s.len;
	}
	*ret_n = n;
	by_n = n / ZIP_SAMPLES_MAX + 1;
	by_bytes = bytes / bytes_max + 1;
	return by_n > by_bytes ? by_n : by_bytes;
}

static int gather(const struct cpu_call *call, size_t bytes_max, struct samples *ret)
{
	struct walk w = walk_of(call);
	size_t all_n, every = count(call, bytes_max, &all_n), most = all_n / every + 1, taken = 0;
	bool holds_out = most >= HELD_OUT_FROM;
	struct span s;

	*ret = (struct samples){ .all = arena_raw(call->arena, bytes_max) };
	ret->sizes = arena_raw(call->arena, most * sizeof(*ret->sizes));
	ret->held = arena_raw(call->arena, most * sizeof(*ret->held));
	if (ret->all == NULL || ret->sizes == NULL || ret->held == NULL)
		return cpu_no_memory(call);
	for (size_t i = 0; walk_next(&w, &s); i++) {
		if (i % every != 0)
			continue;
		if (holds_out && taken++ % HELD_OUT == HELD_OUT - 1) {
			ret->held[ret->held_n++] = s;
			continue;
		}
		if (s.len > bytes_max - ret->bytes)
			break;
		memcpy(ret->all + ret->bytes, s.at, s.len);
		ret->bytes += s.len;
		ret->sizes[ret->n++] = s.len;
	}
	return 0;
}

/* What the samples that were held out take. */
static int try_out(const struct cpu_call *call, const struct samples *s, const struct zip_how *how,
	int64_t *ret_bytes)
{
	CLEANUP(buf_done) struct buf packed = { 0 };
	CLEANUP(zip_done) struct zip zip = { 0 };
	int r = 0;

	buf_init(&packed, 2 * (size_t)ZIP_SAMPLE_BYTES);
	*ret_bytes = 0;
	for (size_t i = 0; r == 0 && i < s->held_n; i++) {
		if (cpu_is_cancelled(call))
			return cpu_cancelled(call);
		buf_reset(&packed);
		r = zip_pack(&zip, &packed, s->held[i], how, call->why);
		*ret_bytes += (int64_t)packed.len;
	}
	return r;
}

static int put_worth(const struct cpu_call *call, const struct samples *s, struct span dict)
{
	struct zip_how how = { .level = (int)kind_int(call->kind, call->in, "level"),
		.stop = call->cancel };
	int64_t plain = 0, alone, with;
	int r = try_out(call, s, &how, &alone);

	if (r == 0)
		r = zip_dicts_take(NULL, dict, how.level, &how.dict, call->why);
	if (r < 0)
		return r;
	r = try_out(call, s, &how, &with);
	zip_dicts_give(NULL, how.dict);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->held_n; i++)
		plain += (int64_t)s->held[i].len;
	body_put_int(call->out, "tested", (int64_t)s->held_n);
	body_put_int(call->out, "tested_bytes", plain);
	body_put_int(call->out, "tested_bytes_alone", alone);
	body_put_int(call->out, "tested_bytes_with", with);
	return 0;
}

static void put_names(const struct cpu_call *call, struct span dict)
{
	char text[BLOB_HASH_TEXT + 1];
	struct blob_hash hash;
	struct keys_stream k;

	keys_stream_start(&k);
	keys_stream_add(&k, dict);
	keys_stream_end(&k, hash.at);
	blob_hash_text(&hash, text);
	body_put_param(call->out, SPAN_LIT("dictionary"), span_str(text));
	body_put_int(call->out, "number", zip_dict_number(dict));
}

CPU_KIND("blob.train", run_train, 0)
int run_train(const struct cpu_call *call)
{
	CLEANUP(buf_done) struct buf dict = { 0 };
	size_t max_bytes = (size_t)kind_int(call->kind, call->in, "max_bytes");
	size_t bytes_max = max_bytes * SAMPLES_PER_BYTE;
	struct samples samples;
	int r = cpu_need_items(call);

	buf_init(&dict, max_bytes);
	if (r == 0)
		r = gather(call, bytes_max < SAMPLES_BYTES_MAX ? bytes_max : SAMPLES_BYTES_MAX,
			&samples);
	if (r == 0)
		r = zip_dict_train(&dict, span_of(samples.all, samples.bytes), samples.sizes,
			samples.n, max_bytes, call->why);
	if (r < 0)
		return r;
	body_put_item(call->out, SPAN_LIT("dictionary.zdict"), SPAN_LIT(CPU_DICT_MEDIA),
		buf_span(&dict));
	put_names(call, buf_span(&dict));
	body_put_int(call->out, "samples", (int64_t)samples.n);
	return put_worth(call, &samples, buf_span(&dict));
}
