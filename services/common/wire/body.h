/* SPDX-License-Identifier: Apache-2.0
 *
 * body: the content of a task and of a result (spu.v1.Body): parameters and items. Encoded bodies can be
 * appended to each other: the later one's parameters and items follow.
 */
#pragma once
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct param {
	struct span key;   /* token with dots */
	struct span value; /* UTF-8 text */
};

struct item {
	struct span name;  /* may be empty */
	struct span media; /* media type; may be empty */
	struct span data;
	struct span blob; /* BLOB_HASH bytes: the data is in the store, and not here; else empty */
	uint64_t size;    /* of the blob */
};

static inline bool item_is_blob(const struct item *i)
{
	return i->blob.len > 0;
}
/* Wherever its data is. */
static inline uint64_t item_bytes(const struct item *i)
{
	return item_is_blob(i) ? i->size : i->data.len;
}
/* Media type of an item whose data is an encoded Body: the task that task.split is to cut, and the results
 * of parts in the body of their join. */
#define BODY_MEDIA "application/vnd.spu.body"

struct body {
	struct param *params;
	size_t params_n;
	struct item *items;
	size_t items_n;
};

/* Decode into a; the spans point into `bytes`' copy in the arena. ERR_MALFORMED, ERR_TOO_BIG, ERR_INVALID
 * (key, text or blob), ERR_NO_MEMORY. Limits: LIMIT_BODY_BYTES, LIMIT_PARAMS, LIMIT_PARAM_BYTES, LIMIT_ITEMS. */
int body_decode(struct arena *a, struct span bytes, struct body *ret, struct fail *why) MUST_USE;
/* The same without a copy and without LIMIT_BODY_BYTES, for what did not come in a message: the spans point into
 * `bytes`. */
int body_view(struct arena *a, struct span bytes, struct body *ret, struct fail *why) MUST_USE;
/* Append the encoded body to b; look at buf_err(). */
void body_encode(struct buf *b, const struct body *body);
/* Append one encoded parameter or item. */
void body_put_param(struct buf *b, struct span key, struct span value);
void body_put_int(struct buf *b, const char *key, int64_t value);
void body_put_item(struct buf *b, struct span name, struct span media, struct span data);
/* Whatever the item is. */
void body_put(struct buf *b, const struct item *item);
/* The last value of a key, or NULL. */
const struct param *body_param(const struct body *body, const char *key);
