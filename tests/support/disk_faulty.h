/* SPDX-License-Identifier: Apache-2.0
 *
 * disk_faulty: the store's calls of the disk, the n-th of which fails, once or from then on.
 */
#pragma once
#include <stdbool.h>

#include "services/store/disk_io.h"

extern const struct disk_io disk_io_faulty;

#define DISK_SHORT                                                                                 \
	(-1) /* instead of an errno: half of the bytes are read or written; other calls are spared */

/* The n-th call from now on (1: the next) fails with this errno; for_ever: all that follow, too. 0: none. EINTR spares
 * all but reads and writes. */
void disk_faulty_set(unsigned n, int cause, bool for_ever);
/* Calls since then. */
unsigned disk_faulty_calls(void);
