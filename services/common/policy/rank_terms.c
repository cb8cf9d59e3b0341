/* SPDX-License-Identifier: Apache-2.0
 *
 * rank_terms: one pass over the words of all units.
 */
#include "policy/rank_terms.h"

#include "base/err.h"
#include "policy/words.h"

#include "base/pure.h"

/* What stands for a stop word in the index of forms, and for one that points back. */
#define STOP (UINT32_MAX - 1)
#define STOP_LEANS (UINT32_MAX - 2)
#define FORMS 32u /* read at once */

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

/* Does a unit that begins with this stop word speak of what the one before said? */
static bool points_back(struct span word)
{
	static const char *const words[] = { "but", "he", "her", "his", "however", "it", "its",
		"she", "such", "that", "their", "them", "then", "these", "they", "this", "those" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (word.len == strlen(words[i]) &&
			strncasecmp((const char *)word.at, words[i], word.len) == 0)
			return true;
	}
	return false;
}

/* What a form is in the index of forms; 0 without memory. */
static uint32_t judge(struct terms *t, const struct form *form)
{
	char room[STEM_BYTES];
	struct span stem;
	struct word word = words_judge(form, room, &stem);

	if (word.is_stop)
		return points_back(form->text) ? STOP_LEANS : STOP;
	return intern(t, form, word.hash);
}

static int add_use(struct terms *t, struct line *line, uint32_t nth, uint32_t id)
{
	struct term *term = &t->terms[id];
	struct use *uses;

	term->tf++;
	line->words++;
	if (term->seen == nth + 1) {
		t->uses[term->place].count++;
		return 0;
	}
	uses = rows_grow(t->arena, t->uses, t->uses_n, &t->uses_cap, sizeof(*uses));
	if (uses == NULL)
		return ERR_NO_MEMORY;
	t->uses = uses;
	term->seen = nth + 1;
	term->place = t->uses_n;
	term->df++;
	uses[t->uses_n++] = (struct use){ .term = id, .count = 1 };
	line->uses_n++;
	return 0;
}

/* *hash: of all its words so far. */
static int read_form(struct terms *t, struct line *line, uint32_t nth, const struct form *form,
	uint64_t *hash)
{
	struct hash_index_row *row = hash_index_take(&t->forms, t->arena, form->hash);
	uint32_t value = row == NULL ? 0 : row->value;
	bool first = *hash == 0;

	if (row != NULL && value == 0)
		value = row->value = judge(t, form);
	if (value == 0)
		return ERR_NO_MEMORY;
	*hash = (*hash ^ form->hash) * UINT64_C(0x9E3779B97F4A7C15);
	*hash ^= *hash >> 29;
	if (value == STOP || value == STOP_LEANS) {
		line->leans = line->leans || (first && value == STOP_LEANS);
		return 0;
	}
	line->number = line->number || is_digit(form->text.at[0]);
	return add_use(t, line, nth, value - 1);
}

/* *ret_hash: of all its words. */
static int read_words(struct terms *t, struct line *line, uint32_t nth, struct span text,
	uint64_t *ret_hash)
{
	struct words w = words_of(text);
	struct form forms[FORMS];
	uint64_t hash = 0;
	size_t n;

	do {
		n = words_fill(&w, forms, FORMS);
		for (size_t i = 0; i < n; i++) {
			if (read_form(t, line, nth, &forms[i], &hash) < 0)
				return ERR_NO_MEMORY;
		}
	} while (n == FORMS);
	*ret_hash = hash;
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
	row = hash_index_take(&t->repeats, t->arena, hash);
	if (row == NULL)
		return ERR_NO_MEMORY;
	/* The same change in another place is another change. */
	line->doubled = u->kind == UNIT_DIFF ? 0 : row->value;
	if (row->value == 0)
		row->value = nth + 1;
	return 0;
}

int terms_read(struct terms *t, struct arena *a, const struct unit *units, uint32_t n)
{
	*t = (struct terms){ .arena = a, .lines_n = n };
	t->lines = arena_raw(a, (n + (size_t)1) * sizeof(*t->lines));
	if (t->lines == NULL)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < n; i++) {
		if (add_line(t, &units[i], i) < 0)
			return ERR_NO_MEMORY;
	}
	t->mean = n == 0 ? 1 : (int64_t)(t->words / n) + 1;
	return 0;
}
