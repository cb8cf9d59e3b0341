/* SPDX-License-Identifier: Apache-2.0 */
#include "services/cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"

#define TABLE_BYTES ((size_t)8 << 20)
#define GAP 2u
#define FOLD_LEAST                                                                                 \
	24u /* columns; with less room than that the last column begins on a line of its own */
#define FOLD_INDENT 4

static bool has_colour(void)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

const char *colour_on(enum colour colour)
{
	static const char *const on[] = {
		[COLOUR_NONE] = "",
		[COLOUR_BOLD] = "\033[1m",
		[COLOUR_GOOD] = "\033[32m",
		[COLOUR_WARN] = "\033[33m",
		[COLOUR_BAD] = "\033[31m",
		[COLOUR_FAINT] = "\033[2m",
	};

	return has_colour() ? on[colour] : "";
}

const char *colour_off(void)
{
	return has_colour() ? "\033[0m" : "";
}

void text_safe(struct buf *b, struct span s)
{
	while (s.len > 0) {
		int n = utf8_step(s);
		size_t len = (size_t)(n > 0 ? n : -n);
		bool is_c1 = n == 2 && s.at[0] == 0xc2 && s.at[1] < 0xa0;

		if (n <= 0 || is_c1 || (n == 1 && (s.at[0] < ' ' || s.at[0] == 0x7f)))
			buf_byte(b, '?');
		else
			buf_add(b, span_of(s.at, len));
		s = span_part(s, len, s.len);
	}
}

void text_vprint(FILE *to, const char *format, va_list args)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	char text[TEXT_PRINT_BYTES];

	(void)vsnprintf(text, sizeof(text), format, args);
	buf_init(&b, sizeof(text));
	text_safe(&b, span_str(text));
	(void)fwrite(b.at, 1, b.len, to);
}

void text_print(FILE *to, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vprint(to, format, args);
	va_end(args);
}

/* Characters, as wide as one column each. */
static unsigned width_of(struct span s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += (s.at[i] & 0xc0) != 0x80;
	return n;
}

void table_text(struct table *t, enum colour colour, struct span text)
{
	unsigned column = t->at;
	size_t from;
	unsigned width;

	CHECK(column < t->columns);
	buf_byte(&t->cells, (unsigned char)(colour + 1));
	from = t->cells.len;
	text_safe(&t->cells, text);
	width = t->cells.err != 0 ? 0 : width_of(span_of(t->cells.at + from, t->cells.len - from));
	buf_byte(&t->cells, 0);
	if (width > t->width[column])
		t->width[column] = width;
	t->at = (column + 1) % t->columns;
}

void table_fmt(struct table *t, enum colour colour, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	table_text(t, colour, span_str(text));
}

void table_init(struct table *t, const char *indent, const char *heads)
{
	struct span rest = span_str(heads);

	*t = (struct table){ .indent = indent };
	buf_init(&t->cells, TABLE_BYTES);
	while (rest.len > 0) {
		struct span head = span_cut(&rest, ' ');

		CHECK(t->columns < TABLE_COLUMNS);
		t->right[t->columns] = head.at[0] == '>';
		t->at = t->columns++;
		table_text(t, COLOUR_BOLD, span_part(head, head.at[0] == '>', head.len));
	}
	t->at = 0;
}

void table_done(struct table *t)
{
	buf_done(&t->cells);
}

void table_end_row(struct table *t)
{
	while (t->at != 0)
		table_text(t, COLOUR_NONE, (struct span){ 0 });
}

/* Of the terminal; 0 if it is none, or says nothing. */
static unsigned terminal_columns(void)
{
	struct winsize size;

	return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col
										     : 0;
}

size_t table_fold(struct span text, unsigned columns)
{
	size_t blank = 0;
	unsigned width = 0;

	for (size_t i = 0; i < text.len; i++) {
		width += (text.at[i] & 0xc0) != 0x80;
		if (text.at[i] == ' ')
			blank = i;
		if (width > columns && blank > 0)
			return blank;
	}
	return text.len;
}

/* The last cell of a row, which begins in column `at` of the terminal after some blanks, in as many lines as it
 * needs. */
static void print_folded(struct span text, unsigned blanks, unsigned at, unsigned columns)
{
	unsigned room = columns > at ? columns - at : 0;

	if (width_of(text) > room && room < FOLD_LEAST) {
		printf("\n%*s", FOLD_INDENT, "");
		at = FOLD_INDENT;
		room = columns - at;
	} else {
		printf("%*s", (int)blanks, "");
	}
	while (text.len > 0) {
		size_t len = table_fold(text, room);

		printf("%.*s", (int)len, (const char *)text.at);
		text = span_trim(span_part(text, len, text.len));
		if (text.len > 0)
			printf("\n%*s", (int)at, "");
	}
}

/* One cell; the last column is not filled up. Blanks that would end the line are left out. */
static unsigned print_cell(const struct table *t, unsigned column, const char *cell,
	unsigned blanks)
{
	enum colour colour = (enum colour)(cell[0] - 1);
	unsigned width = width_of(span_str(cell + 1));
	unsigned fill = t->width[column] - width;

	if (t->right[column])
		blanks += fill;
	if (width > 0) {
		printf("%*s%s%s%s", (int)blanks, "", colour_on(colour), cell + 1,
			colour == COLOUR_NONE ? "" : colour_off());
		blanks = 0;
	}
	return blanks + GAP + (t->right[column] ? 0 : fill);
}

/* Where the last column begins. */
static unsigned last_column(const struct table *t)
{
	unsigned at = (unsigned)strlen(t->indent);

	for (unsigned i = 0; i + 1 < t->columns; i++)
		at += t->width[i] + GAP;
	return at;
}

int table_print(struct table *t)
{
	unsigned column = 0, blanks = 0, columns = terminal_columns();
	int r = buf_err(&t->cells);

	if (r < 0)
		return r;
	for (size_t at = 0; at < t->cells.len;) {
		const char *cell = (const char *)t->cells.at + at;

		if (column == 0)
			fputs(t->indent, stdout);
		if (column + 1 == t->columns && columns >= FOLD_LEAST &&
			cell[0] == COLOUR_NONE + 1 && !t->right[column] && cell[1] != '\0') {
			print_folded(span_str(cell + 1), blanks, last_column(t), columns);
		} else {
			blanks = print_cell(t, column, cell, blanks);
		}
		at += strlen(cell) + 1;
		column = (column + 1) % t->columns;
		if (column == 0) {
			putchar('\n');
			blanks = 0;
		}
	}
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : ERR_IO;
}
