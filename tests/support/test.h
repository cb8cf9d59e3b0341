/* SPDX-License-Identifier: Apache-2.0
 *
 * test: what every unit test includes: cmocka with the headers it wants before it, and our additions.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* cmocka 2 has two forms of assert_in_range where cmocka 1 has one, and takes a plain word for itself. */
#define CMOCKA_DISABLE_DEPRECATION_WARNINGS
#include <cmocka.h>
#undef stop

#include "tests/support/cases.h"
#include "tests/support/nth.h"
#include "tests/support/rand.h"
