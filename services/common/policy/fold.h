/* SPDX-License-Identifier: Apache-2.0
 *
 * fold: a word's hash without regard to upper and lower case.
 */
#pragma once
#include "base/span.h"
#include "policy/stem.h"

/* Words longer than STEM_BYTES are taken as they are, as everywhere. */
static inline uint64_t fold_hash(struct span word)
{
	char low[STEM_BYTES];

	if (word.len > sizeof(low))
		return span_hash(word, 0);
	stem_fold(word, low);
	return span_hash(span_of(low, word.len), 0);
}
