/* SPDX-License-Identifier: Apache-2.0
 *
 * source: source code outside of fences: files, and listings among prose, of languages with braces, of Python and the
 * like. By the look of the lines: where it doubts, it is prose. Any bytes are accepted; it takes no memory.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Bytes of source code at the start of s, whole lines up to one of code; 0 if there is none. */
size_t source_len(struct span s);
/* Could it begin with this line? Told quickly. */
bool source_may_begin(struct span line);

struct source_part {
	struct span text; /* no empty lines before and behind */
	bool opens; /* a function, a type ...; parts that do not belong to the one before that does */
};
struct source_reader {
	struct span rest;
	struct span block; /* what of a long function is not yet read */
};

static inline struct source_reader source_read(struct span code)
{
	return (struct source_reader){ .rest = code };
}

/* The next part of what source_len found: a function, or a type; of long ones first their head, then pieces. */
bool source_next(struct source_reader *r, struct source_part *ret);
