/* SPDX-License-Identifier: Apache-2.0
 *
 * language: in which language a text is written, of a small set: by its script where that decides, else by the
 * trigrams of its letters against those of a sample of each language (language.def). When unsure it says so.
 */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/span.h"

#define LANGUAGE_LETTERS_MIN 20u   /* fewer say too little */
#define LANGUAGE_READ_BYTES 16384u /* the start of the text decides */

struct language {
	const char *code; /* ISO 639-1, or "unknown" */
	const char *
		script; /* "latin" ... the one with the most letters; "none" if there is no letter */
	uint32_t letters;       /* looked at */
	uint32_t sure_permille; /* 0: unknown; 1000: no other is near */
};

/* What the samples say: made once for some texts, in a fraction of a millisecond. NULL without memory (1 MiB). */
struct language_profiles;
struct language_profiles *language_profiles_new(struct arena *a) MUST_USE;
/* Any bytes are accepted. */
struct language language_of(const struct language_profiles *p, struct span text);
/* The codes of all languages that can be found, one after the other; NULL past the end. */
const char *language_at(unsigned i);
