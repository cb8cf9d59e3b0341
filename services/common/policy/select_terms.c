/* SPDX-License-Identifier: Apache-2.0
 *
 * select_terms: two passes over the documents: a quick one bounds what the other can find, so that every
 * table is taken once in its size.
 */
#include "policy/select_terms.h"

#include "policy/words.h"

#include "base/pure.h"

/* A power of two that leaves half of a table free. */
static uint32_t cap_for(uint32_t n)
{
	uint32_t cap = 16;

	while (cap < 2 * (uint64_t)n && cap < UINT32_C(1) << 31)
		cap *= 2;
	return cap;
}

static int make_room(struct terms *t, struct arena *a, uint32_t lines, uint32_t words)
{
	*t = (struct terms){ .table_cap = cap_for(words), .line_cap = cap_for(lines) };
	t->lines = arena_raw(a, (lines + 1) * sizeof(*t->lines));
	t->uses = arena_raw(a, (words + 1) * sizeof(*t->uses));
	t->terms = arena_raw(a, (words + 1) * sizeof(*t->terms));
	t->table = arena_alloc(a, t->table_cap * sizeof(*t->table));
	t->line_table = arena_alloc(a, t->line_cap * sizeof(*t->line_table));
	if (t->lines == NULL || t->uses == NULL || t->terms == NULL || t->table == NULL ||
		t->line_table == NULL)
		return ERR_NO_MEMORY;
	return 0;
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

/* Has an earlier line the same hash? If not, this one has its place. */
static bool is_repeated(struct terms *t, const struct line *line)
{
	uint32_t row = (uint32_t)(line->hash ^ line->hash >> 32) & (t->line_cap - 1);

	while (t->line_table[row] != 0) {
		if (t->lines[t->line_table[row] - 1].hash == line->hash)
			return true;
		row = (row + 1) & (t->line_cap - 1);
	}
	t->line_table[row] = line->at.index + 1;
	return false;
}

static void add_line(struct terms *t, const struct sentence *s, uint32_t doc)
{
	struct line *line = &t->lines[t->lines_n];
	const struct line *before = t->lines_n > 0 && line[-1].at.doc == doc ? line - 1 : NULL;
	struct words w = words_of(s->text);
	struct word word;

	*line = (struct line){
		.at = { .sentence = *s, .doc = doc, .index = t->lines_n++ },
		.uses_from = t->uses_n,
		.nth = before == NULL ? 0 : before->nth + 1,
		.opens = before == NULL || before->at.sentence.block != s->block,
	};
	while (words_next(&w, &word)) {
		if (word.is_stop)
			continue;
		add_use(t, line, word.hash);
		line->hash = (line->hash ^ word.hash) * UINT64_C(0x9E3779B97F4A7C15);
		line->hash ^= line->hash >> 29;
	}
	line->repeats = is_repeated(t, line);
	t->words += line->words;
}

static size_t min_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

int terms_read(struct terms *t, struct arena *a, const struct span *docs, size_t docs_n)
{
	size_t lines = 0, words = 0;
	int r;

	for (size_t i = 0; i < docs_n; i++) {
		size_t cuts = docs[i].len / (TEXT_SENTENCE_MAX / 2) + 1;

		/* White space follows a sentence, or it ends with a wide stop, or was cut for its length. */
		lines += min_of(text_bound(docs[i]), docs[i].len / 2 + cuts);
		/* A cut through a long word makes two of it. */
		words += words_bound(docs[i].len) + cuts;
	}
	if (words >= UINT32_MAX / 2)
		return ERR_NO_MEMORY;
	r = make_room(t, a, (uint32_t)lines, (uint32_t)words);
	if (r < 0)
		return r;
	for (size_t i = 0; i < docs_n; i++) {
		struct text_reader reader = text_read(docs[i]);
		struct sentence s;

		while (text_next(&reader, &s))
			add_line(t, &s, (uint32_t)i);
	}
	CHECK(t->lines_n <= lines && t->uses_n <= words);
	return 0;
}
