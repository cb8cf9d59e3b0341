/* SPDX-License-Identifier: Apache-2.0
 *
 * rank_terms: units as rank scores them: terms with numbers instead of words, and for each unit its distinct
 * terms. A word is stemmed once for each form in which it occurs.
 */
#pragma once
#include "policy/hash_index.h"
#include "policy/unit.h"

#define NO_TERM UINT32_MAX

struct term {
	uint32_t weight;  /* for the query and the documents together */
	uint32_t wanted;  /* for the query alone */
	uint32_t covered; /* by how many picks */
	uint32_t df;      /* units that have it */
	uint32_t tf;      /* how often it occurs */
	uint32_t seen;    /* the last unit that had it, + 1 */
	uint32_t place;   /* of its row in that unit */
	uint32_t slot;    /* of the query's term that it is or resembles, + 1 */
};

/* What of a term is seldom looked at. */
struct term_text {
	uint64_t hash;    /* of the stem */
	struct span form; /* as it was written first */
	bool ascii;
	bool number; /* begins with a digit */
};

/* A distinct term of a unit. */
struct use {
	uint32_t term;
	uint32_t count;
};

struct line {
	int64_t match;      /* with the query */
	int64_t bonus;      /* for place, heading and neighbours */
	uint32_t uses_from; /* in uses */
	uint32_t uses_n;
	uint32_t words;   /* terms, repeated ones too */
	uint32_t nth;     /* unit of its document */
	uint32_t doubled; /* an earlier unit with the same words + 1, or 0 */
	uint32_t norm;    /* BM25's k1 for its length, in thousandths */
	uint32_t one;     /* what a single use of a term is worth in it */
	bool opens;       /* the first unit of its block */
	bool leans;       /* begins with a word that points back: "it", "this", "however" */
	bool number;      /* has one */
};

struct terms {
	struct arena *arena;
	struct line *lines;
	uint32_t lines_n;
	struct use *uses;
	uint32_t uses_n, uses_cap;
	struct term *terms;
	struct term_text *texts;
	uint32_t terms_n, terms_cap, texts_cap;
	struct hash_index forms;   /* from a word as written to its term */
	struct hash_index stems;   /* from a stem to its term */
	struct hash_index repeats; /* from the words of a unit to the unit */
	uint64_t words;            /* in all lines */
	int64_t mean;              /* words of a line, 1 more */
};

/* 0 or ERR_NO_MEMORY. */
int terms_read(struct terms *t, struct arena *a, const struct unit *units, uint32_t n) MUST_USE;
/* The term of a stem, or NO_TERM. */
uint32_t terms_find(const struct terms *t, uint64_t hash);
