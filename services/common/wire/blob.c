/* SPDX-License-Identifier: Apache-2.0
 *
 * blob: codecs of BlobAsks and BlobReplies.
 */
#include "wire/blob.h"

#include "base/pure.h"
#include "spu/v1/blob.pb-c.h"
#include "wire/pbshared.h"

#define ITEM_EXPECT 100u /* bytes of an item besides its data */

/* Which fields an op needs. */
enum {
	HAS_UPLOAD = 1,
	HAS_HASH = 2,
	HAS_SIZE = 4,
	HAS_DATA = 8,
	HAS_BY = 16,
	HAS_EXPIRY = 32,
	MAY_BY = 64
};

static const unsigned needs[BLOB_OPS] = {
	[BLOB_STAT] = HAS_HASH,
	[BLOB_OPEN] = HAS_UPLOAD | HAS_SIZE,
	[BLOB_CHUNK] = HAS_UPLOAD | HAS_DATA,
	[BLOB_COMMIT] = HAS_UPLOAD | HAS_HASH | HAS_SIZE | MAY_BY | HAS_EXPIRY,
	[BLOB_READ] = HAS_HASH | HAS_SIZE,
	[BLOB_LINK] = HAS_HASH | HAS_BY | HAS_EXPIRY,
	[BLOB_UNLINK] = HAS_HASH | HAS_BY,
};

void blob_hash_text(const struct blob_hash *h, char to[BLOB_HASH_TEXT + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < BLOB_HASH; i++) {
		to[2 * i] = digits[h->at[i] >> 4];
		to[2 * i + 1] = digits[h->at[i] & 15];
	}
	to[BLOB_HASH_TEXT] = '\0';
}

static int digit_of(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int blob_hash_parse(struct span text, struct blob_hash *ret)
{
	struct blob_hash h;

	if (text.len != BLOB_HASH_TEXT)
		return ERR_INVALID;
	for (unsigned i = 0; i < BLOB_HASH; i++) {
		int high = digit_of(text.at[2 * i]), low = digit_of(text.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return ERR_INVALID;
		h.at[i] = (unsigned char)(high << 4 | low);
	}
	*ret = h;
	return 0;
}

static void hash_read(struct pb_in *in, ProtobufCBinaryData d, struct blob_hash *ret)
{
	if (d.len == BLOB_HASH)
		memcpy(ret->at, d.data, BLOB_HASH);
	else
		pb_refuse(in, ERR_INVALID, "hash", BLOB_HASH, "a hash has 32 bytes");
}

static uint64_t size_read(struct pb_in *in, const char *field, uint64_t v)
{
	if (v <= BLOB_BYTES_MAX)
		return v;
	pb_refuse(in, ERR_TOO_BIG, field, (int64_t)BLOB_BYTES_MAX, "larger than a blob can be");
	return 0;
}

static void ask_fields(struct pb_in *in, const Spu__V1__BlobAsk *m, struct blob_ask *q)
{
	unsigned need;

	q->op = (enum blob_op)pb_take_enum(in, "op", (int)m->op, BLOB_STAT, BLOB_OPS);
	need = needs[q->op];
	q->offset = size_read(in, "offset", m->offset);
	if ((need & HAS_UPLOAD) != 0)
		q->upload = pb_take_token(in, "upload", m->upload);
	if ((need & HAS_HASH) != 0)
		hash_read(in, m->hash, &q->hash);
	if ((need & HAS_SIZE) != 0)
		q->size = size_read(in, "size", m->size);
	if ((need & HAS_DATA) != 0)
		q->data = pb_take_bytes(in, "data", m->data, LIMIT_BLOB_CHUNK_BYTES);
	if ((need & HAS_BY) != 0)
		q->by = pb_take_token(in, "by", m->by);
	if ((need & MAY_BY) != 0)
		q->by = pb_take_token_or_none(in, "by", m->by);
	if ((need & HAS_EXPIRY) != 0)
		q->expire_ms = pb_take_count(in, "expire_ms", m->expire_ms);
}

static void ask_read(struct pb_in *in, struct span item, void *row)
{
	struct blob_ask *q = row;
	const Spu__V1__BlobAsk *m;

	in->why = &q->fail;
	m = pb_unpack(in, &spu__v1__blob_ask__descriptor, item);
	if (m != NULL)
		ask_fields(in, m, q);
}

int blob_asks_decode(struct arena *a, struct span bytes, struct blob_ask **ret, size_t *ret_n,
	struct fail *why)
{
	void *rows = NULL;
	int r = pb_batch(a, bytes, "ask", sizeof(struct blob_ask), ask_read, &rows, ret_n, why);

	if (r == 0)
		*ret = rows;
	return r;
}

void blob_asks_put(struct buf *b, const struct blob_ask *q)
{
	struct pb_mark m = pb_open(b, 1, q->data.len + ITEM_EXPECT);
	unsigned need = needs[q->op];

	pb_int(b, 1, q->op);
	if ((need & HAS_UPLOAD) != 0)
		pb_bytes(b, 2, q->upload);
	if ((need & HAS_HASH) != 0)
		pb_bytes(b, 3, span_of(q->hash.at, BLOB_HASH));
	pb_int(b, 4, q->offset);
	if ((need & HAS_SIZE) != 0)
		pb_int(b, 5, q->size);
	if ((need & HAS_DATA) != 0)
		pb_bytes(b, 6, q->data);
	if ((need & (HAS_BY | MAY_BY)) != 0)
		pb_bytes(b, 7, q->by);
	if ((need & HAS_EXPIRY) != 0)
		pb_int(b, 8, (uint64_t)q->expire_ms);
	pb_close(b, m);
}

static void reply_fields(struct pb_in *in, const Spu__V1__BlobReply *m, struct blob_reply *r)
{
	struct fail refused = { 0 };

	r->has_hash = m->hash.len > 0;
	if (r->has_hash)
		hash_read(in, m->hash, &r->hash);
	r->size = size_read(in, "size", m->size);
	r->offset = size_read(in, "offset", m->offset);
	r->window = size_read(in, "window", m->window);
	r->data = pb_take_bytes(in, "data", m->data, LIMIT_BLOB_CHUNK_BYTES);
	r->stored_ms = pb_take_count(in, "stored_ms", m->stored_ms);
	r->references = m->references;
	fail_read(in, m->error, &refused);
	if (in->err == 0)
		r->fail = refused;
}

static void reply_read(struct pb_in *in, struct span item, void *row)
{
	struct blob_reply *r = row;
	const Spu__V1__BlobReply *m;

	in->why = &r->fail;
	m = pb_unpack(in, &spu__v1__blob_reply__descriptor, item);
	if (m != NULL)
		reply_fields(in, m, r);
}

int blob_replies_decode(struct arena *a, struct span bytes, struct blob_reply **ret, size_t *ret_n,
	struct fail *why)
{
	void *rows = NULL;
	int r = pb_batch(a, bytes, "reply", sizeof(struct blob_reply), reply_read, &rows, ret_n,
		why);

	if (r == 0)
		*ret = rows;
	return r;
}

void blob_replies_put(struct buf *b, const struct blob_reply *r)
{
	struct pb_mark m = pb_open(b, 1, r->data.len + ITEM_EXPECT);

	fail_put(b, 1, &r->fail);
	if (r->has_hash)
		pb_bytes(b, 2, span_of(r->hash.at, BLOB_HASH));
	pb_int(b, 3, r->size);
	pb_int(b, 4, r->offset);
	pb_int(b, 5, r->window);
	pb_bytes(b, 6, r->data);
	pb_int(b, 7, (uint64_t)r->stored_ms);
	pb_int(b, 8, r->references);
	pb_close(b, m);
}
