/* SPDX-License-Identifier: Apache-2.0
 *
 * crush_log: a record is a line with a time or a level in front and the lines that go on with it. Its template is the
 * hash of its words, where a word with a digit counts as a mere number.
 */
#include "policy/crush.h"

#include "base/err.h"
#include "policy/hash_index.h"
#include "policy/text.h"

#include "base/pure.h"

#define TIME_WORDS 6   /* what may stand in front: "Mon Nov 21 07:18:25 2026 +0000" */
#define MORE_BYTES 16u /* " [x4294967295]" */

struct record {
	struct span text;
	uint64_t template;
	bool severe;
};

struct records {
	struct record *rows;
	uint32_t n;
	uint32_t cap;
};

static bool is_word_byte(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c >= 0x80;
}

static bool has_digit(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] >= '0' && s.at[i] <= '9')
			return true;
	}
	return false;
}

static bool is_severe(struct span word)
{
	static const char *const words[] = { "alert", "crit", "critical", "emerg", "err", "error",
		"exception", "fail", "failed", "failure", "fatal", "panic", "traceback", "warn",
		"warning" };

	if (word.len < 3 || word.len > 9)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (word.len == strlen(words[i]) &&
			strncasecmp((const char *)word.at, words[i], word.len) == 0)
			return true;
	}
	return false;
}

static uint64_t mix(uint64_t hash, uint64_t more)
{
	hash = (hash ^ more) * UINT64_C(0x9E3779B97F4A7C15);
	return hash ^ hash >> 29;
}

/* The next word of *s, and the signs before it in *ret_signs; false at the end. */
static bool next_word(struct span *s, struct span *ret_word, struct span *ret_signs)
{
	size_t from = 0, to;

	while (from < s->len && !is_word_byte(s->at[from]))
		from++;
	for (to = from; to < s->len && is_word_byte(s->at[to]);)
		to++;
	*ret_signs = span_part(*s, 0, from);
	*ret_word = span_part(*s, from, to - from);
	*s = span_part(*s, to, s->len);
	return ret_word->len > 0;
}

/* A month, a day of the week, a zone: between the numbers of a time. */
static bool is_of_time(struct span word)
{
	return has_digit(word) || word.len == 1 ||
	       (word.len == 3 && !is_severe(word) && word.at[0] >= 'A' && word.at[0] <= 'Z');
}

static void judge(struct record *r)
{
	struct span rest = r->text, word, signs;
	uint64_t loose = 0, strict = 0;
	unsigned nth = 0;
	bool in_time = true;

	while (next_word(&rest, &word, &signs)) {
		uint64_t hash = span_hash(word, 0);

		in_time = in_time && nth++ < 2 * TIME_WORDS && is_of_time(word);
		r->severe = r->severe || is_severe(word);
		loose = mix(loose, has_digit(word) ? 1 : hash);
		if (!in_time)
			strict = mix(mix(strict, hash), span_hash(signs, 0));
	}
	r->template = r->severe ? strict : loose;
}

static int add_record(struct records *all, struct arena *a, struct span text)
{
	struct record *rows = rows_grow(a, all->rows, all->n, &all->cap, sizeof(*rows));

	if (rows == NULL)
		return ERR_NO_MEMORY;
	all->rows = rows;
	rows[all->n] = (struct record){ .text = text };
	judge(&rows[all->n++]);
	return 0;
}

static int read_records(struct records *all, struct arena *a, struct span text)
{
	size_t at = 0, next, from = 0;

	for (; at < text.len; at += next) {
		struct span line = text_line(span_part(text, at, text.len), &next);

		if (at == 0 || !section_is_log_line(line))
			continue;
		if (add_record(all, a, span_trim(span_part(text, from, at - from))) < 0)
			return ERR_NO_MEMORY;
		from = at;
	}
	return add_record(all, a, span_trim(span_part(text, from, text.len)));
}

/* "text [x57]" */
static int say_count(struct guard *g, struct unit *u)
{
	unsigned char *to;
	int n;

	if (u->lines < 2)
		return 0;
	to = arena_raw(g->units.arena, u->text.len + MORE_BYTES);
	if (to == NULL)
		return ERR_NO_MEMORY;
	memcpy(to, u->text.at, u->text.len);
	n = snprintf((char *)to + u->text.len, MORE_BYTES, " [x%u]", (unsigned)u->lines);
	u->cost +=
		(uint32_t)tokens_whole(tokens_of(g->family, span_of(to + u->text.len, (size_t)n))) *
		1000;
	u->text = span_of(to, u->text.len + (size_t)n);
	return 0;
}

static int add_units(struct guard *g, const struct records *all, struct hash_index *templates)
{
	for (uint32_t i = 0; i < all->n; i++) {
		const struct record *r = &all->rows[i];
		bool last = i + 1 == all->n;
		struct hash_index_row *row =
			hash_index_take(templates, g->units.arena, r->template);
		struct unit *u;

		if (row == NULL)
			return ERR_NO_MEMORY;
		if (row->value != 0 && !last) {
			g->units.rows[row->value - 1].lines++;
			continue;
		}
		u = guard_add(g, r->text, r->text, UNIT_LOG);
		if (u == NULL)
			return ERR_NO_MEMORY;
		u->keeps = r->severe || i == 0 || last;
		if (row->value == 0)
			row->value = g->units.n;
	}
	return 0;
}

int crush_log(struct guard *g, struct span text)
{
	struct records all = { .n = 0 };
	struct hash_index templates = { .n = 0 };
	uint32_t first = g->units.n;

	if (read_records(&all, g->units.arena, text) < 0 || add_units(g, &all, &templates) < 0)
		return ERR_NO_MEMORY;
	for (uint32_t i = first; i < g->units.n; i++) {
		if (say_count(g, &g->units.rows[i]) < 0)
			return ERR_NO_MEMORY;
	}
	return 0;
}

int crush_lines(struct guard *g, struct span text)
{
	size_t next;

	for (size_t at = 0; at < text.len; at += next) {
		struct span line = text_line(span_part(text, at, text.len), &next);

		while (line.len > 0 && line.at[line.len - 1] <= ' ')
			line.len--;
		if (line.len > 0 && guard_add(g, line, line, UNIT_LOG) == NULL)
			return ERR_NO_MEMORY;
	}
	return 0;
}
