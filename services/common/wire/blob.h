/* SPDX-License-Identifier: Apache-2.0
 *
 * blob: the domain structs of proto/spu/v1/blob.proto and their codecs; rules as in task.h.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"

#define BLOB_BYTES_MAX ((uint64_t)LIMIT_BLOB_MIB << 20)
#define BLOB_HASH 32
#define BLOB_HASH_TEXT 64 /* hexadecimal digits */

struct blob_hash {
	unsigned char at[BLOB_HASH];
};

static inline bool blob_hash_eq(const struct blob_hash *a, const struct blob_hash *b)
{
	return memcmp(a->at, b->at, BLOB_HASH) == 0;
}

/* Lower-case hexadecimal digits and a zero byte. */
void blob_hash_text(const struct blob_hash *h, char to[BLOB_HASH_TEXT + 1]);
/* 0 or ERR_INVALID; digits of either case. */
int blob_hash_parse(struct span text, struct blob_hash *ret) MUST_USE;

/* Numbers as in spu.v1.BlobOp. */
enum blob_op {
	BLOB_NONE,
	BLOB_STAT,
	BLOB_OPEN,
	BLOB_CHUNK,
	BLOB_COMMIT,
	BLOB_READ,
	BLOB_LINK,
	BLOB_UNLINK,
};
#define BLOB_OPS 8 /* with BLOB_NONE */

/* What an op does not use may have any value. */
struct blob_ask {
	enum blob_op op;
	struct span upload;
	struct blob_hash hash;
	uint64_t offset;
	uint64_t size;
	struct span data;
	struct span by; /* of COMMIT: may be empty, then nothing is linked */
	int64_t expire_ms;
	struct fail fail; /* code != 0: this item breaks a limit; the other fields may be unset */
};

struct blob_reply {
	struct fail fail;
	bool has_hash;
	struct blob_hash hash;
	uint64_t size;
	uint64_t offset;
	uint64_t window;
	struct span data;
	int64_t stored_ms;
	uint32_t references;
};

int blob_asks_decode(struct arena *a, struct span bytes, struct blob_ask **ret, size_t *ret_n,
	struct fail *why) MUST_USE;
void blob_asks_put(struct buf *b, const struct blob_ask *ask);
int blob_replies_decode(struct arena *a, struct span bytes, struct blob_reply **ret, size_t *ret_n,
	struct fail *why) MUST_USE;
void blob_replies_put(struct buf *b, const struct blob_reply *r);
