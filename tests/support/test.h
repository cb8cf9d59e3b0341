/* SPDX-License-Identifier: Apache-2.0
 *
 * test: what every unit test includes: cmocka with the headers it wants before it, and our additions.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/cases.h"
#include "tests/support/nth.h"
#include "tests/support/rand.h"
