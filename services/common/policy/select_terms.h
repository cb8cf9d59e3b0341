/* SPDX-License-Identifier: Apache-2.0
 *
 * select_terms: the documents as select scores them: terms with numbers instead of words, and for each
 * sentence its distinct terms.
 */
#pragma once
#include "policy/select.h"

#define NO_TERM UINT32_MAX

struct term {
	uint64_t hash;
	uint32_t df;      /* sentences that have it */
	uint32_t tf;      /* how often it occurs */
	uint32_t seen;    /* the last sentence that had it, + 1 */
	uint32_t place;   /* of its row in that sentence */
	uint32_t weight;  /* for the query and the documents together */
	uint32_t wanted;  /* for the query alone */
	uint32_t covered; /* by how many picks */
};

/* A distinct term of a sentence. */
struct use {
	uint32_t term;
	uint32_t count;
};

struct line {
	struct select_pick at;
	uint32_t uses_from; /* in uses */
	uint32_t uses_n;
	uint32_t words; /* terms, repeated ones too */
	uint32_t nth;   /* sentence of its document */
	bool opens;     /* the first sentence of its block */
	bool repeats;   /* an earlier sentence has the same terms in the same order */
	uint64_t hash;  /* of its terms */
	int64_t norm;   /* BM25's k1 for its length, in thousandths */
	int64_t one;    /* what a single use of a term is worth in it */
	int64_t match;  /* with the query */
	int64_t bonus;  /* for place, heading and neighbours */
};

struct terms {
	struct line *lines;
	uint32_t lines_n;
	struct use *uses;
	uint32_t uses_n;
	struct term *terms;
	uint32_t terms_n;
	uint32_t *table; /* from hash to term + 1, open addressing */
	uint32_t table_cap;
	uint32_t *line_table; /* from hash to line + 1 */
	uint32_t line_cap;
	uint64_t words; /* in all lines */
	int64_t mean;   /* words of a line, 1 more */
};

/* 0 or ERR_NO_MEMORY. */
int terms_read(struct terms *t, struct arena *a, const struct span *docs, size_t docs_n) MUST_USE;
/* The term of a word, or NO_TERM. */
uint32_t terms_find(const struct terms *t, uint64_t hash);
