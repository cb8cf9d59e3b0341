/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant: who submits, as the router machine knows them: made with their first task, forgotten with the last one
 * that is kept, unless the limit of their rate would be forgotten with them.
 */
#pragma once
#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slots.h"
#include "base/span.h"
#include "policy/admit.h"
#include "policy/share.h"
#include "wire/task.h"

/* In the queues of one class. */
struct standing {
	struct share share;
	struct list lanes; /* struct lane.of_tenant */
};

struct tenant {
	char name[LIMIT_TOKEN_BYTES + 1];
	uint32_t tasks;      /* open or kept */
	uint32_t open;       /* parts included */
	uint64_t open_bytes; /* of their bodies */
	int64_t ended_ns;    /* the last of them; 0: none yet */
	int64_t end_gap_ns;  /* between ends, moving average */
	struct admit_rate rate;
	struct standing of[RUNGS];
};

struct tenant_weight {
	char name[LIMIT_TOKEN_BYTES + 1];
	uint32_t weight; /* 1 to LIMIT_WEIGHT */
};

struct tenants {
	struct slots slots;
	struct map by_name;
	uint64_t open_bytes;                 /* of all */
	const struct tenant_weight *weights; /* of those who are not just 1; the caller's */
	uint32_t weights_n;
};

void tenants_init(struct tenants *ts, uint32_t max);
void tenants_done(struct tenants *ts);
/* The index of the one with this name, or SLOT_NONE. */
uint32_t tenants_find(const struct tenants *ts, struct span name);
/* The same, made if it is new; SLOT_NONE without room. */
uint32_t tenants_need(struct tenants *ts, struct span name, int64_t now_ns);
/* Forget it, if it has no tasks and its rate does not hold it back; else when its place is needed. */
void tenants_drop_idle(struct tenants *ts, uint32_t tenant, int64_t now_ns);

/* One of its tasks is open, with a body of so many bytes; or has ended. */
void tenants_open(struct tenants *ts, uint32_t tenant, uint64_t bytes);
void tenants_end(struct tenants *ts, uint32_t tenant, uint64_t bytes, int64_t now_ns);

static inline struct tenant *tenant_at(const struct tenants *ts, uint32_t tenant)
{
	return slots_at(&ts->slots, tenant);
}
