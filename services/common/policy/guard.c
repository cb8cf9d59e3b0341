/* SPDX-License-Identifier: Apache-2.0
 *
 * guard: sections into units. Examples are found by their labels ("Q:" and "A:", "Input:" and "Output:").
 */
#include "policy/guard.h"

#include "base/check.h"
#include "base/err.h"
#include "policy/crush.h"
#include "policy/telegraph.h"
#include "policy/text.h"

#include "base/pure.h"

#define EXAMPLE_BYTES 8192u /* a longer one is prose */

static uint32_t cost_of(const struct guard *g, struct span text, bool flat)
{
	struct tokens t = tokens_of(g->family, text);
	uint64_t cost = flat ? t.text : t.text + t.space;

	return cost < UINT32_MAX ? (uint32_t)cost : UINT32_MAX;
}

static struct unit *add(struct guard *g, struct span text, struct span source, enum unit_kind kind,
	bool flat)
{
	struct unit *u = units_add(&g->units);

	if (u == NULL)
		return NULL;
	u->text = text;
	u->from = (size_t)(source.at - g->doc.at);
	u->to = u->from + source.len;
	u->doc = g->nth;
	u->block = g->block;
	u->kind = kind;
	u->flat = flat;
	u->cost = cost_of(g, text, flat);
	return u;
}

struct unit *guard_add(struct guard *g, struct span text, struct span source, enum unit_kind kind)
{
	g->block++;
	return add(g, text, source, kind, false);
}

/* --- examples ------------------------------------------------------------------------------------- */

static bool has_label(struct span line, const char *const *labels, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(labels[i]), at = len;

		if (line.len <= len || memcmp(line.at, labels[i], len) != 0)
			continue;
		if (line.at[at] == ' ') /* "Example 3:" */
			at++;
		while (at < line.len && line.at[at] >= '0' && line.at[at] <= '9')
			at++;
		if (at < line.len && line.at[at] == ':')
			return true;
	}
	return false;
}

static bool asks(struct span line)
{
	static const char *const labels[] = { "Q", "Question", "Input", "User", "Human", "Problem",
		"Example" };

	return has_label(line, labels, ARRAY_LEN(labels));
}

static bool answers(struct span line)
{
	static const char *const labels[] = { "A", "Answer", "Output", "Assistant", "AI",
		"Solution", "Result", "Label" };

	return has_label(line, labels, ARRAY_LEN(labels));
}

/* Bytes of the example that starts at the start of s, up to the blank line behind its answer; 0: there is none. */
static size_t example_len(struct span s)
{
	size_t at = 0, next, end = 0;
	bool answered = false;

	for (; at < s.len && at <= EXAMPLE_BYTES; at += next) {
		struct span line = text_line(span_part(s, at, s.len), &next);

		if (at == 0 ? !asks(line) : asks(line) && (answered || line.at[0] == s.at[0]))
			break;
		answered = answered || answers(line);
		if (text_is_blank(line) && answered)
			break;
		end = at + line.len;
	}
	return answered && end <= EXAMPLE_BYTES ? end : 0;
}

/* --- prose ---------------------------------------------------------------------------------------- */

static enum unit_kind kind_of(enum sentence_kind kind)
{
	static const enum unit_kind kinds[] = {
		[SENTENCE_PROSE] = UNIT_PROSE,
		[SENTENCE_HEADING] = UNIT_HEADING,
		[SENTENCE_ITEM] = UNIT_ITEM,
		[SENTENCE_CODE] = UNIT_CODE,
	};

	return kinds[kind];
}

/* More of the block of code that the last unit is. */
static void lengthen(struct guard *g, struct unit *u, struct span more)
{
	size_t to = (size_t)(more.at - g->doc.at) + more.len;

	u->text = span_part(g->doc, u->from, to - u->from);
	u->to = to;
	u->cost = cost_of(g, u->text, false);
}

static int add_sentence(struct guard *g, const struct sentence *s, uint32_t block)
{
	bool code = s->kind == SENTENCE_CODE;
	struct unit *u = g->units.n == 0 ? NULL : &g->units.rows[g->units.n - 1];
	struct span text = s->text;

	if (code && u != NULL && u->kind == UNIT_CODE && u->doc == g->nth && u->block == block) {
		lengthen(g, u, text);
		return 0;
	}
	g->block = block;
	if (g->mode == GUARD_TELEGRAPHIC && s->kind == SENTENCE_PROSE &&
		telegraph(g->units.arena, s->text, &text) < 0)
		return ERR_NO_MEMORY;
	return add(g, text, s->text, kind_of(s->kind), !code) == NULL ? ERR_NO_MEMORY : 0;
}

static int add_text(struct guard *g, struct span text)
{
	struct text_reader r = text_read(text);
	uint32_t first = g->block + 1, last = first;
	struct sentence s;
	size_t n;

	while (text_next(&r, &s)) {
		struct span rest;

		if (s.block + first != last || r.block == 0) {
			rest = span_of(s.text.at, (size_t)(text.at + text.len - s.text.at));
			n = s.kind == SENTENCE_PROSE && asks(s.text) ? example_len(rest) : 0;
			if (n > 0) {
				g->block = last = first + s.block;
				if (add(g, span_part(rest, 0, n), span_part(rest, 0, n),
					    UNIT_EXAMPLE, false) == NULL)
					return ERR_NO_MEMORY;
				r.rest = span_part(rest, n, rest.len);
				r.inside = false;
				continue;
			}
		}
		last = first + s.block;
		if (add_sentence(g, &s, last) < 0)
			return ERR_NO_MEMORY;
	}
	g->block = last;
	return 0;
}

/* --- tables --------------------------------------------------------------------------------------- */

static int add_table(struct guard *g, struct span table)
{
	size_t at, next;
	uint32_t head = g->units.n;

	(void)text_line(table, &at);
	(void)text_line(span_part(table, at, table.len), &next);
	at += next;
	if (guard_add(g, span_trim(span_part(table, 0, at)), span_trim(span_part(table, 0, at)),
		    UNIT_ROW) == NULL)
		return ERR_NO_MEMORY;
	for (; at < table.len; at += next) {
		struct span line = span_trim(text_line(span_part(table, at, table.len), &next));
		struct unit *u = guard_add(g, line, line, UNIT_ROW);

		if (u == NULL)
			return ERR_NO_MEMORY;
		u->needs = head;
	}
	return 0;
}

/* All of it as it is. */
static int add_verbatim(struct guard *g, struct span text, enum unit_kind kind)
{
	while (text.len > 0 && (text.at[text.len - 1] == '\n' || text.at[text.len - 1] == '\r'))
		text.len--;
	return text.len > 0 && guard_add(g, text, text, kind) == NULL ? ERR_NO_MEMORY : 0;
}

static int add_section(struct guard *g, const struct section *s)
{
	bool lossless = g->mode == GUARD_LOSSLESS;

	switch (s->kind) {
	case SECTION_TABLE:
		return add_table(g, s->text);
	case SECTION_JSON:
		return crush_json(g, s->text);
	case SECTION_LOG:
		return lossless ? crush_lines(g, s->text) : crush_log(g, s->text);
	case SECTION_CSV:
		return lossless ? crush_lines(g, s->text) : crush_csv(g, s->text);
	case SECTION_CODE:
		return lossless ? add_verbatim(g, s->text, UNIT_CODE) : crush_source(g, s->text);
	case SECTION_DIFF:
		return lossless ? add_verbatim(g, s->text, UNIT_DIFF) : crush_diff(g, s->text);
	case SECTION_TEXT:
	case SECTION_KINDS:
		break;
	}
	return add_text(g, s->text);
}

int guard_doc(struct guard *g, struct span doc, struct span part, uint32_t nth)
{
	struct section_reader reader = section_read(part);
	struct section s;
	int r = 0;

	g->doc = doc;
	g->nth = nth;
	while (r == 0 && section_next(&reader, &s)) {
		g->sections[s.kind]++;
		r = add_section(g, &s);
	}
	return r;
}
