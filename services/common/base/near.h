/* SPDX-License-Identifier: Apache-2.0
 *
 * near: the word that was perhaps meant, when one was mistyped: by the number of letters to insert, remove or
 * change.
 */
#pragma once
#include "base/span.h"

#define NEAR_BYTES 64u /* longer words are near to nothing */

struct near {
	struct span word;
	const char *best;   /* NULL: nothing is near */
	unsigned less_than; /* a better one has less */
};

/* word is borrowed until the last near_try. */
void near_init(struct near *n, struct span word);
/* candidate is kept if it is the best so far. */
void near_try(struct near *n, const char *candidate);
