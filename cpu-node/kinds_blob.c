/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_blob: blob.compress and blob.decompress, item by item. A compressed item's name gets the ending .zst,
 * a restored one's loses it.
 */
#include "base/limits.h"
#include "cpu-node/kinds.h"
#include "run/zip.h"

#define ENDING ".zst"
#define ENDING_BYTES (sizeof(ENDING) - 1)

static struct span name_plain(struct span name)
{
	if (name.len > ENDING_BYTES &&
		memcmp(name.at + name.len - ENDING_BYTES, ENDING, ENDING_BYTES) == 0)
		return span_part(name, 0, name.len - ENDING_BYTES);
	return name;
}

int run_compress(const struct cpu_call *call)
{
	CLEANUP(buf_done) struct buf packed = { 0 };
	int level = (int)kind_int(call->kind, call->in, "level");
	int r = cpu_need_items(call);

	buf_init(&packed, call->out->max);
	for (size_t i = 0; r == 0 && i < call->in->items_n; i++) {
		const struct item *item = &call->in->items[i];
		struct span name;

		if (cpu_is_cancelled(call))
			return cpu_cancelled(call);
		buf_reset(&packed);
		r = cpu_name(call, item->name, ENDING, &name);
		if (r == 0)
			r = zip_pack(&packed, item->data, level, call->cancel, call->why);
		if (r == 0)
			body_put_item(call->out, name, SPAN_LIT("application/zstd"),
				buf_span(&packed));
		cpu_progress(call, i + 1, call->in->items_n);
	}
	return r;
}

int run_decompress(const struct cpu_call *call)
{
	CLEANUP(buf_done) struct buf plain = { 0 };
	int64_t left = kind_int(call->kind, call->in, "max_bytes");
	int64_t max_ratio = kind_int(call->kind, call->in, "max_ratio");
	int r = cpu_need_items(call);

	buf_init(&plain, call->out->max);
	for (size_t i = 0; r == 0 && i < call->in->items_n; i++) {
		const struct item *item = &call->in->items[i];

		if (cpu_is_cancelled(call))
			return cpu_cancelled(call);
		buf_reset(&plain);
		r = zip_unpack(&plain, item->data, left, max_ratio, call->cancel, call->why);
		if (r == 0)
			body_put_item(call->out, name_plain(item->name), (struct span){ 0 },
				buf_span(&plain));
		left -= (int64_t)plain.len; /* the limit is for all items together */
	}
	return r;
}
