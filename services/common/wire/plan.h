/* SPDX-License-Identifier: Apache-2.0
 *
 * plan: a SplitPlan of any size with its parts' items in reach, so that they can be put elsewhere before it goes into
 * a message.
 */
#pragma once
#include "wire/body.h"
#include "wire/node.h"

struct plan {
	struct split_plan split; /* bodies as they came */
	struct body *bodies;     /* of the parts; their items stand in `items` */
	struct item *items;      /* of all parts, in order */
	size_t items_n;
};

/* What *ret points to lives in the arena and in `bytes`. ERR_MALFORMED, ERR_INVALID, ERR_TOO_BIG (LIMIT_PARTS and the
 * limits of bodies), ERR_NO_MEMORY. */
int plan_view(struct arena *a, struct span bytes, struct plan *ret, struct fail *why) MUST_USE;
/* Append it with its items as they are now; look at buf_err(). */
void plan_encode(struct buf *b, const struct plan *p);
