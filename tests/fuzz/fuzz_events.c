/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/wire.h"
#include "wire/task.h"

static bool is_whole(const struct event *e)
{
	return e->kind != EVENT_NONE;
}

FUZZ_BATCH(event, events_decode, events_put, is_whole)
