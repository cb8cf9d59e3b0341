/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_blob: blob.compress and blob.decompress, item by item. A compressed item's name gets the ending .zst,
 * a restored one's loses it. Dictionaries are items, too, as data or by reference to the store: by their media type,
 * or because a parameter names one by the hash of its bytes.
 */
#include "base/limits.h"
#include "cpu-node/kinds.h"
#include "run/zip.h"
#include "wire/blob.h"

#define ENDING ".zst"
#define ENDING_BYTES (sizeof(ENDING) - 1)
#define DICTS_MAX 64u /* in one task */

/* The dictionaries among the items of a call. */
struct dicts {
	const struct cpu_call *call;
	const struct zip_dict *ready[DICTS_MAX];
	size_t n;
	bool *is_dict;          /* of each item */
	struct blob_hash named; /* by the parameter */
	bool has_name, has_named;
};

static void dicts_done(struct dicts *d)
{
	while (d->n > 0)
		zip_dicts_give(d->call->dicts, d->ready[--d->n]);
}

static void hash_of(struct span bytes, struct blob_hash *ret)
{
	struct keys_stream s;

	keys_stream_start(&s);
	keys_stream_add(&s, bytes);
	keys_stream_end(&s, ret->at);
}

static int unknown(const struct cpu_call *call, const struct blob_hash *hash)
{
	char text[BLOB_HASH_TEXT + 1];

	blob_hash_text(hash, text);
	return fail_set(call->why, ERR_UNKNOWN, "dictionary", 0,
		"no item is the dictionary %s: give it as an item, or as a reference to the store",
		text);
}

static int dicts_open(struct dicts *d, const struct cpu_call *call)
{
	struct span name = kind_text(call->kind, call->in, "dictionary");

	*d = (struct dicts){ .call = call, .has_name = name.len > 0 };
	d->is_dict = arena_alloc(call->arena, call->in->items_n * sizeof(*d->is_dict));
	if (d->is_dict == NULL)
		return cpu_no_memory(call);
	if (d->has_name && blob_hash_parse(name, &d->named) < 0)
		return fail_set(call->why, ERR_INVALID, "dictionary", BLOB_HASH_TEXT,
			"a dictionary's id is the BLAKE2b-256 of its bytes, %d hexadecimal digits",
			BLOB_HASH_TEXT);
	return 0;
}

static int dicts_take(struct dicts *d, size_t i, int level)
{
	const struct cpu_call *call = d->call;

	if (d->n == DICTS_MAX)
		return fail_set(call->why, ERR_TOO_BIG, "dictionary", DICTS_MAX,
			"at most %u dictionaries go with a task", DICTS_MAX);
	if (zip_dicts_take(call->dicts, call->in->items[i].data, level, &d->ready[d->n],
		    call->why) < 0)
		return call->why->code;
	d->n++;
	return 0;
}

/* Of those that are dictionaries by themselves, or by name: the one that is to be used. *ret is the item's number, or
 * the number of items: none. */
static int find_one(struct dicts *d, size_t *ret)
{
	const struct body *in = d->call->in;
	size_t found_n = 0;

	*ret = in->items_n;
	for (size_t i = 0; i < in->items_n; i++) {
		bool is_named = false;
		struct blob_hash hash;

		d->is_dict[i] = span_is(in->items[i].media, CPU_DICT_MEDIA);
		if (d->has_name && zip_dict_number(in->items[i].data) != 0) {
			hash_of(in->items[i].data, &hash);
			is_named = blob_hash_eq(&hash, &d->named);
		}
		d->is_dict[i] |= is_named;
		if (is_named || (!d->has_name && d->is_dict[i])) {
			found_n++;
			*ret = i;
		}
	}
	if (d->has_name && found_n == 0)
		return unknown(d->call, &d->named);
	if (!d->has_name && found_n > 1)
		return fail_set(d->call->why, ERR_INVALID, "dictionary", 1,
			"say which of the %zu dictionaries is to be used", found_n);
	return 0;
}

/* The dictionary to pack with, if any; the result says which. */
static int open_packing(struct dicts *d, const struct cpu_call *call, struct zip_how *how)
{
	char text[BLOB_HASH_TEXT + 1];
	struct blob_hash hash;
	size_t i = call->in->items_n;
	int r = dicts_open(d, call);

	if (r == 0)
		r = find_one(d, &i);
	if (r < 0 || i == call->in->items_n)
		return r;
	r = dicts_take(d, i, how->level);
	if (r < 0)
		return r;
	how->dict = d->ready[0];
	memcpy(hash.at, zip_dict_hash(how->dict), BLOB_HASH);
	blob_hash_text(&hash, text);
	body_put_param(call->out, SPAN_LIT("dictionary"), span_str(text));
	return 0;
}

/* All dictionaries, whichever the frames need. */
static int open_unpacking(struct dicts *d, const struct cpu_call *call)
{
	int r = dicts_open(d, call);

	for (size_t i = 0; r == 0 && i < call->in->items_n; i++) {
		const struct item *item = &call->in->items[i];

		d->is_dict[i] =
			zip_dict_number(item->data) != 0 || span_is(item->media, CPU_DICT_MEDIA);
		if (!d->is_dict[i])
			continue;
		r = dicts_take(d, i, 0);
		if (r == 0 && d->has_name)
			d->has_named |= memcmp(zip_dict_hash(d->ready[d->n - 1]), d->named.at,
						BLOB_HASH) == 0;
	}
	return r == 0 && d->has_name && !d->has_named ? unknown(call, &d->named) : r;
}

static struct span name_plain(struct span name)
{
	if (name.len > ENDING_BYTES &&
		memcmp(name.at + name.len - ENDING_BYTES, ENDING, ENDING_BYTES) == 0)
		return span_part(name, 0, name.len - ENDING_BYTES);
	return name;
}

static int need_plain_item(const struct dicts *d)
{
	const struct cpu_call *call = d->call;

	for (size_t i = 0; i < call->in->items_n; i++)
		if (!d->is_dict[i])
			return 0;
	return fail_set(call->why, ERR_INVALID, "items", 0, "%s needs an item%s", call->kind->name,
		call->in->items_n > 0 ? " besides dictionaries" : "");
}

CPU_KIND("blob.compress", run_compress, 0)
int run_compress(const struct cpu_call *call)
{
	struct zip_how how = { .level = (int)kind_int(call->kind, call->in, "level"),
		.stop = call->cancel };
	CLEANUP(buf_done) struct buf packed = { 0 };
	CLEANUP(dicts_done) struct dicts dicts = { 0 };
	CLEANUP(zip_done) struct zip zip = { 0 };
	int r = open_packing(&dicts, call, &how);

	if (r == 0)
		r = need_plain_item(&dicts);
	buf_init(&packed, call->out->max);
	for (size_t i = 0; r == 0 && i < call->in->items_n; i++) {
		const struct item *item = &call->in->items[i];
		struct span name;

		if (cpu_is_cancelled(call))
			return cpu_cancelled(call);
		if (dicts.is_dict[i])
			continue;
		buf_reset(&packed);
		r = cpu_name(call, item->name, ENDING, &name);
		if (r == 0)
			r = zip_pack(&zip, &packed, item->data, &how, call->why);
		if (r == 0)
			body_put_item(call->out, name, SPAN_LIT("application/zstd"),
				buf_span(&packed));
		cpu_progress(call, i + 1, call->in->items_n);
	}
	return r;
}

CPU_KIND("blob.decompress", run_decompress, 0)
int run_decompress(const struct cpu_call *call)
{
	CLEANUP(buf_done) struct buf plain = { 0 };
	CLEANUP(dicts_done) struct dicts dicts = { 0 };
	CLEANUP(zip_done) struct zip zip = { 0 };
	struct zip_caps caps = { .stop = call->cancel };
	int r = open_unpacking(&dicts, call);

	if (r == 0)
		r = need_plain_item(&dicts);
	caps.max_bytes = kind_int(call->kind, call->in, "max_bytes");
	caps.max_ratio = kind_int(call->kind, call->in, "max_ratio");
	caps.dicts = dicts.ready;
	caps.dicts_n = dicts.n;
	buf_init(&plain, call->out->max);
	for (size_t i = 0; r == 0 && i < call->in->items_n; i++) {
		const struct item *item = &call->in->items[i];

		if (cpu_is_cancelled(call))
			return cpu_cancelled(call);
		if (dicts.is_dict[i])
			continue;
		buf_reset(&plain);
		r = zip_unpack(&zip, &plain, item->data, &caps, call->why);
		if (r == ERR_MALFORMED)
			return fail_set(call->why, r, "items", 0, "item %zu: %s", i + 1,
				call->why->detail);
		if (r == 0)
			body_put_item(call->out, name_plain(item->name), (struct span){ 0 },
				buf_span(&plain));
		caps.max_bytes -= (int64_t)plain.len; /* the limit is for all items together */
	}
	return r;
}
