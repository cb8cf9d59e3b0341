/* SPDX-License-Identifier: Apache-2.0
 *
 * place_round_robin: one after the other. For equal nodes and equal tasks, and as a baseline.
 */
#include "router/place.h"

#include "base/pure.h"

static void pick(const struct place_in *in, struct place_out *out)
{
	for (uint32_t k = 0; k < in->rows_n; k++) {
		uint32_t i = (*in->cursor + k) % in->rows_n;

		if (place_look(in, out, i) < 0)
			continue;
		*in->cursor = i + 1;
		place_settle(in, out, i);
		return;
	}
	place_settle(in, out, PLACE_NONE);
}

const struct place_policy place_round_robin = { "round-robin", "one after the other", pick };
