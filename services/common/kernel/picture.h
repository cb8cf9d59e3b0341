/* SPDX-License-Identifier: Apache-2.0
 *
 * picture: 8-bit pictures in memory, from PNG and JPEG and to PNG. What a file declares is checked before
 * memory is taken for it. The libraries print nothing; their errors come back as a fail.
 */
#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

#define PICTURE_PIXELS_MAX (INT64_C(16) << 20) /* width * height */
#define PICTURE_SIDE_MAX INT64_C(65535)        /* width and height, each */

struct picture {
	uint32_t width;
	uint32_t height;
	uint32_t channels;     /* 1: grey; 3: red, green, blue; 4: and alpha, not premultiplied */
	unsigned char *pixels; /* height rows of width * channels bytes, without gaps; owned */
};

/* Zeroed pixels for a picture of this size; sizes beyond the limits are ERR_TOO_BIG (field "width", "height"
 * or "pixels"), zero or an unknown number of channels ERR_INVALID. *ret needs no picture_done on failure. */
int picture_init(struct picture *ret, uint32_t width, uint32_t height, uint32_t channels,
	struct fail *why) MUST_USE;
/* Also for a zeroed picture. */
void picture_done(struct picture *p);

static inline size_t picture_bytes(const struct picture *p)
{
	return (size_t)p->width * p->height * p->channels;
}

/* PNG or JPEG, told by their first bytes. Grey stays grey; palettes, 1 to 4 and 16 bits, and interlaced
 * pictures become 8 bits a channel; grey with alpha or with a transparent colour becomes 4 channels. A picture
 * cut short is ERR_MALFORMED; other formats, and JPEG in CMYK, ERR_UNSUPPORTED; and ERR_TOO_BIG,
 * ERR_NO_MEMORY. */
int picture_decode(struct span bytes, struct picture *ret, struct fail *why) MUST_USE;

/* Append the picture as PNG. level: 1 fast .. 9 small. The same picture and level give the same bytes with
 * the same zlib. ERR_TOO_BIG if it does not fit into b, or ERR_NO_MEMORY; b then keeps its old length. */
int picture_encode_png(const struct picture *p, int level, struct buf *b,
	struct fail *why) MUST_USE;
