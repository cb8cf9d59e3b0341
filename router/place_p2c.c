/* SPDX-License-Identifier: Apache-2.0
 *
 * place_p2c: two random candidates, the cheaper wins (Mitzenmacher, "The Power of Two Choices in Randomized
 * Load Balancing", 2001): O(1) in the number of nodes, and no herd runs to the one that looked best.
 */
#include "router/place.h"

#include "base/pure.h"

#define DRAWS 12u /* random rows looked at before the scan */

struct best {
	uint32_t row;
	int64_t total;
	uint32_t fit; /* rows that passed the filter */
	bool trial;   /* row is new and this decision prefers new ones */
};

static void weigh(const struct place_in *in, struct place_out *out, struct best *best, uint32_t i,
	bool want_new)
{
	int64_t total = place_look(in, out, i);
	bool is_new = want_new && in->rows[i].load->ended < PLACE_TRIAL;

	if (total < 0)
		return;
	best->fit++;
	if (best->row == PLACE_NONE || (is_new && !best->trial) ||
		(is_new == best->trial &&
			(total < best->total || (total == best->total &&
							in->rows[i].load->node <
								in->rows[best->row].load->node)))) {
		best->row = i;
		best->total = total;
		best->trial = is_new;
	}
}

/* Look at random rows, each once, until `wanted` of them fit or DRAWS were drawn. */
static void draw(const struct place_in *in, struct place_out *out, struct best *best,
	uint32_t wanted, bool want_new)
{
	uint32_t drawn[DRAWS];

	for (uint32_t n = 0; n < DRAWS && best->fit < wanted; n++) {
		bool again = false;

		drawn[n] = (uint32_t)prng_below(in->prng, in->rows_n);
		for (uint32_t k = 0; k < n; k++)
			again = again || drawn[k] == drawn[n];
		if (!again)
			weigh(in, out, best, drawn[n], want_new);
	}
}

static void pick(const struct place_in *in, struct place_out *out)
{
	bool want_new = prng_below(in->prng, PLACE_TRIAL_EVERY) == 0;
	uint32_t wanted = want_new ? PLACE_SEEN : 2;
	struct best best = { .row = PLACE_NONE };

	if (in->rows_n > wanted)
		draw(in, out, &best, wanted, want_new);
	/* Few rows are all looked at; and unlucky draws must not say that nobody is there. */
	if (best.fit == 0)
		out->considered = out->seen_n = 0;
	for (uint32_t i = 0; i < in->rows_n && best.fit < (in->rows_n > wanted ? 1 : wanted); i++)
		weigh(in, out, &best, i, want_new);
	place_settle(in, out, best.row);
}

const struct place_policy place_p2c = { "p2c", "two random candidates, the cheaper", pick };
