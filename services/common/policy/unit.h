/* SPDX-License-Identifier: Apache-2.0
 *
 * unit: what a selection keeps or leaves as a whole: a sentence, a heading, a block of code, a row of a table, a
 * record of JSON, the lines of a log that are alike.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"

#define UNIT_NONE UINT32_MAX

enum unit_kind {
	UNIT_PROSE,
	UNIT_HEADING,
	UNIT_ITEM,
	UNIT_CODE,
	UNIT_EXAMPLE, /* a question and its answer that show how it is done */
	UNIT_ROW,     /* of a table or of an array of JSON objects; its head, too */
	UNIT_JSON,
	UNIT_LOG,
	UNIT_DIFF,
};

struct unit {
	struct span text; /* what is kept of it; may be other bytes than those of the document */
	size_t from, to;  /* where those stand in the document */
	uint32_t doc;
	uint32_t block; /* number of its paragraph, table ...: rising, different in each document */
	uint32_t
		needs; /* a unit before it without which it says nothing, or UNIT_NONE; and so on */
	uint32_t cost; /* thousandths of a token */
	uint32_t lines; /* how many alike it stands for: 1 or more */
	enum unit_kind kind;
	bool flat;  /* white space in it is one blank each */
	bool keeps; /* it says what is wrong or what changes, or begins or ends a log: rather kept */
};

/* They grow in an arena. */
struct units {
	struct arena *arena;
	struct unit *rows;
	uint32_t n;
	uint32_t cap;
};

/* A new row at the end, zeroed but for needs (UNIT_NONE) and lines (1); NULL without memory. */
struct unit *units_add(struct units *u) MUST_USE;
/* The array with room for one row more than n, for rows_grow. */
void *rows_more(struct arena *a, void *rows, uint32_t n, uint32_t *cap, size_t row_bytes) MUST_USE;

/* Room for one row more than n in an array that grows in an arena; the array, which may have moved, or NULL. */
static inline MUST_USE void *rows_grow(struct arena *a, void *rows, uint32_t n, uint32_t *cap,
	size_t row_bytes)
{
	return n < *cap ? rows : rows_more(a, rows, n, cap, row_bytes);
}
