/* SPDX-License-Identifier: Apache-2.0
 *
 * guard: documents as units, so that what only makes sense as a whole is kept or left as a whole: a block of code, a
 * question with its answer, a row of a table with the table's head.
 */
#pragma once
#include "policy/section.h"
#include "policy/tokens.h"
#include "policy/unit.h"

enum guard_mode {
	GUARD_LOSSLESS,    /* nothing is made shorter but white space and JSON */
	GUARD_EXTRACT,     /* lines of logs that are alike are one */
	GUARD_TELEGRAPHIC, /* and words that carry little are left out of prose */
};

struct guard {
	struct units units;
	enum guard_mode mode;
	enum tokens_family family;
	struct span doc;                  /* the one that is being read */
	uint32_t nth;                     /* its number */
	uint32_t block;                   /* the last number of a block that was given */
	uint32_t sections[SECTION_KINDS]; /* so many were read */
};

/* Append the units of a part of the nth document, that begins with a line. Their texts point into it or into the arena
 * of g->units. 0 or ERR_NO_MEMORY. */
int guard_doc(struct guard *g, struct span doc, struct span part, uint32_t nth) MUST_USE;

/* For the crushers: a unit of its own block, [from, from + len) of the document, with its cost. NULL without memory. */
struct unit *guard_add(struct guard *g, struct span text, struct span source, enum unit_kind kind);
