/* SPDX-License-Identifier: Apache-2.0
 *
 * crush_diff: a change needs the line with its place, and that the lines that name its file.
 */
#include "policy/crush.h"

#include "base/err.h"
#include "policy/patch.h"

#include "base/pure.h"

static struct span without_end(struct span s)
{
	while (s.len > 0 && (s.at[s.len - 1] == '\n' || s.at[s.len - 1] == '\r'))
		s.len--;
	return s;
}

int crush_diff(struct guard *g, struct span text)
{
	struct patch_reader r = patch_read(text);
	uint32_t file = UNIT_NONE, hunk = UNIT_NONE;
	struct patch_part part;

	while (patch_next(&r, &part)) {
		struct span what = without_end(part.text);
		enum unit_kind kind = part.kind == PATCH_HUNK ? UNIT_HEADING : UNIT_DIFF;
		struct unit *u = what.len == 0 ? NULL : guard_add(g, what, what, kind);

		if (what.len == 0) /* context of empty lines */
			continue;
		if (u == NULL)
			return ERR_NO_MEMORY;
		u->keeps = part.kind == PATCH_CHANGE;
		u->needs = part.kind == PATCH_FILE   ? UNIT_NONE
			   : part.kind == PATCH_HUNK ? file
						     : hunk;
		if (part.kind == PATCH_FILE)
			file = g->units.n - 1;
		else if (part.kind == PATCH_HUNK)
			hunk = g->units.n - 1;
	}
	return 0;
}
