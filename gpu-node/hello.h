/* SPDX-License-Identifier: Apache-2.0
 *
 * hello: what children say in words, checked and cut to size.
 */
#pragma once
#include "gpu-node/child.h"

/* A HELLO. ERR_MALFORMED if it is no Body, has no name, or a number that is none; ERR_NO_MEMORY. */
int hello_read(struct span body, struct child_facts *ret) MUST_USE;
/* A FAILED: always a fail with a code, ERR_BUG if the child's was none. */
void hello_read_fail(const struct frame *frame, struct fail *ret);
