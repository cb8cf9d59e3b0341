/* SPDX-License-Identifier: Apache-2.0
 *
 * ulid: 128 bits to and from 26 characters of 5 bits, the first of which has only 3. The 13 characters in
 * front hold the bits from 65 up, so the middle one of the rest straddles the two words.
 */
#include "base/ulid.h"

#include "base/err.h"

#include "base/pure.h"

#define HALF (ULID_TEXT / 2)

static const char symbols[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* Value + 1, so that what is no symbol (0) becomes a huge number below 0. */
/* clang-format off */
static const unsigned char values[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
	['8'] = 9,  ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
	['G'] = 17, ['H'] = 18, ['J'] = 19, ['K'] = 20, ['M'] = 21, ['N'] = 22, ['P'] = 23, ['Q'] = 24,
	['R'] = 25, ['S'] = 26, ['T'] = 27, ['V'] = 28, ['W'] = 29, ['X'] = 30, ['Y'] = 31, ['Z'] = 32,
	['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['g'] = 17, ['h'] = 18,
	['j'] = 19, ['k'] = 20, ['m'] = 21, ['n'] = 22, ['p'] = 23, ['q'] = 24, ['r'] = 25, ['s'] = 26,
	['t'] = 27, ['v'] = 28, ['w'] = 29, ['x'] = 30, ['y'] = 31, ['z'] = 32,
};
/* clang-format on */

struct ulid ulid_make(int64_t unix_ms, struct prng *p)
{
	CHECK(unix_ms >= 0 && unix_ms < INT64_C(1) << 48);
	return (struct ulid){
		.hi = (uint64_t)unix_ms << 16 | prng_next(p) >> 48,
		.lo = prng_next(p),
	};
}

void ulid_text(struct ulid id, char to[ULID_TEXT + 1])
{
	uint64_t front = id.hi >> 1;
	uint64_t back = id.lo;

	for (int i = HALF - 1; i >= 0; i--) {
		to[i] = symbols[front & 31];
		front >>= 5;
	}
	for (int i = ULID_TEXT - 1; i > HALF; i--) {
		to[i] = symbols[back & 31];
		back >>= 5;
	}
	to[HALF] = symbols[(id.hi & 1) << 4 | back];
	to[ULID_TEXT] = '\0';
}

int ulid_parse(struct span s, struct ulid *ret_id)
{
	uint64_t front = 0;
	uint64_t back = 0;
	uint32_t seen = 0; /* all values or-ed: above 31 if any was no symbol */
	uint32_t value;

	if (s.len != ULID_TEXT || s.at[0] > '7')
		return ERR_INVALID;
	for (int i = 0; i < HALF; i++) {
		value = values[s.at[i]] - 1u;
		seen |= value;
		front = front << 5 | (value & 31);
	}
	for (int i = HALF + 1; i < ULID_TEXT; i++) {
		value = values[s.at[i]] - 1u;
		seen |= value;
		back = back << 5 | (value & 31);
	}
	value = values[s.at[HALF]] - 1u;
	seen |= value;
	if (seen > 31)
		return ERR_INVALID;
	ret_id->hi = front << 1 | value >> 4;
	ret_id->lo = (uint64_t)value << 60 | back;
	return 0;
}
