/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/token_count.h"

#include "base/pure.h"

int token_count_add(const struct token_count *c, struct span s, uint64_t *sum)
{
	struct tokens t;
	int64_t n;

	if (c->exact == NULL) {
		t = tokens_of(c->family, s);
		*sum += t.text + t.space;
		return 0;
	}
	n = c->exact(c->vocabulary, s);
	if (n < 0)
		return (int)n;
	*sum += (uint64_t)n;
	return 0;
}

/* Estimates are in thousandths, and before the rate. */
uint64_t token_count_sum(const struct token_count *c, uint64_t sum)
{
	return c->exact != NULL ? sum : (token_rate_apply(c->rate, sum) + 999) / 1000;
}

int64_t token_count_all(const struct token_count *c, const struct span *texts, size_t n)
{
	uint64_t sum = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = token_count_add(c, texts[i], &sum);
	return r < 0 ? r : (int64_t)token_count_sum(c, sum);
}

int64_t token_count(const struct token_count *c, struct span s)
{
	return token_count_all(c, &s, 1);
}
