/* SPDX-License-Identifier: Apache-2.0
 *
 * baseline: scores in floating point, then sentences by score.
 */
#include "tests/bench/baseline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/check.h"
#include "policy/text.h"
#include "policy/tokens.h"
#include "policy/words.h"

#define K1 1.2
#define B 0.75
#define DAMPING 0.85
#define ROUNDS 30

struct row {
	struct span text;
	uint64_t *stems; /* sorted, with repeats */
	unsigned stems_n;
	uint64_t cost;
	double score;
};

struct rows {
	struct arena *a;
	struct row *at;
	unsigned n;
	uint64_t *all; /* stems of all rows, sorted: how many rows have each follows from it */
	size_t all_n;
	double mean;
};

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t *stems_of(struct arena *a, struct span text, unsigned *ret_n)
{
	uint64_t *stems = arena_raw(a, (words_bound(text.len) + 1) * sizeof(*stems));
	struct words w = words_of(text);
	struct word word;
	unsigned n = 0;

	CHECK(stems != NULL);
	while (words_next(&w, &word)) {
		if (!word.is_stop)
			stems[n++] = word.hash;
	}
	qsort(stems, n, sizeof(*stems), by_number);
	*ret_n = n;
	return stems;
}

static unsigned count_of(const uint64_t *stems, size_t n, uint64_t stem)
{
	size_t low = 0, high = n, from;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (stems[middle] < stem)
			low = middle + 1;
		else
			high = middle;
	}
	for (from = low; low < n && stems[low] == stem;)
		low++;
	return (unsigned)(low - from);
}

static void read_rows(struct rows *r, struct arena *a, struct span text)
{
	struct text_reader reader = text_read(text);
	size_t words = 0;
	struct sentence s;

	*r = (struct rows){ .a = a };
	r->at = arena_raw(a, (text_bound(text) + 1) * sizeof(*r->at));
	CHECK(r->at != NULL);
	for (; text_next(&reader, &s); r->n++) {
		struct row *row = &r->at[r->n];

		*row = (struct row){ .text = s.text, .cost = tokens_of(TOKENS_O200K, s.text).text };
		row->stems = stems_of(a, s.text, &row->stems_n);
		words += row->stems_n;
	}
	r->mean = r->n == 0 ? 1 : 1 + (double)words / r->n;
	r->all = arena_raw(a, (words + 1) * sizeof(*r->all));
	CHECK(r->all != NULL);
	for (unsigned i = 0; i < r->n; i++) {
		for (unsigned k = 0; k < r->at[i].stems_n; k++) {
			if (k == 0 || r->at[i].stems[k] != r->at[i].stems[k - 1])
				r->all[r->all_n++] = r->at[i].stems[k];
		}
	}
	qsort(r->all, r->all_n, sizeof(*r->all), by_number);
}

static void score_bm25(struct rows *r, struct span text, struct span query)
{
	unsigned n;
	uint64_t *asked = stems_of(r->a, query.len > 0 ? query : text, &n);

	for (unsigned q = 0; q < n; q++) {
		double df, idf;

		if (q > 0 && asked[q] == asked[q - 1])
			continue;
		df = count_of(r->all, r->all_n, asked[q]);
		if (df == 0)
			continue;
		idf = log(1 + (r->n - df + 0.5) / (df + 0.5));
		for (unsigned i = 0; i < r->n; i++) {
			struct row *row = &r->at[i];
			double tf = count_of(row->stems, row->stems_n, asked[q]);

			row->score += idf * tf * (K1 + 1) /
				      (tf + K1 * (1 - B + B * row->stems_n / r->mean));
		}
	}
}

/* Mihalcea and Tarau 2004: common words, over the logarithms of the lengths. */
static float alike(const struct row *x, const struct row *y)
{
	unsigned i = 0, k = 0, common = 0;

	if (x->stems_n < 2 || y->stems_n < 2)
		return 0;
	while (i < x->stems_n && k < y->stems_n) {
		if (x->stems[i] == y->stems[k])
			common++, i++, k++;
		else if (x->stems[i] < y->stems[k])
			i++;
		else
			k++;
	}
	return (float)(common / (log(x->stems_n) + log(y->stems_n)));
}

static void score_textrank(struct rows *r)
{
	size_t n = r->n;
	float *like = calloc(n * n + 1, sizeof(*like));
	double *sums = calloc(n + 1, sizeof(*sums)), *next = calloc(n + 1, sizeof(*next));

	CHECK(like != NULL && sums != NULL && next != NULL);
	for (size_t i = 0; i < n; i++) {
		r->at[i].score = 1;
		for (size_t k = 0; k < i; k++) {
			like[i * n + k] = like[k * n + i] = alike(&r->at[i], &r->at[k]);
			sums[i] += like[i * n + k];
			sums[k] += like[i * n + k];
		}
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < n; i++)
			next[i] = 1 - DAMPING;
		for (size_t k = 0; k < n; k++) {
			double gives = sums[k] > 0 ? DAMPING * r->at[k].score / sums[k] : 0;

			for (size_t i = 0; i < n; i++)
				next[i] += gives * like[k * n + i];
		}
		for (size_t i = 0; i < n; i++)
			r->at[i].score = next[i];
	}
	free(like);
	free(sums);
	free(next);
}

static double packed(struct span a, struct span b)
{
	unsigned char in[1 << 17], out[1 << 18];
	uLongf n = sizeof(out);

	if (a.len > sizeof(in) / 2)
		a.len = sizeof(in) / 2;
	if (b.len > sizeof(in) / 2)
		b.len = sizeof(in) / 2;
	memcpy(in, a.at, a.len);
	if (b.len > 0)
		memcpy(in + a.len, b.at, b.len);
	CHECK(compress2(out, &n, in, a.len + b.len, 6) == Z_OK);
	return (double)n;
}

/* The normalised compression distance to the query, the nearest first. */
static void score_gzip(struct rows *r, struct span text, struct span query)
{
	struct span none = { 0 }, asked = query.len > 0 ? query : span_part(text, 0, 16384);
	double whole = packed(asked, none);

	for (unsigned i = 0; i < r->n; i++) {
		double one = packed(r->at[i].text, none), both = packed(asked, r->at[i].text),
		       least = one < whole ? one : whole, most = one < whole ? whole : one;

		r->at[i].score = -(both - least) / most;
	}
}

static int by_score(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;

	return x->score != y->score ? (x->score > y->score ? -1 : 1) : x < y ? -1 : 1;
}

static void keep(struct rows *r, uint64_t budget, struct buf *out)
{
	struct row **order = arena_raw(r->a, (r->n + 1) * sizeof(*order));
	bool *kept = arena_alloc(r->a, r->n + 1);

	CHECK(order != NULL && kept != NULL);
	for (unsigned i = 0; i < r->n; i++)
		order[i] = &r->at[i];
	qsort(order, r->n, sizeof(*order), by_score);
	for (unsigned i = 0; i < r->n; i++) {
		if (order[i]->cost > budget)
			continue;
		budget -= order[i]->cost;
		kept[order[i] - r->at] = true;
	}
	for (unsigned i = 0; i < r->n; i++) {
		if (!kept[i])
			continue;
		text_flatten(out, r->at[i].text);
		buf_byte(out, '\n');
	}
}

const char *baseline_name(enum baseline b)
{
	static const char *const names[BASELINES] = { "bm25", "textrank", "lead", "gzip" };

	return names[b];
}

void baseline_select(enum baseline b, struct arena *a, struct span text, struct span query,
	uint64_t budget, struct buf *out)
{
	struct rows r;

	read_rows(&r, a, text);
	if (b == BASE_BM25)
		score_bm25(&r, text, query);
	else if (b == BASE_TEXTRANK)
		score_textrank(&r);
	else if (b == BASE_GZIP)
		score_gzip(&r, text, query);
	else
		for (unsigned i = 0; i < r.n; i++)
			r.at[i].score = -(double)i;
	keep(&r, budget, out);
}
