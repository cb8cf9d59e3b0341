/* SPDX-License-Identifier: Apache-2.0
 *
 * compress: texts with fewer tokens: all of it, said shorter (lossless), or what matters of it (extract), or that in
 * fewer words (telegraphic). What is kept stays in its order and can be traced back to the bytes that it was.
 *
 * Texts beyond COMPRESS_BATCH_BYTES are read so much at a time, cut at lines, and each part gets the share of the
 * budget that its tokens have: time grows with the length only, memory does not.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "policy/guard.h"

#define COMPRESS_BATCH_BYTES ((size_t)512 << 10)
/* What the scratch arena may need at most, for a text of nothing but words of one letter in lines of their own. */
#define COMPRESS_ARENA_BYTES ((size_t)128 << 20)
#define COMPRESS_SMALL_TOKENS 300u /* texts of fewer are not cut by a ratio */
#define COMPRESS_MARK "[...]"

struct compress_want {
	struct span query; /* empty: what the texts are about */
	enum guard_mode mode;
	enum tokens_family family;
	uint64_t tokens;      /* at most so many, UINT64_MAX: no limit */
	uint32_t ratio_milli; /* 5000: a fifth of the tokens; 1000 and less: no limit */
	size_t prefix_bytes;  /* of the first text, which stay as they are; cut to its length */
	bool marks;           /* say COMPRESS_MARK where something is left out */
	size_t batch_bytes;   /* 0: COMPRESS_BATCH_BYTES; at least 4,096 */
};

struct compress_facts {
	uint64_t tokens_in, tokens_out; /* estimates */
	uint64_t units_in, units_out;   /* sentences, rows, blocks ... */
	uint32_t terms, found,
		kept; /* of the query: words; those in the texts; those in what is kept */
	uint64_t sections[SECTION_KINDS]; /* what the texts were taken for; all 0 if whole */
	bool whole; /* nothing was to do: the texts are given back as they were */
};

/* docs_n texts of any bytes into as many outs, which the caller initialised; map, unless NULL, gets their trace
 * (policy/trace.h). scratch is reset many times. The result has at most so many tokens as the budget allows, and, if
 * something is left out of texts of COMPRESS_SMALL_TOKENS or more, usually no less than 97 % of that.
 * ERR_TOO_BIG: the prefix (field "prefix_bytes") or the lossless text (field "tokens") is larger than the budget, or
 * an out is; ERR_NO_MEMORY. */
int compress_texts(struct arena *scratch, const struct span *docs, size_t docs_n,
	const struct compress_want *want, struct buf *outs, struct buf *map,
	struct compress_facts *ret, struct fail *why) MUST_USE;
