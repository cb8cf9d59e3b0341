/* SPDX-License-Identifier: Apache-2.0
 *
 * question: what a model is asked about a task: the prompt, and the items as documents behind it, made shorter if the
 * task wants that; how many tokens that is by our count, and what the API's own count teaches. Every provider sends
 * the same content. No connection, no clock.
 */
#pragma once
#include "base/buf.h"
#include "node/backend.h"
#include "policy/prompt.h"
#include "run/tokenizer.h"

#define QUESTION_BYTES_MAX ((size_t)2 << 20) /* of the content */

struct question_how {
	struct token_count count; /* of the model that is asked */
	uint64_t context_max;     /* tokens that it takes, its answer included; 0: not known */
};

/* What is remembered of a question until its answer is there. */
struct question_facts {
	struct prompt_facts prompt;
	uint64_t estimated; /* tokens of what is sent, before any rate */
	bool compress;      /* the task asked for it */
};

/* Append the content of the message; what the task says to the system is counted, too. ERR_INVALID (no prompt),
 * ERR_UNSUPPORTED (an item is no text; field "context_max": the model does not take so much), ERR_TOO_BIG (field
 * "item", or "compress.tokens"), ERR_NO_MEMORY. Any thread. */
int question_write(const struct question_how *how, const struct job *job, struct buf *to,
	struct question_facts *ret, struct fail *why) MUST_USE;
/* Append what was done to a result's body, if the task asked for it. */
void question_put_facts(const struct question_facts *f, struct buf *to);
