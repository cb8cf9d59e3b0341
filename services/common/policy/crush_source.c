/* SPDX-License-Identifier: Apache-2.0
 *
 * crush_source: a piece of a function needs its head.
 */
#include "policy/crush.h"

#include "base/err.h"
#include "policy/source.h"

#include "base/pure.h"

int crush_source(struct guard *g, struct span text)
{
	struct source_reader r = source_read(text);
	struct source_part part;
	uint32_t head = UNIT_NONE;

	while (source_next(&r, &part)) {
		struct unit *u = guard_add(g, part.text, part.text, UNIT_CODE);

		if (u == NULL)
			return ERR_NO_MEMORY;
		if (part.opens)
			head = g->units.n - 1;
		else
			u->needs = head;
	}
	return 0;
}
