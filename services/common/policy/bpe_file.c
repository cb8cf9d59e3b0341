/* SPDX-License-Identifier: Apache-2.0
 *
 * bpe_file: vocabularies as `.tiktoken` files.
 */
#include "base/fmt.h"
#include "base/mem.h"
#include "policy/bpe.h"

#include "base/pure.h"

struct reader {
	struct bpe *bpe;
	unsigned char *ranks; /* a bit for each that was seen, below BPE_TOKENS_MAX * 2 */
	int64_t line;
	struct fail *why;
};

#define RANKS_MAX (BPE_TOKENS_MAX * 2)

static int refuse(const struct reader *r, int code, const char *what)
{
	return fail_set(r->why, code, "tokenizer", r->line, "line %lld: %s", (long long)r->line,
		what);
}

static int digit_of(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Base64 with its padding; the number of bytes, or ERR_INVALID. */
static int decode(struct span text, unsigned char *to)
{
	size_t pad = 0, n = 0;
	uint32_t bits = 0;

	if (text.len == 0 || text.len % 4 != 0 || text.len / 4 * 3 > BPE_TOKEN_BYTES_MAX)
		return ERR_INVALID;
	while (pad < 2 && text.at[text.len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < text.len; i++) {
		int digit = i < text.len - pad ? digit_of(text.at[i]) : 0;

		if (digit < 0)
			return ERR_INVALID;
		bits = bits << 6 | (uint32_t)digit;
		if (i % 4 != 3)
			continue;
		to[n++] = (unsigned char)(bits >> 16);
		to[n++] = (unsigned char)(bits >> 8);
		to[n++] = (unsigned char)bits;
	}
	for (size_t i = 1; i <= pad; i++) { /* bits that no byte has */
		if (to[n - i] != 0)
			return ERR_INVALID;
	}
	return (int)(n - pad);
}

static int read_rank(struct reader *r, struct span text, uint32_t *ret)
{
	int64_t rank;

	if (fmt_int(text, &rank) < 0 || rank < 0)
		return refuse(r, ERR_INVALID, "its rank is no number");
	if (rank >= RANKS_MAX)
		return refuse(r, ERR_INVALID, "its rank is too large");
	if (r->ranks[rank / 8] >> rank % 8 & 1)
		return refuse(r, ERR_INVALID, "its rank was there before");
	r->ranks[rank / 8] |= (unsigned char)(1u << rank % 8);
	*ret = (uint32_t)rank;
	return 0;
}

static int read_line(struct reader *r, struct span line)
{
	unsigned char token[BPE_TOKEN_BYTES_MAX + 3];
	struct span text = span_cut(&line, ' ');
	uint32_t rank = 0;
	int n = decode(text, token), err;

	if (n < 0)
		return refuse(r, ERR_INVALID, "it does not begin with a token in base64");
	err = read_rank(r, line, &rank);
	if (err < 0)
		return err;
	err = bpe_add(r->bpe, span_of(token, (size_t)n), rank);
	if (err == ERR_CONFLICT)
		return refuse(r, ERR_INVALID, "its token was there before");
	if (err == ERR_TOO_BIG)
		return refuse(r, ERR_TOO_BIG, "there are more tokens than a vocabulary may have");
	return err < 0 ? fail_set(r->why, err, NULL, 0, NULL) : 0;
}

static int check_bytes(const struct reader *r)
{
	for (unsigned i = 0; i < 256; i++) {
		unsigned char byte = (unsigned char)i;

		if (bpe_find(r->bpe, span_of(&byte, 1)) == BPE_NONE)
			return fail_set(r->why, ERR_INVALID, "tokenizer", r->line,
				"after line %lld: the byte %u is no token, but every byte must be",
				(long long)r->line, i);
	}
	return 0;
}

int bpe_read(struct bpe *b, struct span file, struct fail *why)
{
	struct reader r = { .bpe = b, .why = why };
	int err = 0;

	r.ranks = mem_alloc(RANKS_MAX / 8);
	if (r.ranks == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	while (err == 0 && file.len > 0) {
		struct span line = span_cut(&file, '\n');

		r.line++;
		if (line.len > 0 && line.at[line.len - 1] == '\r')
			line.len--;
		if (line.len > 0)
			err = read_line(&r, line);
	}
	mem_free(r.ranks);
	if (err == 0)
		err = check_bytes(&r);
	if (err < 0)
		bpe_done(b);
	return err;
}
