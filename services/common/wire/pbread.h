/* SPDX-License-Identifier: Apache-2.0
 *
 * pbread: what the decoders share. A message is walked once before protobuf-c unpacks it, because that
 * takes up to 92 bytes of memory for each byte it is given, hides zeros inside strings and knows no
 * limits: the walk holds the counts of fields and items, and that strings are text. Then the fields of
 * the unpacked message are taken one by one; the first that breaks a rule is kept in the reader.
 */
#pragma once
#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"
#include "base/ulid.h"

/* One field as it stands on the wire. */
struct pb_field {
	uint32_t number;
	unsigned wire;    /* wire type */
	uint64_t value;   /* wire type 0 */
	struct span data; /* wire type 2 */
};
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* Take the next field off *s; false if it is not whole. For what is not unpacked. */
bool pb_next(struct span *s, struct pb_field *ret);

struct pb_in {
	struct arena *arena;
	struct fail *why;             /* where the first failure goes; may be NULL */
	int err;                      /* its code, or 0 */
	bool starved;                 /* the arena gave no memory: no item can go on */
	ProtobufCAllocator allocator; /* takes from the arena */
};

void pb_in_init(struct pb_in *in, struct arena *a, struct fail *why);
/* Keep the first failure; returns its code. limit 0: none. */
int pb_refuse(struct pb_in *in, int code, const char *field, int64_t limit, const char *detail);
/* The same for what has more bytes than go: names both numbers. ERR_TOO_BIG. */
int pb_refuse_size(struct pb_in *in, const char *field, size_t bytes, size_t max);
/* Zeroed memory from the arena, or NULL and the failure is kept. */
void *pb_alloc(struct pb_in *in, size_t count, size_t size);
/* Unpack bytes into a generated struct; NULL and the failure is kept. */
void *pb_unpack(struct pb_in *in, const ProtobufCMessageDescriptor *d, struct span bytes);

/* Decode a message whose only field is the repeated message 1: each item apart, so that a broken one
 * harms no other. read fills one zeroed row; the reader's `why` and `err` are fresh for each. field names
 * the items in failures. */
typedef void pb_read_row(struct pb_in *in, struct span item, void *row);
int pb_batch(struct arena *a, struct span bytes, const char *field, size_t row_bytes,
	pb_read_row *read, void **ret_rows, size_t *ret_n, struct fail *why) MUST_USE;

/* Each takes one field. Where it breaks its rule, the failure is kept and the result is empty or zero. */
struct span pb_take_token(struct pb_in *in, const char *field, const char *s);
struct span pb_take_token_or_none(struct pb_in *in, const char *field, const char *s);
struct span pb_take_kind(struct pb_in *in, const char *field, const char *s);
struct span pb_take_text(struct pb_in *in, const char *field, const char *s);
struct ulid pb_take_ulid(struct pb_in *in, const char *field, const char *s);
struct ulid pb_take_ulid_or_none(struct pb_in *in, const char *field, const char *s);
/* At most max bytes. */
struct span pb_take_bytes(struct pb_in *in, const char *field, ProtobufCBinaryData d, size_t max);
/* 0 or more. */
int64_t pb_take_count(struct pb_in *in, const char *field, int64_t v);
uint32_t pb_take_max(struct pb_in *in, const char *field, uint32_t v, uint32_t max);
/* low <= v < end. */
int pb_take_enum(struct pb_in *in, const char *field, int v, int low, int end);
