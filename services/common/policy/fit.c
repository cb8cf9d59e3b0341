/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/fit.h"

#include "base/pure.h"

#define TRIES 10u
#define FIRST_TRY 985 /* thousandths: what is selected has other words than what is not */
#define ENOUGH 96     /* percent of the budget; what leaves more room is tried once more */

struct fit {
	struct arena *scratch;
	const struct span *docs;
	size_t docs_n;
	struct compress_want want; /* of the next try */
	const struct token_count *count;
	struct buf *outs;
	struct buf *map;
	struct compress_facts *facts;
	struct fail *why;
	uint64_t in, prefix;         /* tokens */
	uint64_t est_in, est_prefix; /* estimates of them */
	uint64_t budget;
};

static int add(const struct fit *f, int64_t count, uint64_t *sum)
{
	if (count < 0)
		return fail_set(f->why, (int)count, NULL, 0, NULL);
	*sum += (uint64_t)count;
	return 0;
}

static int measure(struct fit *f)
{
	struct span first = f->docs_n == 0 ? (struct span){ 0 } : f->docs[0];
	struct span prefix = span_part(first, 0, f->want.prefix_bytes);
	int r = add(f, token_count_all(f->count, f->docs, f->docs_n), &f->in);

	for (size_t i = 0; i < f->docs_n; i++)
		f->est_in += tokens_whole(tokens_of(f->count->family, f->docs[i]));
	f->est_prefix = tokens_whole(tokens_of(f->count->family, prefix));
	return r < 0 ? r : add(f, token_count(f->count, prefix), &f->prefix);
}

static uint64_t budget_of(const struct fit *f)
{
	uint64_t rest = f->in > f->prefix ? f->in - f->prefix : 0, share;

	if (f->want.ratio_milli <= 1000 || f->in < COMPRESS_SMALL_TOKENS)
		return f->want.tokens;
	share = f->prefix + (uint64_t)((unsigned __int128)rest * 1000 / f->want.ratio_milli);
	return share < f->want.tokens ? share : f->want.tokens;
}

static uint64_t scale(uint64_t n, uint64_t by, uint64_t of)
{
	unsigned __int128 scaled = of == 0 ? n : (unsigned __int128)n * by / of;

	return scaled > UINT64_MAX ? UINT64_MAX : (uint64_t)scaled;
}

/* Compress as f->want says, and count what is left. */
static int try(struct fit *f, uint64_t *ret_out)
{
	uint64_t out = 0;
	int r;

	for (size_t i = 0; i < f->docs_n; i++)
		buf_reset(&f->outs[i]);
	if (f->map != NULL)
		buf_reset(f->map);
	r = compress_texts(f->scratch, f->docs, f->docs_n, &f->want, f->outs, f->map, f->facts,
		f->why);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < f->docs_n; i++)
		r = token_count_add(f->count, buf_span(&f->outs[i]), &out);
	if (r < 0)
		return fail_set(f->why, r, NULL, 0, NULL);
	out = f->facts->whole ? f->in : token_count_sum(f->count, out);
	f->facts->tokens_in = f->in;
	f->facts->tokens_out = out;
	*ret_out = out;
	return 0;
}

/* All of it, or all of it without waste. */
static int fit_all(struct fit *f, uint64_t tokens)
{
	uint64_t out;
	int r;

	f->want.tokens = UINT64_MAX;
	f->want.ratio_milli = 0;
	r = try(f, &out);
	if (r == 0 && out > tokens)
		return fail_set(f->why, ERR_TOO_BIG, "tokens", (int64_t)tokens,
			"without a loss it is larger");
	return r;
}

/* Each try that leaves too much makes the next one stricter by more than it was over, at last by much more. */
static int fit_budget(struct fit *f)
{
	uint64_t rest =
		scale(scale(f->est_in - f->est_prefix, f->budget - f->prefix, f->in - f->prefix),
			FIRST_TRY, 1000);
	uint64_t out, strict = 5;
	bool raised = false;

	f->want.ratio_milli = 0;
	for (unsigned i = 0; i < TRIES; i++) {
		int r;

		f->want.tokens = f->est_prefix + rest;
		r = try(f, &out);
		if (r < 0)
			return r;
		if (out > f->budget) {
			rest = scale(scale(rest, f->budget, out), 1000 - strict, 1000);
			strict = strict < 320 ? strict * 2 : 900;
			continue;
		}
		if (raised || strict > 5 || out * 100 >= f->budget * ENOUGH || out == 0)
			return 0;
		raised = true;
		rest = scale(rest, f->budget, out);
	}
	return fail_set(f->why, ERR_TOO_BIG, "tokens", (int64_t)f->budget,
		"it cannot be made so short");
}

int fit_texts(struct arena *scratch, const struct span *docs, size_t docs_n,
	const struct compress_want *want, const struct token_count *count, struct buf *outs,
	struct buf *map, struct compress_facts *ret, struct fail *why)
{
	struct fit f = { scratch, docs, docs_n, *want, count, outs, map, ret, why, .in = 0 };
	int r;

	f.want.family = count->family;
	if (token_count_is_plain(count))
		return compress_texts(scratch, docs, docs_n, &f.want, outs, map, ret, why);
	r = measure(&f);
	if (r < 0)
		return r;
	if (want->mode == GUARD_LOSSLESS)
		return fit_all(&f, want->tokens);
	f.budget = budget_of(&f);
	if (f.budget >= f.in)
		return fit_all(&f, UINT64_MAX);
	if (f.prefix > f.budget)
		return fail_set(why, ERR_TOO_BIG, "prefix_bytes", (int64_t)f.budget,
			"the prefix alone has more tokens than that");
	return fit_budget(&f);
}
