/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/token_count.h"

#include "base/pure.h"

static int64_t whole(const struct token_count *c, uint64_t milli)
{
	return (int64_t)((token_rate_apply(c->rate, milli) + 999) / 1000);
}

static uint64_t estimate(const struct token_count *c, struct span s)
{
	struct tokens t = tokens_of(c->family, s);

	return t.text + t.space;
}

int64_t token_count(const struct token_count *c, struct span s)
{
	return c->exact != NULL ? c->exact(c->vocabulary, s) : whole(c, estimate(c, s));
}

int64_t token_count_all(const struct token_count *c, const struct span *texts, size_t n)
{
	uint64_t milli = 0;
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t one;

		if (c->exact == NULL) {
			milli += estimate(c, texts[i]);
			continue;
		}
		one = c->exact(c->vocabulary, texts[i]);
		if (one < 0)
			return one;
		sum += one;
	}
	return c->exact == NULL ? whole(c, milli) : sum;
}
