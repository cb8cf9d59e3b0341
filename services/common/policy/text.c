/* SPDX-License-Identifier: Apache-2.0
 *
 * text: blocks by the look of lines, sentences by stops. Where the rules doubt, they rather join than cut.
 */
#include "policy/text.h"

#include "base/check.h"
#include "policy/scan.h"

#include "base/pure.h"

static bool is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Bytes at which a sentence or a block can end: most are passed over by this alone. */
static const bool may_end[256] = {
	['.'] = true,
	['\n'] = true,
	['!'] = true,
	['?'] = true,
	[0xD6] = true,
	[0xD8] = true,
	[0xDB] = true,
	[0xE0] = true,
	[0xE1] = true,
	[0xE3] = true,
	[0xEF] = true,
};

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(unsigned char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_alpha(unsigned char c)
{
	return is_lower((unsigned char)(c | 0x20));
}

struct span text_line(struct span s, size_t *ret_next)
{
	const unsigned char *end = s.len == 0 ? NULL : memchr(s.at, '\n', s.len);
	size_t len = end == NULL ? s.len : (size_t)(end - s.at);

	*ret_next = end == NULL ? len : len + 1;
	return span_part(s, 0, len);
}

/* s without white space at its start. */
static struct span trim_left(struct span s)
{
	while (s.len > 0 && is_space(s.at[0])) {
		s.at++;
		s.len--;
	}
	return s;
}

bool text_is_blank(struct span line)
{
	return trim_left(line).len == 0;
}

bool text_is_fence(struct span line)
{
	line = trim_left(line);
	return line.len >= 3 && (memcmp(line.at, "```", 3) == 0 || memcmp(line.at, "~~~", 3) == 0);
}

/* Bytes of "1.", "12" or "2.3.1" at the start of the line, 0 if there is no such number. */
static size_t number_len(struct span s)
{
	size_t n = 0;

	while (n < s.len && (is_digit(s.at[n]) || (s.at[n] == '.' && n > 0)))
		n++;
	return n > 0 && n < s.len && n <= 12 ? n : 0;
}

bool text_is_heading(struct span line)
{
	size_t n = 0;

	line = trim_left(line);
	if (line.len == 0 || line.at[0] != '#')
		return false;
	line = span_trim(line);
	while (n < line.len && line.at[n] == '#')
		n++;
	return n >= 1 && n <= 6 && n < line.len && line.at[n] == ' ';
}

bool text_is_item(struct span line)
{
	size_t n;

	line = trim_left(line);
	if (line.len < 2 || is_alpha(line.at[0]))
		return false;
	line = span_trim(line);
	if (line.len < 2)
		return false;
	if (memchr("-*+|", line.at[0], 4) != NULL)
		return line.at[1] == ' ' || line.at[0] == '|';
	if (line.len >= 4 && memcmp(line.at, "\xE2\x80\xA2 ", 4) == 0)
		return true;
	n = number_len(line);
	return n > 0 && n + 1 < line.len && (line.at[n] == ')' || line.at[n - 1] == '.') &&
	       line.at[n + (line.at[n] == ')')] == ' ';
}

/* A line under a heading: only = or -. */
static bool is_underline(struct span line)
{
	line = span_trim(line);
	if (line.len < 3 || (line.at[0] != '=' && line.at[0] != '-'))
		return false;
	for (size_t i = 1; i < line.len; i++) {
		if (line.at[i] != line.at[0])
			return false;
	}
	return true;
}

/* A short line that stands alone, starts no sentence's end and has letters: "Preamble". */
static bool stands_alone(struct span line, struct span after)
{
	size_t next;

	line = span_trim(line);
	if (line.len == 0 || line.len > 80 ||
		memchr(".!?:;,\"", line.at[line.len - 1], 7) != NULL ||
		line.at[line.len - 1] >= 0x80)
		return false;
	return after.len > 0 && text_is_blank(text_line(after, &next)) && !is_lower(line.at[0]);
}

/* How a heading, an item or a fence can begin: no other line is looked at further. */
static const bool may_start[256] = { ['#'] = true,
	['`'] = true,
	['~'] = true,
	['-'] = true,
	['*'] = true,
	['+'] = true,
	['|'] = true,
	[0xE2] = true,
	['0' ... '9'] = true };

/* Does a block start, or end with a blank line, at the start of s? */
static bool starts_block(struct span s)
{
	struct span line;
	size_t at = 0, next;

	while (at < s.len && is_space(s.at[at]) && s.at[at] != '\n')
		at++;
	if (at == s.len || s.at[at] == '\n')
		return true;
	if (!may_start[s.at[at]])
		return false;
	line = text_line(s, &next);
	return text_is_heading(line) || text_is_item(line) || text_is_fence(line);
}

/* Abbreviations after which a sentence goes on; lower case, sorted by bytes. */
static const char *const short_forms[] = { "al", "approx", "art", "ca", "cf", "ch", "co", "corp",
	"dept", "dr", "ed", "eq", "est", "etc", "fig", "figs", "inc", "jr", "ltd", "max", "min",
	"mr", "mrs", "ms", "nos", "op", "pp", "prof", "ref", "resp", "rev", "sec", "sr", "st",
	"tab", "viz", "vol", "vs" };

static int order_of(const void *key, const void *row)
{
	return strcmp(key, *(const char *const *)row);
}

/* Is the full stop at s[at] that of an abbreviation or of an initial? */
static bool is_short_form(struct span s, size_t at)
{
	char word[8];
	size_t from = at, n, next = at + 1;

	while (from > 0 && is_alpha(s.at[from - 1]) && at - from < sizeof(word))
		from--;
	n = at - from;
	if (n == 0 || n >= sizeof(word))
		return false;
	if (n == 1) /* "e.g.", "J. Smith", but not "vitamin C." at the end of a line */
		return s.at[from] != 'I';
	for (size_t i = 0; i < n; i++)
		word[i] = (char)(s.at[from + i] | 0x20);
	word[n] = '\0';
	while (next < s.len && is_space(s.at[next]))
		next++;
	if (strcmp(word, "no") == 0) /* "No. 5", but not the word */
		return next < s.len && next > at + 1 && is_digit(s.at[next]);
	return bsearch(word, short_forms, ARRAY_LEN(short_forms), sizeof(short_forms[0]),
		       order_of) != NULL;
}

/* Stops of other scripts. In those that write no spaces a sentence ends at once, in the others before a space as
 * it does after ASCII's. */
/* clang-format off */
static const struct wide_stop {
	char bytes[4];
	bool at_once;
} wide_stops[] = {
	{ "\xE3\x80\x82", true },  /* ideographic full stop */
	{ "\xEF\xBC\x81", true },  /* full-width exclamation mark, question mark */
	{ "\xEF\xBC\x9F", true },
	{ "\xEF\xBD\xA1", true },  /* half-width ideographic full stop */
	{ "\xE1\x9F\x94", true },  /* Khmer */
	{ "\xE0\xA5\xA4", false }, /* danda, double danda */
	{ "\xE0\xA5\xA5", false },
	{ "\xE1\x8D\xA2", false }, /* Ethiopic */
	{ "\xD8\x9F", false },     /* Arabic question mark, full stop */
	{ "\xDB\x94", false },
	{ "\xD6\x89", false },     /* Armenian */
};
/* clang-format on */

static const struct wide_stop *wide_stop_at(struct span s, size_t at)
{
	for (size_t i = 0; i < ARRAY_LEN(wide_stops); i++) {
		size_t n = strlen(wide_stops[i].bytes);

		if (at + n <= s.len && memcmp(s.at + at, wide_stops[i].bytes, n) == 0)
			return &wide_stops[i];
	}
	return NULL;
}

/* Past closing quotes and brackets, ASCII and typographic. */
static size_t skip_closing(struct span s, size_t at)
{
	while (at < s.len) {
		if (memchr("\"')]", s.at[at], 4) != NULL)
			at++;
		else if (at + 3 <= s.len && (memcmp(s.at + at, "\xE2\x80\x9D", 3) == 0 ||
						    memcmp(s.at + at, "\xE2\x80\x99", 3) == 0 ||
						    memcmp(s.at + at, "\xE3\x80\x8D", 3) == 0))
			at += 3;
		else
			break;
	}
	return at;
}

size_t text_stop(struct span s, size_t from)
{
	size_t end = from, next;

	if (s.at[from] >= 0x80) {
		const struct wide_stop *stop = wide_stop_at(s, from);

		if (stop == NULL)
			return 0;
		end = skip_closing(s, from + strlen(stop->bytes));
		return stop->at_once || end == s.len || is_space(s.at[end]) ? end : 0;
	}
	while (end < s.len && memchr(".!?", s.at[end], 3) != NULL)
		end++;
	if (end == from)
		return 0;
	if (end == from + 1 && s.at[from] == '.' && is_short_form(s, from))
		return 0;
	end = skip_closing(s, end);
	if (end < s.len && !is_space(s.at[end]))
		return 0;
	for (next = end; next < s.len && is_space(s.at[next]);)
		next++;
	return next < s.len && is_lower(s.at[next]) ? 0 : end;
}

size_t text_bound(struct span s)
{
	size_t n = s.len / (TEXT_SENTENCE_MAX / 2) + 1;

	for (size_t i = 0; i < s.len; i++)
		n += may_end[s.at[i]];
	return n;
}

size_t text_border(struct span s, size_t at)
{
	if (at >= s.len)
		return s.len;
	for (size_t back = 0; back < 4 && back < at; back++) {
		if ((s.at[at - back] & 0xC0) != 0x80)
			return at - back;
	}
	return at; /* no UTF-8 */
}

/* Where to cut what is longer than a sentence may be. */
static size_t cut_long(struct span s)
{
	size_t at = TEXT_SENTENCE_MAX;

	while (at > TEXT_SENTENCE_MAX / 2 && !is_space(s.at[at]))
		at--;
	return is_space(s.at[at]) ? at : text_border(s, TEXT_SENTENCE_MAX);
}

static inline scan_lane may_end_lane(scan_lane bytes)
{
	return scan_is(bytes, '.') | scan_is(bytes, '\n') | scan_is(bytes, '!') |
	       scan_is(bytes, '?') | SCAN_WIDE(bytes);
}

/* The first place from `at` on at which a sentence or a block can end; not below s.len if there is none. */
static size_t next_end(struct span s, size_t at)
{
	while (at < s.len) {
		struct scan_block b;
		uint64_t bits;

		scan_open(&b, s, at);
		for (bits = SCAN(&b, may_end_lane); bits != 0; bits &= bits - 1) {
			size_t end = at + (unsigned)__builtin_ctzll(bits);

			if (may_end[s.at[end]])
				return end;
		}
		at += b.n;
	}
	return at;
}

/* The end of the sentence that starts at the start of rest, in prose and list items. *ret_block says
 * whether the block ends there, too. */
static size_t prose_end(struct span rest, bool *ret_block)
{
	size_t at = number_len(rest), stop; /* the stop in "1. Scope" ends nothing */
	struct span look = span_part(rest, 0, TEXT_SENTENCE_MAX + 1);

	*ret_block = false;
	for (at = next_end(look, at); at < look.len; at = next_end(look, at + 1)) {
		if (rest.at[at] == '\n') {
			*ret_block = starts_block(span_part(rest, at + 1, rest.len));
			if (*ret_block)
				return at;
			continue;
		}
		stop = text_stop(rest, at);
		if (stop > 0)
			return stop;
	}
	*ret_block = look.len == rest.len;
	return look.len > TEXT_SENTENCE_MAX ? cut_long(rest) : look.len;
}

/* The end of a fenced block, its last fence included; whole lines of what is too long. */
static size_t code_end(struct span rest, bool first, bool *ret_block)
{
	size_t at = 0, next;

	*ret_block = true;
	while (at < rest.len) {
		struct span line = text_line(span_part(rest, at, rest.len), &next);

		if (at + line.len > TEXT_SENTENCE_MAX) {
			*ret_block = false;
			return at > 0 ? at : cut_long(rest);
		}
		at += next;
		if (text_is_fence(line) && !(first && at == next))
			break;
	}
	return at;
}

/* A block starts at the start of a line that is not blank. */
static void open_block(struct text_reader *r)
{
	size_t next, after;
	struct span line = text_line(r->rest, &next), rest = span_part(r->rest, next, r->rest.len);

	r->inside = true;
	r->block++;
	if (text_is_fence(line))
		r->kind = SENTENCE_CODE;
	else if (text_is_heading(line) || is_underline(text_line(rest, &after)) ||
		 stands_alone(line, rest))
		r->kind = SENTENCE_HEADING;
	else
		r->kind = text_is_item(line) ? SENTENCE_ITEM : SENTENCE_PROSE;
}

static size_t heading_end(struct span rest, bool *ret_block)
{
	size_t next, after;
	struct span line = text_line(rest, &next);

	*ret_block = line.len <= TEXT_SENTENCE_MAX;
	if (!*ret_block)
		return cut_long(rest);
	if (is_underline(text_line(span_part(rest, next, rest.len), &after)))
		return next + after;
	return line.len;
}

/* White space between sentences. An empty line closes the block, as does a line that starts another one. */
static void skip_space(struct text_reader *r)
{
	size_t at = 0, line = 0;
	unsigned breaks = 0;

	for (; at < r->rest.len && is_space(r->rest.at[at]); at++) {
		if (r->rest.at[at] == '\n') {
			breaks++;
			line = at + 1;
		}
	}
	if (r->inside && r->kind == SENTENCE_CODE && at < r->rest.len) {
		r->rest = span_part(r->rest, line, r->rest.len); /* keeps the indentation */
		return;
	}
	r->rest = span_part(r->rest, at, r->rest.len);
	if (breaks > 1 || (breaks == 1 && starts_block(r->rest)))
		r->inside = false;
}

bool text_next(struct text_reader *r, struct sentence *ret)
{
	bool over = false;

	for (;;) {
		bool first;
		struct span text;
		size_t end;

		skip_space(r);
		if (r->rest.len == 0)
			return false;
		first = !r->inside;
		if (first)
			open_block(r);
		if (r->kind == SENTENCE_CODE)
			end = code_end(r->rest, first, &over);
		else if (r->kind == SENTENCE_HEADING)
			end = heading_end(r->rest, &over);
		else
			end = prose_end(r->rest, &over);
		text = span_trim(span_part(r->rest, 0, end));
		*ret = (struct sentence){ .text = text, .kind = r->kind, .block = r->block };
		r->rest = span_part(r->rest, end, r->rest.len);
		r->inside = !over;
		if (text.len > 0)
			return true;
	}
}

static inline scan_lane is_blank_lane(scan_lane bytes)
{
	return scan_is(bytes, ' ');
}

/* The first white space from `at` on that is more than one blank or ends the text; s.len if there is none. */
static size_t gap_at(struct span s, size_t at)
{
	for (struct scan_block b; at < s.len; at += b.n) {
		uint64_t spaces, blanks, gaps, last;

		scan_open(&b, s, at);
		spaces = SCAN(&b, scan_space);
		blanks = SCAN(&b, is_blank_lane);
		last = UINT64_C(1) << (b.n - 1);
		gaps = (spaces & ~blanks) | (spaces & spaces >> 1);
		if ((blanks & last) != 0 && (at + b.n == s.len || is_space(s.at[at + b.n])))
			gaps |= last;
		if (gaps != 0)
			return at + (unsigned)__builtin_ctzll(gaps);
	}
	return s.len;
}

void text_flatten(struct buf *b, struct span s)
{
	s = trim_left(s);
	while (s.len > 0) {
		size_t n = gap_at(s, 0);

		buf_add(b, span_part(s, 0, n));
		s = trim_left(span_part(s, n, s.len));
		if (s.len > 0)
			buf_byte(b, ' ');
	}
}
