/* SPDX-License-Identifier: Apache-2.0
 *
 * blob: puts a blob into the store or gets one, in pieces with a window, and goes on where it broke off. The
 * memory it takes does not depend on the blob's size.
 */
#pragma once
#include "run/bus.h"
#include "run/loop.h"
#include "wire/blob.h"

struct blob_transfer;

/* Once at the start of a program that moves many blobs, on either side: pieces of a message's size, taken and freed all
 * the time, stay with the process (8 MiB at most) instead of going back to the system, which would fill each anew. */
void blob_keep_memory(void);

/* A reference that keeps a blob at least until then: named by the hour in which it ends, so that all who need the
 * blob for about as long share it, and nobody's shortens another's. */
struct blob_keeper {
	char by[24];
	int64_t expire_ms;
};
struct blob_keeper blob_keeper(int64_t until_ns);

struct blob_end {
	struct fail
		fail; /* code 0: it is there; else what the store said, ERR_TIMEOUT, ERR_NO_NODE (no store
	                   * listens), ERR_IO or what read and write returned */
	struct blob_hash hash;
	uint64_t size;
	uint32_t rounds; /* how often it was begun or gone on with */
};
/* Called once, from a later turn; the transfer may not be freed in it. */
typedef void blob_end_fn(void *ctx, const struct blob_end *e);

/* 0 or a negative error, which ends the transfer. read fills all n bytes. */
typedef int blob_read_fn(void *ctx, uint64_t offset, unsigned char *to, size_t n);
typedef int blob_write_fn(void *ctx, uint64_t offset, struct span data);

struct blob_conf {
	struct loop *loop;
	struct bus *bus;
	struct span tenant;  /* token */
	int64_t patience_ns; /* give up after so long without progress; 0: 30 s */
	blob_read_fn
		*read; /* put: the source. get: what is there already, may be NULL if have is 0 */
	blob_write_fn *write; /* get: in order */
	blob_end_fn *on_end;
	void *ctx;
	uint64_t size;      /* put */
	struct span upload; /* put: a token; the same again goes on with what has arrived */
	int64_t keep_until_ns; /* put: the store keeps it at least so long (Unix time); 0: as long as it likes */
	struct blob_hash hash; /* get */
	uint64_t have;         /* get: bytes that are there already */
};

/* keys_open came before. NULL without memory, or if a token is none or the bus refuses. */
struct blob_transfer *blob_put(const struct blob_conf *conf) MUST_USE;
struct blob_transfer *blob_get(const struct blob_conf *conf) MUST_USE;
/* Without a call of on_end if it has not ended. NULL is allowed. */
void blob_transfer_free(struct blob_transfer *t);
/* Bytes that have arrived on the other side, and of how many; 0: not known yet. */
uint64_t blob_transfer_done(const struct blob_transfer *t);
uint64_t blob_transfer_size(const struct blob_transfer *t);
