/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/blob.h"

#include "tests/fuzz/wire.h"

static bool is_whole(const struct blob_reply *r)
{
	(void)r;
	return true;
}

FUZZ_BATCH(blob_reply, blob_replies_decode, blob_replies_put, is_whole)
