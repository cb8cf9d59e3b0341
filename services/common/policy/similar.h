/* SPDX-License-Identifier: Apache-2.0
 *
 * similar: which of some texts repeat an earlier one, nearly or exactly. Texts are compared as sets of three
 * words in a row (Jaccard's measure). MinHash in bands (Broder 1997; Indyk and Motwani 1998) finds whom to compare;
 * what is reported was compared exactly, so there are no false ones, and a pair at the least similarity is missed
 * once in a few thousand.
 */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

#define SIMILAR_TEXTS_MAX 65536u
#define SIMILAR_LEAST_PERMILLE 500u

struct similar {
	uint32_t
		of; /* index of the text that it repeats, which repeats none; itself if it repeats none */
	uint32_t permille; /* how similar they are; 1000 with itself */
};

/* ret has texts_n entries. least_permille: SIMILAR_LEAST_PERMILLE to 1000. ERR_TOO_BIG (more than
 * SIMILAR_TEXTS_MAX), ERR_NO_MEMORY. */
int similar_find(struct arena *a, const struct span *texts, size_t texts_n, uint32_t least_permille,
	struct similar *ret) MUST_USE;
