/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant: who submits, as the router machine knows them: made with their first task, forgotten with the last one
 * that is kept.
 */
#pragma once
#include "base/limits.h"
#include "base/map.h"
#include "base/slots.h"
#include "base/span.h"

struct tenant {
	char name[LIMIT_TOKEN_BYTES + 1];
	uint32_t tasks; /* open or kept */
};

struct tenants {
	struct slots slots;
	struct map by_name;
};

void tenants_init(struct tenants *ts, uint32_t max);
void tenants_done(struct tenants *ts);
/* The index of the one with this name, or SLOT_NONE. */
uint32_t tenants_find(const struct tenants *ts, struct span name);
/* The same, made if it is new; SLOT_NONE without room. */
uint32_t tenants_need(struct tenants *ts, struct span name);
/* Forget it, if it has no tasks. */
void tenants_drop_idle(struct tenants *ts, uint32_t tenant);

static inline struct tenant *tenant_at(const struct tenants *ts, uint32_t tenant)
{
	return slots_at(&ts->slots, tenant);
}
