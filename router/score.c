/* SPDX-License-Identifier: Apache-2.0
 *
 * score: the filter and the cost that all policies share.
 *
 * Cost terms are microseconds of expected completion. The price is turned into time by PRICE_US_PER_UCR, so
 * that one number decides; a tenant's price limit is a filter, not a term.
 */
#include "router/place.h"

#include "base/pure.h"

#define RUN_UNKNOWN_US 1000 /* optimistic, so that nobody stays unknown */
/* Nodes say what they like; the terms and their total stay far from overflow. */
#define RUN_MOST_US (INT64_C(30) * 24 * 3600 * 1000000)
#define AHEAD_MOST (1 << 20)
#define BYTES_PER_US 12        /* 100 Mbit/s: a small VPS's link */
#define PRICE_US_PER_UCR 10    /* one credit (10^6 ucr) weighs as much as 10 s */
#define RISK_US_PER_MILLI 1000 /* a node that fails always costs 1 s more */
#define HEALTH_US_PER_MILLI 500

static const struct place_policy *const policies[] = { &place_p2c, &place_least_loaded,
	&place_round_robin, &place_cost };

const struct place_policy *place_policy_at(unsigned i)
{
	return i < ARRAY_LEN(policies) ? policies[i] : NULL;
}

static bool has_model(struct span names, struct span model)
{
	if (model.len == 0 || names.len == 0)
		return true;
	while (names.len > 0) {
		struct span name = span_trim(span_cut(&names, ','));

		if (span_eq(name, model))
			return true;
	}
	return false;
}

enum verdict place_filter(const struct place_need *need, const struct place_row *row)
{
	if (row->price_ucr > need->max_price_ucr)
		return VERDICT_PRICE;
	if (row->load->health == 0)
		return VERDICT_UNHEALTHY;
	for (uint32_t i = 0; i < need->avoid_n; i++)
		if (need->avoid[i] == row->load->node)
			return VERDICT_FAILED_BEFORE;
	if (!has_model(row->model, need->model))
		return VERDICT_MODEL;
	return VERDICT_NONE;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

uint32_t place_ahead(const struct place_load *l)
{
	return l->busy > l->queued ? l->busy : l->queued;
}

struct cost place_price(const struct place_need *need, const struct place_row *row)
{
	const struct place_load *l = row->load;
	int64_t run = row->run_us > 0 ? least(row->run_us, RUN_MOST_US) : RUN_UNKNOWN_US;
	int64_t slots = l->slots > 0 ? l->slots : 1;
	int64_t ahead = least(place_ahead(l), AHEAD_MOST);

	return (struct cost){
		.wait_us = run * ahead / slots,
		.run_us = run,
		.move_us = l->rtt_us + (int64_t)(need->body_bytes / BYTES_PER_US),
		.price_us = row->price_ucr > INT64_MAX / (4 * PRICE_US_PER_UCR)
				    ? INT64_MAX / 4
				    : row->price_ucr * PRICE_US_PER_UCR,
		.risk_us =
			(int64_t)l->bad_milli * RISK_US_PER_MILLI +
			(l->health < 1000 ? (int64_t)(1000 - l->health) * HEALTH_US_PER_MILLI : 0),
	};
}

int64_t cost_total(const struct cost *c)
{
	return c->wait_us + c->run_us + c->move_us + c->price_us + c->risk_us;
}

int64_t place_look(const struct place_in *in, struct place_out *out, uint32_t i)
{
	const struct place_row *row = &in->rows[i];
	struct place_seen seen = {
		.node = row->load->node,
		.verdict = place_filter(in->need, row),
	};

	out->considered++;
	if (seen.verdict == VERDICT_NONE)
		seen.cost = place_price(in->need, row);
	if (out->seen_n < PLACE_SEEN)
		out->seen[out->seen_n++] = seen;
	return seen.verdict == VERDICT_NONE ? cost_total(&seen.cost) : -1;
}

void place_settle(const struct place_in *in, struct place_out *out, uint32_t i)
{
	bool written = false;

	out->pick = i;
	if (i == PLACE_NONE)
		return;
	for (uint32_t k = 0; k < out->seen_n; k++) {
		struct place_seen *s = &out->seen[k];

		if (s->verdict != VERDICT_NONE)
			continue;
		s->verdict = VERDICT_DEARER;
		if (s->node == in->rows[i].load->node) {
			s->verdict = VERDICT_CHOSEN;
			written = true;
		}
	}
	if (!written) { /* looked at after the record was full: it takes the last place */
		out->seen[PLACE_SEEN - 1] = (struct place_seen){ in->rows[i].load->node,
			VERDICT_CHOSEN, place_price(in->need, &in->rows[i]) };
	}
}
