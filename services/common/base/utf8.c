/* SPDX-License-Identifier: Apache-2.0
 *
 * utf8: the table of well-formed sequences (RFC 3629, section 4) as code.
 */
#include "base/utf8.h"

#include "base/pure.h"

/* Bytes after the lead byte, and what the first of them may be: that alone excludes over-long forms,
 * surrogates and what lies above U+10FFFF. */
struct tail {
	unsigned char bytes;
	unsigned char low;
	unsigned char high;
};

static struct tail tail_of(unsigned char lead)
{
	if (lead >= 0xC2 && lead <= 0xDF)
		return (struct tail){ 1, 0x80, 0xBF };
	if (lead >= 0xE0 && lead <= 0xEF)
		return (struct tail){ 2, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF };
	if (lead >= 0xF0 && lead <= 0xF4)
		return (struct tail){ 3, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF };
	return (struct tail){ 0, 0, 0 };
}

int utf8_step(struct span s)
{
	struct tail tail;

	if (s.len == 0)
		return 0;
	if (s.at[0] < 0x80)
		return 1;
	tail = tail_of(s.at[0]);
	if (tail.bytes == 0)
		return -1;
	for (int i = 1; i <= tail.bytes; i++) {
		unsigned char low = i == 1 ? tail.low : 0x80;
		unsigned char high = i == 1 ? tail.high : 0xBF;

		if ((size_t)i >= s.len || s.at[i] < low || s.at[i] > high)
			return -i;
	}
	return tail.bytes + 1;
}
