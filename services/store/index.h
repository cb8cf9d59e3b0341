/* SPDX-License-Identifier: Apache-2.0
 *
 * index: which blobs there are, whose, who refers to them, and how many bytes each tenant holds or has reserved.
 * Pure: what it decides, the files follow. Tenants share nothing: the same bytes of two tenants are two blobs,
 * so that nobody learns what others hold.
 */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "base/slots.h"
#include "wire/blob.h"

struct index_conf {
	uint64_t bytes_max;        /* of all tenants */
	uint64_t tenant_bytes_max; /* of one */
	uint32_t blobs_max;        /* and as many references */
	uint32_t tenant_blobs_max; /* of one, uploads included, and as many references */
	uint32_t tenants_max;
	int64_t grace_ns; /* how long a blob that nobody refers to stays */
};

struct tenant {
	char name[LIMIT_TOKEN_BYTES + 1];
	uint32_t slot;
	uint64_t bytes;  /* held and reserved */
	uint32_t stakes; /* how many reservations that is: without any it can be forgotten */
	uint32_t references_n;
};

struct reference {
	struct list link;
	uint32_t slot;
	char by[LIMIT_TOKEN_BYTES + 1];
	int64_t expire_ns; /* Unix time */
};

struct blob {
	struct blob_hash hash;
	struct tenant *tenant;
	uint32_t slot;
	uint64_t size;
	int64_t touched_ns; /* when it was put, or lost its last reference */
	bool is_damaged;    /* its file was found to be: it can be put again */
	struct list references;
	uint32_t references_n;
};

struct index {
	struct index_conf conf;
	struct slots tenants, blobs, references;
	struct map tenant_by_name, blob_by_hash;
	uint64_t bytes; /* held and reserved, of all */
};

void index_init(struct index *ix, const struct index_conf *conf);
void index_done(struct index *ix);
/* The tenant, made if it is new. NULL: too many, or no memory. */
struct tenant *index_tenant(struct index *ix, struct span name);
/* Forget it if it holds nothing; NULL is allowed. */
void index_rest(struct index *ix, struct tenant *t);
/* Room for a blob of so many bytes. ERR_BUSY with field "bytes_max", "tenant_bytes_max" or "tenant_blobs_max" and the
 * limit. */
int index_reserve(struct index *ix, struct tenant *t, uint64_t bytes, struct fail *why) MUST_USE;
/* The same without a limit: they are there. */
void index_found(struct index *ix, struct tenant *t, uint64_t bytes);
void index_release(struct index *ix, struct tenant *t, uint64_t bytes);
struct blob *index_find(const struct index *ix, const struct tenant *t,
	const struct blob_hash *hash);
/* Take in a blob that is not there; its bytes were reserved. ERR_BUSY (blobs_max), ERR_NO_MEMORY. */
int index_put(struct index *ix, struct tenant *t, const struct blob_hash *hash, uint64_t size,
	int64_t now_ns, struct blob **ret, struct fail *why) MUST_USE;
/* It is gone, with its references; its bytes are free. */
void index_drop(struct index *ix, struct blob *b);
struct reference *index_reference(const struct blob *b, struct span by);
/* Is there room to refer to it so? ERR_BUSY (LIMIT_BLOB_REFERENCES, or blobs_max and tenant_blobs_max, which limit those
 * of all and of a tenant). */
int index_may_link(const struct index *ix, const struct blob *b, struct span by,
	struct fail *why) MUST_USE;
/* Refer to it, or refer longer or shorter: what is there when the store starts stays, so a tenant's own limit does not
 * count. Else as above, and ERR_NO_MEMORY. */
int index_link(struct index *ix, struct blob *b, struct span by, int64_t expire_ns,
	struct fail *why) MUST_USE;
void index_unlink(struct index *ix, struct blob *b, struct reference *r, int64_t now_ns);
/* The blob at or after slot *at, which is moved past it; NULL at the end. */
struct blob *index_next(const struct index *ix, uint32_t *at);
/* A reference of b that has expired, or NULL. */
struct reference *index_expired(const struct blob *b, int64_t now_ns);
/* Nobody refers to it, and its grace is over. */
bool index_is_garbage(const struct index *ix, const struct blob *b, int64_t now_ns);
