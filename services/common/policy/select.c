/* SPDX-License-Identifier: Apache-2.0
 *
 * select: weights, then choices by lazy greedy: a sentence's gain only falls while others are chosen, so the
 * best of the heap is the best of all as soon as its gain is fresh.
 */
#include "policy/select.h"

#include "base/fmt.h"
#include "base/heap.h"
#include "policy/select_terms.h"
#include "policy/words.h"

#include "base/pure.h"

/* BM25 with k1 = 1.2 and b = 0.5, in thousandths. */
#define K1 1200
#define TF_ONE 1024
/* What counts beside the terms, in eighths of the mean match or worth: */
#define NEIGHBOUR 2 /* each neighbour's match */
#define HEADING 3   /* the heading's match */
/* What the documents are about counts little where there is a query, and decides between equal matches. */
#define QUERY_TIMES 8
#define ABOUT_PART 16
/* How often a gain may be computed anew, for each sentence: more than usual texts need. */
#define LOOKS 4
#define LOOKS_MORE 20000
#define FEW_WORDS 4 /* shorter sentences say little by themselves */
#define QUERY_TERMS_MAX 256

/* log2(x) in 1/256, x >= 1; between powers of two in a straight line. */
static uint32_t log2_256(uint64_t x)
{
	uint32_t high = 63u - (uint32_t)__builtin_clzll(x);
	uint64_t part = high >= 8 ? x >> (high - 8) : x << (8 - high);

	return high * 256 + (uint32_t)(part & 255);
}

/* log2((n + 1) / (df + 0.5)) in 1/256: above 0 for any df <= n. */
static uint32_t rarity(uint32_t n, uint32_t df)
{
	return log2_256(2 * (uint64_t)n + 2) - log2_256(2 * (uint64_t)df + 1) + 1;
}

/* Sets `wanted` of the query's terms; returns how many of them the documents have. */
static uint32_t weigh_query(struct terms *t, struct span query)
{
	struct words w = words_of(query);
	struct word word;
	uint32_t found = 0;

	for (uint32_t n = 0; n < QUERY_TERMS_MAX && words_next(&w, &word);) {
		uint32_t id = word.is_stop ? NO_TERM : terms_find(t, word.hash);

		if (id == NO_TERM || t->terms[id].wanted > 0)
			continue;
		t->terms[id].wanted = rarity(t->lines_n, t->terms[id].df);
		found++;
		n++;
	}
	return found;
}

/* What the documents are about: terms used often, less those used in most sentences; those used once tell
 * nothing about the whole. */
static void weigh_terms(struct terms *t, bool query)
{
	for (uint32_t i = 0; i < t->terms_n; i++) {
		struct term *term = &t->terms[i];
		uint32_t often = term->df < 2 ? 64 : log2_256(1 + (uint64_t)term->tf);
		uint32_t about = often * rarity(t->lines_n, term->df) / 256;

		term->weight = query ? about / ABOUT_PART + QUERY_TIMES * term->wanted : about;
	}
}

static int64_t saturate(int64_t norm, int64_t count)
{
	return TF_ONE * count * (1000 + K1) / (1000 * count + norm);
}

/* What of a line's worth does not change any more: divisions are dear, and gains are computed often. */
static void set_scales(struct terms *t)
{
	t->mean = t->lines_n == 0 ? 1 : (int64_t)(t->words / t->lines_n) + 1;
	for (uint32_t i = 0; i < t->lines_n; i++) {
		struct line *line = &t->lines[i];

		line->norm = K1 * (500 + 500 * (int64_t)line->words / t->mean) / 1000;
		line->one = saturate(line->norm, 1);
	}
}

/* How much `count` uses in the line are worth, in 1/TF_ONE. */
static int64_t worth(const struct line *line, uint32_t count)
{
	return count == 1 ? line->one : saturate(line->norm, count);
}

static int64_t match_of(const struct terms *t, const struct line *line)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < line->uses_n; i++) {
		const struct use *use = &t->uses[line->uses_from + i];

		if (t->terms[use->term].wanted > 0)
			sum += t->terms[use->term].wanted * QUERY_TIMES * worth(line, use->count);
	}
	return sum;
}

/* What picking the line would add now, with less for a long line: its place could hold others. */
static int64_t gain_of(const struct terms *t, const struct line *line)
{
	int64_t sum = 0, fresh = 0, all = line->uses_n;

	for (uint32_t i = 0; i < line->uses_n; i++) {
		const struct use *use = &t->uses[line->uses_from + i];
		const struct term *term = &t->terms[use->term];
		int64_t add = term->weight * worth(line, use->count);

		sum += term->covered == 0 ? add : add / (1 + term->covered);
		fresh += term->covered == 0;
	}
	if (all == 0 || line->repeats)
		return 0;
	sum = sum * 2 * t->mean / (t->mean + line->words);
	sum += line->bonus * (1 + fresh) / (1 + all);
	if (line->at.sentence.kind == SENTENCE_HEADING && line->at.index > 0)
		sum /= 4; /* it names what others say */
	return all < FEW_WORDS ? sum * all / FEW_WORDS : sum;
}

static int64_t neighbour_match(const struct terms *t, uint32_t i, int step)
{
	const struct line *line = &t->lines[i], *other = line + step;

	if ((step < 0 && i == 0) || (step > 0 && i + 1 == t->lines_n) ||
		other->at.doc != line->at.doc)
		return 0;
	return other->match;
}

/* The first sentences of a document and of a paragraph say more than others: `mean` of a whole line's worth
 * for the first, half for the third. */
static int64_t place_bonus(const struct line *line, int64_t mean)
{
	return 2 * mean / (2 + (int64_t)line->nth) + (line->opens ? mean / 8 : 0);
}

static void set_bonuses(struct terms *t, bool query)
{
	int64_t sum = 0, mean, heading = 0;

	for (uint32_t i = 0; i < t->lines_n; i++) {
		t->lines[i].match = query ? match_of(t, &t->lines[i]) : 0;
		sum += gain_of(t, &t->lines[i]) / t->lines_n;
	}
	mean = query ? sum / 4 : sum;
	for (uint32_t i = 0; i < t->lines_n; i++) {
		struct line *line = &t->lines[i];

		if (line->nth == 0)
			heading = 0;
		if (line->at.sentence.kind == SENTENCE_HEADING)
			heading = line->match;
		line->bonus =
			place_bonus(line, mean) + heading * HEADING / 8 +
			(neighbour_match(t, i, -1) + neighbour_match(t, i, 1)) * NEIGHBOUR / 8;
	}
}

/* Lines by falling gain. */
struct choice {
	struct heap heap;
	bool *taken;
	uint32_t n;
	size_t bytes;
};

static void choose(struct terms *t, struct choice *c, uint32_t i)
{
	const struct line *line = &t->lines[i];

	c->taken[i] = true;
	c->n++;
	c->bytes += line->at.sentence.text.len + 1;
	for (uint32_t u = 0; u < line->uses_n; u++)
		t->terms[t->uses[line->uses_from + u].term].covered++;
}

static void choose_all(struct terms *t, struct choice *c, const struct select_want *want)
{
	const struct heap_row *top;
	uint64_t looks = LOOKS * (uint64_t)t->lines_n + LOOKS_MORE;

	for (uint32_t i = 0; i < t->lines_n; i++) {
		if (!t->lines[i].repeats)
			heap_set(&c->heap, i, -gain_of(t, &t->lines[i]));
	}
	while (c->n < want->sentences_max && (top = heap_top(&c->heap)) != NULL) {
		uint32_t i = top->item;
		int64_t gain = gain_of(t, &t->lines[i]), stale = -top->key;

		heap_drop(&c->heap, i);
		if (t->lines[i].at.sentence.text.len > want->bytes_max - c->bytes)
			continue;
		if (gain < stale && looks > 0) {
			looks--;
			heap_set(&c->heap, i, -gain);
		} else {
			choose(t, c, i);
		}
		if (c->bytes >= want->bytes_max)
			break;
	}
}

/* Nothing fits: the start of the best. */
static void choose_start(struct terms *t, struct choice *c, size_t bytes_max)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < t->lines_n; i++) {
		if (gain_of(t, &t->lines[i]) > gain_of(t, &t->lines[best]))
			best = i;
	}
	t->lines[best].at.sentence.text = fmt_clip(t->lines[best].at.sentence.text, bytes_max);
	if (t->lines[best].at.sentence.text.len > 0)
		choose(t, c, best);
}

static int collect(struct arena *a, const struct terms *t, const struct choice *c,
	struct select_result *ret)
{
	struct select_pick *picks = arena_raw(a, (c->n + 1) * sizeof(*picks));
	size_t n = 0;

	if (picks == NULL)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < t->lines_n; i++) {
		if (c->taken[i])
			picks[n++] = t->lines[i].at;
	}
	*ret = (struct select_result){ .picks = picks, .picks_n = n, .sentences_in = t->lines_n };
	return 0;
}

static void choice_done(struct choice *c)
{
	heap_done(&c->heap);
}

int select_sentences(struct arena *a, const struct span *docs, size_t docs_n,
	const struct select_want *want, struct select_result *ret)
{
	CLEANUP(choice_done) struct choice c = { .n = 0 };
	struct terms t;
	uint32_t found;
	int r;

	heap_init(&c.heap);
	r = terms_read(&t, a, docs, docs_n);
	if (r < 0)
		return r;
	set_scales(&t);
	found = weigh_query(&t, want->query);
	weigh_terms(&t, found > 0);
	set_bonuses(&t, found > 0);
	c.taken = arena_alloc(a, t.lines_n + 1);
	if (c.taken == NULL || heap_reserve(&c.heap, t.lines_n) < 0)
		return ERR_NO_MEMORY;
	choose_all(&t, &c, want);
	if (c.n == 0 && t.lines_n > 0)
		choose_start(&t, &c, want->bytes_max);
	return collect(a, &t, &c, ret);
}

/* White space as one blank. */
static void emit_flat(struct buf *b, struct span s)
{
	bool gap = false;

	while (s.len > 0) {
		size_t n = 0;

		while (n < s.len && s.at[n] != ' ' && (s.at[n] < '\t' || s.at[n] > '\r'))
			n++;
		if (n > 0 && gap)
			buf_byte(b, ' ');
		buf_add(b, span_part(s, 0, n));
		gap = gap || n < s.len;
		s = span_part(s, n + 1, s.len);
	}
}

void select_emit(struct buf *b, const struct select_result *r)
{
	for (size_t i = 0; i < r->picks_n; i++) {
		const struct select_pick *p = &r->picks[i], *before = p - 1;

		if (i > 0)
			buf_byte(b,
				before->doc == p->doc && before->sentence.block == p->sentence.block
					? ' '
					: '\n');
		if (p->sentence.kind == SENTENCE_CODE)
			buf_add(b, p->sentence.text);
		else
			emit_flat(b, p->sentence.text);
	}
}
