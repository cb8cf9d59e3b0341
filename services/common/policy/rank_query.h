/* SPDX-License-Identifier: Apache-2.0
 *
 * rank_query: which terms of the documents a query wants, and how much.
 */
#pragma once
#include "policy/rank_terms.h"

#define QUERY_SLOTS 128u

struct query {
	uint32_t slots_n; /* distinct terms of the query, the first QUERY_SLOTS */
	uint32_t
		found; /* of them in the documents, by themselves or by others that look like them */
	uint64_t wanted;               /* of all slots that were found */
	uint32_t weights[QUERY_SLOTS]; /* the most that a term of the slot is wanted */
	bool asks_number;              /* how many, when, which port ... */
};

/* Sets `wanted` and `slot` of the documents' terms. */
void query_read(struct query *q, struct terms *t, struct span text);
/* log2((n + 1) / (df + 0.5)) in 1/256: above 0 for any df <= n. */
uint32_t rarity(uint32_t n, uint32_t df);
