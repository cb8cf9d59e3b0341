/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_tokenizer: the first byte chooses the family, what follows up to a zero byte are lines of a vocabulary behind those of
 * all single bytes, the rest is the text. A vocabulary that is none is refused with its line; the tokens of a text are
 * the text.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "policy/bpe.h"
#include "run/tokenizer.h"
#include "tests/support/vocabulary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The row of a rank; the slowest way. */
static struct span token_of(const struct bpe *b, uint32_t rank)
{
	for (uint32_t i = 0; i < b->n; i++) {
		if (b->rows[i].rank == rank)
			return span_of(b->bytes + b->rows[i].at, b->rows[i].len);
	}
	CHECK(false);
	return (struct span){ 0 };
}

static void check_text(enum tokens_family family, struct span file, struct span text)
{
	uint32_t *ranks = malloc((text.len + 1) * sizeof(*ranks));
	struct tokenizer *t = tokenizer_read(family, file, NULL);
	struct bpe b = { 0 };
	size_t at = 0;
	int64_t n;

	CHECK(ranks != NULL && t != NULL && bpe_read(&b, file, NULL) == 0);
	n = tokenizer_encode(t, text, ranks);
	CHECK(n >= 0 && (size_t)n <= text.len && tokenizer_encode(t, text, NULL) == n);
	for (int64_t i = 0; i < n; i++) {
		struct span token = token_of(&b, ranks[i]);

		CHECK(span_eq(token, span_part(text, at, token.len)));
		at += token.len;
	}
	CHECK(at == text.len);
	bpe_done(&b);
	tokenizer_close(t);
	free(ranks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum tokens_family families[] = { TOKENS_O200K, TOKENS_CL100K, TOKENS_LLAMA,
		TOKENS_QWEN };
	enum tokens_family family = families[size == 0 ? 0 : data[0] % ARRAY_LEN(families)];
	struct span text = span_part(span_of(data, size), 1, size), lines = span_cut(&text, '\0');
	CLEANUP(buf_done) struct buf file = { 0 };
	struct fail why = { 0 };
	struct bpe b = { 0 };
	int r = bpe_read(&b, lines, &why);

	CHECK(r == ERR_INVALID || r == ERR_TOO_BIG);
	buf_init(&file, size + (1 << 16));
	vocabulary_bytes(&file);
	buf_add(&file, lines);
	r = bpe_read(&b, buf_span(&file), &why);
	CHECK(r == 0 || ((r == ERR_INVALID || r == ERR_TOO_BIG) && why.limit > 256 && b.n == 0));
	bpe_done(&b);
	if (r == 0)
		check_text(family, buf_span(&file), text);
	return 0;
}
