/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/wire.h"
#include "wire/task.h"

static bool is_whole(const struct submit_reply *r)
{
	CHECK(r->fail.code != 0 || !ulid_is_zero(r->task));
	return true;
}

FUZZ_BATCH(submit_reply, submit_replies_decode, submit_replies_put, is_whole)
