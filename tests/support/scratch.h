/* SPDX-License-Identifier: Apache-2.0
 *
 * scratch: the memory of a test that needs no more than an arena: group_setup and group_teardown of cmocka, or of
 * each test.
 */
#pragma once
#include "base/arena.h"

extern struct arena scratch;

int scratch_open(void **state);
int scratch_close(void **state);
