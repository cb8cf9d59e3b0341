/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/wire.h"
#include "wire/node.h"

static bool is_whole(const struct down *d)
{
	return d->kind != DOWN_NONE;
}

FUZZ_BATCH(down, downs_decode, downs_put, is_whole)
