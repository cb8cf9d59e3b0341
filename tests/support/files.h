/* SPDX-License-Identifier: Apache-2.0
 *
 * files: what the kernel says of the files of this process.
 */
#pragma once

/* How many are open, to be compared with an earlier count (the one that reads the list is in both). */
unsigned files_open(void);
