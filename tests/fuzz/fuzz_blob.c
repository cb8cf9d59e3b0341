/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/blob.h"

#include "tests/fuzz/wire.h"

static bool is_whole(const struct blob_ask *ask)
{
	return ask->fail.code == 0;
}

FUZZ_BATCH(blob_ask, blob_asks_decode, blob_asks_put, is_whole)
