/* SPDX-License-Identifier: Apache-2.0
 *
 * section: each line's first characters say whether it may begin something; only then it is looked at closely.
 */
#include "policy/section.h"

#include "base/check.h"
#include "policy/csv.h"
#include "policy/json_scan.h"
#include "policy/patch.h"
#include "policy/source.h"
#include "policy/text.h"

#include "base/pure.h"

#define LOG_LINES_MIN 4u
#define TRIES_FOLD 4u /* JSON that is none may cost so many looks at each byte */
#define JSON_MIN 32u  /* less is as well left to the prose around it */

struct section_reader section_read(struct span doc)
{
	return (struct section_reader){ .rest = doc, .tries = TRIES_FOLD * doc.len + 1024 };
}

const char *section_kind_name(enum section_kind kind)
{
	static const char *const names[SECTION_KINDS] = { "prose", "table", "json", "log", "csv",
		"code", "diff" };

	return names[kind];
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

/* Does s begin as the pattern: 0 a digit, A a letter, ? any of "T -/.", others themselves? */
static bool is_like(struct span s, const char *pattern)
{
	size_t n = strlen(pattern);

	if (s.len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = s.at[i], low = (unsigned char)(c | 0x20);

		if (pattern[i] == '0'       ? !is_digit(c)
			: pattern[i] == 'A' ? low < 'a' || low > 'z'
			: pattern[i] == '?' ? memchr("T -/.", c, 5) == NULL
					    : c != (unsigned char)pattern[i])
			return false;
	}
	return true;
}

/* Four numbers with dots, as at the start of a web server's lines. */
static bool is_address(struct span s)
{
	size_t at = 0;

	for (int part = 0; part < 4; part++) {
		size_t from = at;

		while (at < s.len && is_digit(s.at[at]) && at - from < 3)
			at++;
		if (at == from || at == s.len || s.at[at] != (part < 3 ? '.' : ' '))
			return false;
		at++;
	}
	return true;
}

static bool has_level(struct span s)
{
	static const char *const levels[] = { "CRITICAL", "DEBUG", "ERROR", "FATAL", "INFO",
		"NOTICE", "TRACE", "WARN" };
	static const bool begin[256] = { ['C'] = true,
		['D'] = true,
		['E'] = true,
		['F'] = true,
		['I'] = true,
		['N'] = true,
		['T'] = true,
		['W'] = true };
	unsigned char first = s.at[0] & (unsigned char)~0x20;

	/* By its first two letters most prose is none. */
	if (!begin[first] || memchr("REANO", s.at[1] & ~0x20, 5) == NULL)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		size_t n;

		if (first != (unsigned char)levels[i][0])
			continue;
		n = strlen(levels[i]);
		if (s.len > n && strncasecmp((const char *)s.at, levels[i], n) == 0)
			return s.at[n] == ' ' || s.at[n] == ':' || s.at[n] == ']' ||
			       s.at[n] == 'I' || s.at[n] == '\t' || s.at[n] == '|';
	}
	return false;
}

static bool is_time(struct span line)
{
	static const char *const numbers[] = { "0000?00?00", "00?00?0000", "00:00:00",
		"00/AAA/0000", "000000 00:00" };

	/* What has neither a number first nor one behind a short word is no time: most lines. */
	if (line.at[3] == ' ' && (line.at[4] == ' ' || is_digit(line.at[4])))
		return is_like(line, "AAA 00 00:00") || is_like(line, "AAA  0 00:00");
	if (!is_digit(line.at[0]))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (is_like(line, numbers[i]))
			return true;
	}
	return is_address(line);
}

bool section_is_log_line(struct span line)
{
	if (line.len > 0 && (line.at[0] == '[' || line.at[0] == '<' || line.at[0] == '('))
		line = span_part(line, 1, line.len);
	if (line.len < 8 || line.at[0] <= ' ')
		return false;
	return is_time(line) || has_level(line);
}

/* What goes on with the line before: a trace of the stack, a wrapped line. */
static bool goes_on(struct span line)
{
	return line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t') && !text_is_blank(line);
}

/* Bytes of a log at the start of s, 0 if there is none. */
static size_t log_len(struct span s)
{
	size_t at = 0, next;
	unsigned lines = 0;

	while (at < s.len) {
		struct span line = text_line(span_part(s, at, s.len), &next);

		if (section_is_log_line(line))
			lines++;
		else if (lines == 0 || !goes_on(line))
			break;
		at += next;
	}
	return lines >= LOG_LINES_MIN ? at : 0;
}

static bool is_rule(struct span line)
{
	bool dash = false;

	line = span_trim(line);
	for (size_t i = 0; i < line.len; i++) {
		if (memchr("|-: +", line.at[i], 5) == NULL)
			return false;
		dash = dash || line.at[i] == '-';
	}
	return dash;
}

static bool is_row(struct span line)
{
	line = span_trim(line);
	return line.len > 1 && line.at[0] == '|';
}

static size_t table_len(struct span s)
{
	size_t at, next;
	struct span line;

	if (!is_row(text_line(s, &at)))
		return 0;
	line = text_line(span_part(s, at, s.len), &next);
	if (!is_row(line) || !is_rule(line))
		return 0;
	for (at += next; at < s.len; at += next) {
		if (!is_row(text_line(span_part(s, at, s.len), &next)))
			break;
	}
	return at;
}

/* Bytes of values of JSON, each of which begins and ends with a line, at the start of s. */
static size_t json_len(struct section_reader *r, struct span s)
{
	size_t at = 0, looked, next;

	while (at < s.len && (s.at[at] == '{' || s.at[at] == '[')) {
		struct span rest = span_part(s, at, s.len);
		size_t n = r->tries > 0 ? json_scan_value(rest, &looked) : 0;

		if (n == 0 && r->tries > 0)
			r->tries = looked < r->tries ? r->tries - looked : 0;
		if (n == 0 || !text_is_blank(text_line(span_part(rest, n, rest.len), &next)))
			break;
		at += n + next;
	}
	return at < JSON_MIN ? 0 : at;
}

/* What a section of each kind but CSV can begin with behind its indentation, and what it cannot: most lines of prose.
 * Source code is told by its end, too. */
static bool may_begin(struct span line, size_t indent)
{
	static const bool first[256] = { ['{'] = true, ['['] = true, ['|'] = true };

	return first[line.at[indent]] || source_may_begin(line) ||
	       (indent == 0 && (section_is_log_line(line) || patch_may_begin(line)));
}

/* What begins at the start of s with this line, which has more than blanks; .text.len 0: prose. first: nothing or an
 * empty line is before it. */
static struct section look(struct section_reader *r, struct span s, struct span line, size_t at,
	bool first)
{
	struct csv csv;
	struct section found = { .kind = SECTION_TEXT };
	size_t n = 0;

	if (line.at[at] == '{' || line.at[at] == '[') {
		n = json_len(r, span_part(s, at, s.len));
		found.kind = SECTION_JSON;
		if (n > 0)
			n += at;
	}
	if (n == 0 && line.at[at] == '|') {
		n = table_len(s);
		found.kind = SECTION_TABLE;
	}
	if (n == 0 && at == 0 && section_is_log_line(line)) {
		n = log_len(s);
		found.kind = SECTION_LOG;
	}
	if (n == 0 && at == 0 && patch_may_begin(line)) {
		n = patch_len(s);
		found.kind = SECTION_DIFF;
	}
	if (n == 0 && source_may_begin(line)) {
		n = source_len(s);
		found.kind = SECTION_CODE;
	}
	if (n == 0 && first) {
		n = csv_len(s, &csv);
		found.kind = SECTION_CSV;
	}
	found.text = span_part(s, 0, n);
	return found;
}

bool section_next(struct section_reader *r, struct section *ret)
{
	size_t at = 0, next;
	bool first = true;

	if (r->next.text.len > 0) {
		*ret = r->next;
		r->next.text.len = 0;
		r->rest = span_part(r->rest, ret->text.len, r->rest.len);
		return true;
	}
	for (; at < r->rest.len; at += next) {
		struct span s = span_of(r->rest.at + at, r->rest.len - at),
			    line = text_line(s, &next);
		size_t indent = 0;
		bool letter; /* most lines: neither blank nor a fence */

		while (indent < line.len && (line.at[indent] == ' ' || line.at[indent] == '\t'))
			indent++;
		if (indent == line.len) {
			first = true;
			continue;
		}
		letter = (unsigned)(line.at[indent] | 0x20) - 'a' <= 'z' - 'a';
		if (!letter && text_is_fence(line)) {
			r->fenced = !r->fenced;
			continue;
		}
		if (!r->fenced && (first || may_begin(line, indent))) {
			r->next = look(r, s, line, indent, first);
			if (r->next.text.len > 0)
				break;
		}
		first = !letter && text_is_blank(line);
	}
	if (at == 0)
		return r->rest.len > 0 && section_next(r, ret);
	*ret = (struct section){ .text = span_part(r->rest, 0, at), .kind = SECTION_TEXT };
	r->rest = span_part(r->rest, at, r->rest.len);
	return true;
}
