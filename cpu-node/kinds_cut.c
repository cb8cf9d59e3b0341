/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_cut: the parts of a task.map: each a task of the kind, of task.chain where there are several, or of task.sweep
 * where there are axes.
 */
#include "base/limits.h"
#include "cpu-node/map.h"
#include "policy/pace.h"
#include "policy/split.h"
#include "wire/node.h"

#define PART_BYTES_MIN 4096u        /* smaller texts cost more than they save */
#define PART_BYTES_MAX (384u << 10) /* of texts, so that a part with its parameters is a body */
#define PARTS_MOST 992u /* of a pace: with a tree of 32 over them they are LIMIT_PARTS */
#define PART_COUNT_MIN (INT64_C(1) << 20) /* of a count: about 10 ms */

bool map_is_pictures(const struct map *m)
{
	return m->chain.n == 1 && m->cut == CUT_TILES && span_is(m->chain.kinds[0], "image.filter");
}

bool map_is_local(const struct map *m)
{
	return m->chain.n > 1 || cpu_kind_find(m->chain.kinds[0]) != NULL;
}

void map_put_facts(struct buf *b, const struct body *in)
{
	for (size_t i = 0; i < in->params_n; i++) {
		if (span_is(span_part(in->params[i].key, 0, 6), "cache."))
			body_put_param(b, in->params[i].key, in->params[i].value);
	}
}

/* Append a parameter of the first kind. */
static void put_first(struct buf *b, const struct map *m, const char *key, int64_t n)
{
	char name[LIMIT_KIND_BYTES + LIMIT_TOKEN_BYTES + 2];
	size_t len = 0;

	if (m->chain.n > 1) {
		len = span_copy(m->chain.kinds[0], name, sizeof(name));
		name[len++] = '.';
	}
	(void)span_copy(span_str(key), name + len, sizeof(name) - len);
	body_put_int(b, name, n);
}

/* Is a part a task of the kind itself? */
static bool is_plain(const struct map *m)
{
	return m->cut == CUT_GRID ? !map_is_local(m) : m->chain.n == 1;
}

static struct span part_kind(const struct map *m)
{
	if (is_plain(m))
		return m->chain.kinds[0];
	return m->cut == CUT_GRID ? SPAN_LIT("task.sweep") : SPAN_LIT("task.chain");
}

void map_pace(struct map *m, const char *unit, uint64_t units)
{
	const struct plan_asked *asked = m->asked;

	m->unit = unit;
	if (!m->parts_given && asked->unit_ps > 0 && span_is(asked->unit, unit))
		m->parts_max =
			pace_parts(units, asked->unit_ps, (uint32_t)asked->nodes, PARTS_MOST);
}

void map_part_begin(struct buf *b, const struct map *m)
{
	const struct body *in = m->call->in;

	buf_reset(b);
	map_put_facts(b, in);
	if (is_plain(m))
		chain_put_params(b, in, m->chain.kinds[0], false);
	else
		chain_put(b, in, &m->chain);
}

int map_part_end(const struct buf *b, const struct map *m, uint64_t units)
{
	struct part part = {
		.kind = part_kind(m),
		.body = buf_span(b),
		.units = units,
		.unit = span_str(m->unit),
	};

	if (buf_err(b) == ERR_NO_MEMORY)
		return cpu_no_memory(m->call);
	/* What is larger than a message has items that can go through the store; the node sees to that. */
	if (buf_err(b) < 0)
		return fail_set(m->call->why, ERR_TOO_BIG, "parts", (int64_t)b->max,
			"a part has more than %zu bytes", b->max);
	split_plan_put_part(m->call->out, &part);
	return 0;
}

static void put_piece(struct buf *b, const struct item *whole, struct span data)
{
	struct item item = *whole;

	item.data = data;
	body_put(b, &item);
}

/* Whole items, in order, in parts of similar size. */
static int cut_items(struct map *m, struct buf *b)
{
	const struct body *in = m->call->in;
	uint64_t bytes = 0, done = 0, before;
	size_t at = 0, parts;
	int r = cpu_need_items(m->call);

	for (size_t i = 0; i < in->items_n; i++)
		bytes += 1 + item_bytes(&in->items[i]);
	map_pace(m, "byte", bytes);
	parts = in->items_n < m->parts_max ? in->items_n : m->parts_max;
	for (size_t p = 0; r == 0 && p < parts; p++) {
		size_t left = parts - p - 1; /* each of those to come needs an item */

		map_part_begin(b, m);
		put_first(b, m, "split.item", (int64_t)at);
		before = done;
		do {
			done += 1 + item_bytes(&in->items[at]);
			body_put(b, &in->items[at++]);
		} while (at < in->items_n - left &&
			 done + item_bytes(&in->items[at]) / 2 < bytes * (p + 1) / parts);
		r = map_part_end(b, m, done - before);
	}
	return r;
}

/* How many parts a text makes, so that each is a body. */
static int text_parts(struct map *m, uint32_t *ret)
{
	uint64_t bytes = 0, least;

	for (size_t i = 0; i < m->call->in->items_n; i++)
		bytes += m->call->in->items[i].data.len;
	map_pace(m, "byte", bytes);
	least = bytes / PART_BYTES_MAX + 1;
	if (least > LIMIT_PARTS)
		return fail_set(m->call->why, ERR_TOO_BIG, "items", LIMIT_PARTS,
			"a text of %llu bytes has more than %d parts of %u",
			(unsigned long long)bytes, LIMIT_PARTS, PART_BYTES_MAX);
	*ret = least > m->parts_max ? (uint32_t)least : m->parts_max;
	return 0;
}

static int cut_texts(struct map *m, struct buf *b)
{
	const struct cpu_call *call = m->call;
	struct split_want want = {
		.part_min = PART_BYTES_MIN,
		.lines = m->cut == CUT_RECORDS,
	};
	struct split_piece *pieces;
	struct span *docs;
	size_t n;
	int r = cpu_need_items(call);

	if (r == 0)
		r = text_parts(m, &want.parts_max);
	if (r == 0)
		r = cpu_texts(call, &docs);
	if (r != 0)
		return r;
	if (split_docs(call->arena, docs, call->in->items_n, &want, &pieces, &n) < 0)
		return cpu_no_memory(call);
	if (n == 0)
		return fail_set(call->why, ERR_INVALID, "items", 0, "the texts are empty");
	for (size_t i = 0; r == 0 && i < n;) {
		uint32_t part = pieces[i].part;
		uint64_t bytes = 0;

		map_part_begin(b, m);
		for (; i < n && pieces[i].part == part; i++) {
			put_piece(b, &call->in->items[pieces[i].doc], pieces[i].text);
			bytes += pieces[i].text.len;
		}
		r = map_part_end(b, m, bytes);
	}
	return r;
}

/* The first kind's parameter, of the whole. */
static int64_t number_of(const struct map *m, const char *key)
{
	struct body body;
	int r = chain_body(m->call->arena, m->call->in, m->chain.kinds[0], &body, NULL);

	/* checked before */
	return r < 0 ? 0 : kind_int(kind_find(m->chain.kinds[0]), &body, key);
}

/* Nothing is made for a point of the range: cutting it costs the same for any. */
static int cut_range(struct map *m, struct buf *b)
{
	int64_t all = number_of(m, "samples"), first = number_of(m, "first");
	int64_t parts = all / PART_COUNT_MIN + 1, done = 0;
	int r = 0;

	map_pace(m, "sample", (uint64_t)all);
	if (parts > m->parts_max)
		parts = m->parts_max;
	for (int64_t p = 1; r == 0 && p <= parts; p++) {
		/* at most 10^10 times 1,024; a part begins with an even one */
		int64_t to = p == parts ? all : all * p / parts & ~INT64_C(1);

		map_part_begin(b, m);
		put_first(b, m, "first", first + done);
		put_first(b, m, "samples", to - done);
		for (size_t i = 0; i < m->call->in->items_n; i++)
			body_put(b, &m->call->in->items[i]);
		r = map_part_end(b, m, (uint64_t)(to - done));
		done = to;
	}
	return r;
}

/* The points from..to of a grid, which the part makes one by one; or one point of a kind that cannot. */
static void put_points(struct buf *b, const struct map *m, uint64_t from, uint64_t to)
{
	char room[SWEEP_VALUE_BYTES];

	if (!map_is_local(m)) {
		for (uint32_t i = 0; i < m->grid.axes_n; i++) {
			struct span key = m->grid.axes[i].key;
			size_t kind = m->chain.kinds[0].len + 1;

			body_put_param(b, span_part(key, kind, key.len),
				sweep_value(&m->grid, i, from, room));
		}
		return;
	}
	grid_put(b, m->call->in);
	body_put_int(b, "first", (int64_t)from);
	body_put_int(b, "points", (int64_t)(to - from));
	if (span_is(m->how, "sum"))
		body_put_param(b, SPAN_LIT("join"), m->how);
}

static int cut_grid(struct map *m, struct buf *b)
{
	uint64_t all = m->grid.points, done = 0;
	uint64_t most, parts;
	int r = 0;

	map_pace(m, "point", all);
	most = map_is_local(m) ? m->parts_max : LIMIT_PARTS;
	parts = all < most ? all : most;

	for (uint64_t p = 1; r == 0 && p <= parts; p++) {
		uint64_t to = all * p / parts;

		map_part_begin(b, m);
		put_points(b, m, done, to);
		for (size_t i = 0; i < m->call->in->items_n; i++)
			body_put(b, &m->call->in->items[i]);
		r = map_part_end(b, m, to - done);
		done = to;
	}
	return r;
}

/* Rows of C: each part has some rows of A, and all of B. */
static int cut_tiles(struct map *m, struct buf *b)
{
	const struct cpu_call *call = m->call;
	uint64_t rows = (uint64_t)number_of(m, "m"), row = (uint64_t)number_of(m, "k") * 4,
		 done = 0, each = row / 4 * (uint64_t)number_of(m, "n"), parts;
	int r = 0;

	map_pace(m, "product", rows * each);
	parts = rows < m->parts_max ? rows : m->parts_max;

	for (uint64_t p = 1; r == 0 && p <= parts; p++) {
		uint64_t to = rows * p / parts;

		map_part_begin(b, m);
		put_first(b, m, "m", (int64_t)(to - done));
		for (size_t i = 0; r == 0 && i < call->in->items_n; i++) {
			const struct item *item = &call->in->items[i];

			if (!span_is(item->name, "a"))
				body_put(b, item);
			else if (item->data.len == rows * row)
				put_piece(b, item,
					span_part(item->data, done * row, (to - done) * row));
			else
				r = fail_set(call->why, ERR_INVALID, "a", (int64_t)(rows * row),
					"\"a\" has %zu bytes, not m * k * 4", item->data.len);
		}
		if (r == 0)
			r = map_part_end(b, m, (to - done) * each);
		done = to;
	}
	return r;
}

int map_cut(struct map *m)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, m->call->out->max);
	switch (m->cut) {
	case CUT_DOCS:
	case CUT_RECORDS:
		return cut_texts(m, &b);
	case CUT_RANGE:
		return cut_range(m, &b);
	case CUT_TILES:
		return map_is_pictures(m) ? map_cut_pictures(m, &b) : cut_tiles(m, &b);
	case CUT_GRID:
		return cut_grid(m, &b);
	case CUT_AUTO:
	case CUT_ITEMS:
		break;
	}
	return cut_items(m, &b);
}
