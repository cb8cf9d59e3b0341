/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/wire.h"
#include "wire/task.h"

static bool is_whole(const struct submit *s)
{
	return s->fail.code == 0;
}

FUZZ_BATCH(submit, submits_decode, submits_put, is_whole)
