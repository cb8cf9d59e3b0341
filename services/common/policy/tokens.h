/* SPDX-License-Identifier: Apache-2.0
 *
 * tokens: how many tokens a text is for a family of language models, estimated from classes of characters: no
 * vocabulary is needed. In thousandths of a token, so that parts add up. Texts that are joined by white space
 * have the sum of their tokens; cut inside a word, at least as many as the whole.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum tokens_family {
	TOKENS_O200K,  /* GPT-4o and later */
	TOKENS_CL100K, /* GPT-4, GPT-3.5 */
	TOKENS_CLAUDE,
	TOKENS_GEMINI,
	TOKENS_LLAMA, /* Llama 3 and what has its vocabulary */
	TOKENS_QWEN,  /* Qwen, DeepSeek */
	TOKENS_FAMILIES
};

/* The family of a model by its name; O200K for those that are not known. */
enum tokens_family tokens_family_of(struct span model);
/* A model of that name has the family's very vocabulary; also an empty name, for which the first family stands. */
bool tokens_family_is_sure(struct span model);
/* "o200k" ..., for people. */
const char *tokens_family_name(enum tokens_family family);

/* In thousandths. */
struct tokens {
	uint64_t text;
	uint64_t
		space; /* of line ends and of runs of blanks; a single blank belongs to the word behind it */
};

/* Any bytes are accepted; those that are no UTF-8 count as one token each. */
struct tokens tokens_of(enum tokens_family family, struct span s);

/* Both together, as whole tokens, rounded up. */
static inline uint64_t tokens_whole(struct tokens t)
{
	return (t.text + t.space + 999) / 1000;
}
