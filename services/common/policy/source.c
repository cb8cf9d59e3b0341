/* SPDX-License-Identifier: Apache-2.0
 *
 * source: lines that only code has, lines that may be either, and lines of prose; code is what has enough of the
 * first and few of the last.
 */
#include "policy/source.h"

#include "base/check.h"
#include "policy/text.h"

#include "base/pure.h"

#define SURE_MIN 5u       /* lines that only code has */
#define WEAK_RUN 3u       /* lines of prose in a row end it */
#define BLOCK_BYTES 1200u /* a longer function is its head and pieces */
#define PIECE_BYTES 600u
#define LINE_BYTES 4096u /* a longer line is cut */
#define HEAD_LINES 8u

enum look {
	LOOK_SURE,   /* only code has it */
	LOOK_EITHER, /* empty, a remark, or further in than the first line */
	LOOK_WEAK,   /* rather prose */
};

static size_t indent_of(struct span line)
{
	size_t n = 0;

	while (n < line.len && (line.at[n] == ' ' || line.at[n] == '\t'))
		n++;
	return n;
}

static bool is_word_byte(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_';
}

static struct span first_word(struct span line)
{
	size_t n = 0;

	while (n < line.len && is_word_byte(line.at[n]))
		n++;
	return span_part(line, 0, n);
}

static int order_of(const void *key, const void *row)
{
	const struct span *word = key;
	const char *other = *(const char *const *)row;
	int order = strncmp((const char *)word->at, other, word->len);

	return order != 0 ? order : -(int)(unsigned char)other[word->len];
}

static bool is_one_of(struct span word, const char *const *words, size_t n)
{
	return word.len > 0 && bsearch(&word, words, n, sizeof(words[0]), order_of) != NULL;
}

/* Words with which a line of code begins; sorted by bytes. */
static bool is_keyword(struct span word)
{
	static const char *const words[] = { "abstract", "async", "auto", "bool", "char", "class",
		"const", "def", "double", "elif", "else", "enum", "export", "extern", "final",
		"float", "fn", "for", "func", "function", "if", "impl", "import", "inline", "int",
		"interface", "let", "long", "mod", "module", "namespace", "package", "private",
		"protected", "pub", "public", "return", "short", "static", "struct", "switch",
		"template", "try", "type", "typedef", "union", "unsigned", "use", "using", "var",
		"void", "while" };

	return is_one_of(word, words, ARRAY_LEN(words));
}

/* What opens a block that is told by its indentation. */
static bool opens_indented(struct span word)
{
	static const char *const words[] = { "async", "class", "def", "elif", "else", "except",
		"finally", "for", "if", "try", "while", "with" };

	return is_one_of(word, words, ARRAY_LEN(words));
}

static bool is_remark(struct span line)
{
	return line.len > 0 && (line.at[0] == '#' || line.at[0] == '*' ||
				       (line.len > 1 && line.at[0] == '/' &&
					       (line.at[1] == '/' || line.at[1] == '*')));
}

/* "#include <x.h>", "import os", "from os import path", "package main" */
static bool is_import(struct span line, struct span word)
{
	if (line.at[0] == '#') {
		static const char *const words[] = { "define", "elif", "else", "endif", "if",
			"ifdef", "ifndef", "include", "pragma", "undef" };
		struct span rest = span_trim(span_part(line, 1, line.len));

		return is_one_of(first_word(rest), words, ARRAY_LEN(words));
	}
	if (span_is(word, "from"))
		return memmem(line.at, line.len, " import ", 8) != NULL;
	return (span_is(word, "import") || span_is(word, "package")) &&
	       line.at[line.len - 1] != '.' && line.len < 100;
}

static bool has_any(struct span line, const char *signs)
{
	for (; *signs != '\0'; signs++) {
		if (memchr(line.at, *signs, line.len) != NULL)
			return true;
	}
	return false;
}

/* "a = b", "a.b(c)", as lines without an end sign have them. */
static bool is_statement(struct span line, struct span word)
{
	struct span rest = span_part(line, word.len, line.len);
	unsigned char last = line.at[line.len - 1];

	if (word.len == 0 || rest.len < 2)
		return false;
	if (rest.len > 2 && rest.at[0] == ' ' && rest.at[1] == '=' && rest.at[2] == ' ')
		return true;
	while (rest.len > 1 && rest.at[0] == '.') {
		word = first_word(span_part(rest, 1, rest.len));
		if (word.len == 0)
			return false;
		rest = span_part(rest, 1 + word.len, rest.len);
	}
	return rest.len > 1 && rest.at[0] == '(' && last == ')';
}

/* line: trimmed, not empty. */
static bool is_sure(struct span line)
{
	struct span word = first_word(line);
	unsigned char last = line.at[line.len - 1];

	if (last == '{' || line.at[0] == '}')
		return true;
	if (last == ';')
		return has_any(line, "()=[]{}>") || is_keyword(word);
	if (last == ':')
		return opens_indented(word) &&
		       (line.len == word.len + 1 || has_any(line, "()=<>[]._") ||
			       memmem(line.at, line.len, " in ", 4) != NULL);
	if (line.at[0] == '#' || span_is(word, "from") || span_is(word, "import") ||
		span_is(word, "package"))
		return is_import(line, word);
	if (last == '.')
		return false;
	return (is_keyword(word) && has_any(line, "(={")) || is_statement(line, word);
}

static enum look look_at(struct span line, size_t base)
{
	size_t indent = indent_of(line);

	line = span_trim(line);
	if (line.len == 0)
		return LOOK_EITHER;
	if (is_sure(line))
		return LOOK_SURE;
	return indent > base || is_remark(line) ? LOOK_EITHER : LOOK_WEAK;
}

bool source_may_begin(struct span line)
{
	static const bool ends
		[256] = { ['{'] = true, ['}'] = true, [';'] = true, [':'] = true, [')'] = true };
	static const bool begin
		[256] = { ['#'] = true, ['i'] = true, ['f'] = true, ['u'] = true, ['p'] = true };

	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	if (line.len < 2)
		return line.len == 1 && ends[line.at[0]];
	if (!ends[line.at[line.len - 1]] && !begin[line.at[0]])
		return false;
	line = span_trim(line);
	return line.len > 0 && is_sure(line);
}

size_t source_len(struct span s)
{
	size_t at, next, end = 0, base = indent_of(s);
	unsigned sure = 0, weak = 0, run = 0;
	bool goes_on = false; /* no empty line since one of code */

	for (at = 0; at < s.len; at += next) {
		struct span line = text_line(span_part(s, at, s.len), &next);
		enum look look = look_at(line, base);

		if (look == LOOK_WEAK) {
			weak++;
			if (++run == WEAK_RUN || text_is_fence(line) || 2 * weak > sure + 4)
				break;
		} else if (look == LOOK_SURE) {
			sure++;
			run = 0;
		}
		goes_on = look == LOOK_SURE || (goes_on && run == 0 && !text_is_blank(line));
		if (goes_on)
			end = at + next;
	}
	return sure >= SURE_MIN ? end : 0;
}

/* --- parts ---------------------------------------------------------------------------------------- */

/* Where the function or type at the start of s ends: before an empty line that is followed by a line as far out as the
 * first. */
static size_t block_end(struct span s)
{
	size_t base = indent_of(s), at, next, end = 0;
	bool empty = false;

	for (at = 0; at < s.len; at += next) {
		struct span line = text_line(span_part(s, at, s.len), &next);

		if (text_is_blank(line)) {
			empty = true;
			continue;
		}
		if (empty && indent_of(line) <= base && line.at[indent_of(line)] != '}')
			return end;
		empty = false;
		end = at + line.len;
	}
	return end;
}

/* Up to the line that opens the body. */
static size_t head_end(struct span block)
{
	size_t at = 0, next;

	for (unsigned n = 0; n < HEAD_LINES && at < block.len; n++, at += next) {
		struct span line = text_line(span_part(block, at, block.len), &next), text;

		text = span_trim(line);
		if (at + line.len > LINE_BYTES)
			return at > 0 ? at : text_border(block, LINE_BYTES);
		if (text.len > 0 && memchr("{:", text.at[text.len - 1], 2) != NULL)
			return at + line.len;
	}
	return at < block.len ? at : block.len;
}

/* At an empty line if there is one in the second half of what a piece may have, else at a line's end. */
static size_t piece_end(struct span block)
{
	size_t at, next, end = 0;

	for (at = 0; at < block.len; at += next) {
		struct span line = text_line(span_part(block, at, block.len), &next);

		if (text_is_blank(line) && at > PIECE_BYTES / 2)
			return end;
		if (at > 0 && at + line.len > PIECE_BYTES)
			return end;
		if (line.len > LINE_BYTES)
			return text_border(block, LINE_BYTES);
		end = at + line.len;
	}
	return end;
}

static struct span without_empty_lines(struct span s)
{
	size_t next;

	while (s.len > 0 && text_is_blank(text_line(s, &next)))
		s = span_part(s, next, s.len);
	return s;
}

bool source_next(struct source_reader *r, struct source_part *ret)
{
	struct span block = without_empty_lines(r->block);
	size_t n;

	ret->opens = block.len == 0;
	if (block.len == 0) {
		block = without_empty_lines(r->rest);
		if (block.len == 0)
			return false;
		n = block_end(block);
		r->rest = span_part(block, n, block.len);
		block = span_part(block, 0, n);
		n = n <= BLOCK_BYTES ? n : head_end(block);
	} else {
		n = piece_end(block);
	}
	ret->text = span_part(block, 0, n);
	r->block = span_part(block, n, block.len);
	return true;
}
