/* SPDX-License-Identifier: Apache-2.0
 *
 * stem: words in the form in which they are compared: lower case, without English endings. For matching only:
 * a stem need not be a word ("carried" and "carry" become "carri").
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

#define STEM_BYTES 32u /* longer words are compared as they are */

/* s in lower case in `to`: ASCII, and the two-byte letters of Latin, Greek, Cyrillic and Armenian, which keep
 * their length. Anything else, invalid bytes too, is copied. s.len <= STEM_BYTES. */
void stem_fold(struct span s, char to[STEM_BYTES]);

/* Take the ending off an ASCII word in lower case, in place: plurals, -ed, -ing, -ly, a last e; irregular
 * forms give their base. Returns the new length; the base may be longer
 * than the form, so the room is STEM_BYTES. len <= STEM_BYTES. */
size_t stem_cut(char word[STEM_BYTES], size_t len);

/* Carries an English word (lower case) no content of its own: "the", "of", a single letter? What stands behind
 * it in its room does not matter. */
bool stem_is_stop(const char word[STEM_BYTES], size_t len);
