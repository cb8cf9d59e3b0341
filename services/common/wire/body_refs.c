/* SPDX-License-Identifier: Apache-2.0
 *
 * body_refs: sizes first, so that every length is known when it is written and nothing moves afterwards.
 */
#include "wire/body_refs.h"

#include "base/pure.h"
#include "wire/pbread.h"
#include "wire/pbwrite.h"

enum { BODY_ITEM = 2, ITEM_NAME = 1, ITEM_MEDIA = 2, ITEM_DATA = 3, ITEM_BLOB = 4, ITEM_SIZE = 5 };

/* An item as it stands, and what it holds inside. */
struct piece {
	struct span name, media, data, blob;
	uint64_t size;
	bool is_body;
	struct body_sum inner; /* is_body: of data */
};

static bool sum(struct span s, unsigned depth, struct body_sum *ret);

static bool read_piece(struct span s, unsigned depth, struct piece *p)
{
	struct pb_field f;

	*p = (struct piece){ 0 };
	while (s.len > 0) {
		if (!pb_next(&s, &f))
			return false;
		if (f.number == ITEM_NAME)
			p->name = f.data;
		else if (f.number == ITEM_MEDIA)
			p->media = f.data;
		else if (f.number == ITEM_DATA)
			p->data = f.data;
		else if (f.number == ITEM_BLOB)
			p->blob = f.data;
		else if (f.number == ITEM_SIZE)
			p->size = f.value;
	}
	if (p->blob.len != 0 && (p->blob.len != BLOB_HASH || p->size > BLOB_BYTES_MAX))
		return false;
	p->is_body = p->blob.len == 0 && depth + 1 < BODY_DEPTH && span_is(p->media, BODY_MEDIA) &&
		     sum(p->data, depth + 1, &p->inner) && p->inner.refs > 0;
	return true;
}

static uint64_t field_size(uint64_t len)
{
	return len == 0 ? 0 : 1 + pb_varint_size(len) + len;
}

static uint64_t data_size(const struct piece *p)
{
	if (p->blob.len > 0)
		return p->size;
	return p->is_body ? p->inner.bytes : p->data.len;
}

static uint64_t piece_size(const struct piece *p)
{
	return field_size(p->name.len) + field_size(p->media.len) + field_size(data_size(p));
}

static bool sum(struct span s, unsigned depth, struct body_sum *ret)
{
	struct body_sum all = { 0 };
	struct pb_field f;

	while (s.len > 0) {
		const unsigned char *start = s.at;
		struct piece p;
		uint64_t len;

		if (!pb_next(&s, &f))
			return false;
		if (f.number != BODY_ITEM) {
			all.bytes += (uint64_t)(s.at - start);
			continue;
		}
		if (!read_piece(f.data, depth, &p))
			return false;
		len = piece_size(&p);
		all.bytes += 1 + pb_varint_size(len) + len;
		all.refs += p.blob.len > 0 ? 1 : p.is_body ? p.inner.refs : 0;
	}
	*ret = all;
	return true;
}

struct body_sum body_sum(struct span bytes)
{
	struct body_sum ret = { .bytes = bytes.len };

	return sum(bytes, 0, &ret) ? ret : (struct body_sum){ .bytes = bytes.len };
}

/* --- writing ------------------------------------------------------------------------------------------ */

static unsigned char *put_head(unsigned char *to, unsigned field, uint64_t len)
{
	return pb_varint(pb_varint(to, field << 3 | WIRE_BYTES), len);
}

static unsigned char *put_bytes(unsigned char *to, struct span s)
{
	if (s.len > 0)
		memcpy(to, s.at, s.len);
	return to + s.len;
}

static unsigned char *put_field(unsigned char *to, unsigned field, struct span s)
{
	return s.len == 0 ? to : put_bytes(put_head(to, field, s.len), s);
}

struct writing {
	unsigned char *begin;
	size_t offset; /* of begin in the buffer */
	struct body_hole *hole;
};

static unsigned char *expand(struct writing *w, unsigned char *to, struct span s, unsigned depth)
{
	struct pb_field f;

	while (s.len > 0) {
		const unsigned char *start = s.at;
		struct piece p;

		CHECK(pb_next(&s, &f));
		if (f.number != BODY_ITEM) {
			to = put_bytes(to, span_of(start, (size_t)(s.at - start)));
			continue;
		}
		CHECK(read_piece(f.data, depth, &p));
		to = put_head(to, BODY_ITEM, piece_size(&p));
		to = put_field(to, ITEM_NAME, p.name);
		to = put_field(to, ITEM_MEDIA, p.media);
		if (data_size(&p) > 0)
			to = put_head(to, ITEM_DATA, data_size(&p));
		if (p.blob.len > 0) {
			w->hole->at = w->offset + (size_t)(to - w->begin);
			w->hole->size = p.size;
			memcpy(w->hole->hash.at, p.blob.at, BLOB_HASH);
			w->hole++;
			to += p.size;
		} else {
			to = p.is_body ? expand(w, to, p.data, depth + 1) : put_bytes(to, p.data);
		}
	}
	return to;
}

bool body_expand(struct buf *b, struct span bytes, struct body_hole *ret_holes)
{
	const struct body_sum all = body_sum(bytes);
	struct writing w = { .hole = ret_holes, .offset = b->len };
	const unsigned char *end;

	w.begin = buf_room(b, all.bytes);
	if (w.begin == NULL)
		return false;
	end = expand(&w, w.begin, bytes, 0);
	CHECK((uint64_t)(end - w.begin) == all.bytes && w.hole == ret_holes + all.refs);
	buf_took(b, all.bytes);
	return true;
}

/* --- choosing ----------------------------------------------------------------------------------------- */

_Static_assert(REFERENCE_BYTES >= 2 + BLOB_HASH + 1 + PB_VARINT_BYTES, "hash and size");

static bool is_picked(const size_t *picked, size_t n, size_t i)
{
	while (n > 0 && picked[n - 1] != i)
		n--;
	return n > 0;
}

/* The largest that is not picked and would make the body smaller, or items_n. */
static size_t largest(const struct body *body, const size_t *picked, size_t n)
{
	size_t best = body->items_n;

	for (size_t i = 0; i < body->items_n; i++) {
		size_t len = body->items[i].data.len;

		if (len <= REFERENCE_BYTES ||
			(best < body->items_n && len <= body->items[best].data.len))
			continue;
		if (!is_picked(picked, n, i))
			best = i;
	}
	return best;
}

bool body_pick(const struct body *body, size_t bytes, size_t max, size_t *ret, size_t *ret_n)
{
	size_t n = 0;

	while (bytes > max) {
		size_t i = largest(body, ret, n);

		if (i == body->items_n)
			return false;
		/* The tag and length of the data shrink, too, which is not counted. */
		bytes -= body->items[i].data.len - REFERENCE_BYTES;
		ret[n++] = i;
	}
	*ret_n = n;
	return true;
}
