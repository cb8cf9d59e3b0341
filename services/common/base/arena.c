/* SPDX-License-Identifier: Apache-2.0
 *
 * arena: a chain of chunks, each at least twice the one before, so that a message of any size takes few
 * requests. A reset keeps one chunk, up to KEEP_MAX: the steady state allocates nothing.
 */
#include "base/arena.h"

#include <stdarg.h>

#include "base/mem.h"

#include "base/pure.h"

#define ALIGN 16u
#define KEEP_MAX ((size_t)1 << 20)
#define FIRST_CHUNK 4000u /* with its head and malloc's, within a page */

struct arena_chunk {
	struct arena_chunk *older;
	size_t size; /* of bytes[] */
	size_t used; /* multiple of ALIGN */
	_Alignas(ALIGN) unsigned char bytes[];
};

void arena_init(struct arena *a, size_t max)
{
	/* Sizes below can then be doubled and rounded without a look at overflow. */
	if (max > SIZE_MAX / 4)
		max = SIZE_MAX / 4;
	*a = (struct arena){ .max = (max + ALIGN - 1) / ALIGN * ALIGN };
}

static struct arena_chunk *add_chunk(struct arena *a, size_t size)
{
	size_t want = a->chunks == NULL ? FIRST_CHUNK : 2 * a->chunks->size;
	struct arena_chunk *chunk;

	if (want > a->max)
		want = a->max;
	if (want < size)
		want = size;
	chunk = mem_grow(NULL, sizeof(*chunk) + want);
	if (chunk == NULL)
		return NULL;
	*chunk = (struct arena_chunk){ .older = a->chunks, .size = want };
	a->chunks = chunk;
	return chunk;
}

void *arena_raw(struct arena *a, size_t size)
{
	struct arena_chunk *chunk = a->chunks;
	void *at;

	a->full = a->full || size > a->max - a->used;
	if (size > a->max - a->used)
		return NULL;
	size = size == 0 ? ALIGN : (size + ALIGN - 1) / ALIGN * ALIGN;
	a->full = a->full || size > a->max - a->used;
	if (size > a->max - a->used)
		return NULL;
	if (chunk == NULL || size > chunk->size - chunk->used)
		chunk = add_chunk(a, size);
	if (chunk == NULL)
		return NULL;
	at = chunk->bytes + chunk->used;
	chunk->used += size;
	a->used += size;
	return at;
}

void *arena_alloc(struct arena *a, size_t size)
{
	void *at = arena_raw(a, size);

	if (at != NULL)
		memset(at, 0, size);
	return at;
}

char *arena_str(struct arena *a, struct span s)
{
	char *copy = s.len == SIZE_MAX ? NULL : arena_raw(a, s.len + 1);

	if (copy != NULL)
		span_copy(s, copy, s.len + 1);
	return copy;
}

char *arena_fmt(struct arena *a, const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = n < 0 ? NULL : arena_raw(a, (size_t)n + 1);
	if (text == NULL)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)n + 1, format, args);
	va_end(args);
	return text;
}

/* The newest chunk is the largest; the next message of the kind that needed it shall not ask for it again. One
 * that is too large to sit idle is given back. */
void arena_reset(struct arena *a)
{
	struct arena_chunk *keep = NULL;

	while (a->chunks != NULL) {
		struct arena_chunk *chunk = a->chunks;

		a->chunks = chunk->older;
		if (keep == NULL && (chunk->size <= KEEP_MAX || chunk->older == NULL))
			keep = chunk;
		else
			mem_free(chunk);
	}
	if (keep != NULL) {
		keep->older = NULL;
		keep->used = 0;
	}
	a->chunks = keep;
	a->used = 0;
	a->full = false;
}

void arena_done(struct arena *a)
{
	arena_reset(a);
	mem_free(a->chunks);
	a->chunks = NULL;
}
