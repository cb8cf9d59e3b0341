/* SPDX-License-Identifier: Apache-2.0
 *
 * vocabulary: small `.tiktoken` files, made by tests.
 */
#pragma once
#include "base/buf.h"

/* A line: the token in base64, its rank. */
static inline void vocabulary_put(struct buf *file, struct span token, uint32_t rank)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < token.len; i += 3) {
		size_t n = token.len - i < 3 ? token.len - i : 3;
		uint32_t bits = (uint32_t)token.at[i] << 16;

		if (n > 1)
			bits |= (uint32_t)token.at[i + 1] << 8;
		if (n > 2)
			bits |= token.at[i + 2];
		for (size_t k = 0; k < 4; k++)
			buf_byte(file,
				(unsigned char)(k <= n ? digits[bits >> (18 - 6 * k) & 63] : '='));
	}
	buf_fmt(file, " %u\n", rank);
}

/* All single bytes, with their own values as ranks. */
static inline void vocabulary_bytes(struct buf *file)
{
	for (unsigned i = 0; i < 256; i++) {
		unsigned char byte = (unsigned char)i;

		vocabulary_put(file, span_of(&byte, 1), i);
	}
}
