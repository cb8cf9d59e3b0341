/* SPDX-License-Identifier: Apache-2.0
 *
 * zip: zstd with ceilings: what would grow beyond a size or a ratio is refused before the memory is taken. A call
 * whose *stop (NULL: there is none) becomes true on another thread ends soon with ERR_CANCELLED, and b as before.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define ZIP_LEVEL_MAX 19

struct zip_dict; /* run/zip_dict.h */

/* What packs and unpacks, one thing at a time. It is dear to begin and cheap to go on with; zeroed is new. */
struct zip {
	void *packer; /* zstd's, each from its first use on */
	void *unpacker;
};

void zip_done(struct zip *z);

struct zip_how {
	int level; /* 1 to ZIP_LEVEL_MAX; of no meaning with a dictionary, which has its own */
	const struct zip_dict *dict; /* or NULL */
	bool is_bare;                /* without the checksum */
	const _Atomic bool *stop;
};

/* Append the compressed bytes (one zstd frame with content size and checksum) to b. ERR_INVALID
 * (field "level"), ERR_TOO_BIG if b's ceiling is met, ERR_NO_MEMORY; then b is as before. */
int zip_pack(struct zip *z, struct buf *b, struct span plain, const struct zip_how *how,
	struct fail *why) MUST_USE;

struct zip_caps {
	int64_t max_bytes;
	int64_t max_ratio;
	const struct zip_dict *const *dicts; /* for the frames that name one; may be NULL */
	size_t dicts_n;
	const _Atomic bool *stop;
};

/* Append the plain bytes of one or more frames to b. ERR_MALFORMED, also for bytes after the last frame and
 * for frames of other formats; ERR_TOO_BIG above max_bytes or max_ratio times the input (field "max_bytes" or
 * "max_ratio") or if a frame needs a window above 8 MiB (field "window"); ERR_UNKNOWN (field "dictionary", limit is
 * its number) if a frame's dictionary is not there; ERR_NO_MEMORY; then b is as before. Works for frames without a
 * content size. */
int zip_unpack(struct zip *z, struct buf *b, struct span packed, const struct zip_caps *caps,
	struct fail *why) MUST_USE;
