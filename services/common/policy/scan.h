/* SPDX-License-Identifier: Apache-2.0
 *
 * scan: classes of bytes as sets of bits, 64 bytes at a time, the first byte in the lowest bit: the search for the end
 * of a word is then a shift and a count of zeros instead of a branch for each byte, which no processor can predict.
 * After Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (2019), section 3.1.
 *
 * The comparisons are GCC's vector extension; only the step from a vector to bits differs: one instruction of SSE2,
 * or a multiplication. Both give the same bits.
 */
#pragma once
#include <endian.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/span.h"

#define SCAN_BYTES 64u

typedef unsigned char scan_lane __attribute__((vector_size(16)));

/* 64 bytes that may be read, of which the last ones may not belong to the text. */
struct scan_block {
	const unsigned char *at;
	unsigned before; /* so many bytes stand before the text */
	unsigned n;      /* of the text, behind those: 1 to SCAN_BYTES */
	unsigned char room[SCAN_BYTES];
};

/* The bytes of s from `from` on, which must be less than s.len. What is behind the end of a text is never read: the
 * last block of a long one begins before `from`, that of a short one is a copy. b must not move afterwards. */
static inline void scan_open(struct scan_block *b, struct span s, size_t from)
{
	size_t left = s.len - from;

	b->before = 0;
	if (left >= SCAN_BYTES) {
		b->at = s.at + from;
		b->n = SCAN_BYTES;
		return;
	}
	b->n = (unsigned)left;
	if (s.len >= SCAN_BYTES) {
		b->at = s.at + s.len - SCAN_BYTES;
		b->before = SCAN_BYTES - b->n;
		return;
	}
	memset(b->room, 0, sizeof(b->room));
	memcpy(b->room, s.at + from, left);
	b->at = b->room;
}

/* Of the bits of all 64 bytes those of the text. */
static inline uint64_t scan_cut(const struct scan_block *b, uint64_t bits)
{
	return bits >> b->before;
}

/* The bits of all bytes of the text. */
static inline uint64_t scan_all(const struct scan_block *b)
{
	return ~UINT64_C(0) >> (SCAN_BYTES - b->n);
}

/* The highest bit of each of eight bytes. */
static inline uint64_t scan_gather(uint64_t bytes)
{
	return ((bytes >> 7 & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080)) >> 56;
}

/* The highest bit of each byte, without instructions that only some processors have. */
static inline uint64_t scan_bits_plain(scan_lane lane)
{
	uint64_t halves[2];

	memcpy(halves, &lane, sizeof(halves));
	return scan_gather(le64toh(halves[0])) | scan_gather(le64toh(halves[1])) << 8;
}

static inline uint64_t scan_bits(scan_lane lane)
{
#ifdef __SSE2__
	return (uint64_t)(unsigned)_mm_movemask_epi8((__m128i)lane);
#else
	return scan_bits_plain(lane);
#endif
}

static inline scan_lane scan_load(const unsigned char *at)
{
	scan_lane lane;

	memcpy(&lane, at, sizeof(lane));
	return lane;
}

/* All bits of each byte from `first` on, n of them. */
static inline scan_lane scan_within(scan_lane bytes, unsigned char first, unsigned char n)
{
	return (scan_lane)((scan_lane)(bytes - first) <= (unsigned char)(n - 1));
}

static inline scan_lane scan_is(scan_lane bytes, unsigned char c)
{
	return (scan_lane)(bytes == c);
}

static inline scan_lane scan_letter(scan_lane bytes)
{
	return scan_within(bytes | 0x20, 'a', 26);
}

static inline scan_lane scan_digit(scan_lane bytes)
{
	return scan_within(bytes, '0', 10);
}

/* White space of ASCII. */
static inline scan_lane scan_space(scan_lane bytes)
{
	return scan_is(bytes, ' ') | scan_within(bytes, '\t', 5);
}

static inline scan_lane scan_word(scan_lane bytes)
{
	return scan_letter(bytes) | scan_digit(bytes) | scan_is(bytes, '_');
}

/* The bits of a block's 64 bytes for which `class` (one of the above, or a macro) is true. */
#define SCAN(block, class)                                                                         \
	scan_cut(block, scan_bits(class(scan_load((block)->at))) |                                 \
				scan_bits(class(scan_load((block)->at + 16))) << 16 |              \
				scan_bits(class(scan_load((block)->at + 32))) << 32 |              \
				scan_bits(class(scan_load((block)->at + 48))) << 48)
/* The bytes themselves: their highest bits are those that are no ASCII. */
#define SCAN_WIDE(bytes) (bytes)

/* How many bits are set: without a target's own instruction the compiler would call a function. */
static inline unsigned scan_count(uint64_t bits)
{
#ifdef __POPCNT__
	return (unsigned)__builtin_popcountll(bits);
#else
	bits -= bits >> 1 & UINT64_C(0x5555555555555555);
	bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
	bits = (bits + (bits >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
	return (unsigned)(bits * UINT64_C(0x0101010101010101) >> 56);
#endif
}
