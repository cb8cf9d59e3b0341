/* SPDX-License-Identifier: Apache-2.0
 *
 * text: a text as a sequence of sentences. A sentence here is what can be kept or left as a whole: a
 * sentence of prose, a heading, an item of a list, a block of code. Nothing is copied, no memory is taken;
 * any bytes are accepted.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

#define TEXT_SENTENCE_MAX                                                                          \
	1024u /* bytes; what is longer is cut at white space or between characters */

enum sentence_kind { SENTENCE_PROSE, SENTENCE_HEADING, SENTENCE_ITEM, SENTENCE_CODE };

struct sentence {
	struct span text; /* not empty, white space cut off at both ends */
	enum sentence_kind kind;
	uint32_t block; /* number of its paragraph, list item, heading ... in the text */
};

struct text_reader {
	struct span rest;
	enum sentence_kind kind; /* of the block that is being read */
	uint32_t block;
	bool inside; /* a block is being read */
};

static inline struct text_reader text_read(struct span text)
{
	return (struct text_reader){ .rest = text, .block = UINT32_MAX };
}

/* The next sentence; false at the end. Only white space lies between two sentences. */
bool text_next(struct text_reader *r, struct sentence *ret);

/* No fewer than the sentences of the text; found quickly. */
size_t text_bound(struct span text);

/* The first line of s, without its end; *ret_next is where the next one starts. */
struct span text_line(struct span s, size_t *ret_next);
/* Is the line blank? Does it start a heading (#, ==, a number with dots), an item of a list, a code fence? */
bool text_is_blank(struct span line);
bool text_is_heading(struct span line);
bool text_is_item(struct span line);
bool text_is_fence(struct span line);
/* How far s goes until a sentence is over, the stop and closing quotes included; 0 if it is not over. */
size_t text_stop(struct span s, size_t from);
/* The largest place up to `at` where s may be cut without breaking a UTF-8 character. */
size_t text_border(struct span s, size_t at);
/* Append s with its white space as one blank each; what ends s or begins it is left out. */
void text_flatten(struct buf *b, struct span s);
