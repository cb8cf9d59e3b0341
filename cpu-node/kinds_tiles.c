/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_tiles: pictures in tiles: the parts of a task.map that filters them, and task.reduce of what was filtered.
 */
#include "base/fmt.h"
#include "base/limits.h"
#include "cpu-node/map.h"
#include "kernel/filter.h"
#include "kernel/tiles.h"

#define TILE_PIXELS_MIN (1u << 16) /* smaller ones cost more to pack than to filter */
#define TILE_LEVEL 1               /* of the PNG on its way */
#define WHOLE_LEVEL 6              /* as image.filter has it */

/* --- cut ---------------------------------------------------------------------------------------------- */

static uint32_t halo_of(const struct map *m)
{
	struct span name = m->chain.kinds[0];
	const struct kind_row *row = kind_find(name);
	struct body body;

	if (chain_body(m->call->arena, m->call->in, name, &body, NULL) < 0)
		return FILTER_RADIUS_MAX; /* checked before: there is no memory, and the next step says so */
	return filter_halo((enum filter)kind_choice(row, &body, "filter"),
		(unsigned)kind_int(row, &body, "radius"));
}

static int put_tile(const struct map *m, struct buf *b, const struct item *item,
	const struct picture *whole, const struct tile *tile)
{
	CLEANUP(picture_done) struct picture p = { 0 };
	CLEANUP(buf_done) struct buf png = { 0 };
	int r = tile_cut(whole, tile, &p, m->call->why);

	buf_init(&png, m->call->out->max);
	if (r == 0)
		r = picture_encode_png(&p, TILE_LEVEL, &png, m->call->why);
	if (r < 0)
		return r;
	map_part_begin(b, m);
	body_put_item(b, item->name, SPAN_LIT("image/png"), buf_span(&png));
	return map_part_end(b, m, (uint64_t)tile->wide * tile->high);
}

/* The whole picture if there would be one tile; it need not be packed again then. */
static int put_whole(const struct map *m, struct buf *b, const struct item *item, uint64_t pixels)
{
	map_part_begin(b, m);
	body_put(b, item);
	return map_part_end(b, m, pixels);
}

/* Into so many, or as many as its pace makes, each_most at most. */
static int cut_picture(struct map *m, struct buf *b, const struct item *item, uint32_t parts)
{
	uint32_t each_most = LIMIT_PARTS / (uint32_t)m->call->in->items_n;
	CLEANUP(picture_done) struct picture whole = { 0 };
	struct tiles t;
	uint64_t most;
	int r = picture_decode(item->data, &whole, m->call->why);

	if (r < 0)
		return r;
	map_pace(m, "pixel", (uint64_t)whole.width * whole.height);
	if (!m->parts_given && m->asked->unit_ps > 0 && span_is(m->asked->unit, m->unit))
		parts = m->parts_max < each_most ? m->parts_max : each_most;
	most = (uint64_t)whole.width * whole.height / TILE_PIXELS_MIN;
	t = tiles_plan(whole.width, whole.height, halo_of(m),
		most < parts ? (most == 0 ? 1 : (uint32_t)most) : parts);
	buf_fmt(&m->tiles, "%s%u %u %u %u %u %u", m->tiles.len == 0 ? "" : ";", (unsigned)t.width,
		(unsigned)t.height, (unsigned)whole.channels, (unsigned)t.columns, (unsigned)t.rows,
		(unsigned)t.halo);
	if (t.columns * t.rows == 1)
		return put_whole(m, b, item, (uint64_t)whole.width * whole.height);
	for (uint32_t i = 0; r == 0 && i < t.columns * t.rows; i++) {
		struct tile tile = tiles_at(&t, i);

		if (cpu_is_cancelled(m->call))
			return cpu_cancelled(m->call);
		r = put_tile(m, b, item, &whole, &tile);
	}
	return r;
}

int map_cut_pictures(struct map *m, struct buf *b)
{
	const struct body *in = m->call->in;
	uint32_t each;
	int r = cpu_need_items(m->call);

	if (r < 0)
		return r;
	each = m->parts_max / (uint32_t)in->items_n;
	for (size_t i = 0; r == 0 && i < in->items_n; i++)
		r = cut_picture(m, b, &in->items[i], each == 0 ? 1 : each);
	return r;
}

/* --- join --------------------------------------------------------------------------------------------- */

static int refuse(const struct cpu_call *call)
{
	return fail_set(call->why, ERR_INVALID, "tiles", 0,
		"of each picture: width, height, channels, columns, rows and halo, with blanks, "
		"and a semicolon between pictures");
}

/* "640 480 3 2 4 16" */
static int read_tiles(const struct cpu_call *call, struct span text, struct tiles *ret,
	uint32_t *ret_channels)
{
	int64_t n[6];

	for (size_t i = 0; i < ARRAY_LEN(n); i++) {
		if (fmt_int(span_cut(&text, ' '), &n[i]) < 0 || n[i] < (i == 5 ? 0 : 1) ||
			n[i] > PICTURE_SIDE_MAX)
			return refuse(call);
	}
	if (text.len > 0 || n[3] > n[0] || n[4] > n[1] || n[3] * n[4] > LIMIT_PARTS)
		return refuse(call);
	*ret = (struct tiles){ (uint32_t)n[0], (uint32_t)n[1], (uint32_t)n[3], (uint32_t)n[4],
		(uint32_t)n[5] };
	*ret_channels = (uint32_t)n[2];
	return 0;
}

static int take_tile(const struct cpu_call *call, const struct item *item, const struct tile *tile,
	struct picture *whole)
{
	CLEANUP(picture_done) struct picture p = { 0 };
	int r = picture_decode(item->data, &p, call->why);

	if (cpu_is_cancelled(call))
		return cpu_cancelled(call);
	return r < 0 ? r : tile_put(whole, tile, &p, call->why);
}

static int join_picture(const struct cpu_call *call, const struct tiles *t, uint32_t channels,
	const struct item *items)
{
	CLEANUP(picture_done) struct picture whole = { 0 };
	CLEANUP(buf_done) struct buf png = { 0 };
	int r = picture_init(&whole, t->width, t->height, channels, call->why);

	buf_init(&png, call->out->max);
	for (uint32_t i = 0; r == 0 && i < t->columns * t->rows; i++) {
		struct tile tile = tiles_at(t, i);

		r = take_tile(call, &items[i], &tile, &whole);
	}
	if (r == 0)
		r = picture_encode_png(&whole, WHOLE_LEVEL, &png, call->why);
	if (r == 0)
		body_put_item(call->out, items[0].name, SPAN_LIT("image/png"), buf_span(&png));
	return r;
}

int reduce_tiles(const struct cpu_call *call)
{
	struct span text = kind_text(call->kind, call->in, "tiles");
	const struct item *items = call->in->items;
	size_t left = call->in->items_n;
	int r = text.len == 0 ? refuse(call) : 0;

	while (r == 0 && text.len > 0) {
		struct tiles t;
		uint32_t channels = 0, n;

		r = read_tiles(call, span_cut(&text, ';'), &t, &channels);
		n = r < 0 ? 0 : t.columns * t.rows;
		if (n > left)
			r = fail_set(call->why, ERR_INVALID, "items", n,
				"there are fewer items than tiles");
		else if (n == 1)
			body_put(call->out, items);
		else if (r == 0)
			r = join_picture(call, &t, channels, items);
		items += r < 0 ? 0 : n;
		left -= r < 0 ? 0 : n;
	}
	if (r == 0 && left > 0)
		r = fail_set(call->why, ERR_INVALID, "items", 0, "there are more items than tiles");
	return r;
}
