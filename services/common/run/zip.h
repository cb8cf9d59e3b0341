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

/* Append the compressed bytes (one zstd frame with content size and checksum) to b. level: 1 to 19. ERR_INVALID
 * (field "level"), ERR_TOO_BIG if b's ceiling is met, ERR_NO_MEMORY; then b is as before. */
int zip_pack(struct buf *b, struct span plain, int level, const _Atomic bool *stop,
	struct fail *why) MUST_USE;
/* Append the plain bytes of one or more frames to b. ERR_MALFORMED, also for bytes after the last frame and
 * for frames of other formats; ERR_TOO_BIG above max_bytes or max_ratio times the input (field "max_bytes" or
 * "max_ratio") or if a frame needs a window above 8 MiB (field "window"); ERR_NO_MEMORY; then b is as before.
 * Works for frames without a content size. */
int zip_unpack(struct buf *b, struct span packed, int64_t max_bytes, int64_t max_ratio,
	const _Atomic bool *stop, struct fail *why) MUST_USE;
