/* SPDX-License-Identifier: Apache-2.0
 *
 * rank_query: words of the query as they are, and words that look like them: by their triples of letters, which need
 * no rules of a language ("inspection" for "inspect", "Häuser" for "Haus").
 */
#include "policy/rank_query.h"

#include <endian.h>

#include "policy/fixlog.h"
#include "policy/scan.h"
#include "policy/words.h"

#include "base/pure.h"

/* Likeness in 1/1024: twice the common triples of all. */
#define ALIKE 440                   /* ... if they begin alike */
#define ALIKE_MORE 760              /* ... else: "encrypted", "unencrypted" */
#define COMMON_PART 300u            /* what the sets must have in common for a closer look */
#define BEGIN 3u                    /* letters */
#define LOOK_MIN 4u                 /* shorter words resemble too much */
#define WORD_BYTES (STEM_BYTES + 1) /* room for gram_at */
#define LIKE_PART 7 /* in tenths: what a like word is worth beside the word itself */

struct slot {
	uint64_t grams; /* a set of its triples, several to a bit */
	uint32_t grams_n;
	uint32_t len;
	uint32_t term; /* the same in the documents, or NO_TERM */
	bool weighty;  /* a name or a number */
	char stem[WORD_BYTES];
};

uint32_t rarity(uint32_t n, uint32_t df)
{
	return log2_256(2 * (uint64_t)n + 2) - log2_256(2 * (uint64_t)df + 1) + 1;
}

/* The three bytes at a place of a word; the one behind them may be read, too. */
static uint32_t gram_at(const char *word, size_t i)
{
	uint32_t bytes;

	memcpy(&bytes, word + i, sizeof(bytes));
	return le32toh(bytes) & 0xFFFFFF;
}

/* In a set of triples. */
static uint32_t place_of(uint32_t gram)
{
	return gram * 0x9E3779B1u >> 26;
}

static uint64_t grams_of(const char *word, size_t len)
{
	uint64_t set = 0;

	for (size_t i = 0; i + 3 <= len; i++)
		set |= UINT64_C(1) << place_of(gram_at(word, i));
	return set;
}

/* How many triples a word may have in common with each of the slots: for each triple numbers with a byte for each of
 * eight slots, 1 if it has the triple. The sum over a word's triples counts for eight slots at once. */
#define LANES 8u
#define TRIPLES (STEM_BYTES - 2) /* of a word, at most */
#define NO_TRIPLE 64u            /* one that was counted before */
struct lookup {
	uint32_t n;                                       /* eights of slots */
	uint64_t has[NO_TRIPLE + 1][QUERY_SLOTS / LANES]; /* by the bit of a triple */
	uint64_t missing[TRIPLES + 1]
			[QUERY_SLOTS / LANES]; /* by the word's triples: 0x80 less what is needed */
};

static void lookup_make(struct lookup *l, const struct slot *slots, uint32_t slots_n)
{
	l->n = (slots_n + LANES - 1) / LANES;
	for (uint32_t i = 0; i <= NO_TRIPLE; i++)
		memset(l->has[i], 0, l->n * sizeof(uint64_t));
	for (uint32_t i = 0; i <= TRIPLES; i++)
		memset(l->missing[i], 0, l->n * sizeof(uint64_t));
	for (uint32_t i = 0; i < slots_n; i++) {
		uint32_t shift = i % LANES * 8;

		for (uint64_t set = slots[i].grams; set != 0; set &= set - 1)
			l->has[__builtin_ctzll(set)][i / LANES] += UINT64_C(1) << shift;
		for (uint32_t n = 1; slots[i].grams != 0 && n <= TRIPLES; n++) {
			uint64_t need = (COMMON_PART * (n + slots[i].grams_n) + 2047) / 2048;

			l->missing[n][i / LANES] += (0x80 - need) << shift;
		}
	}
}

/* Sums of what a word has in common with the slots, and how many distinct triples it has. */
static uint32_t lookup_word(const struct lookup *l, const char *word, size_t len,
	uint64_t common[QUERY_SLOTS / LANES])
{
	uint64_t set = 0;
	uint32_t n = 0;

	memset(common, 0, l->n * sizeof(*common));
	for (size_t i = 0; i + 3 <= len; i++) {
		uint32_t place = place_of(gram_at(word, i)), fresh = (set >> place & 1) == 0,
			 at = fresh ? place : NO_TRIPLE;

		set |= UINT64_C(1) << place;
		n += fresh;
		common[0] += l->has[at][0];
		for (uint32_t g = 1; g < l->n; g++)
			common[g] += l->has[at][g];
	}
	return n;
}

/* A term of the documents beside the slots; its stem is found only if that is asked for. */
struct other {
	const struct term_text *text;
	bool cut; /* `word` is the stem, and `stem_grams` are its triples */
	uint64_t stem_grams;
	size_t len; /* of what is in `word` */
	char word[WORD_BYTES];
};

static void other_cut(struct other *o)
{
	if (o->text->ascii)
		o->len = stem_cut(o->word, o->len);
	o->stem_grams = o->len < LOOK_MIN ? 0 : grams_of(o->word, o->len);
	o->cut = true;
}

/* Exact; the sets only tell which triples are worth a look. */
static uint32_t likeness(const struct slot *s, const struct other *o)
{
	uint32_t common = 0;
	uint64_t used = 0;

	for (size_t i = 0; i + 3 <= s->len; i++) {
		uint32_t gram = gram_at(s->stem, i);

		if ((o->stem_grams >> place_of(gram) & 1) == 0)
			continue;
		for (size_t k = 0; k + 3 <= o->len; k++) {
			if ((used >> k & 1) == 0 && gram == gram_at(o->word, k)) {
				used |= UINT64_C(1) << k;
				common++;
				break;
			}
		}
	}
	return (uint32_t)(2048 * common / (s->len - 2 + o->len - 2));
}

/* 0 if they are not alike. */
static uint32_t alike(const struct slot *s, struct other *o)
{
	uint32_t like;

	if (!o->cut)
		other_cut(o);
	if (o->len < LOOK_MIN)
		return 0;
	like = likeness(s, o);
	return like >= (memcmp(s->stem, o->word, BEGIN) == 0 ? ALIKE : ALIKE_MORE) ? like : 0;
}

static bool asks_number(struct span word)
{
	static const char words[][8] = { "address", "amount", "code", "cost", "date", "default",
		"limit", "long", "many", "maximum", "minimum", "much", "number", "old", "percent",
		"port", "price", "size", "value", "version", "when", "year" };

	for (size_t i = 0; word.len <= sizeof(words[0]) && i < ARRAY_LEN(words); i++) {
		if (word.len == strnlen(words[i], sizeof(words[i])) &&
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
	const uint64_t high = UINT64_C(0x8080808080808080);
	const struct term_text *text = &t->texts[id];
	struct term *term = &t->terms[id];
	uint64_t common[QUERY_SLOTS / LANES];
	struct other other;
	uint32_t triples;

	if (text->number || text->form.len < LOOK_MIN || text->form.len > STEM_BYTES ||
		term->slot != 0)
		return;
	other.text = text;
	other.len = text->form.len;
	other.cut = false;
	stem_fold(text->form, other.word);
	triples = lookup_word(&look->lookup, other.word, other.len, common);
	for (uint32_t g = 0; g < look->lookup.n; g++) {
		/* No byte is above 0x80 + TRIPLES, so that none carries. */
		uint64_t enough = (common[g] + look->lookup.missing[triples][g]) & high;

		for (; enough != 0; enough &= enough - 1) {
			uint32_t nth = g * LANES + (uint32_t)__builtin_ctzll(enough) / 8,
				 like = alike(&look->slots[nth], &other),
				 base = rarity(t->lines_n, term->df) *
					(look->slots[nth].weighty ? 3 : 2) / 2;

			want(q, term, nth, base * like / 1024 * like / 1024 * LIKE_PART / 10);
		}
	}
}

void query_read(struct query *q, struct terms *t, struct span text)
{
	struct slot slots[QUERY_SLOTS];
	struct look look; /* of which only what the slots need is set */
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
	look.slots = slots;
	if (looks)
		lookup_make(&look.lookup, slots, q->slots_n);
	for (uint32_t id = 0; looks && id < t->terms_n; id++)
		want_like(q, t, &look, id);
	for (uint32_t i = 0; i < q->slots_n; i++) {
		q->found += q->weights[i] > 0;
		q->wanted += q->weights[i];
	}
}
