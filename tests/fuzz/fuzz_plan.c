/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/wire.h"
#include "wire/node.h"

static void plan_encode(struct buf *b, const struct split_plan *plan)
{
	CHECK(plan->parts_n >= 1 && plan->parts_n <= LIMIT_PARTS);
	for (size_t i = 0; i < plan->parts_n; i++)
		split_plan_put_part(b, &plan->parts[i]);
	split_plan_put_join(b, &plan->join);
}

FUZZ_MESSAGE(split_plan, split_plan_decode, plan_encode)
