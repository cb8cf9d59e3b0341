/* SPDX-License-Identifier: Apache-2.0
 *
 * token_rate: how far the estimate of tokens.h is off for a model, learned from what its API says it counted. An
 * exponentially weighted mean of actual to estimated tokens, in 65536ths. Kept in memory only: a process that starts
 * anew learns anew.
 */
#pragma once
#include <stdbool.h>

#include "policy/tokens.h"

#define TOKEN_RATE_ONE 65536u
#define TOKEN_RATE_LOW (TOKEN_RATE_ONE / 4) /* no rate is outside of these */
#define TOKEN_RATE_HIGH (TOKEN_RATE_ONE * 4)
#define TOKEN_RATE_LEAST                                                                           \
	64u /* of fewer estimated tokens, what an API adds itself says more than the text */
#define TOKEN_RATE_MEMORY                                                                          \
	16u /* the mean's weight of a new sample is one in so many, more for the first ones */
#define TOKEN_RATE_MODELS                                                                          \
	32u /* are told apart; the one that was not heard of for longest makes room */

/* A zeroed one has learned nothing. */
struct token_rate {
	uint32_t rate; /* 0: none yet */
	uint32_t seen; /* samples, up to TOKEN_RATE_MEMORY */
};

/* TOKEN_RATE_ONE while nothing is learned. */
uint32_t token_rate_get(const struct token_rate *r);
/* A sample. One far from the mean counts as one a third from it, so that a few odd answers change little; one with
 * less than TOKEN_RATE_LEAST estimated, or no actual tokens is ignored: false. */
bool token_rate_learn(struct token_rate *r, uint64_t estimated, uint64_t actual);
/* tokens x rate, rounded up. */
uint64_t token_rate_apply(uint32_t rate, uint64_t tokens);

struct token_rates {
	struct token_rate_row {
		uint64_t model; /* hash of its name; two models with one hash share a rate */
		uint64_t used;  /* when, by `uses`; 0: free */
		struct token_rate rate;
	} rows[TOKEN_RATE_MODELS];
	struct token_rate families[TOKENS_FAMILIES]; /* for models of which nothing is known */
	uint64_t uses;
};

/* The rate of a model, else that of its family. */
uint32_t token_rates_get(const struct token_rates *rs, struct span model);
/* A sample of a model, and of its family; false if it was ignored. */
bool token_rates_learn(struct token_rates *rs, struct span model, uint64_t estimated,
	uint64_t actual);
