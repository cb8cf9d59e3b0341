/* SPDX-License-Identifier: Apache-2.0
 *
 * bpe: byte pair encoding. A vocabulary has tokens, which are bytes, and their ranks; a piece of text is cut into single
 * bytes, and the two neighbours whose join has the lowest rank become one token, again and again. What a piece is, is
 * not known here.
 */
#pragma once
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

#define BPE_NONE UINT32_MAX
#define BPE_TOKENS_MAX 1000000u   /* of a vocabulary; those of today have 100,000 to 260,000 */
#define BPE_TOKEN_BYTES_MAX 4096u /* of one; those of today have up to 256 */
#define BPE_BYTES_MAX ((uint32_t)64 << 20) /* of all */

struct bpe_row {
	uint32_t at; /* its bytes */
	uint32_t len;
	uint32_t rank;
};

/* Zeroed is empty. Once it is read it does not change, and may be used on many threads. */
struct bpe {
	unsigned char *bytes; /* of all tokens */
	uint32_t bytes_n, bytes_cap;
	struct bpe_row *rows;
	uint32_t n, cap;
	uint32_t *slots; /* by hash: row + 1, or 0 */
	uint32_t slots_n;
	uint32_t longest;
};

void bpe_done(struct bpe *b);
/* Put a token in. ERR_CONFLICT if its bytes are there, ERR_TOO_BIG above the limits, ERR_NO_MEMORY. */
int bpe_add(struct bpe *b, struct span token, uint32_t rank) MUST_USE;
/* The rank of a token, or BPE_NONE. */
uint32_t bpe_find(const struct bpe *b, struct span token);

/* Read a `.tiktoken` file into an empty vocabulary: lines of a token in base64, a blank, its rank; every single byte is
 * a token, no bytes and no rank are there twice. ERR_INVALID with field "tokenizer", the line as limit, and in words;
 * ERR_TOO_BIG, ERR_NO_MEMORY. On failure the vocabulary is empty. */
int bpe_read(struct bpe *b, struct span file, struct fail *why) MUST_USE;

/* Memory for encoding, which grows to 36 times the largest piece so far. Zeroed is empty. */
struct bpe_work {
	uint32_t *next; /* of the token that begins at a byte: where the next one begins */
	uint32_t *prev;
	uint32_t *rank; /* of it joined with the next one, or BPE_NONE */
	uint64_t *heap; /* rank and place of what may be joined */
	size_t heap_n;
	size_t cap;
};

void bpe_work_done(struct bpe_work *w);
/* The tokens of a piece: how many, or ERR_NO_MEMORY. ret: NULL, or room for a rank for each byte. The vocabulary has all
 * single bytes; the piece less than 4 GiB. O(n log n). */
int64_t bpe_encode(const struct bpe *b, struct bpe_work *w, struct span piece,
	uint32_t *ret) MUST_USE;
