/* SPDX-License-Identifier: Apache-2.0
 *
 * words: the words of a text, for matching only. Letters are folded to lower case, English endings are taken
 * off (policy/stem.h); scripts without spaces (Chinese, Japanese, Korean, Thai, Lao, Burmese, Khmer) give pairs of
 * characters. Any bytes are accepted: what is no UTF-8 separates words.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "policy/stem.h"

struct words {
	struct span text;
	size_t at;        /* read up to here */
	size_t from, to;  /* what the sets are of */
	uint64_t narrow;  /* bytes of ASCII that belong to words */
	uint64_t special; /* bytes that are no ASCII, and apostrophes: to be looked at closely */
	struct span last; /* the character before in a run without spaces, or empty */
};

/* A word as written: cheap to find, and equal forms have equal stems, so that a reader with a table of forms
 * needs words_judge once for each. */
struct form {
	uint64_t hash;    /* of the bytes; to be compared with those of other forms only */
	struct span text; /* as written */
	bool ascii;       /* only ASCII letters, digits and _ */
};

struct word {
	uint64_t hash;    /* of the stem; not set for a stop word */
	struct span text; /* as written */
	bool is_stop;     /* carries no content of its own: "the", "of", single ASCII letters */
};

static inline struct words words_of(struct span text)
{
	return (struct words){ .text = text };
}

/* The next words as written, up to `most`; returns how many: less only at the end. Several at once are cheaper. */
size_t words_fill(struct words *w, struct form *forms, size_t most);

/* The next word as written; false at the end. */
static inline bool words_next_form(struct words *w, struct form *ret)
{
	return words_fill(w, ret, 1) > 0;
}

/* What it is compared by. *stem: the stem's bytes in `room`, or the form's own; empty for a stop word. */
struct word words_judge(const struct form *form, char room[STEM_BYTES], struct span *ret_stem);
/* The next word; false at the end. */
bool words_next(struct words *w, struct word *ret);

/* No fewer than the words of a text so long: between two ASCII letters there is a byte that is none, and
 * other characters take two or more. */
static inline size_t words_bound(size_t bytes)
{
	return (bytes + 1) / 2;
}
