/* SPDX-License-Identifier: Apache-2.0
 *
 * made: texts of each sort that a crusher takes, as programs write them.
 */
#pragma once
#include "base/buf.h"

enum made { MADE_JSON, MADE_LOG, MADE_CSV, MADE_DIFF, MADE_CODE, MADE_SORTS };

const char *made_name(enum made sort);
/* Append at least so many bytes. */
void made_text(enum made sort, size_t bytes, struct buf *to);
