/* SPDX-License-Identifier: Apache-2.0
 *
 * rank: weights, then choices by lazy greedy: a unit's gain only falls while others are chosen, so the best of the
 * heap is the best of all as soon as its gain is fresh.
 */
#include "policy/rank.h"

#include "base/err.h"
#include "base/heap.h"
#include "policy/fixlog.h"
#include "policy/rank_query.h"
#include "policy/text.h"

#include "base/pure.h"

/* BM25 with k1 = 1.2 and b = 0.5, in thousandths. */
#define K1 1200
#define TF_ONE 1024
/* What counts beside the terms, in eighths of a match: */
#define NEIGHBOUR 2 /* each neighbour's */
#define LEANS 5     /* that of the unit before, if this one points back to it */
#define HEADING 3   /* the heading's */
#define NUMBER 1    /* its own, if it has a number and one is asked for */
/* What the documents are about counts little where there is a query, and decides between equal matches. */
#define QUERY_TIMES 8
/* Without a query the start of a text counts for long: three times in its first unit, twice in the 20th. */
#define LEAD_FOLD 40
#define LEAD_HALF 20
#define NUMBER_FOLD 4
#define ABOUT_PART 16
/* How often a gain may be computed anew, for each unit: more than usual texts need. */
#define LOOKS 4
#define LOOKS_MORE 20000
#define FEW_WORDS 4 /* shorter units say little by themselves */
#define SEEN_MOST 15u
#define CLIP_MIN 3000u /* thousandths of a token: less is no part of a sentence */

struct ranking {
	const struct unit *units;
	const struct rank_want *want;
	struct terms terms;
	struct query query;
	int64_t *sums;      /* of each unit's terms while nothing is chosen, for its length */
	uint32_t *in_block; /* at a block's first unit: how many of it are chosen */
	uint32_t *in_doc;   /* at a document's first unit: likewise */
	uint32_t *block_of; /* a unit's block's first unit */
	uint32_t *doc_of;
	struct heap heap;
	struct rank_result out;
	uint64_t cost;
	uint32_t about_once[SEEN_MOST +
			    1]; /* what a term is worth that was covered so often, in 1/1024 */
	uint32_t query_once[SEEN_MOST + 1];
};

static void weigh_terms(struct ranking *k)
{
	struct terms *t = &k->terms;

	/* What is used often, less what is in most units; what is used once tells nothing about the whole. */
	for (uint32_t i = 0; i < t->terms_n; i++) {
		struct term *term = &t->terms[i];
		uint32_t often = term->df < 2 ? 64 : log2_256(1 + (uint64_t)term->tf);
		uint32_t about = often * rarity(t->lines_n, term->df) / 256;

		term->weight = k->query.found > 0 ? about / ABOUT_PART : about;
	}
	for (uint32_t i = 0; i <= SEEN_MOST; i++) {
		k->about_once[i] = 1024 / (1 + i);
		k->query_once[i] = 1024 * 6 / (6 + i);
	}
}

static int64_t saturate(int64_t norm, int64_t count)
{
	return TF_ONE * count * (1000 + K1) / (1000 * count + norm);
}

/* What of a line's worth does not change any more: divisions are dear, and gains are computed often. */
static void set_scales(struct terms *t)
{
	for (uint32_t i = 0; i < t->lines_n; i++) {
		struct line *line = &t->lines[i];

		line->norm = (uint32_t)(K1 * (500 + 500 * (int64_t)line->words / t->mean) / 1000);
		line->one = (uint32_t)saturate(line->norm, 1);
	}
}

/* How much `count` uses in the line are worth, in 1/TF_ONE. */
static int64_t worth(const struct line *line, uint32_t count)
{
	return count == 1 ? line->one : saturate(line->norm, count);
}

/* A line that has most of what is asked for is worth more than lines that have a part of it each. */
static int64_t match_of(struct ranking *k, uint32_t nth)
{
	const struct line *line = &k->terms.lines[nth];
	uint32_t seen[QUERY_SLOTS / 32] = { 0 };
	uint64_t covers = 0;
	int64_t sum = 0;

	for (uint32_t i = 0; i < line->uses_n; i++) {
		const struct use *use = &k->terms.uses[line->uses_from + i];
		const struct term *term = &k->terms.terms[use->term];
		uint32_t slot = term->slot - 1;

		if (term->wanted == 0)
			continue;
		sum += (int64_t)term->wanted * QUERY_TIMES * worth(line, use->count);
		if ((seen[slot / 32] >> slot % 32 & 1) == 0)
			covers += term->wanted;
		seen[slot / 32] |= 1u << slot % 32;
	}
	return k->query.wanted == 0 ? 0
				    : sum + sum / 1024 * (int64_t)(1024 * covers / k->query.wanted);
}

static uint32_t seen_of(const struct term *term)
{
	return term->covered < SEEN_MOST ? term->covered : SEEN_MOST;
}

/* What picking the line would add now, without its bonus and its length. *ret_fresh: its terms that no pick has. */
static int64_t sum_of(const struct ranking *k, const struct line *line, int64_t *ret_fresh)
{
	const struct use *use = &k->terms.uses[line->uses_from], *end = use + line->uses_n;
	uint64_t sum = 0;
	int64_t fresh = 0;

	for (; use < end; use++) {
		const struct term *term = &k->terms.terms[use->term];
		uint32_t seen = seen_of(term);

		sum += (uint64_t)worth(line, use->count) * (term->weight * k->about_once[seen]) /
		       1024;
		fresh += seen == 0;
	}
	*ret_fresh = fresh;
	return (int64_t)sum;
}

/* What of the match is left when its terms were said before. */
static int64_t match_left(const struct ranking *k, const struct line *line)
{
	uint64_t whole = 0, left = 0;

	if (line->match == 0)
		return 0;
	for (uint32_t i = 0; i < line->uses_n; i++) {
		const struct term *term = &k->terms.terms[k->terms.uses[line->uses_from + i].term];

		whole += term->wanted;
		left += (uint64_t)term->wanted * k->query_once[seen_of(term)] / 1024;
	}
	return whole == 0 ? 0 : line->match / 1024 * (int64_t)(1024 * left / whole);
}

/* A long line's place could hold others. `sum`: of its terms. */
static int64_t for_length(const struct ranking *k, uint32_t i, int64_t sum)
{
	return sum * 2 * k->terms.mean / (k->terms.mean + k->terms.lines[i].words);
}

/* A heading names what others say. */
static int64_t shape(const struct ranking *k, uint32_t i, int64_t sum)
{
	const struct line *line = &k->terms.lines[i];

	if (k->units[i].kind == UNIT_HEADING && line->nth > 0)
		sum /= 4;
	return line->uses_n < FEW_WORDS ? sum * line->uses_n / FEW_WORDS : sum;
}

static int64_t gain_of(const struct ranking *k, uint32_t i)
{
	const struct line *line = &k->terms.lines[i];
	int64_t fresh, sum, all = line->uses_n;

	if (all == 0 || line->doubled != 0)
		return 0;
	sum = sum_of(k, line, &fresh) + match_left(k, line);
	return shape(k, i, for_length(k, i, sum) + line->bonus * (1 + fresh) / (1 + all));
}

/* While nothing is chosen. */
static int64_t first_gain(const struct ranking *k, uint32_t i)
{
	return shape(k, i, k->sums[i] + k->terms.lines[i].bonus);
}

static int64_t neighbour_match(const struct ranking *k, uint32_t i, int step)
{
	if ((step < 0 && i == 0) || (step > 0 && i + 1 == k->terms.lines_n) ||
		k->units[(int64_t)i + step].doc != k->units[i].doc)
		return 0;
	return k->terms.lines[(int64_t)i + step].match;
}

/* The first units of a document and of a paragraph say more than others: `mean` of a whole line's worth for the
 * first, half for the third. */
static int64_t place_bonus(const struct line *line, int64_t mean)
{
	return 2 * mean / (2 + (int64_t)line->nth) + (line->opens ? mean / 8 : 0);
}

/* Without a query, in text that was written to be read from the start: so much more, in parts of its own worth. */
static int64_t lead_bonus(const struct ranking *k, uint32_t i)
{
	return LEAD_FOLD * shape(k, i, k->sums[i]) / (LEAD_HALF + (int64_t)k->terms.lines[i].nth);
}

static bool is_prose(enum unit_kind kind)
{
	return kind == UNIT_PROSE || kind == UNIT_HEADING || kind == UNIT_ITEM;
}

static int64_t query_bonus(const struct ranking *k, uint32_t i, int64_t heading)
{
	const struct line *line = &k->terms.lines[i], *next = line + 1;
	int64_t after = neighbour_match(k, i, 1);
	bool next_leans = i + 1 < k->terms.lines_n && next->leans;

	return (heading * HEADING + neighbour_match(k, i, -1) * (line->leans ? LEANS : NEIGHBOUR) +
		       after * (next_leans ? LEANS : NEIGHBOUR) +
		       (k->query.asks_number && line->number ? line->match * NUMBER : 0)) /
	       8;
}

/* Where the words of a question for a number are missing, any number may be its answer. */
static int64_t number_bonus(const struct ranking *k, const struct line *line, int64_t mean)
{
	const struct query *q = &k->query;

	if (!q->asks_number || !line->number || q->found == q->slots_n)
		return 0;
	return NUMBER_FOLD * mean * (q->slots_n - q->found) / q->slots_n;
}

static void set_bonuses(struct ranking *k)
{
	struct terms *t = &k->terms;
	bool query = k->query.found > 0;
	int64_t sum = 0, mean, heading = 0, fresh;

	for (uint32_t i = 0; i < t->lines_n; i++) {
		struct line *line = &t->lines[i];

		line->match = query ? match_of(k, i) : 0;
		k->sums[i] = for_length(k, i, sum_of(k, line, &fresh) + line->match);
		sum += shape(k, i, k->sums[i]) / t->lines_n;
	}
	mean = query ? sum / 4 : sum;
	for (uint32_t i = 0; i < t->lines_n; i++) {
		struct line *line = &t->lines[i];

		if (line->nth == 0)
			heading = 0;
		line->bonus = place_bonus(line, mean);
		if (!query && is_prose(k->units[i].kind))
			line->bonus += lead_bonus(k, i);
		line->bonus += k->units[i].keeps ? 2 * sum : 0;
		line->bonus += number_bonus(k, line, sum);
		if (query)
			line->bonus += query_bonus(k, i, heading);
		if (k->units[i].kind == UNIT_HEADING)
			heading = line->match;
	}
}

/* --- choice --------------------------------------------------------------------------------------- */

static bool is_taken(const struct ranking *k, uint32_t i, int step)
{
	int64_t at = (int64_t)i + step;

	if (at < 0 || at >= k->terms.lines_n || k->units[at].doc != k->units[i].doc)
		return true; /* there is nothing to leave out */
	return k->out.taken[at];
}

/* What it would cost now: less than nothing where it closes a gap that costs more. */
static int64_t cost_of(const struct ranking *k, uint32_t i)
{
	bool first = k->in_doc[k->doc_of[i]] == 0;
	int64_t gaps = !is_taken(k, i, -1) + !is_taken(k, i, 1) - !first;
	int64_t cost = k->units[i].cost + gaps * k->want->gap;

	if (!first && k->in_block[k->block_of[i]] == 0)
		cost += k->want->newline;
	return cost;
}

/* Count it as taken; returns what it costs. */
static int64_t place(struct ranking *k, uint32_t i)
{
	int64_t cost = cost_of(k, i);

	k->out.taken[i] = true;
	k->out.taken_n++;
	k->in_block[k->block_of[i]]++;
	k->in_doc[k->doc_of[i]]++;
	return cost;
}

static void displace(struct ranking *k, uint32_t i)
{
	k->out.taken[i] = false;
	k->out.taken_n--;
	k->in_block[k->block_of[i]]--;
	k->in_doc[k->doc_of[i]]--;
}

static void choose(struct ranking *k, uint32_t i)
{
	const struct line *line = &k->terms.lines[i];

	k->out.cost = (uint64_t)((int64_t)k->out.cost + place(k, i));
	for (uint32_t u = 0; u < line->uses_n; u++)
		k->terms.terms[k->terms.uses[line->uses_from + u].term].covered++;
}

/* What it needs next that is not yet taken, or UNIT_NONE. */
static uint32_t needed(const struct ranking *k, uint32_t i)
{
	uint32_t needs = k->units[i].needs;

	return needs == UNIT_NONE || k->out.taken[needs] ? UNIT_NONE : needs;
}

/* Is there room for it and for what it needs? They are placed for a look. */
static bool fits(struct ranking *k, uint32_t i)
{
	int64_t cost = place(k, i);
	uint32_t last = i;

	for (uint32_t needs = needed(k, i); needs != UNIT_NONE; needs = needed(k, needs)) {
		cost += place(k, needs);
		last = needs;
	}
	for (; i != last; i = k->units[i].needs)
		displace(k, i);
	displace(k, last);
	return (int64_t)k->out.cost + cost <= (int64_t)k->want->budget;
}

static void choose_with_needs(struct ranking *k, uint32_t i)
{
	for (uint32_t needs = needed(k, i); needs != UNIT_NONE; needs = needed(k, needs))
		choose(k, needs);
	choose(k, i);
}

static void choose_all(struct ranking *k)
{
	const struct heap_row *top;
	uint64_t looks = LOOKS * (uint64_t)k->terms.lines_n + LOOKS_MORE;

	for (uint32_t i = 0; i < k->terms.lines_n; i++) {
		const struct line *line = &k->terms.lines[i];

		if (line->doubled == 0)
			heap_set(&k->heap, i, -first_gain(k, i));
	}
	k->out.best = (top = heap_top(&k->heap)) == NULL ? UNIT_NONE : top->item;
	while (k->out.taken_n < k->want->units_max && (top = heap_top(&k->heap)) != NULL) {
		uint32_t i = top->item;
		int64_t gain, stale = -top->key;

		if (k->out.taken[i] || !fits(k, i)) {
			heap_drop(&k->heap, i);
			continue;
		}
		gain = gain_of(k, i);
		if (gain < stale && looks > 0) {
			looks--;
			heap_set(&k->heap, i, -gain);
			continue;
		}
		heap_drop(&k->heap, i);
		choose_with_needs(k, i);
	}
}

/* What is left of the budget is filled with the start of a sentence. */
static uint32_t best_left(const struct ranking *k)
{
	uint32_t best = UNIT_NONE;
	int64_t most = 0;

	for (uint32_t i = 0; i < k->terms.lines_n; i++) {
		const struct line *line = &k->terms.lines[i];
		int64_t gain = first_gain(k, i);

		if (k->out.taken[i] || line->doubled != 0 || !k->units[i].flat ||
			k->units[i].kind == UNIT_HEADING || (best != UNIT_NONE && gain <= most))
			continue;
		best = i;
		most = gain;
	}
	return best;
}

/* The longest start of the text, cut before a blank (or between characters where there are none), that costs no
 * more. */
static size_t clip_to(struct span text, uint64_t room,
	uint32_t (*cost)(void *self, struct span text), void *self)
{
	size_t low = 0, high = text.len;

	while (low < high) {
		size_t middle = low + (high - low + 1) / 2;

		if (cost(self, span_part(text, 0, middle)) <= room)
			low = middle;
		else
			high = middle - 1;
	}
	if (low == text.len)
		return low;
	for (size_t at = low; at > low / 2; at--) {
		if (text.at[at] == ' ' || text.at[at] == '\n')
			return at;
	}
	return text_border(text, low);
}

static void fill(struct ranking *k, uint32_t (*cost)(void *self, struct span text), void *self)
{
	int64_t left = (int64_t)(k->want->budget - k->out.cost), over;
	struct span text;
	uint32_t i;

	if (left < CLIP_MIN || left * 50 < (int64_t)k->want->budget)
		return;
	i = best_left(k);
	if (i == UNIT_NONE)
		return;
	/* Its other part is left out: there is a gap behind it in any case. */
	over = cost_of(k, i) - k->units[i].cost + (is_taken(k, i, 1) ? k->want->gap : 0);
	if (left < over + CLIP_MIN)
		return;
	text = k->units[i].text;
	text = span_trim(span_part(text, 0, clip_to(text, (uint64_t)(left - over), cost, self)));
	if (text.len == 0)
		return;
	choose(k, i);
	k->out.cost = (uint64_t)((int64_t)k->want->budget - left + over) + cost(self, text);
	k->out.clipped = i;
	k->out.clip_bytes = text.len;
}

static void count_kept(struct ranking *k)
{
	uint32_t seen[QUERY_SLOTS / 32] = { 0 };

	k->out.terms = k->query.slots_n;
	k->out.found = k->query.found;
	for (uint32_t i = 0; i < k->terms.terms_n; i++) {
		const struct term *term = &k->terms.terms[i];
		uint32_t slot = term->slot - 1;

		if (term->slot == 0 || term->covered == 0 ||
			(seen[slot / 32] >> slot % 32 & 1) != 0)
			continue;
		seen[slot / 32] |= 1u << slot % 32;
		k->out.kept++;
	}
}

/* --- all together --------------------------------------------------------------------------------- */

static int make_room(struct ranking *k, struct arena *a, uint32_t n)
{
	size_t rows = n + (size_t)1;

	k->sums = arena_raw(a, rows * sizeof(*k->sums));
	k->in_block = arena_alloc(a, rows * sizeof(*k->in_block));
	k->in_doc = arena_alloc(a, rows * sizeof(*k->in_doc));
	k->block_of = arena_raw(a, rows * sizeof(*k->block_of));
	k->doc_of = arena_raw(a, rows * sizeof(*k->doc_of));
	k->out.taken = arena_alloc(a, rows);
	if (k->sums == NULL || k->in_block == NULL || k->in_doc == NULL || k->block_of == NULL ||
		k->doc_of == NULL || k->out.taken == NULL || heap_reserve(&k->heap, n) < 0)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < n; i++) {
		bool same_doc = i > 0 && k->units[i - 1].doc == k->units[i].doc;
		bool same_block = same_doc && k->units[i - 1].block == k->units[i].block;

		k->doc_of[i] = same_doc ? k->doc_of[i - 1] : i;
		k->block_of[i] = same_block ? k->block_of[i - 1] : i;
	}
	return 0;
}

static void ranking_done(struct ranking *k)
{
	heap_done(&k->heap);
}

int rank_units(struct arena *a, const struct unit *units, uint32_t n, const struct rank_want *want,
	uint32_t (*cost)(void *self, struct span text), void *self, struct rank_result *ret)
{
	CLEANUP(ranking_done) struct ranking k = { .units = units, .want = want };
	int r;

	heap_init(&k.heap);
	k.out.clipped = UNIT_NONE;
	r = make_room(&k, a, n);
	if (r == 0)
		r = terms_read(&k.terms, a, units, n);
	if (r < 0)
		return r;
	set_scales(&k.terms);
	query_read(&k.query, &k.terms, want->query);
	weigh_terms(&k);
	set_bonuses(&k);
	choose_all(&k);
	if (cost != NULL)
		fill(&k, cost, self);
	count_kept(&k);
	*ret = k.out;
	return 0;
}
