/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_group: rows, bytes and one map with up to three entries a row.
 */
#include "router/journal_group.h"

#include "base/mem.h"
#include "router/journal_seal.h"

#define ROWS_FIRST 256u
#define BYTES_STAY ((size_t)16 << 20) /* more is given back when the group is empty */

void journal_group_init(struct journal_group *g, uint64_t key_seed)
{
	*g = (struct journal_group){ .key_seed = key_seed };
	buf_init(&g->bytes, JOURNAL_GROUP_MAX);
	map_init(&g->map);
}

void journal_group_done(struct journal_group *g)
{
	buf_done(&g->bytes);
	map_done(&g->map);
	mem_free(g->rows);
	g->rows = NULL;
	g->rows_n = g->rows_cap = 0;
}

void journal_group_reset(struct journal_group *g)
{
	if (g->bytes.cap > BYTES_STAY) {
		journal_group_done(g);
		journal_group_init(g, g->key_seed);
	}
	buf_reset(&g->bytes);
	map_reset(&g->map);
	g->rows_n = g->kept = 0;
	g->images = 0;
}

static struct span bytes_of(const struct journal_group *g, struct journal_piece p)
{
	return span_of(g->bytes.at + p.at, p.len);
}

/* --- looking ------------------------------------------------------------------------------------------ */

static uint64_t key_hash(const struct journal_group *g, struct span tenant, struct span key)
{
	return span_hash(key, span_hash(tenant, g->key_seed));
}

static struct journal_group_row *find_row(const struct journal_group *g, uint64_t row)
{
	uint32_t at = 0, i;

	while (map_next(&g->map, row, &at, &i))
		if (g->rows[i].row == row)
			return &g->rows[i];
	return NULL;
}

const struct journal_group_row *journal_group_row(const struct journal_group *g, uint64_t row)
{
	return find_row(g, row);
}

const struct journal_group_row *journal_group_task(const struct journal_group *g, struct ulid task)
{
	uint32_t at = 0, i;

	while (map_next(&g->map, ulid_hash(task), &at, &i))
		if (g->rows[i].life == JOURNAL_KEPT && ulid_eq(g->rows[i].task, task))
			return &g->rows[i];
	return NULL;
}

const struct journal_group_row *journal_group_key(const struct journal_group *g, struct span tenant,
	struct span key)
{
	uint32_t at = 0, i;

	while (map_next(&g->map, key_hash(g, tenant, key), &at, &i)) {
		const struct journal_group_row *row = &g->rows[i];

		if (row->life == JOURNAL_KEPT && span_eq(bytes_of(g, row->key), key) &&
			span_eq(bytes_of(g, row->tenant), tenant))
			return row;
	}
	return NULL;
}

struct journal_image journal_group_sealed(const struct journal_group *g,
	const struct journal_group_row *row)
{
	return (struct journal_image){
		.row = row->row,
		.life = row->life,
		.task = row->task,
		.forget_ns = row->forget_ns,
		.tenant = bytes_of(g, row->tenant),
		.key = bytes_of(g, row->key),
		.order = bytes_of(g, row->order),
		.state = bytes_of(g, row->state),
	};
}

static struct span unsealed(struct span s)
{
	return s.len == 0 ? s : span_of(s.at, s.len - JOURNAL_SEAL_BYTES);
}

struct journal_image journal_group_image(const struct journal_group *g,
	const struct journal_group_row *row)
{
	struct journal_image image = journal_group_sealed(g, row);

	image.order = unsealed(image.order);
	image.state = unsealed(image.state);
	return image;
}

/* --- adding ------------------------------------------------------------------------------------------- */

/* Room for one more row with its entries in the map, and for the bytes, so that nothing fails half-way. */
static int reserve(struct journal_group *g, const struct journal_image *image)
{
	size_t len = image->tenant.len + image->key.len + image->order.len + image->state.len +
		     2 * JOURNAL_SEAL_BYTES;
	struct journal_group_row *rows;
	uint32_t cap = g->rows_cap == 0 ? ROWS_FIRST : g->rows_cap * 2;

	if (buf_room(&g->bytes, len) == NULL) {
		g->bytes.err = 0;
		return ERR_NO_MEMORY;
	}
	if (g->rows_n < g->rows_cap)
		return 0;
	if (g->rows_cap > UINT32_MAX / 2)
		return ERR_NO_MEMORY;
	rows = mem_grow(g->rows, cap * sizeof *rows);
	if (rows == NULL)
		return ERR_NO_MEMORY;
	g->rows = rows;
	g->rows_cap = cap;
	return 0;
}

/* Room for a piece: over the old bytes if the new ones fit there, else at the end. */
static unsigned char *room(struct journal_group *g, struct journal_piece *p, size_t len)
{
	if (len > p->room) {
		*p = (struct journal_piece){ g->bytes.len, (uint32_t)len, (uint32_t)len };
		g->bytes.len += len; /* reserved */
	}
	p->len = (uint32_t)len;
	return g->bytes.at + p->at;
}

static void put(struct journal_group *g, struct journal_piece *p, struct span s)
{
	unsigned char *to = room(g, p, s.len);

	if (s.len > 0)
		memcpy(to, s.at, s.len);
}

static void put_sealed(struct journal_group *g, struct journal_piece *p, struct span s,
	uint64_t seed)
{
	unsigned char *to = room(g, p, s.len + JOURNAL_SEAL_BYTES);

	if (s.len > 0)
		memcpy(to, s.at, s.len);
	journal_seal_put(to + s.len, s, seed);
}

/* A KEPT row can be asked for. Its entries stay when it becomes something else: who looks compares. */
static int index_row(struct journal_group *g, uint32_t i)
{
	struct journal_group_row *row = &g->rows[i];
	int err = 0;

	if (row->life != JOURNAL_KEPT)
		return 0;
	if (!row->by_task) {
		err = map_reserve(&g->map);
		if (err < 0)
			return err;
		map_put(&g->map, ulid_hash(row->task), i);
		row->by_task = true;
	}
	if (!row->by_key && row->key.len > 0) {
		err = map_reserve(&g->map);
		if (err < 0)
			return err;
		map_put(&g->map, key_hash(g, bytes_of(g, row->tenant), bytes_of(g, row->key)), i);
		row->by_key = true;
	}
	return err;
}

static struct journal_group_row *new_row(struct journal_group *g, uint64_t number)
{
	struct journal_group_row *row;

	if (map_reserve(&g->map) < 0)
		return NULL;
	map_put(&g->map, number, g->rows_n);
	row = &g->rows[g->rows_n++];
	*row = (struct journal_group_row){ .row = number };
	return row;
}

int journal_group_add(struct journal_group *g, const struct journal_image *image)
{
	struct journal_group_row *row;
	bool was_kept;

	CHECK(image->row != 0);
	if (reserve(g, image) < 0)
		return ERR_NO_MEMORY;
	row = find_row(g, image->row);
	if (row == NULL)
		row = new_row(g, image->row);
	if (row == NULL)
		return ERR_NO_MEMORY;
	was_kept = row->life == JOURNAL_KEPT;
	row->life = image->life;
	if (image->life != JOURNAL_GONE) {
		row->task = image->task;
		row->forget_ns = image->forget_ns;
		put(g, &row->tenant, image->tenant);
		put(g, &row->key, image->key);
		put_sealed(g, &row->state, image->state, journal_seal_state(image));
		if (image->order.len > 0)
			put_sealed(g, &row->order, image->order, journal_seal_order(image));
	}
	g->kept += (row->life == JOURNAL_KEPT) - was_kept;
	g->images++;
	return index_row(g, (uint32_t)(row - g->rows));
}
