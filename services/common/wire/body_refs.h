/* SPDX-License-Identifier: Apache-2.0
 *
 * body_refs: the items of a body whose data is in the store, also those of bodies inside of it: how many there are,
 * and the body as it would be with all data in its place.
 */
#pragma once
#include "wire/blob.h"
#include "wire/body.h"

/* Bodies in bodies in bodies are looked into so deep; what is deeper is data. */
#define BODY_DEPTH 4u

struct body_sum {
	size_t refs;
	uint64_t bytes; /* encoded, with all data in its place */
};

/* Where the bytes of a blob belong. */
struct body_hole {
	size_t at;
	uint64_t size;
	struct blob_hash hash;
};

/* Of a body that body_decode or body_view took. */
struct body_sum body_sum(struct span bytes);
/* Append the body of body_sum's size to b, which has room for it, and note the holes: as many as it has refs. What
 * is in them until they are filled is undefined. False: no room. */
bool body_expand(struct buf *b, struct span bytes, struct body_hole *ret_holes);
#define REFERENCE_BYTES 45u /* at most, of an item's hash and size in place of its data */

/* Which items of a body of `bytes` bytes are to be put into the store, so that the rest with references in their place
 * has at most max: the largest first; their indices go to ret, which has room for all. False: it cannot be done. */
bool body_pick(const struct body *body, size_t bytes, size_t max, size_t *ret, size_t *ret_n);
