/* SPDX-License-Identifier: Apache-2.0
 *
 * section: a document as prose, tables, values of JSON, logs, source code and diffs, by the look of its lines. What it
 * cannot tell is prose. Any bytes are accepted; it takes no memory.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum section_kind {
	SECTION_TEXT,
	SECTION_TABLE, /* rows that begin with |, the second one of dashes */
	SECTION_JSON,  /* one value, an object or an array */
	SECTION_LOG,   /* lines with a time or a level in front, and what belongs to them */
	SECTION_CSV,   /* lines of cells apart by tabs, commas or semicolons */
	SECTION_CODE,  /* source code outside of fences */
	SECTION_DIFF,  /* as diff -u writes it */
	SECTION_KINDS
};

struct section {
	struct span text; /* whole lines, with their ends */
	enum section_kind kind;
};

struct section_reader {
	struct span rest;
	size_t tries;        /* bytes that may still be looked through for JSON that then is none */
	bool fenced;         /* inside a block of code */
	struct section next; /* that follows the one which was given last; text.len 0: not known */
};

struct section_reader section_read(struct span doc);
/* The next section; false at the end. They follow each other without a gap. */
bool section_next(struct section_reader *r, struct section *ret);

/* "prose", "table" ..., for people. */
const char *section_kind_name(enum section_kind kind);

/* Does a line of a log begin here? */
bool section_is_log_line(struct span line);
