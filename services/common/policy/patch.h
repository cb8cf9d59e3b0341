/* SPDX-License-Identifier: Apache-2.0
 *
 * patch: unified diffs, as diff -u and git write them: heads of files, and hunks whose first line counts their lines.
 * Any bytes are accepted; it takes no memory.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum patch_kind {
	PATCH_FILE,    /* the lines that name the files */
	PATCH_HUNK,    /* the line with the place */
	PATCH_CHANGE,  /* lines that were put in or taken out, with a line before and behind them */
	PATCH_CONTEXT, /* lines that are in both */
};

struct patch_part {
	struct span text; /* whole lines, with their ends */
	enum patch_kind kind;
};

struct patch_reader {
	struct span rest;
	uint32_t old_left, new_left; /* lines of the hunk that are not yet read */
};

static inline struct patch_reader patch_read(struct span text)
{
	return (struct patch_reader){ .rest = text };
}

/* The next part; false where no diff goes on. They follow each other without a gap, and the first is a PATCH_FILE or a
 * PATCH_HUNK. */
bool patch_next(struct patch_reader *r, struct patch_part *ret);

/* Bytes of a diff at the start of s, with a hunk that changes something among its first parts; 0 if there is none. */
size_t patch_len(struct span s);
/* Could one begin with this line? */
bool patch_may_begin(struct span line);
