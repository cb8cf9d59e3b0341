/* SPDX-License-Identifier: Apache-2.0
 *
 * split: documents into parts of similar size, cut where a reader would: between documents, before a heading,
 * between paragraphs, lines, sentences, words. No byte is lost, none is in two parts.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/span.h"

struct split_want {
	uint32_t parts_max; /* >= 1 */
	size_t part_min;    /* bytes: no more parts than would have this size on average; >= 1 */
	bool lines;         /* cut behind ends of lines only, however long a line is */
};

/* A run of bytes of one document; a part has one or more, in order. */
struct split_piece {
	uint32_t part;
	uint32_t doc;
	struct span text; /* not empty */
};

/* The pieces in order; parts are numbered from 0 without gaps. No pieces if the documents are empty.
 * 0 or ERR_NO_MEMORY. */
int split_docs(struct arena *a, const struct span *docs, size_t docs_n,
	const struct split_want *want, struct split_piece **ret, size_t *ret_n) MUST_USE;

/* The best place to cut s between low and high (low <= high <= s.len): a cut that is no better is as near
 * to the middle as it can be. */
size_t split_border(struct span s, size_t low, size_t high);

/* The words of a prompt that say what it is about, as a query: no stop words, and no words that only say
 * what is to be done ("summarise", "document"). Appends at most bytes_max bytes, whole words, to `to`;
 * returns how many. */
size_t split_query(struct span prompt, char *to, size_t bytes_max);
