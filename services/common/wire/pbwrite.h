/* SPDX-License-Identifier: Apache-2.0
 *
 * pbwrite: protobuf's wire format, written straight into a buf. The encoders use it where packing through a
 * generated struct would first copy every span into a C string. Fields that hold their default are left
 * out, as proto3 does. What does not fit marks the buf; tests decode all of it with the generated code.
 */
#pragma once
#include <string.h>

#include "base/buf.h"
#include "base/fmt.h"
#include "base/limits.h"
#include "base/span.h"
#include "base/ulid.h"

#define PB_VARINT_BYTES 10 /* the longest varint */
#define PB_TAG_BYTES 5     /* the longest tag */

/* A message that is open: where its length stands, and how wide that is. */
struct pb_mark {
	size_t start; /* of its tag: what pb_close cuts back to if it did not fit */
	size_t at;    /* of its length */
	size_t width;
};

static inline size_t pb_varint_size(uint64_t v)
{
	return (size_t)(63 - __builtin_clzll(v | 1)) / 7 + 1;
}

/* Returns the first byte after it. */
static inline unsigned char *pb_varint(unsigned char *to, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*to++ = (unsigned char)(v | 0x80);
	*to++ = (unsigned char)v;
	return to;
}

/* buf_room without the call, where the room is there. */
static inline unsigned char *pb_room(struct buf *b, size_t n)
{
	if (b->err == 0 && n <= b->cap - b->len && n <= b->max - b->len)
		return b->at + b->len;
	return buf_room(b, n);
}

static inline void pb_took(struct buf *b, const unsigned char *end)
{
	b->len = (size_t)(end - b->at);
}

/* Integers, booleans and enums. */
static inline void pb_int(struct buf *b, unsigned field, uint64_t v)
{
	unsigned char *at = v == 0 ? NULL : pb_room(b, PB_TAG_BYTES + PB_VARINT_BYTES);

	if (at != NULL)
		pb_took(b, pb_varint(pb_varint(at, field << 3), v));
}

/* The tag and length of a field of n bytes, with room for them; NULL if there is none. */
static inline unsigned char *pb_head(struct buf *b, unsigned field, size_t n)
{
	unsigned char *at = pb_room(b, PB_TAG_BYTES + PB_VARINT_BYTES + n);

	return at == NULL ? NULL : pb_varint(pb_varint(at, field << 3 | 2), n);
}

static inline void pb_bytes(struct buf *b, unsigned field, struct span s)
{
	unsigned char *at = s.len == 0 ? NULL : pb_head(b, field, s.len);

	if (at == NULL)
		return;
	memcpy(at, s.at, s.len);
	pb_took(b, at + s.len);
}

static inline void pb_ulid(struct buf *b, unsigned field, struct ulid id)
{
	unsigned char *at = ulid_is_zero(id) ? NULL : pb_room(b, PB_TAG_BYTES + 1 + ULID_TEXT + 1);

	if (at == NULL)
		return;
	at = pb_varint(pb_varint(at, field << 3 | 2), ULID_TEXT);
	ulid_text(id, (char *)at);
	pb_took(b, at + ULID_TEXT);
}

/* A text for people, clipped to LIMIT_TEXT_BYTES. One that is no UTF-8 would be refused with all that
 * stands beside it: its strange bytes become question marks. */
static inline void pb_text(struct buf *b, unsigned field, struct span s)
{
	struct span text = fmt_clip(s, LIMIT_TEXT_BYTES);
	size_t from = b->len;

	pb_bytes(b, field, text);
	if (b->err != 0 || b->len == from || fmt_is_text(text))
		return;
	for (unsigned char *at = b->at + b->len - text.len; at < b->at + b->len; at++)
		if (*at == 0 || *at >= 0x80)
			*at = '?';
}

/* Open a message inside. expect: a guess at its length; only a bad one costs anything (a move). */
static inline struct pb_mark pb_open(struct buf *b, unsigned field, size_t expect)
{
	struct pb_mark m = { .start = b->len, .width = pb_varint_size(expect) };
	unsigned char *at = pb_room(b, PB_TAG_BYTES + PB_VARINT_BYTES);

	if (at == NULL)
		return m;
	at = pb_varint(at, field << 3 | 2);
	m.at = (size_t)(at - b->at);
	pb_took(b, at + m.width);
	return m;
}

/* Close it. If anything did not fit, nothing of it stays. */
static inline void pb_close(struct buf *b, struct pb_mark m)
{
	size_t len = b->len - m.at - m.width;
	size_t width = pb_varint_size(len);

	if (b->err == 0 && width > m.width)
		(void)buf_room(b, width - m.width);
	if (b->err != 0) {
		b->len = m.start;
		return;
	}
	if (width != m.width)
		memmove(b->at + m.at + width, b->at + m.at + m.width, len);
	pb_varint(b->at + m.at, len);
	b->len = m.at + width + len;
}
