/* SPDX-License-Identifier: Apache-2.0
 *
 * table: aligned columns for people on stdout. Colour only on a terminal, and not with NO_COLOR set; there the last
 * column is broken into lines at blanks, so that the others stay columns.
 */
#pragma once
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/span.h"

#define TABLE_COLUMNS 12u

enum colour { COLOUR_NONE, COLOUR_BOLD, COLOUR_GOOD, COLOUR_WARN, COLOUR_BAD, COLOUR_FAINT };

/* Cells are kept in one buf; each ends with a zero and starts with its colour. */
struct table {
	struct buf cells;
	const char *indent;
	unsigned columns;
	unsigned at;                   /* column of the next cell */
	unsigned width[TABLE_COLUMNS]; /* widest cell in characters */
	bool right[TABLE_COLUMNS];     /* numbers: aligned at the right */
};

/* heads: names of the columns, separated by blanks; those of numbers begin with '>'. */
void table_init(struct table *t, const char *indent, const char *heads);
void table_done(struct table *t);
void table_text(struct table *t, enum colour colour, struct span text);
void table_fmt(struct table *t, enum colour colour, const char *format, ...) PRINTF_LIKE(3, 4);
/* Fill the row with empty cells. */
void table_end_row(struct table *t);
/* How many bytes of the text go into a line of so many columns: to the last blank before its end, or all if it has
 * none there. */
size_t table_fold(struct span text, unsigned columns);
/* 0, ERR_NO_MEMORY or ERR_IO. */
int table_print(struct table *t) MUST_USE;

/* The escape sequence, or "" where there is no colour. */
const char *colour_on(enum colour colour);
const char *colour_off(void);
/* s with control characters as '?', for a terminal; appended to b. */
void text_safe(struct buf *b, struct span s);
/* Print what others may have written in the same way: at most TEXT_PRINT_BYTES of it. */
#define TEXT_PRINT_BYTES 8192u
void text_print(FILE *to, const char *format, ...) PRINTF_LIKE(2, 3);
void text_vprint(FILE *to, const char *format, va_list args) PRINTF_LIKE(2, 0);
