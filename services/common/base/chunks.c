/* SPDX-License-Identifier: Apache-2.0
 *
 * chunks: a ring of copies that doubles when it is full.
 */
#include "base/chunks.h"

#include "base/err.h"
#include "base/mem.h"

#include "base/pure.h"

#define FIRST_CAP 8u

void chunks_init(struct chunks *c)
{
	*c = (struct chunks){ .rows = NULL };
}

void chunks_done(struct chunks *c)
{
	chunks_reset(c);
	mem_free(c->rows);
	chunks_init(c);
}

void chunks_reset(struct chunks *c)
{
	while (c->n > 0)
		chunks_drop_oldest(c);
	c->last = 0;
}

static struct span *row_at(const struct chunks *c, uint32_t i)
{
	return &c->rows[(c->head + i) & (c->cap - 1)];
}

/* Room for one more: rows move into a ring twice as large, the oldest first. */
static int reserve(struct chunks *c)
{
	uint32_t cap = c->cap == 0 ? FIRST_CAP : 2 * c->cap;
	struct span *rows;

	if (c->n < c->cap)
		return 0;
	rows = cap > UINT32_MAX / 2 ? NULL : mem_alloc(cap * sizeof(*rows));
	if (rows == NULL)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < c->n; i++)
		rows[i] = *row_at(c, i);
	mem_free(c->rows);
	c->rows = rows;
	c->cap = cap;
	c->head = 0;
	return 0;
}

int chunks_put(struct chunks *c, uint64_t seq, struct span data)
{
	void *copy;

	CHECK(seq > 0);
	if (seq != c->last + 1)
		chunks_reset(c);
	copy = reserve(c) < 0 ? NULL : mem_dup(data);
	if (copy == NULL)
		chunks_reset(c);
	c->last = seq;
	if (copy == NULL)
		return ERR_NO_MEMORY;
	*row_at(c, c->n++) = span_of(copy, data.len);
	c->bytes += data.len + CHUNK_COST;
	return 0;
}

void chunks_trim(struct chunks *c, size_t bytes_max)
{
	while (c->bytes > bytes_max)
		chunks_drop_oldest(c);
}

void chunks_take_oldest(struct chunks *c, struct span *ret)
{
	CHECK(c->n > 0);
	*ret = *row_at(c, 0);
	c->head = (c->head + 1) & (c->cap - 1);
	c->n--;
	c->bytes -= ret->len + CHUNK_COST;
}

void chunks_drop_oldest(struct chunks *c)
{
	struct span oldest;

	chunks_take_oldest(c, &oldest);
	mem_free((void *)(uintptr_t)oldest.at);
}

struct span chunks_at(const struct chunks *c, uint64_t seq)
{
	CHECK(chunks_has(c, seq));
	return *row_at(c, (uint32_t)(seq - chunks_oldest(c)));
}
