/* SPDX-License-Identifier: Apache-2.0
 *
 * telegraph: English prose without the words that carry little: articles, forms of "be", "that". Whole words only;
 * never a negation, a quantity, a modal verb, a comparative, a number, and nothing inside quotes, backticks or
 * brackets.
 */
#pragma once
#include "base/arena.h"
#include "base/check.h"
#include "base/span.h"

/* *ret: s itself if nothing can be left out, else a shorter copy in the arena. 0 or ERR_NO_MEMORY. */
int telegraph(struct arena *a, struct span s, struct span *ret) MUST_USE;
