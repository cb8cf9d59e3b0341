/* SPDX-License-Identifier: Apache-2.0
 *
 * baseline: selections to compare with, made as well as they can be: the same sentences, the same stems and stop words,
 * the same budget of tokens; what is left of it goes to the next best that fits.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"

enum baseline { BASE_BM25, BASE_TEXTRANK, BASE_LEAD, BASE_GZIP, BASELINES };

const char *baseline_name(enum baseline b);
/* Append to `out` what it keeps of the text within so many thousandths of a token. Without a query BM25 asks for all
 * words of the text, and gzip for the text. The arena takes what it needs; it may be reset afterwards. */
void baseline_select(enum baseline b, struct arena *a, struct span text, struct span query,
	uint64_t budget, struct buf *out);
