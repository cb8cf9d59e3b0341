/* SPDX-License-Identifier: Apache-2.0
 *
 * scatter: where a hash belongs in a table with open addressing. Who chooses what is hashed also chooses the hashes, and
 * could put all of them into one corner of the table, where each look-up passes over all the others. So a place depends
 * on where the table lies in memory, too, which differs from process to process. What comes of the table must not depend
 * on the order of its rows.
 */
#pragma once
#include <stdint.h>

static inline uint64_t scatter(const void *table, uint64_t hash)
{
	uint64_t secret = (uint64_t)(uintptr_t)table * UINT64_C(0x9E3779B97F4A7C15);
	unsigned __int128 product = (unsigned __int128)(hash ^ secret) * (secret | 1);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}
