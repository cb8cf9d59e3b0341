/* SPDX-License-Identifier: Apache-2.0
 *
 * zip_dict: zstd's dictionaries: made from samples, and made ready once for many uses. A dictionary has two names: the
 * BLAKE2b-256 of its bytes, as in the store, and a number, which every frame that was packed with it carries.
 */
#pragma once
#include "run/keys.h"
#include "run/zip.h"

#define ZIP_SAMPLES_MIN 8u       /* fewer are no reason for a dictionary */
#define ZIP_SAMPLES_MAX 65536u   /* looked at */
#define ZIP_SAMPLE_BYTES 131072u /* zstd looks at no more of one */

#define ZIP_DICT_BYTES_MAX (1u << 20) /* of one that is used */

/* Append a dictionary of at most max_bytes that fits the samples, which lie one after the other in `all`, to b.
 * ERR_INVALID (field "items") if they are too few, or too little alike; ERR_TOO_BIG if it does not fit into b. */
int zip_dict_train(struct buf *b, struct span all, const size_t *sizes, size_t sizes_n,
	size_t max_bytes, struct fail *why) MUST_USE;

/* The number of a dictionary's bytes; 0: they are no dictionary. */
uint32_t zip_dict_number(struct span bytes);
/* The number that the first frame asks for; 0: none. */
uint32_t zip_dict_of_frame(struct span packed);

/* Dictionaries that are ready, bounded in number and bytes; any thread may ask. */
struct zip_dicts;

#define ZIP_DICTS_MAX 64u

/* bytes_max: of those that are kept though nobody uses them. NULL without memory. */
struct zip_dicts *zip_dicts_new(size_t bytes_max) MUST_USE;
/* Nobody uses one. NULL is allowed. */
void zip_dicts_free(struct zip_dicts *ds);
/* Make a dictionary ready, to pack at a level (1 to ZIP_LEVEL_MAX) or to unpack (0); it stays until zip_dicts_give.
 * ds NULL: nothing is kept. ERR_INVALID or ERR_TOO_BIG (field "dictionary") if the bytes are none, or more than ZIP_DICT_BYTES_MAX; ERR_NO_MEMORY. */
int zip_dicts_take(struct zip_dicts *ds, struct span bytes, int level, const struct zip_dict **ret,
	struct fail *why) MUST_USE;
void zip_dicts_give(struct zip_dicts *ds, const struct zip_dict *d);
/* Its other name: KEYS_HASH bytes. */
const unsigned char *zip_dict_hash(const struct zip_dict *d);
/* How many are kept or used. */
unsigned zip_dicts_count(struct zip_dicts *ds);
