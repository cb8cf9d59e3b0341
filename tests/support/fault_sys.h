/* SPDX-License-Identifier: Apache-2.0
 *
 * fault_sys: the calls that a journal makes of the system, SQLite's and its own, all of them counted; the n-th fails.
 * SQLite's go through the table that it has for that; the flushes through fsync and fdatasync of this file; the
 * journal's own, where the linker was told to (--wrap, see the Makefile).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What happens to the call, besides the errno values, which are positive. */
#define FAULT_SHORT (-1) /* half of the bytes are read or written; other calls are spared */

/* Once in a program. */
void fault_sys_install(void);
/* Count from 1 on from now, and let the n-th call (0: none) fail with this errno or FAULT_SHORT; always: all after it,
 * too. EINTR spares calls that never give it. */
void fault_sys_at(uint64_t n, int how, bool always);
/* Nothing fails any more, nothing is counted. */
void fault_sys_off(void);
/* Calls that were counted, and those that failed. */
uint64_t fault_sys_calls(void);
uint64_t fault_sys_failed(void);
/* The name of the first call that failed, or "". */
const char *fault_sys_first(void);
/* How often each call was made since the program began. */
void fault_sys_tell(FILE *to);
