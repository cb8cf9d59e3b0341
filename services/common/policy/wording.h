/* SPDX-License-Identifier: Apache-2.0
 *
 * wording: when two prompts say the same in nearly the same words. It is a gate, no measure of likeness: the words must
 * be the same ones, but for their endings and for upper and lower case, in the same order. Articles and a "please"
 * do not count, nor does punctuation at the end of a word that is no number, nor how much space is between. All else
 * does: numbers, signs, negations, prepositions ("from Rome to Oslo" is not "from Oslo to Rome").
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* Append the wording of a text: equal bytes pass the gate. Returns how many words with a content of their own there
 * are; of a text without one the wording says nothing. Look at buf_err(). */
size_t wording_put(struct buf *b, struct span text);
/* How near two texts are that passed: of 1000 words as they are written, so many are in both. At least 1. */
uint32_t wording_near(struct span a, struct span b);
