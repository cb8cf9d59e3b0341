/* SPDX-License-Identifier: Apache-2.0
 *
 * turns: what waits for a thread, and whose turn it is: between tenants deficit round robin by the time that their
 * work takes (policy/share.h), within a tenant first in first out. A node holds many attempts, so that it
 * is never idle; those of one tenant must not keep the others waiting.
 */
#pragma once
#include "base/limits.h"
#include "base/list.h"
#include "base/slots.h"
#include "base/span.h"
#include "policy/share.h"

/* Lies in what waits. Zeroed: it is nobody's yet. */
struct turn {
	struct list link; /* among its tenant's that wait */
	uint32_t tenant;
	int64_t paid_us;
	enum { TURN_NONE, TURN_WAITS, TURN_WORKS } is;
};

struct turns {
	struct slots tenants;
	uint64_t round;
	uint32_t waiting;
};

/* max: of what waits or works at once. */
void turns_init(struct turns *ts, uint32_t max);
void turns_done(struct turns *ts);
/* It waits from now on. ERR_NO_MEMORY, or ERR_BUSY beyond max tenants. */
int turns_put(struct turns *ts, struct turn *t, struct span tenant) MUST_USE;
/* The one whose turn it is: it works from now on. NULL: nothing waits. */
struct turn *turns_take(struct turns *ts);
/* It waits or works no longer, after so much time of work. Nothing happens if it did neither. */
void turns_end(struct turns *ts, struct turn *t, int64_t worked_us);
