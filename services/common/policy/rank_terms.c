/* SPDX-License-Identifier: Apache-2.0
 *
 * rank_terms: one pass over the words of all units.
 */
#include "policy/rank_terms.h"

#include "base/err.h"
#include "policy/words.h"

#include "base/pure.h"

/* What stands for a stop word in the index of forms, and for one that points back; others are their term + 1, with a bit
 * for those that begin with a digit. */
#define STOP (UINT32_MAX - 1)
#define STOP_LEANS (UINT32_MAX - 2)
#define NUMBER (UINT32_C(1) << 30)
#define FORMS 32u /* read at once */
/* Of the texts of /usr/share/common-licenses: bytes for each distinct form of a word, and for each
 * distinct term of a sentence. */
#define FORM_PER 16u
#define FORM_PER_MORE 64u /* beyond FORMS_FEW forms */
#define FORMS_FEW 512u
#define FORMS_MOST 8192u
#define USE_PER 12u

#define WORD(text)                                                                                 \
	{                                                                                          \
		(const unsigned char *)(text), sizeof(text) - 1                                    \
	}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

/* --- terms ---------------------------------------------------------------------------------------- */

uint32_t terms_find(const struct terms *t, uint64_t hash)
{
	return hash_index_find(&t->stems, hash) - 1;
}

/* The term of a stem + 1, made if it is new; 0 without memory. */
static uint32_t intern(struct terms *t, const struct form *form, uint64_t hash)
{
	struct hash_index_row *row = hash_index_take(&t->stems, t->arena, hash);
	struct term *terms;
	struct term_text *texts;

	if (row == NULL || row->value != 0)
		return row == NULL ? 0 : row->value;
	terms = rows_grow(t->arena, t->terms, t->terms_n, &t->terms_cap, sizeof(*terms));
	texts = rows_grow(t->arena, t->texts, t->terms_n, &t->texts_cap, sizeof(*texts));
	if (terms == NULL || texts == NULL)
		return 0;
	t->terms = terms;
	t->texts = texts;
	terms[t->terms_n] = (struct term){ 0 };
	texts[t->terms_n] = (struct term_text){
		.hash = hash,
		.form = form->text,
		.ascii = form->ascii,
		.number = is_digit(form->text.at[0]),
	};
	row->value = ++t->terms_n;
	return row->value;
}

/* Does a unit that begins with this stop word speak of what the one before said? In lower case. */
static bool points_back(const char *word, size_t len)
{
	static const char words[][8] = { "but", "he", "her", "his", "however", "it", "its", "she",
		"such", "that", "their", "them", "then", "these", "they", "this", "those" };
	char padded[8] = { 0 };
	bool found = false;

	CHECK(len < sizeof(padded));
	memcpy(padded, word, len);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		found |= memcmp(words[i], padded, sizeof(padded)) == 0;
	return found;
}

/* What a form is in the index of forms; 0 without memory. */
static uint32_t judge(struct terms *t, const struct form *form)
{
	char room[STEM_BYTES];
	struct span stem;
	struct word word = words_judge(form, room, &stem);
	uint32_t id;

	if (word.is_stop)
		return points_back(room, form->text.len) ? STOP_LEANS : STOP;
	id = intern(t, form, word.hash);
	return id == 0 || id >= NUMBER ? 0 : id | (is_digit(form->text.at[0]) ? NUMBER : 0);
}

/* There is room for one more. */
static inline void add_use(struct terms *t, struct line *line, uint32_t nth, uint32_t id)
{
	struct term *term = &t->terms[id];

	term->tf++;
	if (term->seen == nth + 1) {
		t->uses[term->place].count++;
		return;
	}
	term->seen = nth + 1;
	term->place = t->uses_n;
	term->df++;
	t->uses[t->uses_n++] = (struct use){ .term = id, .count = 1 };
	line->uses_n++;
}

/* Room for FORMS more forms and uses. */
static int make_room(struct terms *t)
{
	struct use *uses = t->uses;

	if (hash_index_reserve(&t->forms, t->arena, FORMS) < 0)
		return ERR_NO_MEMORY;
	while (uses != NULL && t->uses_cap - t->uses_n < FORMS)
		uses = rows_more(t->arena, uses, t->uses_n, &t->uses_cap, sizeof(*uses));
	t->uses = uses;
	return uses == NULL ? ERR_NO_MEMORY : 0;
}

/* What forms are in the index of forms. *hash: of all words so far. ERR_NO_MEMORY. */
static int find_forms(struct terms *t, const struct form *forms, size_t n, uint32_t values[FORMS],
	uint64_t *hash)
{
	for (size_t i = 0; i < n; i++) {
		struct hash_index_row *row = hash_index_put(&t->forms, forms[i].hash);

		if (row->value == 0)
			row->value = judge(t, &forms[i]);
		if (row->value == 0)
			return ERR_NO_MEMORY;
		values[i] = row->value;
		*hash = (*hash + forms[i].hash) * UINT64_C(0x9E3779B97F4A7C15);
	}
	return 0;
}

/* Without stop words, and as terms: moved together without a branch, as every second word is one. */
static size_t drop_stops(uint32_t values[FORMS], size_t n, uint32_t *ret_any)
{
	size_t kept = 0;
	uint32_t any = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t value = values[i], is_term = value < STOP_LEANS;

		any |= value & -is_term;
		values[kept] = (value & ~NUMBER) - 1;
		kept += is_term;
	}
	*ret_any = any;
	return kept;
}

/* *ret_hash: of all its words. */
static int read_words(struct terms *t, struct line *line, uint32_t nth, struct span text,
	uint64_t *ret_hash)
{
	struct words w = words_of(text);
	bool first = true;
	size_t n;

	*ret_hash = 0;
	do {
		struct form forms[FORMS];
		uint32_t values[FORMS], any;
		size_t kept;

		n = words_fill(&w, forms, FORMS);
		if (make_room(t) < 0 || find_forms(t, forms, n, values, ret_hash) < 0)
			return ERR_NO_MEMORY;
		line->leans = line->leans || (first && n > 0 && values[0] == STOP_LEANS);
		first = false;
		kept = drop_stops(values, n, &any);
		line->number = line->number || (any & NUMBER) != 0;
		for (size_t i = 0; i < kept; i++)
			add_use(t, line, nth, values[i]);
		line->words += (uint32_t)kept;
	} while (n == FORMS);
	return 0;
}

static int add_line(struct terms *t, const struct unit *u, uint32_t nth)
{
	struct line *line = &t->lines[nth];
	const struct unit *before = nth > 0 && u[-1].doc == u->doc ? u - 1 : NULL;
	struct hash_index_row *row;
	uint64_t hash;

	*line = (struct line){
		.uses_from = t->uses_n,
		.nth = before == NULL ? 0 : line[-1].nth + 1,
		.opens = before == NULL || before->block != u->block,
	};
	if (read_words(t, line, nth, u->text, &hash) < 0)
		return ERR_NO_MEMORY;
	t->words += line->words;
	row = hash_index_put(&t->repeats, hash);
	/* The same change in another place is another change. */
	line->doubled = u->kind == UNIT_DIFF ? 0 : row->value;
	if (row->value == 0)
		row->value = nth + 1;
	return 0;
}

/* As much as texts so long usually need, so that little is moved. */
static int reserve(struct terms *t, size_t bytes)
{
	size_t few = bytes / FORM_PER, many = FORMS_FEW + bytes / FORM_PER_MORE,
	       guess = few < many ? few : many;
	uint32_t forms = guess < FORMS_MOST ? (uint32_t)guess : FORMS_MOST;

	t->uses_cap = 2 * FORMS + (uint32_t)(bytes / USE_PER);
	t->uses = arena_raw(t->arena, t->uses_cap * sizeof(*t->uses));
	t->lines = arena_raw(t->arena, (t->lines_n + (size_t)1) * sizeof(*t->lines));
	if (t->uses == NULL || t->lines == NULL ||
		hash_index_reserve(&t->forms, t->arena, forms) < 0 ||
		hash_index_reserve(&t->stems, t->arena, forms) < 0 ||
		hash_index_reserve(&t->repeats, t->arena, t->lines_n) < 0)
		return ERR_NO_MEMORY;
	return 0;
}

int terms_read(struct terms *t, struct arena *a, const struct unit *units, uint32_t n)
{
	size_t bytes = 0;

	*t = (struct terms){ .arena = a, .lines_n = n };
	for (uint32_t i = 0; i < n; i++)
		bytes += units[i].text.len;
	if (reserve(t, bytes) < 0)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < n; i++) {
		if (add_line(t, &units[i], i) < 0)
			return ERR_NO_MEMORY;
	}
	t->mean = n == 0 ? 1 : (int64_t)(t->words / n) + 1;
	return 0;
}
