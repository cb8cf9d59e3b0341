/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_mem: a journal that keeps its rows in memory as a durable one does on disk, with a disk's delays and
 * crashes at hand.
 */
#pragma once
#include "router/journal.h"

/* NULL without memory. */
struct journal *journal_mem_open(void) MUST_USE;
/* on: commits wait until journal_mem_release, as they would for a disk; else they are safe at once. */
void journal_mem_hold(struct journal *j, bool on);
/* What was committed is safe now; on_safe is called. */
void journal_mem_release(struct journal *j);
/* Drop what is not safe, as a crash does; the router that used it is gone. */
void journal_mem_crash(struct journal *j);
/* Every append and commit from the n-th on fails with err (n = 0: the next one); err 0: no more. */
void journal_mem_fail(struct journal *j, unsigned n, int err);
/* Every find and find_key fails with err, while the rest goes on; err 0: no more. */
void journal_mem_hide(struct journal *j, int err);
