/* SPDX-License-Identifier: Apache-2.0
 *
 * tally: what can be counted in texts: characters, lines, sentences, words, and which words there are most.
 */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/span.h"

struct tally_word {
	struct span text; /* as it stands where it comes first */
	uint32_t count;   /* with its other forms and cases */
	uint32_t place; /* among the words that are no stop words, in order of their first places */
};

struct tally {
	uint64_t bytes;
	uint64_t characters;
	uint64_t lines; /* the last one needs no end */
	uint64_t blank_lines;
	uint64_t longest_line; /* bytes */
	uint64_t paragraphs;   /* blocks: of prose, code, a heading, an item of a list */
	uint64_t sentences;
	uint64_t words;
	uint64_t distinct_words; /* without regard to case */
	struct tally_word *top;  /* no stop words; most frequent first, then by place */
	uint32_t top_n;
};

/* Any bytes are accepted. 0 or ERR_NO_MEMORY (takes up to 100 bytes for each byte of text; 20 in prose). */
int tally_texts(struct arena *a, const struct span *texts, size_t texts_n, uint32_t top_max,
	struct tally *ret) MUST_USE;
