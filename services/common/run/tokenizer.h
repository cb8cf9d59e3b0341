/* SPDX-License-Identifier: Apache-2.0
 *
 * tokenizer: exact counts of tokens for those families of models whose vocabulary the user has as a `.tiktoken` file. A
 * text is split into words, numbers, signs and white space as the family does it (PCRE2), and those are encoded
 * (policy/bpe.h). What only special tokens mean, such as <|endoftext|>, is counted as text.
 */
#pragma once
#include "base/err.h"
#include "policy/token_count.h"
#include "run/conf.h"

#define TOKENIZER_PATH_BYTES 1023u
#define TOKENIZER_FILE_BYTES ((size_t)64 << 20)
#define TOKENIZER_PIECE_BYTES                                                                      \
	((size_t)64 << 10) /* a longer word is cut, which may make it a token more */

struct tokenizer;

/* Read the vocabulary of a family. NULL and *why: ERR_INVALID with field "tokenizer" (and the line as limit), or if it
 * is not known how the family splits texts; ERR_IO, ERR_TOO_BIG, ERR_NO_MEMORY. */
struct tokenizer *tokenizer_open(enum tokens_family family, const char *file,
	struct fail *why) MUST_USE;
/* The same of a file's bytes. */
struct tokenizer *tokenizer_read(enum tokens_family family, struct span file,
	struct fail *why) MUST_USE;
/* NULL is allowed. */
void tokenizer_close(struct tokenizer *t);
/* The tokens of any bytes: how many, or ERR_NO_MEMORY. ret: NULL, or room for a rank for each byte. Bytes that are no
 * UTF-8 are pieces of their own. Many threads may use one tokenizer. O(n log n). */
int64_t tokenizer_encode(const struct tokenizer *t, struct span s, uint32_t *ret) MUST_USE;

/* Settings, for CONF_INCLUDE. */
struct tokenizers_conf {
	char files[TOKENS_FAMILIES][TOKENIZER_PATH_BYTES + 1]; /* empty: none */
};
extern const struct conf_row tokenizers_rows[];

/* One for each family, or NULL. Zeroed is empty. */
struct tokenizers {
	struct tokenizer *of[TOKENS_FAMILIES];
};

/* Those of the settings; the error's field is the setting's key. On failure none is open. */
int tokenizers_open(struct tokenizers *ts, const struct tokenizers_conf *conf,
	struct fail *why) MUST_USE;
void tokenizers_close(struct tokenizers *ts);
/* How to count for a model: exactly if there is its vocabulary, else by the estimate times rate. ts may be NULL. */
struct token_count tokenizers_count(const struct tokenizers *ts, struct span model, uint32_t rate);
