/* SPDX-License-Identifier: Apache-2.0
 *
 * near: Levenshtein's distance, one row of the table at a time.
 */
#include "base/near.h"

#include "base/pure.h"

static unsigned distance(struct span a, struct span b)
{
	unsigned row[NEAR_BYTES + 1];

	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (unsigned i = 0; i < a.len; i++) {
		unsigned diagonal = row[0];

		row[0] = i + 1;
		for (unsigned j = 0; j < b.len; j++) {
			unsigned change = diagonal + (a.at[i] != b.at[j]);
			unsigned step = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;

			diagonal = row[j + 1];
			row[j + 1] = change < step ? change : step;
		}
	}
	return row[b.len];
}

void near_init(struct near *n, struct span word)
{
	/* Beyond that it is no typing mistake. */
	*n = (struct near){ .word = word, .less_than = word.len < 6 ? 3 : 4 };
	if (word.len == 0 || word.len > NEAR_BYTES)
		n->less_than = 0;
}

void near_try(struct near *n, const char *candidate)
{
	struct span s = span_str(candidate);
	unsigned d;

	if (n->less_than == 0 || s.len > NEAR_BYTES)
		return;
	d = distance(n->word, s);
	/* A word with nothing in common is never meant. */
	if (d < n->less_than && d < s.len) {
		n->less_than = d;
		n->best = candidate;
	}
}
