/* SPDX-License-Identifier: Apache-2.0
 *
 * words: the words of a text, for matching only. ASCII is folded to lower case, English endings are taken
 * off (plural, -ed, -ing), other scripts pass as they are; scripts without spaces give pairs of characters.
 * Any bytes are accepted: what is no UTF-8 separates words.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct words {
	struct span rest;
	struct span last; /* the character before in a run without spaces, or empty */
};

struct word {
	uint64_t hash;    /* of the stem; not set for a stop word */
	struct span text; /* as written */
	bool is_stop;     /* carries no content of its own: "the", "of", single ASCII letters */
};

static inline struct words words_of(struct span text)
{
	return (struct words){ .rest = text };
}

/* The next word; false at the end. */
bool words_next(struct words *w, struct word *ret);

/* No fewer than the words of a text so long: between two ASCII letters there is a byte that is none, and
 * other characters take two or more. */
static inline size_t words_bound(size_t bytes)
{
	return (bytes + 1) / 2;
}
