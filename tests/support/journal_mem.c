/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_mem: appended rows wait in a list in their order; those that are safe are in a table.
 */
#include "tests/support/journal_mem.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/slots.h"

#define ROWS_MAX (1u << 22)

struct row {
	struct list link; /* while it is not safe */
	struct journal_image image;
	unsigned char *bytes; /* what the image's spans point into */
	size_t bytes_n;
};

struct journal_mem {
	struct journal base;
	struct slots rows; /* struct row *: safe ones */
	struct map by_row;
	struct map by_task;
	struct map by_key;
	struct list waiting;
	uint64_t committing; /* of those appended, so many are in the group that is written */
	bool hold;
	unsigned calls_left;
	int fail_err;
	int find_err;
};

static struct journal_mem *self_of(struct journal *j)
{
	return CONTAINER(j, struct journal_mem, base);
}

static void row_free(struct row *row)
{
	if (row == NULL)
		return;
	mem_free(row->bytes);
	mem_free(row);
}

static struct span keep(unsigned char **at, struct span s)
{
	struct span kept = span_of(*at, s.len);

	if (s.len > 0)
		memcpy(*at, s.at, s.len);
	*at += s.len;
	return kept;
}

static struct row *row_copy(const struct journal_image *i)
{
	struct row *row = mem_alloc(sizeof *row);
	size_t n = i->tenant.len + i->key.len + i->order.len + i->state.len;
	unsigned char *at = mem_alloc(n + 1);

	if (row == NULL || at == NULL) {
		mem_free(row);
		mem_free(at);
		return NULL;
	}
	row->bytes = at;
	row->bytes_n = n;
	row->image = *i;
	row->image.tenant = keep(&at, i->tenant);
	row->image.key = keep(&at, i->key);
	row->image.order = keep(&at, i->order);
	row->image.state = keep(&at, i->state);
	list_init(&row->link);
	return row;
}

static uint64_t key_hash(struct span tenant, struct span key)
{
	return span_hash(key, span_hash(tenant, 1));
}

static struct row *row_at(const struct journal_mem *m, uint32_t i)
{
	return *(struct row **)slots_at(&m->rows, i);
}

static uint32_t find_row(const struct journal_mem *m, uint64_t number)
{
	uint32_t at = 0, i;

	while (map_next(&m->by_row, number, &at, &i))
		if (row_at(m, i)->image.row == number)
			return i;
	return SLOT_NONE;
}

static void take_out(struct journal_mem *m, uint32_t i)
{
	struct row *row = row_at(m, i);

	m->base.kept -= row->image.life == JOURNAL_KEPT;
	map_drop(&m->by_row, row->image.row, i);
	map_drop(&m->by_task, ulid_hash(row->image.task), i);
	map_drop(&m->by_key, key_hash(row->image.tenant, row->image.key), i);
	slots_drop(&m->rows, i);
	row_free(row);
}

/* The row takes the place of an older one, whose order it keeps if it has none. */
static void apply(struct journal_mem *m, struct row *row)
{
	uint32_t i = find_row(m, row->image.row);

	list_drop(&row->link);
	if (i != SLOT_NONE && row->image.life != JOURNAL_GONE && row->image.order.len == 0) {
		struct journal_image image = row->image;
		struct row *whole;

		image.order = row_at(m, i)->image.order;
		whole = row_copy(&image);
		CHECK(whole != NULL);
		row_free(row);
		row = whole;
	}
	if (i != SLOT_NONE)
		take_out(m, i);
	if (row->image.life == JOURNAL_GONE) {
		row_free(row);
		return;
	}
	CHECK(map_reserve(&m->by_row) == 0 && map_reserve(&m->by_task) == 0 &&
		map_reserve(&m->by_key) == 0);
	i = slots_take(&m->rows);
	CHECK(i != SLOT_NONE);
	*(struct row **)slots_at(&m->rows, i) = row;
	map_put(&m->by_row, row->image.row, i);
	map_put(&m->by_task, ulid_hash(row->image.task), i);
	map_put(&m->by_key, key_hash(row->image.tenant, row->image.key), i);
	m->base.kept += row->image.life == JOURNAL_KEPT;
	if (row->image.row >= m->base.next_row)
		m->base.next_row = row->image.row + 1;
}

static int fails(struct journal_mem *m)
{
	if (m->fail_err == 0)
		return 0;
	if (m->calls_left > 0) {
		m->calls_left--;
		return 0;
	}
	return m->fail_err;
}

static int mem_append(struct journal *j, const struct journal_image *image)
{
	struct journal_mem *m = self_of(j);
	struct row *row;
	int err = fails(m);

	if (err < 0)
		return err;
	row = row_copy(image);
	if (row == NULL)
		return ERR_NO_MEMORY;
	list_push(&m->waiting, &row->link);
	j->appended++;
	j->waiting_rows++;
	j->waiting_bytes += row->bytes_n;
	return 0;
}

static void make_safe(struct journal_mem *m)
{
	for (; m->base.safe < m->committing; m->base.safe++) {
		struct row *row = CONTAINER(m->waiting.next, struct row, link);

		m->base.waiting_rows--;
		m->base.waiting_bytes -= row->bytes_n;
		apply(m, row);
	}
}

static int mem_commit(struct journal *j)
{
	struct journal_mem *m = self_of(j);
	int err = fails(m);

	if (err < 0)
		return err;
	if (m->committing > j->safe || m->committing == j->appended)
		return 0;
	m->committing = j->appended;
	j->groups++;
	if (!m->hold)
		make_safe(m);
	return 0;
}

static int mem_sync(struct journal *j)
{
	struct journal_mem *m = self_of(j);
	int err = fails(m);

	if (err < 0)
		return err;
	m->committing = j->appended;
	make_safe(m);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct row *const *x = a, *const *y = b;

	return ((*x)->image.row > (*y)->image.row) - ((*x)->image.row < (*y)->image.row);
}

static int load_life(struct journal_mem *m, enum journal_life life, uint32_t max,
	journal_row_fn *on_row, void *ctx)
{
	struct row **rows = mem_alloc((m->rows.used + 1) * sizeof *rows);
	uint32_t n = 0;

	if (rows == NULL)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < m->rows.cap; i++)
		if (slots_is_taken(&m->rows, i) && row_at(m, i)->image.life == life)
			rows[n++] = row_at(m, i);
	qsort(rows, n, sizeof(struct row *), by_number);
	for (uint32_t i = n > max ? n - max : 0; i < n; i++)
		if (!on_row(ctx, &rows[i]->image))
			break;
	mem_free(rows);
	return 0;
}

static int mem_load(struct journal *j, journal_row_fn *on_row, void *ctx)
{
	return load_life(self_of(j), JOURNAL_OPEN, UINT32_MAX, on_row, ctx);
}

static int mem_load_kept(struct journal *j, uint32_t max, journal_row_fn *on_row, void *ctx)
{
	return load_life(self_of(j), JOURNAL_KEPT, max, on_row, ctx);
}

static int mem_find(struct journal *j, struct ulid task, journal_row_fn *on_row, void *ctx,
	struct fail *why)
{
	const struct journal_mem *m = self_of(j);
	uint32_t at = 0, i;

	if (m->find_err < 0)
		return fail_set(why, m->find_err, "journal", 0, NULL);
	while (map_next(&m->by_task, ulid_hash(task), &at, &i)) {
		const struct row *row = row_at(m, i);

		if (!ulid_eq(row->image.task, task) || row->image.life != JOURNAL_KEPT)
			continue;
		on_row(ctx, &row->image);
		return 1;
	}
	return 0;
}

static int mem_find_key(struct journal *j, struct span tenant, struct span key,
	journal_row_fn *on_row, void *ctx, struct fail *why)
{
	const struct journal_mem *m = self_of(j);
	uint32_t at = 0, i;

	if (m->find_err < 0)
		return fail_set(why, m->find_err, "journal", 0, NULL);
	while (map_next(&m->by_key, key_hash(tenant, key), &at, &i)) {
		const struct row *row = row_at(m, i);

		if (!span_eq(row->image.tenant, tenant) || !span_eq(row->image.key, key))
			continue;
		on_row(ctx, &row->image);
		return 1;
	}
	return 0;
}

void journal_mem_crash(struct journal *j)
{
	struct journal_mem *m = self_of(j);

	while (!list_is_empty(&m->waiting)) {
		struct row *row = CONTAINER(m->waiting.next, struct row, link);

		list_drop(&row->link);
		row_free(row);
	}
	j->appended = j->safe = m->committing = 0;
	j->waiting_rows = j->waiting_bytes = 0;
	j->on_safe = NULL;
}

static void mem_close(struct journal *j)
{
	struct journal_mem *m = self_of(j);

	journal_mem_crash(j);
	for (uint32_t i = 0; i < m->rows.cap; i++)
		if (slots_is_taken(&m->rows, i))
			row_free(row_at(m, i));
	slots_done(&m->rows);
	map_done(&m->by_row);
	map_done(&m->by_task);
	map_done(&m->by_key);
	mem_free(m);
}

struct journal *journal_mem_open(void)
{
	static const struct journal_ops ops = { "memory", mem_append, mem_commit, mem_sync,
		mem_load, mem_load_kept, mem_find, mem_find_key, mem_close };
	struct journal_mem *m = mem_alloc(sizeof *m);

	if (m == NULL)
		return NULL;
	m->base.ops = &ops;
	m->base.next_row = 1;
	m->base.room_bytes = INT64_MAX;
	slots_init(&m->rows, sizeof(struct row *), ROWS_MAX);
	map_init(&m->by_row);
	map_init(&m->by_task);
	map_init(&m->by_key);
	list_init(&m->waiting);
	return &m->base;
}

void journal_mem_hold(struct journal *j, bool on)
{
	self_of(j)->hold = on;
}

void journal_mem_release(struct journal *j)
{
	make_safe(self_of(j));
	if (j->on_safe != NULL)
		j->on_safe(j->safe_ctx);
}

void journal_mem_fail(struct journal *j, unsigned n, int err)
{
	self_of(j)->calls_left = n;
	self_of(j)->fail_err = err;
}

void journal_mem_hide(struct journal *j, int err)
{
	self_of(j)->find_err = err;
}
