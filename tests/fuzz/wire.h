/* SPDX-License-Identifier: Apache-2.0
 *
 * What the fuzz targets of the codecs share: what decodes is encoded, decoded and encoded again, and both
 * encodings must be the same. What does not decode must say why, with the code that was returned.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

#define FUZZ_ARENA_BYTES (16u << 20)
#define FUZZ_BUF_BYTES (4u << 20)

struct fuzz {
	struct arena arena;
	struct buf first;
	struct buf second;
	struct fail why;
};

static inline void fuzz_init(struct fuzz *f)
{
	*f = (struct fuzz){ 0 };
	arena_init(&f->arena, FUZZ_ARENA_BYTES);
	buf_init(&f->first, FUZZ_BUF_BYTES);
	buf_init(&f->second, FUZZ_BUF_BYTES);
}

static inline void fuzz_done(struct fuzz *f)
{
	arena_done(&f->arena);
	buf_done(&f->first);
	buf_done(&f->second);
}

/* True if r is success; else the reason must be complete. */
static inline bool fuzz_passed(const struct fuzz *f, int r)
{
	CHECK(r <= 0);
	CHECK(r == 0 || (f->why.code == r && f->why.detail[0] != 0));
	return r == 0;
}

static inline void fuzz_same(const struct fuzz *f)
{
	CHECK(buf_err(&f->first) == 0 && buf_err(&f->second) == 0);
	CHECK(span_eq(buf_span(&f->first), buf_span(&f->second)));
}

/* A target for messages that are one thing. */
#define FUZZ_MESSAGE(type, decode, encode)                                                         \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);                              \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                               \
	{                                                                                          \
		struct fuzz f;                                                                     \
		struct type x = { 0 };                                                             \
                                                                                                   \
		fuzz_init(&f);                                                                     \
		if (fuzz_passed(&f, decode(&f.arena, span_of(data, size), &x, &f.why))) {          \
			encode(&f.first, &x);                                                      \
			CHECK(decode(&f.arena, buf_span(&f.first), &x, NULL) == 0);                \
			encode(&f.second, &x);                                                     \
			fuzz_same(&f);                                                             \
		}                                                                                  \
		fuzz_done(&f);                                                                     \
		return 0;                                                                          \
	}

/* A target for batches. is_whole(row): the row can be encoded again. */
#define FUZZ_BATCH(type, decode, put, is_whole)                                                    \
	static size_t put_all(struct buf *b, const struct type *rows, size_t n)                    \
	{                                                                                          \
		size_t whole = 0;                                                                  \
                                                                                                   \
		for (size_t i = 0; i < n; i++) {                                                   \
			if (!is_whole(&rows[i]))                                                   \
				continue;                                                          \
			put(b, &rows[i]);                                                          \
			whole++;                                                                   \
		}                                                                                  \
		return whole;                                                                      \
	}                                                                                          \
                                                                                                   \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);                              \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                               \
	{                                                                                          \
		struct fuzz f;                                                                     \
		struct type *rows = NULL;                                                          \
		size_t n = 0;                                                                      \
                                                                                                   \
		fuzz_init(&f);                                                                     \
		if (fuzz_passed(&f, decode(&f.arena, span_of(data, size), &rows, &n, &f.why))) {   \
			size_t whole = put_all(&f.first, rows, n);                                 \
                                                                                                   \
			CHECK(decode(&f.arena, buf_span(&f.first), &rows, &n, NULL) == 0);         \
			CHECK(n == whole);                                                         \
			CHECK(put_all(&f.second, rows, n) == n);                                   \
			fuzz_same(&f);                                                             \
		}                                                                                  \
		fuzz_done(&f);                                                                     \
		return 0;                                                                          \
	}
