/* SPDX-License-Identifier: Apache-2.0
 *
 * corpus: real English texts that are on this machine: licences, manual pages without their markup, documents of
 * packages. A hash of the name says to which half a text belongs.
 */
#pragma once
#include <stdbool.h>

#include "base/buf.h"

#define CORPUS_DOCS 500

enum corpus_sort { CORPUS_LICENCE, CORPUS_MANUAL, CORPUS_PACKAGE, CORPUS_SORTS };

struct corpus_doc {
	char *path;
	struct buf text;
	enum corpus_sort sort;
};
struct corpus {
	struct corpus_doc docs[CORPUS_DOCS];
	unsigned n;
	struct buf all; /* their texts in a row */
};

/* Up to CORPUS_DOCS / CORPUS_SORTS of each sort, in the order of their hashes: those that were held out when the
 * selection was made, or the others. */
void corpus_read(struct corpus *c, bool held_out);
void corpus_done(struct corpus *c);
