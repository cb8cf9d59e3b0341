/* SPDX-License-Identifier: Apache-2.0
 *
 * letters: runs of ASCII letters, eight bytes at a time: most of what a text is.
 */
#pragma once
#include <endian.h>
#include <stdint.h>

#include "base/span.h"

/* The high bit of each byte that is no ASCII letter. */
static inline uint64_t letters_other(uint64_t bytes)
{
	const uint64_t each = UINT64_C(0x0101010101010101), high = UINT64_C(0x80) * each;
	uint64_t low = (bytes | UINT64_C(0x20) * each) & ~high, from_a = low + (0x80 - 'a') * each,
		 behind_z = low + (0x80 - 'z' - 1) * each;

	return (bytes | behind_z | ~from_a) & high;
}

/* Where the letters that begin at s.at[at] end. */
static inline size_t letters_end(struct span s, size_t at)
{
	for (; at + 8 <= s.len; at += 8) {
		uint64_t bytes, other;

		memcpy(&bytes, s.at + at, sizeof(bytes));
		other = letters_other(le64toh(bytes));
		if (other != 0)
			return at + (unsigned)__builtin_ctzll(other) / 8;
	}
	while (at < s.len && (unsigned)(s.at[at] | 0x20) - 'a' <= 'z' - 'a')
		at++;
	return at;
}
