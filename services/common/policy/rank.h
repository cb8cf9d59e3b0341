/* SPDX-License-Identifier: Apache-2.0
 *
 * rank: which units of some documents to keep within a budget of tokens. All in integers, ties by position: the
 * same input gives the same choice on every machine.
 *
 * A term's weight comes from the query (how rare the term is; terms that look alike count in part) and from the
 * documents (how often they use it, for a term that is not everywhere). A unit is worth the weights of its terms by
 * BM25, more if it has many terms of the query together, plus what its heading and neighbours share with the query,
 * plus its place. Each choice makes the terms that it covers worth less to the next one, so that what was said once
 * is not said again; those of the query much less so, since two values for one thing may both matter.
 */
#pragma once
#include "base/check.h"
#include "policy/unit.h"

/* Costs are in thousandths of a token. */
struct rank_want {
	struct span query;  /* empty: what the documents are about */
	uint64_t budget;    /* of the units and what stands between them */
	uint32_t units_max; /* at most so many */
	uint32_t newline; /* what it costs where a block begins, but for the first of a document */
	uint32_t
		gap; /* what it costs where units are left out between others, at the start or the end */
};

struct rank_result {
	bool *taken;   /* for each unit */
	uint64_t cost; /* of what is taken; at most the budget */
	uint32_t taken_n;
	uint32_t
		clipped; /* this unit is taken up to clip_bytes of its text only, to fill the budget; or UNIT_NONE */
	size_t clip_bytes;
	uint32_t best; /* the unit with the most to say, taken or not; UNIT_NONE if there is none */
	uint32_t terms; /* of the query: distinct words with a content */
	uint32_t found; /* of them in the documents, or words that look like them */
	uint32_t kept;  /* of those in what is taken */
};

/* Units of one document follow each other, in its order. Their terms point into their texts until it returns.
 * cost_of says what the start of a unit costs, where one is clipped; NULL: none is. 0 or
 * ERR_NO_MEMORY. */
int rank_units(struct arena *a, const struct unit *units, uint32_t n, const struct rank_want *want,
	uint32_t (*cost_of)(void *self, struct span text), void *self,
	struct rank_result *ret) MUST_USE;
