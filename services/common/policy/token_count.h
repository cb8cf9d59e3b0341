/* SPDX-License-Identifier: Apache-2.0
 *
 * token_count: how many tokens a text is for one model: exactly by its vocabulary, where the user has one, else the
 * estimate of its family times the rate that its API taught (policy/token_rate.h).
 */
#pragma once
#include "base/check.h"
#include "policy/token_rate.h"

struct token_count {
	enum tokens_family family;
	uint32_t rate; /* of the estimate; TOKEN_RATE_ONE: as it is */
	/* The number of tokens, or ERR_NO_MEMORY; NULL: it is estimated. */
	int64_t (*exact)(const void *vocabulary, struct span s);
	const void *vocabulary;
};

/* Tokens, rounded up; or a negative error of an exact count. */
int64_t token_count(const struct token_count *c, struct span s) MUST_USE;
/* The same step by step, for what is not in one place: add texts to a sum, which is 0 at first, then round it up. */
int token_count_add(const struct token_count *c, struct span s, uint64_t *sum) MUST_USE;
uint64_t token_count_sum(const struct token_count *c, uint64_t sum);
/* Of several texts. */
int64_t token_count_all(const struct token_count *c, const struct span *texts, size_t n) MUST_USE;
/* The count is that of tokens.h. */
static inline bool token_count_is_plain(const struct token_count *c)
{
	return c->exact == NULL && c->rate == TOKEN_RATE_ONE;
}
