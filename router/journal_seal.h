/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_seal: a sum behind each order and each state in the file, so that a row which a disk spoiled is told from a
 * whole one. It also covers what stands beside them in the row, but for tenant and key, which the order repeats.
 * It finds what a disk spoils; it is no defence against people.
 */
#pragma once
#include "router/journal.h"

#define JOURNAL_SEAL_BYTES 8u

/* What the sums of a row's order and state begin with. */
uint64_t journal_seal_order(const struct journal_image *image);
uint64_t journal_seal_state(const struct journal_image *image);
/* Write the sum of these bytes. */
void journal_seal_put(unsigned char to[JOURNAL_SEAL_BYTES], struct span bytes, uint64_t seed);
/* Take the sum off the end of *sealed; false if it does not fit. */
bool journal_seal_take(struct span *sealed, uint64_t seed) MUST_USE;
/* Take both off an image that was read; sets image->damaged if one does not fit. */
void journal_seal_open(struct journal_image *image);
