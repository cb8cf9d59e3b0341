/* SPDX-License-Identifier: Apache-2.0
 *
 * provider: what differs between the APIs of language models: how a question is written and an answer is read.
 * Pure functions of bytes: no connection, no clock, no key.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "wire/body.h"
#include "wire/node.h"

#define MODEL_BYTES 128u /* name of a model */

/* One task of kind llm.chat. */
struct chat_question {
	struct span model;   /* empty: the API's own choice */
	struct span system;  /* how to behave, or empty */
	struct span content; /* the user's message: question.h */
	int64_t max_tokens;
	int64_t temperature_milli;
};

struct provider_ops {
	const char *name; /* "openai" */
	const char *path; /* of the endpoint, below the base URL */
	/* Append the request's bytes. ERR_TOO_BIG (field "item") or ERR_NO_MEMORY, if they do not go into the buffer. */
	int (*write)(const struct chat_question *q, struct buf *to, struct fail *why);
	/* From the bytes of an answer with status 200 append an encoded Body: the text as item, and the facts
	 * model, finish, tokens_in, tokens_out where the answer has them; *ret is zeroed and gets the latter, too. A
	 * negative error if it cannot be used; the bytes of `to` mean nothing then. */
	int (*read)(struct span bytes, struct buf *to, struct usage *ret, struct fail *why);
	/* The error of an answer with another status; of its text only a short piece without control
	 * characters is told. */
	int (*refused)(long status, struct span bytes, struct fail *why);
};

extern const struct provider_ops provider_openai;
