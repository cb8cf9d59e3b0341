/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_compress: text.compress and its way back, text.expand.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "cpu-node/kinds.h"
#include "policy/fit.h"
#include "policy/trace.h"

#define MAP_NAME "map"
#define MAP_MEDIA "text/vnd.spu.map"
#define INVALID_PART 16 /* a text may have so many bytes that are no UTF-8: one in INVALID_PART */
#define NO_LIMIT 1000000000

/* --- what is a text ------------------------------------------------------------------------------- */

/* A few wrong bytes, as of another encoding, pass as they are; zeros or many of them are no text. */
static bool is_text(struct span s)
{
	size_t wrong = 0, most = s.len / INVALID_PART;

	if (fmt_is_text(s))
		return true;
	if (memchr(s.at, 0, s.len) != NULL)
		return false;
	while (s.len > 0 && wrong <= most) {
		int n = utf8_step(s);

		wrong += n < 0 ? (size_t)-n : 0;
		s = span_part(s, (size_t)abs(n), s.len);
	}
	return wrong <= most;
}

static int read_docs(const struct cpu_call *call, size_t n, struct span **ret)
{
	struct span *docs = arena_raw(call->arena, (n + 1) * sizeof(*docs));

	if (docs == NULL)
		return cpu_no_memory(call);
	for (size_t i = 0; i < n; i++) {
		docs[i] = call->in->items[i].data;
		if (!is_text(docs[i]))
			return fail_set(call->why, ERR_UNSUPPORTED, "items", 0,
				"item %zu is binary, or in another encoding than UTF-8", i + 1);
	}
	*ret = docs;
	return 0;
}

/* --- text.compress -------------------------------------------------------------------------------- */

/* The results while they are made. */
struct outs {
	struct buf *bufs;
	size_t n;
	struct buf map;
	struct arena scratch;
};

static void outs_done(struct outs *o)
{
	for (size_t i = 0; i < o->n; i++)
		buf_done(&o->bufs[i]);
	buf_done(&o->map);
	arena_done(&o->scratch);
}

static int outs_make(const struct cpu_call *call, struct outs *o)
{
	arena_init(&o->scratch, COMPRESS_ARENA_BYTES);
	buf_init(&o->map, call->out->max);
	o->bufs = arena_raw(call->arena, (call->in->items_n + 1) * sizeof(*o->bufs));
	if (o->bufs == NULL)
		return cpu_no_memory(call);
	for (; o->n < call->in->items_n; o->n++)
		buf_init(&o->bufs[o->n], call->out->max);
	return 0;
}

static struct token_count count_of(const struct cpu_call *call)
{
	return tokenizers_count(call->tokenizers, kind_text(call->kind, call->in, "model"),
		TOKEN_RATE_ONE);
}

static int read_want(const struct cpu_call *call, struct compress_want *ret)
{
	static const enum guard_mode modes[] = { GUARD_EXTRACT, GUARD_TELEGRAPHIC, GUARD_LOSSLESS };
	int64_t tokens = kind_int(call->kind, call->in, "tokens");

	*ret = (struct compress_want){
		.query = kind_text(call->kind, call->in, "query"),
		.mode = modes[kind_choice(call->kind, call->in, "mode")],
		.tokens = tokens == NO_LIMIT ? UINT64_MAX : (uint64_t)tokens,
		.ratio_milli = (uint32_t)kind_int(call->kind, call->in, "ratio_milli"),
		.prefix_bytes = (size_t)kind_int(call->kind, call->in, "prefix_bytes"),
		.marks = kind_choice(call->kind, call->in, "marks") == 0,
	};
	if (ret->mode == GUARD_LOSSLESS && ret->ratio_milli > 1000)
		return fail_set(call->why, ERR_INVALID, "ratio_milli", 1000,
			"what may lose nothing has no ratio");
	if (ret->mode != GUARD_LOSSLESS && ret->tokens == UINT64_MAX && ret->ratio_milli <= 1000)
		return fail_set(call->why, ERR_INVALID, "tokens", 0,
			"say how much to keep: tokens, or ratio_milli above 1000");
	return 0;
}

/* "prose 3, json 1" */
static void put_content(struct buf *out, const struct compress_facts *f)
{
	char text[256];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < SECTION_KINDS; i++) {
		if (f->sections[i] > 0)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %" PRIu64,
				n > 0 ? ", " : "", section_kind_name((enum section_kind)i),
				f->sections[i]);
	}
	body_put_param(out, SPAN_LIT("content"), span_of(text, n));
}

static void put_facts(struct buf *out, const struct compress_facts *f,
	const struct token_count *count)
{
	body_put_int(out, "tokens_in", (int64_t)f->tokens_in);
	body_put_int(out, "tokens_out", (int64_t)f->tokens_out);
	body_put_int(out, "units_in", (int64_t)f->units_in);
	body_put_int(out, "units_out", (int64_t)f->units_out);
	body_put_int(out, "query_words", f->terms);
	body_put_int(out, "query_found", f->found);
	body_put_int(out, "query_kept", f->kept);
	body_put_int(out, "whole", f->whole);
	body_put_param(out, SPAN_LIT("family"), span_str(tokens_family_name(count->family)));
	body_put_param(out, SPAN_LIT("count"),
		span_str(count->exact == NULL ? "estimate" : "exact"));
	put_content(out, f);
}

CPU_KIND("text.compress", run_text_compress, CPU_SMALL)
int run_text_compress(const struct cpu_call *call)
{
	CLEANUP(outs_done) struct outs o = { .n = 0 };
	bool map = kind_choice(call->kind, call->in, "map") == 1;
	const struct token_count count = count_of(call);
	struct compress_facts facts;
	struct compress_want want;
	struct span *docs;
	int r = cpu_need_items(call);

	if (r == 0 && map && call->in->items_n == LIMIT_ITEMS)
		r = fail_set(call->why, ERR_TOO_BIG, "items", LIMIT_ITEMS - 1,
			"the map is an item, too");
	if (r == 0)
		r = read_want(call, &want);
	if (r == 0)
		r = read_docs(call, call->in->items_n, &docs);
	if (r == 0)
		r = outs_make(call, &o);
	if (r == 0)
		r = fit_texts(&o.scratch, docs, o.n, &want, &count, o.bufs, map ? &o.map : NULL,
			&facts, call->why);
	if (r != 0)
		return r;
	for (size_t i = 0; i < o.n; i++)
		body_put_item(call->out, call->in->items[i].name, SPAN_LIT("text/plain"),
			buf_span(&o.bufs[i]));
	if (map)
		body_put_item(call->out, SPAN_LIT(MAP_NAME), SPAN_LIT(MAP_MEDIA), buf_span(&o.map));
	put_facts(call->out, &facts, &count);
	return 0;
}

/* --- text.expand ---------------------------------------------------------------------------------- */

static int read_expand(const struct cpu_call *call, struct trace_want *ret)
{
	*ret = (struct trace_want){
		.doc = (uint32_t)kind_int(call->kind, call->in, "item") - 1,
		.gap = (uint32_t)kind_int(call->kind, call->in, "gap"),
		.out = { (size_t)kind_int(call->kind, call->in, "from"),
			(size_t)kind_int(call->kind, call->in, "to") },
	};
	if (ret->gap == 0 && ret->out.from >= ret->out.to)
		return fail_set(call->why, ERR_INVALID, "to", (int64_t)ret->out.from + 1,
			"must be more than from");
	return 0;
}

CPU_KIND("text.expand", run_text_expand, CPU_SMALL)
int run_text_expand(const struct cpu_call *call)
{
	size_t n = call->in->items_n;
	struct trace_want want;
	struct trace_range found;
	struct span *docs = NULL;
	int r;

	if (n < 2)
		return fail_set(call->why, ERR_INVALID, "items", 2,
			"needs the texts that were compressed, and last their map");
	r = read_expand(call, &want);
	if (r == 0)
		r = read_docs(call, n - 1, &docs);
	if (r == 0)
		r = trace_find(call->in->items[n - 1].data, docs, n - 1, &want, &found, call->why);
	if (r != 0 || docs == NULL)
		return r;
	body_put_item(call->out, call->in->items[want.doc].name, SPAN_LIT("text/plain"),
		span_part(docs[want.doc], found.from, found.to - found.from));
	body_put_int(call->out, "from", (int64_t)found.from);
	body_put_int(call->out, "to", (int64_t)found.to);
	return 0;
}
