/* SPDX-License-Identifier: Apache-2.0
 *
 * tally: one table of words as written, and one of stems.
 */
#include "policy/tally.h"

#include "base/err.h"
#include "base/utf8.h"
#include "policy/fold.h"
#include "policy/scatter.h"
#include "policy/text.h"
#include "policy/words.h"

#include "base/pure.h"

struct row {
	uint64_t hash; /* 0: free */
	struct tally_word word;
};

struct table {
	struct row *rows;
	uint32_t mask;
	uint32_t words_n;
};

static int table_open(struct table *t, struct arena *a, size_t most)
{
	size_t rows = 2;

	while (rows < most + most / 2)
		rows *= 2;
	t->rows = arena_alloc(a, rows * sizeof(*t->rows));
	t->mask = (uint32_t)(rows - 1);
	t->words_n = 0;
	return t->rows == NULL ? ERR_NO_MEMORY : 0;
}

/* True if the word is new. */
static bool count(struct table *t, uint64_t hash, struct span text)
{
	uint32_t at;

	hash |= hash == 0;
	at = (uint32_t)scatter(t->rows, hash) & t->mask;
	while (t->rows[at].hash != 0 && t->rows[at].hash != hash)
		at = (at + 1) & t->mask;
	t->rows[at].word.count++;
	if (t->rows[at].hash != 0)
		return false;
	t->rows[at].hash = hash;
	t->rows[at].word.text = text;
	t->rows[at].word.place = t->words_n++;
	return true;
}

static void count_lines(struct tally *ret, struct span s)
{
	while (s.len > 0) {
		size_t next;
		struct span line = text_line(s, &next);

		ret->lines++;
		ret->blank_lines += text_is_blank(line);
		if (line.len > ret->longest_line)
			ret->longest_line = line.len;
		s = span_part(s, next, s.len);
	}
}

static void count_characters(struct tally *ret, struct span s)
{
	while (s.len > 0) {
		int n = utf8_step(s);

		ret->characters++;
		s = span_part(s, (size_t)(n < 0 ? -n : n), s.len);
	}
}

static void count_sentences(struct tally *ret, struct span s)
{
	struct text_reader reader = text_read(s);
	uint32_t block = UINT32_MAX;
	struct sentence sentence;

	while (text_next(&reader, &sentence)) {
		ret->sentences++;
		ret->paragraphs += sentence.block != block;
		block = sentence.block;
	}
}

static void count_words(struct tally *ret, struct table *forms, struct table *stems, struct span s)
{
	struct words words = words_of(s);
	struct form form;

	while (words_next_form(&words, &form)) {
		char room[STEM_BYTES];
		struct span stem;
		struct word word = words_judge(&form, room, &stem);

		ret->words++;
		ret->distinct_words += count(forms, fold_hash(form.text), form.text);
		if (!word.is_stop)
			count(stems, word.hash, form.text);
	}
}

static int more(const void *left, const void *right)
{
	const struct tally_word *a = left, *b = right;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

static int find_top(struct tally *ret, struct arena *a, const struct table *stems, uint32_t top_max)
{
	uint32_t n = 0;

	ret->top = arena_raw(a, ((size_t)stems->words_n + 1) * sizeof(*ret->top));
	if (ret->top == NULL)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i <= stems->mask; i++) {
		if (stems->rows[i].hash != 0)
			ret->top[n++] = stems->rows[i].word;
	}
	if (n > 0)
		qsort(ret->top, n, sizeof(*ret->top), more);
	ret->top_n = n < top_max ? n : top_max;
	return 0;
}

int tally_texts(struct arena *a, const struct span *texts, size_t texts_n, uint32_t top_max,
	struct tally *ret)
{
	struct table forms, stems;
	size_t most = 1;

	*ret = (struct tally){ 0 };
	for (size_t i = 0; i < texts_n; i++) {
		struct words words = words_of(texts[i]);
		struct form form;

		while (words_next_form(&words, &form))
			most++;
	}
	if (table_open(&forms, a, most) < 0 || table_open(&stems, a, most) < 0)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < texts_n; i++) {
		ret->bytes += texts[i].len;
		count_lines(ret, texts[i]);
		count_characters(ret, texts[i]);
		count_sentences(ret, texts[i]);
		count_words(ret, &forms, &stems, texts[i]);
	}
	return find_top(ret, a, &stems, top_max);
}
