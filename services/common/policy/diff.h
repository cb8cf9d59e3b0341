/* SPDX-License-Identifier: Apache-2.0
 *
 * diff: the fewest lines to take away and to add that make one text another (Myers 1986), in linear space and within
 * a bound of edits.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

#define DIFF_STEPS_MAX (UINT64_C(1) << 30) /* about two seconds */

struct diff_side {
	struct span *lines; /* with their ends */
	bool *is_edited;    /* it is gone (left side), or new (right side) */
	uint32_t lines_n;
	uint32_t edited_n;
};

struct diff {
	struct diff_side left;
	struct diff_side right;
};

/* Lines end with a newline, which is part of them. ERR_TOO_BIG: more than edits_max edits; ERR_NO_MEMORY.
 * Time: as lines + edits squared, as a rule; what would take more than DIFF_STEPS_MAX comparisons is ERR_TOO_BIG, too. */
int diff_texts(struct arena *a, struct span left, struct span right, uint32_t edits_max,
	struct diff *ret) MUST_USE;

/* Append as a unified diff with so many lines around each change; nothing if there is no difference. */
void diff_emit(struct buf *b, const struct diff *d, struct span left_name, struct span right_name,
	uint32_t context);
