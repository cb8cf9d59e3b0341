/* SPDX-License-Identifier: Apache-2.0
 *
 * emit: it walks through the documents; where it passes over units that were not taken is a gap. What lies between
 * units that were taken (white space, the commas of JSON, lines that another one counts) is none.
 */
#include "policy/emit.h"

#include "policy/compress.h"
#include "policy/text.h"
#include "policy/trace.h"

#include "base/pure.h"

void emit_init(struct emit *e, const struct span *docs, size_t docs_n, struct buf *outs,
	struct buf *map, bool marks, enum tokens_family family)
{
	*e = (struct emit){ .docs = docs,
		.docs_n = docs_n,
		.outs = outs,
		.map = map,
		.marks = marks };
	e->newline = (uint32_t)tokens_of(family, SPAN_LIT("\n")).space;
	e->mark = (uint32_t)tokens_of(family, SPAN_LIT(COMPRESS_MARK)).text;
	if (map != NULL)
		trace_begin(map);
}

/* Its line in the map, before the first of its ranges. */
static void open_doc(struct emit *e)
{
	if (!e->opened && e->map != NULL)
		trace_doc(e->map, e->docs[e->doc]);
	e->opened = true;
}

static bool ends_blank(const struct buf *out)
{
	return out->len > 0 && out->at[out->len - 1] <= ' ';
}

/* The document goes on at `to`: a gap if units were left out. */
static void pass(struct emit *e, size_t to)
{
	struct buf *out = &e->outs[e->doc];
	struct trace_range in = { e->at, to }, at = { out->len, 0 };

	open_doc(e);
	e->at = to > e->at ? to : e->at;
	if (!e->left_out || to <= in.from)
		return;
	e->left_out = false;
	if (e->marks)
		buf_str(out, e->begun && !ends_blank(out) ? " " COMPRESS_MARK : COMPRESS_MARK);
	e->marked = e->marks;
	e->begun = e->begun || e->marks;
	e->at_line = e->at_line && !e->marks;
	at.to = out->len;
	if (e->map != NULL)
		trace_gap(e->map, at, in);
}

/* A document of which nothing was taken has no mark either. */
static void end_doc(struct emit *e)
{
	e->left_out = e->left_out && e->written;
	pass(e, e->docs[e->doc].len);
	e->doc++;
	e->at = 0;
	e->begun = e->written = e->marked = e->opened = e->left_out = e->at_line = false;
	e->block = 0;
}

static void go_to(struct emit *e, size_t doc)
{
	while (e->doc < doc)
		end_doc(e);
}

void emit_end(struct emit *e)
{
	go_to(e, e->docs_n);
}

void emit_whole(struct emit *e, uint32_t doc, size_t bytes)
{
	struct trace_range in = { 0, bytes };

	if (e->docs_n == 0)
		return;
	go_to(e, doc);
	open_doc(e);
	if (bytes == 0)
		return;
	buf_add(&e->outs[doc], span_part(e->docs[doc], 0, bytes));
	if (e->map != NULL)
		trace_keep(e->map, in, in);
	e->begun = true;
	e->at_line = e->docs[doc].at[bytes - 1] == '\n';
	e->at = bytes;
}

/* Between what was written and what comes: nothing behind a line end (of a prefix) or at the start. */
static void separate(struct emit *e, const struct unit *u)
{
	struct buf *out = &e->outs[e->doc];

	if (!e->begun || e->at_line)
		return;
	buf_byte(out, e->block == u->block || (e->marked && e->block == 0) ? ' ' : '\n');
}

static void write_unit(struct emit *e, const struct unit *u, struct span text, size_t to)
{
	struct buf *out = &e->outs[u->doc];
	struct trace_range in = { u->from, to }, at;

	pass(e, u->from);
	separate(e, u);
	at.from = out->len;
	if (u->flat)
		text_flatten(out, text);
	else
		buf_add(out, text);
	at.to = out->len;
	if (e->map != NULL)
		trace_keep(e->map, at, in);
	e->begun = e->written = true;
	e->marked = e->at_line = false;
	e->block = u->block;
	e->at = to > e->at ? to : e->at;
	e->left_out = to < u->to;
}

void emit_units(struct emit *e, const struct unit *units, uint32_t n,
	const struct rank_result *chosen)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct unit *u = &units[i];
		bool whole = i != chosen->clipped;

		go_to(e, u->doc);
		if (!chosen->taken[i]) {
			e->left_out = true;
			continue;
		}
		write_unit(e, u, whole ? u->text : span_part(u->text, 0, chosen->clip_bytes),
			whole ? u->to : u->from + chosen->clip_bytes);
	}
}
