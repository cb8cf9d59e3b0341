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

enum { SIGN, LETTER, DIGIT };

/* clang-format off */
static const unsigned char classes[256] = {
	['0' ... '9'] = DIGIT, ['A' ... 'Z'] = LETTER, ['a' ... 'z'] = LETTER, [0x80 ... 0xFF] = LETTER,
};
/* clang-format on */

/* A word, the signs before it, and whether it has a digit. */
struct log_word {
	struct span text;
	struct span signs;
	bool digit;
};

/* Words that say that something is wrong; by their first letters. */
static bool is_severe(struct span word)
{
	static const struct {
		char text[12];
		size_t len;
	} words[] = { { "alert", 5 }, { "crit", 4 }, { "critical", 8 }, { "emerg", 5 },
		{ "err", 3 }, { "error", 5 }, { "exception", 9 }, { "fail", 4 }, { "failed", 6 },
		{ "failure", 7 }, { "fatal", 5 }, { "panic", 5 }, { "traceback", 9 }, { "warn", 4 },
		{ "warning", 7 } };
	static const bool firsts[256] = { ['a'] = true,
		['c'] = true,
		['e'] = true,
		['f'] = true,
		['p'] = true,
		['t'] = true,
		['w'] = true };
	unsigned char first = word.at[0] | 0x20;

	if (!firsts[first] || word.len < 3 || word.len > 9)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if ((unsigned char)words[i].text[0] == first && words[i].len == word.len &&
			strncasecmp((const char *)word.at, words[i].text, word.len) == 0)
			return true;
	}
	return false;
}

static uint64_t mix(uint64_t hash, uint64_t more)
{
	hash = (hash ^ more) * UINT64_C(0x9E3779B97F4A7C15);
	return hash ^ hash >> 29;
}

/* The next word of *s; false at the end. */
static bool next_word(struct span *s, struct log_word *ret)
{
	const unsigned char *at = s->at, *end = s->at + s->len, *from;
	unsigned any = 0;

	while (at < end && classes[*at] == SIGN)
		at++;
	ret->signs = span_of(s->at, (size_t)(at - s->at));
	for (from = at; at < end && classes[*at] != SIGN; at++)
		any |= classes[*at];
	ret->text = span_of(from, (size_t)(at - from));
	ret->digit = (any & DIGIT) != 0;
	*s = span_of(at, (size_t)(end - at));
	return ret->text.len > 0;
}

/* A month, a day of the week, a zone: between the numbers of a time. */
static bool is_of_time(const struct log_word *w)
{
	return w->digit || w->text.len == 1 ||
	       (w->text.len == 3 && w->text.at[0] >= 'A' && w->text.at[0] <= 'Z' &&
		       !is_severe(w->text));
}

/* All words and signs behind the time. */
static uint64_t strict_template(struct span text)
{
	struct log_word w;
	uint64_t hash = 0;
	unsigned nth = 0;
	bool in_time = true;

	while (next_word(&text, &w)) {
		in_time = in_time && nth++ < 2 * TIME_WORDS && is_of_time(&w);
		if (!in_time)
			hash = mix(mix(hash, span_hash(w.text, 0)), span_hash(w.signs, 0));
	}
	return hash;
}

static void judge(struct record *r)
{
	struct span rest = r->text;
	struct log_word w;
	uint64_t loose = 0;

	while (!r->severe && next_word(&rest, &w)) {
		r->severe = !w.digit && is_severe(w.text);
		loose = mix(loose, w.digit ? 1 : span_hash(w.text, 0));
	}
	r->template = r->severe ? strict_template(r->text) : loose;
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
