/* SPDX-License-Identifier: Apache-2.0
 *
 * fit: texts made shorter, with budgets in the tokens of one model. The selection (policy/compress.h) spends
 * estimates; what it leaves is counted, and if that is too much or much too little, it is done again with another
 * estimate, a few times at most.
 */
#pragma once
#include "policy/compress.h"
#include "policy/token_count.h"

/* As compress_texts, with want->tokens, want->ratio_milli and the tokens in *ret as `count` counts; want->family is
 * count's. outs and map are empty. */
int fit_texts(struct arena *scratch, const struct span *docs, size_t docs_n,
	const struct compress_want *want, const struct token_count *count, struct buf *outs,
	struct buf *map, struct compress_facts *ret, struct fail *why) MUST_USE;
