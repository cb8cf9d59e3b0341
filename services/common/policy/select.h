/* SPDX-License-Identifier: Apache-2.0
 *
 * select: which sentences of some documents to keep when not all can be kept. All in integers, ties by
 * position: the same input gives the same choice on every machine.
 *
 * A term's weight comes from the query (how rare the term is) and from the documents (how often they use
 * it, for a term that is not everywhere). A sentence is worth the weights of its terms by BM25, plus what
 * its heading and neighbours share with the query, plus its place. Each choice makes the terms that it
 * covers worth less to the next one, so that what was said once is not said again.
 */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/span.h"
#include "policy/text.h"

struct select_want {
	struct span query;      /* empty: what the documents are about */
	uint32_t sentences_max; /* >= 1 */
	size_t bytes_max;       /* of what select_emit writes; >= 1 */
};

struct select_pick {
	struct sentence sentence;
	uint32_t doc;   /* index of its document */
	uint32_t index; /* of the sentence, counted through all documents */
};

struct select_result {
	struct select_pick *picks; /* in the order of the documents */
	size_t picks_n;
	size_t sentences_in;
};

/* Any bytes are accepted. If the best sentence alone is larger than bytes_max, its start is taken. The arena's
 * ceiling must allow about 100 bytes for each byte of text (sentences of one letter; 35 in prose); most of it
 * is not touched. 0 or ERR_NO_MEMORY. */
int select_sentences(struct arena *a, const struct span *docs, size_t docs_n,
	const struct select_want *want, struct select_result *ret) MUST_USE;

/* Append the picks as text: sentences that follow each other in a paragraph in one line, white space in
 * them as one blank, code as it is. */
void select_emit(struct buf *b, const struct select_result *r);
