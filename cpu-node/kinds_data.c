/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_data: data.hash and data.diff.
 */
#include "cpu-node/kinds.h"
#include "policy/diff.h"
#include "run/keys.h"

#define SLICE ((size_t)1 << 20) /* bytes between two looks at whether it is cancelled */

enum { HASH_BLAKE2B, HASH_SHA256 };

static void put_hex(struct buf *to, const unsigned char hash[KEYS_HASH])
{
	for (size_t i = 0; i < KEYS_HASH; i++)
		buf_fmt(to, "%02x", hash[i]);
}

/* As b2sum -l 256 and sha256sum print it, names that would break a line included: then as a JSON string. */
static void put_hash(struct buf *to, const unsigned char hash[KEYS_HASH], struct span name)
{
	put_hex(to, hash);
	buf_str(to, "  ");
	if (name.len == 0)
		buf_byte(to, '-');
	else if (memchr(name.at, '\n', name.len) != NULL)
		buf_json(to, name);
	else
		buf_add(to, name);
	buf_byte(to, '\n');
}

static int blake2b_of(const struct cpu_call *call, struct span data, unsigned char ret[KEYS_HASH])
{
	struct keys_stream s;

	keys_stream_start(&s);
	for (size_t at = 0; at < data.len; at += SLICE) {
		if (cpu_is_cancelled(call))
			return cpu_cancelled(call);
		keys_stream_add(&s, span_part(data, at, SLICE));
	}
	keys_stream_end(&s, ret);
	return 0;
}

static int sha256_of(const struct cpu_call *call, struct span data, unsigned char ret[KEYS_HASH])
{
	struct keys_sha256 s;

	keys_sha256_start(&s);
	for (size_t at = 0; at < data.len; at += SLICE) {
		if (cpu_is_cancelled(call))
			return cpu_cancelled(call);
		keys_sha256_add(&s, span_part(data, at, SLICE));
	}
	keys_sha256_end(&s, ret);
	return 0;
}

CPU_KIND("data.hash", run_hash, CPU_SMALL)
int run_hash(const struct cpu_call *call)
{
	CLEANUP(buf_done) struct buf lines = { 0 };
	bool sha256 = kind_choice(call->kind, call->in, "algorithm") == HASH_SHA256;
	int r = cpu_need_items(call);

	buf_init(&lines, call->out->max);
	for (size_t i = 0; r == 0 && i < call->in->items_n; i++) {
		const struct item *item = &call->in->items[i];
		unsigned char hash[KEYS_HASH] = { 0 };

		r = (sha256 ? sha256_of : blake2b_of)(call, item->data, hash);
		if (r == 0)
			put_hash(&lines, hash, item->name);
		cpu_progress(call, i + 1, call->in->items_n);
	}
	if (r == 0 && buf_err(&lines) < 0)
		return fail_set(call->why, buf_err(&lines), "items", (int64_t)lines.max, NULL);
	if (r == 0)
		body_put_item(call->out, SPAN_LIT("hashes"), SPAN_LIT("text/plain"),
			buf_span(&lines));
	return r;
}

/* The name of a side in the diff's head. */
static struct span side_name(struct span name, const char *otherwise)
{
	return name.len == 0 || memchr(name.at, '\n', name.len) != NULL ? span_str(otherwise)
									: name;
}

static int put_diff(const struct cpu_call *call, const struct diff *d)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	const struct item *items = call->in->items;
	uint32_t context = (uint32_t)kind_int(call->kind, call->in, "context");

	buf_init(&text, call->out->max);
	diff_emit(&text, d, side_name(items[0].name, "a"), side_name(items[1].name, "b"), context);
	if (buf_err(&text) < 0)
		return fail_set(call->why, buf_err(&text), "result", (int64_t)text.max,
			"the difference is larger than %zu bytes", text.max);
	body_put_item(call->out, SPAN_LIT("diff"), SPAN_LIT("text/x-diff"), buf_span(&text));
	body_put_int(call->out, "removed", d->left.edited_n);
	body_put_int(call->out, "added", d->right.edited_n);
	return 0;
}

CPU_KIND("data.diff", run_diff, CPU_SMALL)
int run_diff(const struct cpu_call *call)
{
	int64_t edits_max = kind_int(call->kind, call->in, "max_edits");
	struct diff d;
	struct span *docs;
	int r;

	if (call->in->items_n != 2)
		return fail_set(call->why, ERR_INVALID, "items", 2,
			"two are compared, the old one first, not %zu", call->in->items_n);
	r = cpu_texts(call, &docs);
	if (r < 0)
		return r;
	r = diff_texts(call->arena, docs[0], docs[1], (uint32_t)edits_max, &d);
	if (r == ERR_TOO_BIG)
		return fail_set(call->why, ERR_TOO_BIG, "max_edits", edits_max,
			"more than %lld lines differ, or too many are alike", (long long)edits_max);
	return r < 0 ? cpu_no_memory(call) : put_diff(call, &d);
}
