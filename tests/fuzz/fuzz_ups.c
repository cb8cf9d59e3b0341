/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/wire.h"
#include "wire/node.h"

static bool is_whole(const struct up *u)
{
	CHECK(u->kind != UP_NONE || u->fail.code != 0);
	return u->kind != UP_NONE;
}

FUZZ_BATCH(up, ups_decode, ups_put, is_whole)
