/* SPDX-License-Identifier: Apache-2.0
 *
 * place_least_loaded: the candidate with the smallest share of its slots in use, whatever it costs.
 */
#include "router/place.h"

#include "base/pure.h"

/* Is a's share of attempts / slots smaller than b's? Ties go to the smaller node index. */
static bool is_lighter(const struct place_load *a, const struct place_load *b)
{
	uint64_t left = (uint64_t)place_ahead(a) * (b->slots > 0 ? b->slots : 1);
	uint64_t right = (uint64_t)place_ahead(b) * (a->slots > 0 ? a->slots : 1);

	return left < right || (left == right && a->node < b->node);
}

static void pick(const struct place_in *in, struct place_out *out)
{
	uint32_t n = 0;
	uint32_t best = PLACE_NONE;

	for (; n < in->rows_n && (n < PLACE_SCAN_MAX || best == PLACE_NONE); n++) {
		uint32_t i = (*in->cursor + n) % in->rows_n;

		if (place_look(in, out, i) < 0)
			continue;
		if (best == PLACE_NONE || is_lighter(in->rows[i].load, in->rows[best].load))
			best = i;
	}
	if (n < in->rows_n)
		*in->cursor = (*in->cursor + n) % in->rows_n;
	place_settle(in, out, best);
}

const struct place_policy place_least_loaded = { "least-loaded",
	"the smallest share of slots in use", pick };
