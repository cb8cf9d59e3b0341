/* SPDX-License-Identifier: Apache-2.0
 *
 * tiles: borders by multiples, so that tiles differ by one pixel at most.
 */
#include "kernel/tiles.h"

#include <string.h>

#include "base/pure.h"

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t border(uint32_t all, uint32_t n, uint32_t i)
{
	return (uint32_t)((uint64_t)all * i / n);
}

/* Pixels of the largest tile. */
static uint64_t work(const struct tiles *t)
{
	uint64_t wide = (t->width + t->columns - 1) / t->columns;
	uint64_t high = (t->height + t->rows - 1) / t->rows;

	/* of two, each has one neighbour */
	wide += (uint64_t)t->halo * least(2, t->columns - 1);
	high += (uint64_t)t->halo * least(2, t->rows - 1);
	return wide * high;
}

struct tiles tiles_plan(uint32_t width, uint32_t height, uint32_t halo, uint32_t n)
{
	struct tiles best = { .width = width,
		.height = height,
		.columns = 1,
		.rows = 1,
		.halo = halo };

	CHECK(width > 0 && height > 0 && n > 0);
	for (uint32_t columns = 1; columns <= n && columns <= width; columns++) {
		struct tiles t = best;

		t.columns = columns;
		t.rows = least(n / columns, height);
		if (work(&t) < work(&best))
			best = t;
	}
	return best;
}

/* From..to along one side, and both with the halo. */
static void along(uint32_t all, uint32_t halo, uint32_t from, uint32_t to, uint32_t *ret_from,
	uint32_t *ret_size)
{
	uint32_t low = from < halo ? 0 : from - halo;

	*ret_from = low;
	*ret_size = (all - to < halo ? all : to + halo) - low;
}

struct tile tiles_at(const struct tiles *t, uint32_t i)
{
	uint32_t column = i % t->columns, row = i / t->columns;
	uint32_t to_x = border(t->width, t->columns, column + 1);
	uint32_t to_y = border(t->height, t->rows, row + 1);
	struct tile tile = {
		.x = border(t->width, t->columns, column),
		.y = border(t->height, t->rows, row),
	};

	CHECK(row < t->rows);
	tile.width = to_x - tile.x;
	tile.height = to_y - tile.y;
	along(t->width, t->halo, tile.x, to_x, &tile.from_x, &tile.wide);
	along(t->height, t->halo, tile.y, to_y, &tile.from_y, &tile.high);
	return tile;
}

static unsigned char *at(const struct picture *p, uint32_t x, uint32_t y)
{
	return p->pixels + ((size_t)y * p->width + x) * p->channels;
}

int tile_cut(const struct picture *whole, const struct tile *t, struct picture *ret,
	struct fail *why)
{
	int r = picture_init(ret, t->wide, t->high, whole->channels, why);

	for (uint32_t y = 0; r == 0 && y < t->high; y++)
		memcpy(at(ret, 0, y), at(whole, t->from_x, t->from_y + y),
			(size_t)t->wide * whole->channels);
	return r;
}

int tile_put(struct picture *whole, const struct tile *t, const struct picture *from,
	struct fail *why)
{
	if (from->width != t->wide || from->height != t->high || from->channels != whole->channels)
		return fail_set(why, ERR_INVALID, "items", 0,
			"a tile of %u x %u pixels with %u channels, not of %u x %u with %u",
			(unsigned)from->width, (unsigned)from->height, (unsigned)from->channels,
			(unsigned)t->wide, (unsigned)t->high, (unsigned)whole->channels);
	for (uint32_t y = 0; y < t->height; y++)
		memcpy(at(whole, t->x, t->y + y), at(from, t->x - t->from_x, t->y - t->from_y + y),
			(size_t)t->width * whole->channels);
	return 0;
}
