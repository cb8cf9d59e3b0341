/* SPDX-License-Identifier: Apache-2.0
 *
 * select_terms: two passes over the documents: one counts, so that every table is taken once in its size.
 */
#include "policy/select_terms.h"

#include "policy/words.h"

#include "base/pure.h"

static int make_room(struct terms *t, struct arena *a, uint32_t lines, uint32_t words)
{
	uint32_t cap = 16;

	while (cap < 2 * (uint64_t)words && cap < UINT32_C(1) << 31)
		cap *= 2;
	*t = (struct terms){ .table_cap = cap };
	t->lines = arena_alloc(a, (lines + 1) * sizeof(*t->lines));
	t->uses = arena_raw(a, (words + 1) * sizeof(*t->uses));
	t->terms = arena_raw(a, (words + 1) * sizeof(*t->terms));
	t->table = arena_alloc(a, cap * sizeof(*t->table));
	return t->lines == NULL || t->uses == NULL || t->terms == NULL || t->table == NULL ? ERR_NO_MEMORY : 0;
}

/* The row of a hash in the table: its term's or the free one where it belongs. */
static uint32_t row_of(const struct terms *t, uint64_t hash)
{
	uint32_t row = (uint32_t)(hash ^ hash >> 32) & (t->table_cap - 1);

	while (t->table[row] != 0 && t->terms[t->table[row] - 1].hash != hash)
		row = (row + 1) & (t->table_cap - 1);
	return row;
}

uint32_t terms_find(const struct terms *t, uint64_t hash)
{
	uint32_t value = t->table[row_of(t, hash)];

	return value == 0 ? NO_TERM : value - 1;
}

static struct term *intern(struct terms *t, uint64_t hash)
{
	uint32_t row = row_of(t, hash);

	if (t->table[row] == 0) {
		t->terms[t->terms_n] = (struct term){ .hash = hash };
		t->table[row] = ++t->terms_n;
	}
	return &t->terms[t->table[row] - 1];
}

static void add_use(struct terms *t, struct line *line, uint64_t hash)
{
	struct term *term = intern(t, hash);

	term->tf++;
	line->words++;
	if (term->seen == line->at.index + 1) {
		t->uses[term->place].count++;
		return;
	}
	term->seen = line->at.index + 1;
	term->place = t->uses_n;
	term->df++;
	t->uses[t->uses_n++] = (struct use){ .term = (uint32_t)(term - t->terms), .count = 1 };
	line->uses_n++;
}

static void add_line(struct terms *t, const struct sentence *s, uint32_t doc)
{
	struct line *line = &t->lines[t->lines_n], *before = line - 1;
	struct words w = words_of(s->text);
	bool same_doc = t->lines_n > 0 && before->at.doc == doc;
	struct word word;

	line->at = (struct select_pick){ .sentence = *s, .doc = doc, .index = t->lines_n++ };
	line->uses_from = t->uses_n;
	line->nth = same_doc ? before->nth + 1 : 0;
	line->opens = !same_doc || before->at.sentence.block != s->block;
	while (words_next(&w, &word)) {
		if (!word.is_stop)
			add_use(t, line, word.hash);
	}
	t->words += line->words;
}

static void count(struct span doc, uint32_t *lines, uint32_t *words)
{
	struct text_reader r = text_read(doc);
	struct sentence s;
	struct words w = words_of(doc);
	struct word word;

	while (text_next(&r, &s))
		++*lines;
	while (words_next(&w, &word))
		*words += !word.is_stop;
}

int terms_read(struct terms *t, struct arena *a, const struct span *docs, size_t docs_n)
{
	uint32_t lines = 0, words = 0;
	int r;

	for (size_t i = 0; i < docs_n; i++)
		count(docs[i], &lines, &words);
	/* A cut through a long sentence or a word may make two words of one. */
	words += lines;
	r = make_room(t, a, lines, words);
	if (r < 0)
		return r;
	for (size_t i = 0; i < docs_n; i++) {
		struct text_reader reader = text_read(docs[i]);
		struct sentence s;

		while (text_next(&reader, &s))
			add_line(t, &s, (uint32_t)i);
	}
	CHECK(t->lines_n == lines && t->uses_n <= words);
	return 0;
}
