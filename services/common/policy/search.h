/* SPDX-License-Identifier: Apache-2.0
 *
 * search: which of some texts answer a query best, by BM25 (k1 = 1.2, b = 0.75) in integers. Ties go to the earlier
 * text: the same input gives the same order on every machine.
 */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

#define SEARCH_TERMS_MAX 256u
#define SEARCH_PASSAGE_BYTES 600u /* a passage is cut behind the sentence that reaches it */

struct search_hit {
	uint32_t text;  /* index */
	uint32_t terms; /* distinct terms of the query that it has */
	int64_t score;  /* in thousandths; above 0 */
};

/* The texts with a term of the query, best first. ERR_INVALID (field "query": only stop words), ERR_TOO_BIG (field
 * "query": more than SEARCH_TERMS_MAX terms), ERR_NO_MEMORY. */
int search_texts(struct arena *a, struct span query, const struct span *texts, size_t texts_n,
	struct search_hit **ret, size_t *ret_n, struct fail *why) MUST_USE;

struct search_passage {
	struct span text;
	uint32_t doc; /* index */
};

/* The documents in passages: some sentences that follow each other; a heading begins one. 0 or ERR_NO_MEMORY. */
int search_passages(struct arena *a, const struct span *docs, size_t docs_n,
	struct search_passage **ret, size_t *ret_n) MUST_USE;
