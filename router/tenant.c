/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant: the table of tenants.
 */
#include "router/tenant.h"

#include "base/pure.h"

#define HASH_SEED 13u

void tenants_init(struct tenants *ts, uint32_t max)
{
	*ts = (struct tenants){ .weights = NULL };
	slots_init(&ts->slots, sizeof(struct tenant), max);
	map_init(&ts->by_name);
}

void tenants_done(struct tenants *ts)
{
	slots_done(&ts->slots);
	map_done(&ts->by_name);
}

uint32_t tenants_find(const struct tenants *ts, struct span name)
{
	uint32_t at = 0;
	uint32_t i;

	while (map_next(&ts->by_name, span_hash(name, HASH_SEED), &at, &i))
		if (span_is(name, tenant_at(ts, i)->name))
			return i;
	return SLOT_NONE;
}

static uint32_t weight_of(const struct tenants *ts, struct span name)
{
	for (uint32_t i = 0; i < ts->weights_n; i++)
		if (span_is(name, ts->weights[i].name))
			return ts->weights[i].weight;
	return 1;
}

static void begin(const struct tenants *ts, struct tenant *n, struct span name)
{
	span_copy(name, n->name, LIMIT_TOKEN_BYTES + 1);
	for (unsigned i = 0; i < RUNGS; i++) {
		share_init(&n->of[i].share, weight_of(ts, name));
		list_init(&n->of[i].lanes);
	}
}

static void drop_all_idle(struct tenants *ts, int64_t now_ns)
{
	for (uint32_t i = 0; i < ts->slots.cap; i++)
		if (slots_is_taken(&ts->slots, i))
			tenants_drop_idle(ts, i, now_ns);
}

uint32_t tenants_need(struct tenants *ts, struct span name, int64_t now_ns)
{
	uint32_t i = tenants_find(ts, name);

	if (i != SLOT_NONE || map_reserve(&ts->by_name) < 0)
		return i;
	if (ts->slots.used == ts->slots.max)
		drop_all_idle(ts, now_ns);
	i = slots_take(&ts->slots);
	if (i == SLOT_NONE)
		return i;
	begin(ts, tenant_at(ts, i), name);
	map_put(&ts->by_name, span_hash(name, HASH_SEED), i);
	return i;
}

void tenants_drop_idle(struct tenants *ts, uint32_t tenant, int64_t now_ns)
{
	const struct tenant *n = tenant_at(ts, tenant);

	if (n->tasks > 0 || n->rate.due_ns > now_ns)
		return;
	map_drop(&ts->by_name, span_hash(span_str(n->name), HASH_SEED), tenant);
	slots_drop(&ts->slots, tenant);
}

void tenants_open(struct tenants *ts, uint32_t tenant, uint64_t bytes)
{
	struct tenant *n = tenant_at(ts, tenant);

	n->open++;
	n->open_bytes += bytes;
	ts->open_bytes += bytes;
}

void tenants_end(struct tenants *ts, uint32_t tenant, uint64_t bytes, int64_t now_ns)
{
	struct tenant *n = tenant_at(ts, tenant);

	CHECK(n->open > 0 && n->open_bytes >= bytes);
	n->open--;
	n->open_bytes -= bytes;
	ts->open_bytes -= bytes;
	if (n->ended_ns != 0)
		n->end_gap_ns = admit_gap(n->end_gap_ns, now_ns - n->ended_ns);
	n->ended_ns = now_ns;
}
