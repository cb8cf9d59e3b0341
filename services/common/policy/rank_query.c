/* SPDX-License-Identifier: Apache-2.0
 *
 * rank_query: words of the query as they are, and words that look like them: by their triples of letters, which need
 * no rules of a language ("inspection" for "inspect", "Häuser" for "Haus").
 */
#include "policy/rank_query.h"

#include "policy/fixlog.h"
#include "policy/scan.h"
#include "policy/words.h"

#include "base/pure.h"

/* Likeness in 1/1024: twice the common triples of all. */
#define ALIKE 440        /* ... if they begin alike */
#define ALIKE_MORE 760   /* ... else: "encrypted", "unencrypted" */
#define COMMON_PART 300u /* what the sets must have in common for a closer look */
#define BEGIN 3u         /* letters */
#define LOOK_MIN 4u      /* shorter words resemble too much */
#define LIKE_PART 7      /* in tenths: what a like word is worth beside the word itself */

struct slot {
	uint64_t grams; /* a set of its triples, several to a bit */
	uint32_t grams_n;
	uint32_t len;
	uint32_t term; /* the same in the documents, or NO_TERM */
	bool weighty;  /* a name or a number */
	char stem[STEM_BYTES];
};

uint32_t rarity(uint32_t n, uint32_t df)
{
	return log2_256(2 * (uint64_t)n + 2) - log2_256(2 * (uint64_t)df + 1) + 1;
}

static uint32_t gram_at(const char *word, size_t i)
{
	return (uint32_t)(unsigned char)word[i] | (uint32_t)(unsigned char)word[i + 1] << 8 |
	       (uint32_t)(unsigned char)word[i + 2] << 16;
}

static uint64_t grams_of(const char *word, size_t len)
{
	uint64_t set = 0;
	uint32_t gram = (uint32_t)(unsigned char)word[0] << 8 | (uint32_t)(unsigned char)word[1]
									<< 16;

	for (size_t i = 2; i < len; i++) {
		gram = gram >> 8 | (uint32_t)(unsigned char)word[i] << 16;
		set |= UINT64_C(1) << (gram * 0x9E3779B1u >> 26);
	}
	return set;
}

/* How many triples a word may have in common with each of eight slots: for each triple a number with a byte for each
 * slot, 1 if it has the triple. The sum over a word's triples counts for all eight at once. */
#define LANES 8u
struct lookup {
	uint64_t has[QUERY_SLOTS / LANES][64];
	uint32_t least[QUERY_SLOTS / LANES]; /* triples of the slot with the fewest */
	uint32_t n;
};

static void lookup_make(struct lookup *l, const struct slot *slots, uint32_t slots_n)
{
	l->n = (slots_n + LANES - 1) / LANES;
	memset(l->has, 0, l->n * sizeof(l->has[0]));
	for (uint32_t i = 0; i < slots_n; i++) {
		uint32_t *least = &l->least[i / LANES];

		if (i % LANES == 0)
			*least = UINT32_MAX;
		if (slots[i].grams != 0 && slots[i].grams_n < *least)
			*least = slots[i].grams_n;
		for (uint64_t set = slots[i].grams; set != 0; set &= set - 1)
			l->has[i / LANES][__builtin_ctzll(set)] += UINT64_C(1) << i % LANES * 8;
	}
}

/* Has any of the eight as many triples in common with the word as words that are alike have? */
static bool lookup_any(const struct lookup *l, uint32_t nth, uint64_t grams, uint32_t grams_n)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t need = ((uint64_t)COMMON_PART * (grams_n + (uint64_t)l->least[nth]) + 2047) / 2048,
		 common = 0;

	if (need > grams_n)
		return false;
	for (; grams != 0; grams &= grams - 1)
		common += l->has[nth][__builtin_ctzll(grams)];
	/* No byte is above 64, so that none carries. */
	return ((common + (0x80 - need) * each) & 0x80 * each) != 0;
}

/* Exact; the sets only tell which words are worth it. */
static uint32_t likeness(const char *a, size_t a_len, const char *b, size_t b_len)
{
	uint32_t common = 0;
	uint64_t used = 0;

	for (size_t i = 0; i + 3 <= a_len; i++) {
		for (size_t k = 0; k + 3 <= b_len; k++) {
			if ((used >> k & 1) == 0 && gram_at(a, i) == gram_at(b, k)) {
				used |= UINT64_C(1) << k;
				common++;
				break;
			}
		}
	}
	return (uint32_t)(2048 * common / (a_len - 2 + b_len - 2));
}

/* 0 if they are not alike. */
static uint32_t alike(const struct slot *s, const struct term_text *text)
{
	char stem[STEM_BYTES];
	size_t len = text->form.len;
	uint32_t like;

	stem_fold(text->form, stem);
	if (text->ascii)
		len = stem_cut(stem, len);
	if (len < LOOK_MIN)
		return 0;
	like = likeness(s->stem, s->len, stem, len);
	return like >= (memcmp(s->stem, stem, BEGIN) == 0 ? ALIKE : ALIKE_MORE) ? like : 0;
}

static bool asks_number(struct span word)
{
	static const char *const words[] = { "address", "amount", "code", "cost", "date", "default",
		"limit", "long", "many", "maximum", "minimum", "much", "number", "old", "percent",
		"port", "price", "size", "value", "version", "when", "year" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (word.len == strlen(words[i]) &&
			strncasecmp((const char *)word.at, words[i], word.len) == 0)
			return true;
	}
	return false;
}

/* Is it a name or a number? The first word of a sentence has a capital anyway. */
static bool is_weighty(struct span text, struct span word)
{
	bool capital = word.at[0] >= 'A' && word.at[0] <= 'Z';

	return (word.at[0] >= '0' && word.at[0] <= '9') ||
	       (capital && word.at > text.at + 2 && memchr(".?!:\n", word.at[-2], 5) == NULL &&
		       memchr("\n\"", word.at[-1], 2) == NULL);
}

static bool has_slot(const struct slot *slots, uint32_t n, struct span stem, uint32_t term)
{
	for (uint32_t i = 0; i < n; i++) {
		if (term != NO_TERM ? slots[i].term == term
				    : slots[i].len == stem.len && stem.len > 0 &&
					      memcmp(slots[i].stem, stem.at, stem.len) == 0)
			return true;
	}
	return false;
}

static uint32_t read_slots(struct query *q, const struct terms *t, struct span text,
	struct slot slots[QUERY_SLOTS])
{
	struct words w = words_of(text);
	struct form form;
	uint32_t n = 0;

	while (n < QUERY_SLOTS && words_next_form(&w, &form)) {
		char room[STEM_BYTES];
		struct span stem;
		struct word word = words_judge(&form, room, &stem);
		struct slot *slot = &slots[n];
		uint32_t term;

		q->asks_number = q->asks_number || asks_number(form.text);
		if (word.is_stop)
			continue;
		term = terms_find(t, word.hash);
		if (stem.len > STEM_BYTES)
			stem.len = 0; /* too long to look like another */
		if (has_slot(slots, n, stem, term))
			continue;
		*slot = (struct slot){
			.term = term,
			.len = (uint32_t)stem.len,
			.weighty = is_weighty(text, form.text),
		};
		memcpy(slot->stem, stem.at, stem.len);
		if (stem.len >= LOOK_MIN && !(form.text.at[0] >= '0' && form.text.at[0] <= '9')) {
			slot->grams = grams_of(slot->stem, slot->len);
			slot->grams_n = scan_count(slot->grams);
		}
		n++;
	}
	return n;
}

static void want(struct query *q, struct term *term, uint32_t slot, uint32_t wanted)
{
	if (wanted <= term->wanted)
		return;
	term->wanted = wanted;
	term->slot = slot + 1;
	if (wanted > q->weights[slot])
		q->weights[slot] = wanted;
}

struct look {
	const struct slot *slots;
	struct lookup lookup;
};

/* How much a term of the documents is wanted for what it looks like. */
static void want_like(struct query *q, struct terms *t, const struct look *look, uint32_t id)
{
	const struct term_text *text = &t->texts[id];
	struct term *term = &t->terms[id];
	char room[STEM_BYTES];
	uint64_t grams;
	uint32_t grams_n;

	if (text->number || text->form.len < LOOK_MIN || text->form.len > STEM_BYTES ||
		term->slot != 0)
		return;
	stem_fold(text->form, room);
	grams = grams_of(room, text->form.len);
	grams_n = scan_count(grams);
	for (uint32_t i = 0; i < q->slots_n; i++) {
		const struct slot *slot = &look->slots[i];
		uint32_t common, like, base;

		if (i % LANES == 0 && !lookup_any(&look->lookup, i / LANES, grams, grams_n)) {
			i += LANES - 1;
			continue;
		}
		common = scan_count(grams & slot->grams);
		if (slot->grams == 0 || 2048 * common < COMMON_PART * (grams_n + slot->grams_n))
			continue;
		like = alike(slot, text);
		base = rarity(t->lines_n, term->df) * (slot->weighty ? 3 : 2) / 2;
		want(q, term, i, base * like / 1024 * like / 1024 * LIKE_PART / 10);
	}
}

void query_read(struct query *q, struct terms *t, struct span text)
{
	struct slot slots[QUERY_SLOTS];
	struct look look = { .slots = slots, .lookup.n = 0 };
	bool looks = false;

	*q = (struct query){ 0 };
	q->slots_n = read_slots(q, t, text, slots);
	for (uint32_t i = 0; i < q->slots_n; i++) {
		looks = looks || slots[i].grams != 0;
		if (slots[i].term != NO_TERM)
			want(q, &t->terms[slots[i].term], i,
				rarity(t->lines_n, t->terms[slots[i].term].df) *
					(slots[i].weighty ? 3 : 2) / 2);
	}
	if (looks)
		lookup_make(&look.lookup, slots, q->slots_n);
	for (uint32_t id = 0; looks && id < t->terms_n; id++)
		want_like(q, t, &look, id);
	for (uint32_t i = 0; i < q->slots_n; i++) {
		q->found += q->weights[i] > 0;
		q->wanted += q->weights[i];
	}
}
