/* SPDX-License-Identifier: Apache-2.0
 *
 * plant: texts with facts among their sentences, and what is asked about them.
 */
#pragma once
#include "base/buf.h"
#include "base/prng.h"

enum plant_class {
	PLANT_LEXICAL,     /* asked in the words of the fact */
	PLANT_STEM,        /* in other forms of them */
	PLANT_ADVERSARIAL, /* in its words; other facts have nearly all of them, too */
	PLANT_SYNONYM,     /* in other words */
	PLANT_CLASSES
};
const char *plant_class_name(enum plant_class class);

#define PLANT_DEPTHS 11u

struct planted {
	struct buf text;
	struct buf query;
	char answer[16]; /* the number that must be kept */
};

/* A part of the corpus with so many words and the nth fact of a class: at each of PLANT_DEPTHS depths in turn. */
void plant_make(struct planted *p, struct prng *prng, enum plant_class class, unsigned nth,
	struct span corpus, unsigned words);
void planted_done(struct planted *p);
