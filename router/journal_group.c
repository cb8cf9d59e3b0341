/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_group: one growing buffer of bytes, an array of rows, and maps into it.
 */
#include "router/journal_group.h"

#include <string.h>

#include "base/mem.h"

#define FIRST_ROWS 256u
#define KEY_SEED 31u
#define KEEP_BYTES (4u << 20) /* what a reset leaves for the next group */

static void maps_done(struct group *g)
{
	map_done(&g->by_row);
	map_done(&g->by_task);
	map_done(&g->by_key);
}

static void maps_init(struct group *g)
{
	map_init(&g->by_row);
	map_init(&g->by_task);
	map_init(&g->by_key);
}

void group_init(struct group *g)
{
	*g = (struct group){ .n = 0 };
	buf_init(&g->bytes, GROUP_BYTES_MAX);
	maps_init(g);
}

void group_done(struct group *g)
{
	buf_done(&g->bytes);
	mem_free(g->rows);
	maps_done(g);
}

static uint64_t row_hash(uint64_t row)
{
	return row * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t key_hash(struct span tenant, struct span key)
{
	return span_hash(key, span_hash(tenant, KEY_SEED));
}

static struct span at(const struct group *g, size_t from, size_t len)
{
	return span_of(g->bytes.at + from, len);
}

struct journal_image group_image(const struct group *g, uint32_t i)
{
	const struct group_row *r = &g->rows[i];
	struct journal_image image = r->image;

	image.tenant = at(g, r->tenant_at, r->tenant_len);
	image.key = at(g, r->key_at, r->key_len);
	image.order = at(g, r->order_at, r->order_len);
	image.state = at(g, r->state_at, r->state_len);
	return image;
}

static void unmap(struct group *g, uint32_t i)
{
	struct journal_image image = group_image(g, i);

	(void)map_drop(&g->by_row, row_hash(image.row), i);
	if (image.life == JOURNAL_GONE)
		return;
	(void)map_drop(&g->by_task, ulid_hash(image.task), i);
	if (image.key.len > 0)
		(void)map_drop(&g->by_key, key_hash(image.tenant, image.key), i);
}

void group_reset(struct group *g)
{
	for (uint32_t i = 0; i < g->n; i++)
		if (!g->rows[i].replaced)
			unmap(g, i);
	g->n = 0;
	g->appended = 0;
	if (g->bytes.cap > KEEP_BYTES)
		buf_done(&g->bytes);
	buf_reset(&g->bytes);
}

static bool reserve(struct group *g)
{
	uint32_t cap = g->cap == 0 ? FIRST_ROWS : 2 * g->cap;
	struct group_row *rows;

	if (map_reserve(&g->by_row) < 0 || map_reserve(&g->by_task) < 0 ||
		map_reserve(&g->by_key) < 0)
		return false;
	if (g->n < g->cap)
		return true;
	rows = mem_grow(g->rows, cap * sizeof *rows);
	if (rows == NULL)
		return false;
	g->rows = rows;
	g->cap = cap;
	return true;
}

static size_t add(struct group *g, struct span s, size_t *ret_len)
{
	size_t from = g->bytes.len;

	buf_add(&g->bytes, s);
	*ret_len = s.len;
	return from;
}

static uint32_t find_row(const struct group *g, uint64_t row)
{
	uint32_t from = 0, i;

	while (map_next(&g->by_row, row_hash(row), &from, &i))
		if (g->rows[i].image.row == row)
			return i;
	return UINT32_MAX;
}

int group_add(struct group *g, const struct journal_image *image)
{
	size_t before = g->bytes.len;
	uint32_t old;
	struct group_row *r;

	if (!reserve(g))
		return ERR_NO_MEMORY;
	old = find_row(g, image->row);
	r = &g->rows[g->n];
	*r = (struct group_row){ .image = *image };
	r->tenant_at = add(g, image->tenant, &r->tenant_len);
	r->key_at = add(g, image->key, &r->key_len);
	r->order_at = add(g, image->order, &r->order_len);
	r->state_at = add(g, image->state, &r->state_len);
	if (buf_err(&g->bytes) < 0) {
		g->bytes.len = before;
		g->bytes.err = 0;
		return ERR_NO_MEMORY;
	}
	if (old != UINT32_MAX) {
		if (image->order.len == 0) { /* it stays what it was */
			r->order_at = g->rows[old].order_at;
			r->order_len = g->rows[old].order_len;
		}
		unmap(g, old);
		g->rows[old].replaced = true;
	}
	map_put(&g->by_row, row_hash(image->row), g->n);
	if (image->life != JOURNAL_GONE) {
		map_put(&g->by_task, ulid_hash(image->task), g->n);
		if (image->key.len > 0)
			map_put(&g->by_key, key_hash(image->tenant, image->key), g->n);
	}
	g->n++;
	g->appended++;
	return 0;
}

int group_find_row(const struct group *g, uint64_t row, struct journal_image *ret)
{
	uint32_t i = find_row(g, row);

	if (i == UINT32_MAX)
		return 0;
	*ret = group_image(g, i);
	return 1;
}

int group_find_task(const struct group *g, struct ulid task, struct journal_image *ret)
{
	uint32_t from = 0, i;

	while (map_next(&g->by_task, ulid_hash(task), &from, &i)) {
		if (!ulid_eq(g->rows[i].image.task, task))
			continue;
		*ret = group_image(g, i);
		return 1;
	}
	return 0;
}

int group_find_key(const struct group *g, struct span tenant, struct span key,
	struct journal_image *ret)
{
	uint32_t from = 0, i;

	while (map_next(&g->by_key, key_hash(tenant, key), &from, &i)) {
		*ret = group_image(g, i);
		if (span_eq(ret->tenant, tenant) && span_eq(ret->key, key))
			return 1;
	}
	return 0;
}
