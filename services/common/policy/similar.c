/* SPDX-License-Identifier: Apache-2.0
 *
 * similar: only texts that repeat none are in the table, so that a text which comes a thousand times is compared
 * with its first copy only.
 */
#include "policy/similar.h"

#include "base/prng.h"
#include "policy/fold.h"
#include "policy/scatter.h"
#include "policy/words.h"

#include "base/pure.h"

#define SHINGLE 3u /* words */
#define HASHES 64u
#define TRIES 8u /* texts in one place of the table that are compared at most */

/* Its shingles as sorted hashes, each once. */
struct set {
	uint64_t *at;
	uint32_t n;
};

struct row {
	uint32_t tag;
	uint32_t text; /* + 1; 0: free */
};

struct finder {
	struct set *sets;
	struct row *rows;
	uint32_t rows_mask;
	uint32_t band; /* hashes of one */
	uint32_t least_permille;
	uint32_t *tried; /* by text: the last one that was compared with it, + 1 */
	uint64_t multiply[HASHES];
	uint64_t add[HASHES];
};

static int by_value(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

static uint32_t sort_once(uint64_t *at, uint32_t n)
{
	uint32_t kept = 0;

	qsort(at, n, sizeof(*at), by_value);
	for (uint32_t i = 0; i < n; i++) {
		if (kept == 0 || at[kept - 1] != at[i])
			at[kept++] = at[i];
	}
	return kept;
}

/* Room for words_bound(text.len) + 1 hashes. A text without words is one shingle. */
static uint32_t read_set(struct span text, uint64_t *to)
{
	struct words words = words_of(text);
	uint64_t last[SHINGLE] = { 0 };
	uint32_t seen = 0, n = 0;
	struct form form;

	while (words_next_form(&words, &form)) {
		last[0] = last[1];
		last[1] = last[2];
		last[2] = fold_hash(form.text);
		if (++seen >= SHINGLE)
			to[n++] = span_hash(span_of(last, sizeof(last)), 0);
	}
	if (seen == 0)
		to[n++] = span_hash(span_trim(text), 1);
	else if (n == 0)
		to[n++] = span_hash(span_of(last, sizeof(last)), seen);
	return sort_once(to, n);
}

static int read_sets(struct finder *f, struct arena *a, const struct span *texts, size_t texts_n)
{
	size_t bound = 0;
	uint64_t *room;

	for (size_t i = 0; i < texts_n; i++)
		bound += words_bound(texts[i].len) + 1;
	f->sets = arena_raw(a, (texts_n + 1) * sizeof(*f->sets));
	room = arena_raw(a, (bound + 1) * sizeof(*room));
	if (f->sets == NULL || room == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < texts_n; i++) {
		f->sets[i] = (struct set){ room, read_set(texts[i], room) };
		room += f->sets[i].n;
	}
	return 0;
}

static void sign(const struct finder *f, const struct set *set, uint64_t signature[HASHES])
{
	for (uint32_t k = 0; k < HASHES; k++)
		signature[k] = UINT64_MAX;
	for (uint32_t i = 0; i < set->n; i++) {
		for (uint32_t k = 0; k < HASHES; k++) {
			uint64_t h = set->at[i] * f->multiply[k] + f->add[k];

			signature[k] = h < signature[k] ? h : signature[k];
		}
	}
}

static uint32_t permille(const struct set *a, const struct set *b)
{
	uint64_t both = 0;

	for (uint32_t i = 0, k = 0; i < a->n && k < b->n;) {
		uint64_t x = a->at[i], y = b->at[k];

		both += x == y;
		i += x <= y;
		k += y <= x;
	}
	return (uint32_t)(both * 1000 / (a->n + b->n - both));
}

/* Compare with those in one place of the table; the best so far is in *best. */
static struct row *try_band(struct finder *f, uint32_t text, uint64_t hash, struct similar *best)
{
	uint32_t at = (uint32_t)scatter(f->rows, hash) & f->rows_mask;
	uint32_t tag = (uint32_t)(hash >> 32), tries = 0;

	for (; f->rows[at].text != 0 && tries < TRIES; at = (at + 1) & f->rows_mask) {
		uint32_t other = f->rows[at].text - 1, is;

		if (f->rows[at].tag != tag)
			continue;
		tries++;
		if (f->tried[other] == text + 1)
			continue;
		f->tried[other] = text + 1;
		is = permille(&f->sets[text], &f->sets[other]);
		if (is >= f->least_permille && (best->of == text || is > best->permille))
			*best = (struct similar){ other, is };
	}
	return tries < TRIES ? &f->rows[at] : NULL;
}

static void find_one(struct finder *f, uint32_t text, struct similar *ret)
{
	struct row *free_rows[HASHES];
	uint32_t bands = HASHES / f->band;
	uint64_t signature[HASHES];

	*ret = (struct similar){ text, 1000 };
	sign(f, &f->sets[text], signature);
	for (uint32_t i = 0; i < bands; i++) {
		uint64_t hash = span_hash(
			span_of(signature + i * f->band, f->band * sizeof(*signature)), i + 1);

		free_rows[i] = try_band(f, text, hash, ret);
		/* taken at once, so that the next band finds another one */
		if (free_rows[i] != NULL)
			*free_rows[i] = (struct row){ (uint32_t)(hash >> 32), text + 1 };
	}
	/* given back in the order that leaves no gaps */
	for (uint32_t i = bands; ret->of != text && i > 0; i--) {
		if (free_rows[i - 1] != NULL)
			*free_rows[i - 1] = (struct row){ 0 };
	}
}

/* The fewer hashes in a band, the less similar texts meet. */
static int open_table(struct finder *f, struct arena *a, size_t texts_n)
{
	struct prng prng;
	size_t rows = 2;

	f->band = f->least_permille >= 700 ? 4 : 2;
	while (rows < 2 * texts_n * (HASHES / f->band))
		rows *= 2;
	f->rows = arena_alloc(a, rows * sizeof(*f->rows));
	f->tried = arena_alloc(a, (texts_n + 1) * sizeof(*f->tried));
	f->rows_mask = (uint32_t)(rows - 1);
	prng_seed(&prng, 1); /* always the same hashes: the same answer everywhere */
	for (uint32_t k = 0; k < HASHES; k++) {
		f->multiply[k] = prng_next(&prng) | 1;
		f->add[k] = prng_next(&prng);
	}
	return f->rows == NULL || f->tried == NULL ? ERR_NO_MEMORY : 0;
}

int similar_find(struct arena *a, const struct span *texts, size_t texts_n, uint32_t least_permille,
	struct similar *ret)
{
	struct finder f = { .least_permille = least_permille };
	int r;

	CHECK(least_permille >= SIMILAR_LEAST_PERMILLE && least_permille <= 1000);
	if (texts_n > SIMILAR_TEXTS_MAX)
		return ERR_TOO_BIG;
	r = read_sets(&f, a, texts, texts_n);
	if (r == 0)
		r = open_table(&f, a, texts_n);
	for (size_t i = 0; r == 0 && i < texts_n; i++)
		find_one(&f, (uint32_t)i, &ret[i]);
	return r;
}
