/* SPDX-License-Identifier: Apache-2.0
 *
 * search: one pass over the words finds where terms of the query are; scores follow from that.
 */
#include "policy/search.h"

#include "policy/fixlog.h"
#include "policy/text.h"
#include "policy/words.h"

#include "base/pure.h"

#define TABLE (4 * SEARCH_TERMS_MAX) /* a power of two */
#define NONE UINT32_MAX

/* BM25, in thousandths */
#define K1 1200
#define B 750

struct term {
	uint64_t hash;
	uint32_t df;
	uint32_t use; /* its last one, for the text that is read */
};

/* A term in a text. */
struct use {
	uint32_t term;
	uint32_t text;
	uint32_t count;
};

struct ranking {
	struct term terms[SEARCH_TERMS_MAX];
	uint32_t terms_n;
	uint32_t table[TABLE]; /* from hash to term + 1 */
	struct use *uses;      /* of one text after the other */
	size_t uses_n;
	uint32_t *words; /* of each text */
	size_t texts_n;
	int64_t mean; /* words of a text, at least 1 */
};

static uint32_t *slot_of(struct ranking *r, uint64_t hash)
{
	uint32_t at = (uint32_t)hash % TABLE;

	while (r->table[at] != 0 && r->terms[r->table[at] - 1].hash != hash)
		at = (at + 1) % TABLE;
	return &r->table[at];
}

static int read_query(struct ranking *r, struct span query, struct fail *why)
{
	struct words words = words_of(query);
	struct word word;

	while (words_next(&words, &word)) {
		uint32_t *slot = word.is_stop ? NULL : slot_of(r, word.hash);

		if (slot == NULL || *slot != 0)
			continue;
		if (r->terms_n == SEARCH_TERMS_MAX)
			return fail_set(why, ERR_TOO_BIG, "query", SEARCH_TERMS_MAX,
				"more than %u different words", SEARCH_TERMS_MAX);
		r->terms[r->terms_n++] = (struct term){ .hash = word.hash, .use = NONE };
		*slot = r->terms_n;
	}
	if (r->terms_n == 0)
		return fail_set(why, ERR_INVALID, "query", 0, "has no word that can be looked for");
	return 0;
}

static void read_text(struct ranking *r, uint32_t text, struct span s)
{
	struct words words = words_of(s);
	size_t before = r->uses_n;
	struct word word;

	while (words_next(&words, &word)) {
		uint32_t at;
		struct term *term;

		if (word.is_stop)
			continue;
		r->words[text]++;
		at = *slot_of(r, word.hash);
		if (at == 0)
			continue;
		term = &r->terms[at - 1];
		if (term->use == NONE || term->use < before) {
			term->df++;
			term->use = (uint32_t)r->uses_n;
			r->uses[r->uses_n++] = (struct use){ .term = at - 1, .text = text };
		}
		r->uses[term->use].count++;
	}
}

/* No more uses than there can be. */
static size_t uses_bound(const struct ranking *r, const struct span *texts)
{
	size_t bytes = 0, bound;

	for (size_t i = 0; i < r->texts_n; i++)
		bytes += texts[i].len;
	bound = words_bound(bytes) + r->texts_n;
	return bound < r->texts_n * r->terms_n ? bound : r->texts_n * r->terms_n;
}

static int read_texts(struct ranking *r, struct arena *a, const struct span *texts)
{
	uint64_t words = 0;

	r->words = arena_alloc(a, (r->texts_n + 1) * sizeof(*r->words));
	r->uses = arena_raw(a, (uses_bound(r, texts) + 1) * sizeof(*r->uses));
	if (r->words == NULL || r->uses == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < r->texts_n; i++) {
		read_text(r, (uint32_t)i, texts[i]);
		words += r->words[i];
	}
	r->mean = r->texts_n == 0 ? 1 : 1 + (int64_t)(words / r->texts_n);
	return 0;
}

/* log2(1 + (n - df + 0.5) / (df + 0.5)) in 1/256, never 0. */
static int64_t rarity(const struct ranking *r, uint32_t df)
{
	return 1 + (int64_t)log2_256(2 * (uint64_t)r->texts_n + 2) -
	       (int64_t)log2_256(2 * (uint64_t)df + 1);
}

static int64_t worth(const struct ranking *r, const struct use *u)
{
	int64_t length = K1 * (1000 - B + B * (int64_t)r->words[u->text] / r->mean) / 1000;
	int64_t count = (int64_t)u->count * 1000;

	return rarity(r, r->terms[u->term].df) * (count * (K1 + 1000) / (count + length)) / 256;
}

static int better(const void *left, const void *right)
{
	const struct search_hit *a = left, *b = right;

	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return a->text < b->text ? -1 : a->text > b->text;
}

/* Uses of a text stand together. */
static size_t gather(const struct ranking *r, struct search_hit *hits)
{
	size_t n = 0;

	for (size_t i = 0; i < r->uses_n; i++) {
		const struct use *u = &r->uses[i];

		if (n == 0 || hits[n - 1].text != u->text)
			hits[n++] = (struct search_hit){ .text = u->text };
		hits[n - 1].terms++;
		hits[n - 1].score += worth(r, u);
	}
	if (n > 0)
		qsort(hits, n, sizeof(*hits), better);
	return n;
}

int search_texts(struct arena *a, struct span query, const struct span *texts, size_t texts_n,
	struct search_hit **ret, size_t *ret_n, struct fail *why)
{
	struct ranking *r = arena_alloc(a, sizeof(*r));
	struct search_hit *hits;
	int err;

	if (r == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	r->texts_n = texts_n;
	err = read_query(r, query, why);
	if (err < 0)
		return err;
	err = read_texts(r, a, texts);
	hits = err < 0 ? NULL : arena_raw(a, (r->uses_n + 1) * sizeof(*hits));
	if (hits == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	*ret_n = gather(r, hits);
	*ret = hits;
	return 0;
}

static size_t read_passages(uint32_t doc, struct span text, struct search_passage *to)
{
	struct text_reader reader = text_read(text);
	struct sentence s;
	size_t n = 0;
	bool open = false;

	while (text_next(&reader, &s)) {
		if (!open || s.kind == SENTENCE_HEADING)
			to[n++] = (struct search_passage){ s.text, doc };
		else
			to[n - 1].text.len = (size_t)(s.text.at - to[n - 1].text.at) + s.text.len;
		open = to[n - 1].text.len < SEARCH_PASSAGE_BYTES;
	}
	return n;
}

int search_passages(struct arena *a, const struct span *docs, size_t docs_n,
	struct search_passage **ret, size_t *ret_n)
{
	size_t bound = 1;

	for (size_t i = 0; i < docs_n; i++)
		bound += text_bound(docs[i]);
	*ret = arena_raw(a, bound * sizeof(**ret));
	if (*ret == NULL)
		return ERR_NO_MEMORY;
	*ret_n = 0;
	for (size_t i = 0; i < docs_n; i++)
		*ret_n += read_passages((uint32_t)i, docs[i], *ret + *ret_n);
	return 0;
}
