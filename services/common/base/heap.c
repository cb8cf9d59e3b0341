/* SPDX-License-Identifier: Apache-2.0
 *
 * heap: 4-ary, because four children of 16 bytes fill one cache line and the tree is half as deep as a
 * binary one. Moves leave a hole that travels; each row is written once.
 */
#include "base/heap.h"

#include "base/err.h"
#include "base/mem.h"

#include "base/pure.h"

#define ARITY 4u

void heap_init(struct heap *h)
{
	*h = (struct heap){ 0 };
}

void heap_done(struct heap *h)
{
	mem_free(h->rows);
	mem_free(h->place);
	heap_init(h);
}

static uint32_t grown(uint32_t cap, uint32_t n)
{
	uint64_t twice = cap < 64 ? 64 : 2 * (uint64_t)cap;

	return twice < n ? n : twice > UINT32_MAX - 1 ? UINT32_MAX - 1 : (uint32_t)twice;
}

int heap_reserve(struct heap *h, uint32_t n)
{
	CHECK(n < UINT32_MAX);
	if (n > h->cap) {
		uint32_t cap = grown(h->cap, n);
		struct heap_row *rows = mem_grow(h->rows, cap * sizeof(*rows));

		if (rows == NULL)
			return ERR_NO_MEMORY;
		h->rows = rows;
		h->cap = cap;
	}
	if (n > h->place_cap) {
		uint32_t cap = grown(h->place_cap, n);
		uint32_t *place = mem_grow(h->place, cap * sizeof(*place));

		if (place == NULL)
			return ERR_NO_MEMORY;
		memset(place + h->place_cap, 0, (cap - h->place_cap) * sizeof(*place));
		h->place = place;
		h->place_cap = cap;
	}
	return 0;
}

/* Without branches: which child is the least cannot be predicted. */
static inline bool is_before(struct heap_row a, struct heap_row b)
{
	return (a.key < b.key) | ((a.key == b.key) & (a.item < b.item));
}

static inline void put(struct heap *h, uint32_t at, struct heap_row row)
{
	h->rows[at] = row;
	h->place[row.item] = at + 1;
}

/* Let the row rise from the hole `at`. */
static void rise(struct heap *h, uint32_t at, struct heap_row row)
{
	while (at > 0) {
		uint32_t parent = (at - 1) / ARITY;

		if (!is_before(row, h->rows[parent]))
			break;
		put(h, at, h->rows[parent]);
		at = parent;
	}
	put(h, at, row);
}

/* The least child of `at`; not below h->len if there is none. */
static inline uint32_t least_child(const struct heap *h, uint32_t at)
{
	uint64_t first = (uint64_t)at * ARITY + 1;
	uint64_t end = first + ARITY < h->len ? first + ARITY : h->len;
	uint64_t least = first;

	for (uint64_t i = first + 1; i < end; i++)
		least = is_before(h->rows[i], h->rows[least]) ? i : least;
	return least < h->len ? (uint32_t)least : h->len;
}

/* Let the row sink from the hole `at`. */
static void sink(struct heap *h, uint32_t at, struct heap_row row)
{
	for (;;) {
		uint32_t child = least_child(h, at);

		if (child >= h->len || !is_before(h->rows[child], row))
			break;
		put(h, at, h->rows[child]);
		at = child;
	}
	put(h, at, row);
}

static void settle(struct heap *h, uint32_t at, struct heap_row row)
{
	if (at > 0 && is_before(row, h->rows[(at - 1) / ARITY]))
		rise(h, at, row);
	else
		sink(h, at, row);
}

void heap_set(struct heap *h, uint32_t item, int64_t key)
{
	struct heap_row row = { .key = key, .item = item };

	CHECK(item < h->place_cap);
	if (h->place[item] != 0) {
		settle(h, h->place[item] - 1, row);
		return;
	}
	CHECK(h->len < h->cap);
	h->len++;
	rise(h, h->len - 1, row);
}

void heap_drop(struct heap *h, uint32_t item)
{
	uint32_t at;

	if (!heap_has(h, item))
		return;
	at = h->place[item] - 1;
	h->place[item] = 0;
	h->len--;
	if (at < h->len)
		settle(h, at, h->rows[h->len]);
}
