/* SPDX-License-Identifier: Apache-2.0
 *
 * emit: the chosen units as text, and where they come from. Units of one block are a line, others lines of their own;
 * a mark says where something is left out.
 */
#pragma once
#include "base/buf.h"
#include "policy/rank.h"
#include "policy/tokens.h"
#include "policy/unit.h"

struct emit {
	const struct span *docs;
	size_t docs_n;
	struct buf *outs;
	struct buf *map; /* or NULL */
	bool marks;
	uint32_t newline; /* thousandths of a token */
	uint32_t mark;
	size_t doc;     /* being written; docs_n: all are */
	size_t at;      /* what of it is before this byte has been written or left out */
	uint32_t block; /* of what was written last */
	bool begun;     /* something of it was written */
	bool written;   /* ... and not only the mark or the first bytes as they are */
	bool left_out;  /* units were passed over since */
	bool marked;    /* a mark was written last */
	bool opened;    /* its line is in the map */
	bool at_line;   /* nothing was written behind first bytes that end with a line */
};

void emit_init(struct emit *e, const struct span *docs, size_t docs_n, struct buf *outs,
	struct buf *map, bool marks, enum tokens_family family);
/* The first n bytes of a document, as they are. Documents come in their order. */
void emit_whole(struct emit *e, uint32_t doc, size_t bytes);
/* What is taken of n units, which follow those of the call before. */
void emit_units(struct emit *e, const struct unit *units, uint32_t n,
	const struct rank_result *chosen);
/* No more comes: what is left is left out. */
void emit_end(struct emit *e);
