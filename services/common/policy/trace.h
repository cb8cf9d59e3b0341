/* SPDX-License-Identifier: Apache-2.0
 *
 * trace: where each part of a compressed text comes from, as lines of text:
 *
 *	spu-map 1
 *	text 65213 9c1f03a2b4d5e6f7        the first document: its bytes, their hash
 *	= 0 120 340 460                    bytes 0 to 120 of what is kept were bytes 340 to 460
 *	- 120 126 460 1022                 here bytes 460 to 1022 are left out; a mark of 6 bytes says so
 *
 * The lines of a document follow its "text" line, in order; both sorts have rising, adjoining ranges of the kept text.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct trace_range {
	size_t from, to;
};

void trace_begin(struct buf *map);
void trace_doc(struct buf *map, struct span doc);
void trace_keep(struct buf *map, struct trace_range out, struct trace_range in);
void trace_gap(struct buf *map, struct trace_range out, struct trace_range in);

/* What of a document is asked for. */
struct trace_want {
	uint32_t doc; /* 0 is the first */
	uint32_t gap; /* the n-th that is left out, 1 is the first; or 0: */
	struct trace_range
		out; /* what these bytes of the kept text stand for; a gap if its whole mark is among them */
};

/* The range of the original. ERR_MALFORMED: this is no map; ERR_UNKNOWN with field "item", "gap" or "from": it has no
 * such thing; ERR_CONFLICT with field "items": the map is of another text. */
int trace_find(struct span map, const struct span *docs, size_t docs_n,
	const struct trace_want *want, struct trace_range *ret, struct fail *why) MUST_USE;
