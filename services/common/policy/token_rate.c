/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/token_rate.h"

#include "base/pure.h"

#define SURE 4u /* after so many samples, one far from the mean is odd */

uint32_t token_rate_get(const struct token_rate *r)
{
	return r->rate == 0 ? TOKEN_RATE_ONE : r->rate;
}

uint64_t token_rate_apply(uint32_t rate, uint64_t tokens)
{
	unsigned __int128 scaled = (unsigned __int128)tokens * rate + TOKEN_RATE_ONE - 1;

	scaled /= TOKEN_RATE_ONE;
	return scaled > UINT64_MAX ? UINT64_MAX : (uint64_t)scaled;
}

static uint64_t clamp(uint64_t n, uint64_t low, uint64_t high)
{
	return n < low ? low : n > high ? high : n;
}

bool token_rate_learn(struct token_rate *r, uint64_t estimated, uint64_t actual)
{
	uint64_t low = TOKEN_RATE_LOW, high = TOKEN_RATE_HIGH, sample;
	int64_t step;

	if (estimated < TOKEN_RATE_LEAST || actual == 0)
		return false;
	if (r->seen >= SURE) {
		low = clamp(r->rate - r->rate / 3, low, high);
		high = clamp(r->rate + r->rate / 3, low, high);
	}
	sample = actual / estimated > high / TOKEN_RATE_ONE
			 ? high
			 : clamp((uint64_t)((unsigned __int128)actual * TOKEN_RATE_ONE / estimated),
				   low, high);
	if (r->seen < TOKEN_RATE_MEMORY)
		r->seen++;
	step = ((int64_t)sample - (int64_t)r->rate) / (int64_t)r->seen;
	r->rate = (uint32_t)((int64_t)r->rate + step);
	return true;
}

static struct token_rate_row *row_of(struct token_rates *rs, uint64_t model)
{
	struct token_rate_row *oldest = &rs->rows[0];

	for (uint32_t i = 0; i < TOKEN_RATE_MODELS; i++) {
		if (rs->rows[i].used > 0 && rs->rows[i].model == model)
			return &rs->rows[i];
		if (rs->rows[i].used < oldest->used)
			oldest = &rs->rows[i];
	}
	*oldest = (struct token_rate_row){ .model = model };
	return oldest;
}

uint32_t token_rates_get(const struct token_rates *rs, struct span model)
{
	uint64_t hash = span_hash(model, 0);

	for (uint32_t i = 0; i < TOKEN_RATE_MODELS; i++) {
		if (rs->rows[i].used > 0 && rs->rows[i].model == hash)
			return token_rate_get(&rs->rows[i].rate);
	}
	return token_rate_get(&rs->families[tokens_family_of(model)]);
}

bool token_rates_learn(struct token_rates *rs, struct span model, uint64_t estimated,
	uint64_t actual)
{
	struct token_rate_row *row;

	if (!token_rate_learn(&rs->families[tokens_family_of(model)], estimated, actual))
		return false;
	row = row_of(rs, span_hash(model, 0));
	row->used = ++rs->uses;
	return token_rate_learn(&row->rate, estimated, actual);
}
