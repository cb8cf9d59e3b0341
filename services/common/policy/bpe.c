/* SPDX-License-Identifier: Apache-2.0
 *
 * bpe: the vocabulary, and the joining with a heap of candidates: one that is out of date is known by its rank, as the
 * rank of two tokens that begin at a place is that of no other two.
 */
#include "policy/bpe.h"

#include "base/mem.h"

#include "base/pure.h"

#define FIRST_ROWS 1024u
#define FIRST_BYTES 8192u

/* --- the vocabulary ----------------------------------------------------------------------------------- */

void bpe_done(struct bpe *b)
{
	mem_free(b->bytes);
	mem_free(b->rows);
	mem_free(b->slots);
	*b = (struct bpe){ 0 };
}

static struct span bytes_of(const struct bpe *b, const struct bpe_row *row)
{
	return span_of(b->bytes + row->at, row->len);
}

/* Its slot, or a free one. */
static uint32_t slot_of(const struct bpe *b, struct span token)
{
	uint32_t at = (uint32_t)span_hash(token, 0) & (b->slots_n - 1);

	while (b->slots[at] != 0 && !span_eq(bytes_of(b, &b->rows[b->slots[at] - 1]), token))
		at = (at + 1) & (b->slots_n - 1);
	return at;
}

uint32_t bpe_find(const struct bpe *b, struct span token)
{
	uint32_t row;

	if (token.len > b->longest || b->slots_n == 0)
		return BPE_NONE;
	row = b->slots[slot_of(b, token)];
	return row == 0 ? BPE_NONE : b->rows[row - 1].rank;
}

/* Twice as many rows; less than half of the slots are taken. */
static int grow_rows(struct bpe *b)
{
	uint32_t cap = b->cap == 0 ? FIRST_ROWS : b->cap * 2;
	struct bpe_row *rows = mem_grow(b->rows, cap * sizeof(*rows));
	uint32_t *slots;

	if (rows == NULL)
		return ERR_NO_MEMORY;
	b->rows = rows;
	slots = mem_alloc((size_t)cap * 2 * sizeof(*slots));
	if (slots == NULL)
		return ERR_NO_MEMORY;
	mem_free(b->slots);
	b->slots = slots;
	b->slots_n = cap * 2;
	b->cap = cap;
	for (uint32_t i = 0; i < b->n; i++)
		b->slots[slot_of(b, bytes_of(b, &b->rows[i]))] = i + 1;
	return 0;
}

static int grow_bytes(struct bpe *b, size_t more)
{
	uint32_t cap = b->bytes_cap == 0 ? FIRST_BYTES : b->bytes_cap;
	unsigned char *bytes;

	while (cap < b->bytes_n + more)
		cap *= 2;
	if (cap == b->bytes_cap)
		return 0;
	bytes = mem_grow(b->bytes, cap);
	if (bytes == NULL)
		return ERR_NO_MEMORY;
	b->bytes = bytes;
	b->bytes_cap = cap;
	return 0;
}

int bpe_add(struct bpe *b, struct span token, uint32_t rank)
{
	uint32_t slot;
	int r = 0;

	if (token.len == 0 || token.len > BPE_TOKEN_BYTES_MAX || b->n == BPE_TOKENS_MAX ||
		b->bytes_n + token.len > BPE_BYTES_MAX)
		return ERR_TOO_BIG;
	if (b->n == b->cap)
		r = grow_rows(b);
	if (r == 0)
		r = grow_bytes(b, token.len);
	if (r < 0)
		return r;
	slot = slot_of(b, token);
	if (b->slots[slot] != 0)
		return ERR_CONFLICT;
	memcpy(b->bytes + b->bytes_n, token.at, token.len);
	b->rows[b->n] = (struct bpe_row){ b->bytes_n, (uint32_t)token.len, rank };
	b->bytes_n += (uint32_t)token.len;
	b->slots[slot] = ++b->n;
	if (token.len > b->longest)
		b->longest = (uint32_t)token.len;
	return 0;
}

/* --- candidates --------------------------------------------------------------------------------------- */

static void heap_push(struct bpe_work *w, uint32_t rank, uint32_t at)
{
	uint64_t key = (uint64_t)rank << 32 | at;
	size_t i = w->heap_n++;

	for (; i > 0 && w->heap[(i - 1) / 2] > key; i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = key;
}

static uint64_t heap_pop(struct bpe_work *w)
{
	uint64_t top = w->heap[0], last = w->heap[--w->heap_n];
	size_t i = 0, child;

	for (; (child = 2 * i + 1) < w->heap_n; i = child) {
		if (child + 1 < w->heap_n && w->heap[child + 1] < w->heap[child])
			child++;
		if (w->heap[child] >= last)
			break;
		w->heap[i] = w->heap[child];
	}
	w->heap[i] = last;
	return top;
}

/* --- encoding ----------------------------------------------------------------------------------------- */

void bpe_work_done(struct bpe_work *w)
{
	mem_free(w->next);
	*w = (struct bpe_work){ 0 };
}

/* One block. There are n - 1 candidates at first, and each of at most
 * n - 1 joins makes two more. */
static int work_grow(struct bpe_work *w, size_t n)
{
	size_t cap = w->cap == 0 ? 256 : w->cap;
	uint32_t *block;

	if (n <= w->cap)
		return 0;
	while (cap < n)
		cap *= 2;
	bpe_work_done(w);
	block = mem_alloc(cap * (3 * sizeof(*block) + 3 * sizeof(*w->heap)));
	if (block == NULL)
		return ERR_NO_MEMORY;
	*w = (struct bpe_work){ block, block + cap, block + 2 * cap, NULL, 0, cap };
	/* cap is even, so that what follows is aligned */
	w->heap = (uint64_t *)(void *)(block + 3 * cap);
	return 0;
}

/* The rank of the token at `at` joined with the next one. */
static void look(const struct bpe *b, struct bpe_work *w, struct span piece, uint32_t at)
{
	uint32_t mid = w->next[at];

	w->rank[at] = BPE_NONE;
	if (mid >= piece.len)
		return;
	w->rank[at] = bpe_find(b, span_of(piece.at + at, w->next[mid] - at));
	if (w->rank[at] != BPE_NONE)
		heap_push(w, w->rank[at], at);
}

static void join(const struct bpe *b, struct bpe_work *w, struct span piece, uint32_t at)
{
	uint32_t gone = w->next[at], end = w->next[gone];

	w->rank[gone] = BPE_NONE;
	w->next[at] = end;
	if (end < piece.len)
		w->prev[end] = at;
	look(b, w, piece, at);
	if (at > 0)
		look(b, w, piece, w->prev[at]);
}

static int64_t encode_long(const struct bpe *b, struct bpe_work *w, struct span piece,
	uint32_t *ret)
{
	uint32_t n = (uint32_t)piece.len;
	int64_t tokens = 0;

	if (work_grow(w, n) < 0)
		return ERR_NO_MEMORY;
	w->heap_n = 0;
	for (uint32_t i = 0; i < n; i++) {
		w->next[i] = i + 1;
		w->prev[i] = i - 1;
	}
	for (uint32_t i = 0; i < n; i++)
		look(b, w, piece, i);
	while (w->heap_n > 0) {
		uint64_t top = heap_pop(w);
		uint32_t at = (uint32_t)top;

		if (w->rank[at] == top >> 32)
			join(b, w, piece, at);
	}
	for (uint32_t at = 0; at < n; at = w->next[at], tokens++) {
		if (ret != NULL)
			ret[tokens] = bpe_find(b, span_of(piece.at + at, w->next[at] - at));
	}
	return tokens;
}

int64_t bpe_encode(const struct bpe *b, struct bpe_work *w, struct span piece, uint32_t *ret)
{
	uint32_t whole;

	if (piece.len == 0)
		return 0;
	CHECK(piece.len < UINT32_MAX);
	whole = bpe_find(b, piece);
	if (whole == BPE_NONE)
		return encode_long(b, w, piece, ret);
	if (ret != NULL)
		ret[0] = whole;
	return 1;
}
