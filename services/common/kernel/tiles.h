/* SPDX-License-Identifier: Apache-2.0
 *
 * tiles: a picture cut into rectangles in rows and columns, each with a halo of its neighbours' pixels, as wide as a
 * filter looks; what was filtered of each, without the halo, is what the filter makes of the whole.
 */
#pragma once
#include "base/check.h"
#include "base/err.h"
#include "kernel/picture.h"

struct tiles {
	uint32_t width, height; /* of the whole, >= 1 */
	uint32_t columns;       /* 1..width */
	uint32_t rows;          /* 1..height */
	uint32_t halo;
};

struct tile {
	uint32_t x, y, width, height;        /* what it is for */
	uint32_t from_x, from_y, wide, high; /* with its halo, as far as the whole reaches */
};

/* At most n >= 1 tiles of about the same size for this picture: the largest one with its halo is as small as can be. */
struct tiles tiles_plan(uint32_t width, uint32_t height, uint32_t halo, uint32_t n);
/* The i-th, row after row; i < columns * rows. */
struct tile tiles_at(const struct tiles *t, uint32_t i);
/* The tile's pixels with its halo; *ret is made by picture_init. ERR_NO_MEMORY. */
int tile_cut(const struct picture *whole, const struct tile *t, struct picture *ret,
	struct fail *why) MUST_USE;
/* Its own pixels into the whole. ERR_INVALID if it is not of the tile's size with its halo, or has other channels. */
int tile_put(struct picture *whole, const struct tile *t, const struct picture *from,
	struct fail *why) MUST_USE;
