/* SPDX-License-Identifier: Apache-2.0
 *
 * place_cost: the cheapest of all candidates (of PLACE_SCAN_MAX, from a moving start). For few, unequal nodes.
 */
#include "router/place.h"

#include "base/pure.h"

static void pick(const struct place_in *in, struct place_out *out)
{
	uint32_t n = 0;
	bool want_new = prng_below(in->prng, PLACE_TRIAL_EVERY) == 0;
	uint32_t best = PLACE_NONE;
	int64_t least = 0;
	bool best_new = false;

	for (; n < in->rows_n && (n < PLACE_SCAN_MAX || best == PLACE_NONE); n++) {
		uint32_t i = (*in->cursor + n) % in->rows_n;
		int64_t total = place_look(in, out, i);
		bool is_new = want_new && in->rows[i].load->ended < PLACE_TRIAL;

		if (total < 0 || (best_new && !is_new))
			continue;
		if (best == PLACE_NONE || (is_new && !best_new) || total < least ||
			(total == least && in->rows[i].load->node < in->rows[best].load->node)) {
			best = i;
			least = total;
			best_new = is_new;
		}
	}
	if (n < in->rows_n)
		*in->cursor = (*in->cursor + n) % in->rows_n;
	place_settle(in, out, best);
}

const struct place_policy place_cost = { "cost", "the cheapest by expected time and price", pick };
