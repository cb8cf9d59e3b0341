/* SPDX-License-Identifier: Apache-2.0
 *
 * limits: LIMIT_<name> for every row of proto/limits.def.
 */
#pragma once

enum limit {
#define LIMIT(name, value, unit, text) LIMIT_##name = (value),
#include "proto/limits.def"
#undef LIMIT
};
