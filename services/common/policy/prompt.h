/* SPDX-License-Identifier: Apache-2.0
 *
 * prompt: the documents of a question to a language model made shorter, before they are paid for. What is asked and
 * how to behave stay byte for byte, so that an API's prompt cache still knows them; of the documents what matters for
 * the question is kept. What was done is told in figures, and in words for the explain record: nothing is left out
 * silently. Used by every node that asks a model.
 */
#pragma once
#include "policy/fit.h"

#define PROMPT_SMALL_TOKENS                                                                        \
	1000u              /* documents of fewer are not worth a loss, unless a limit demands it */
#define PROMPT_PERCENT 33u /* of the documents' tokens are kept, unless the task says how many */
#define PROMPT_GAIN_PERCENT 10u  /* of the prompt: what saves less is not worth a loss either */
#define PROMPT_QUERY_BYTES 4096u /* of the question: its end */
#define PROMPT_TEXT_BYTES 160u

struct prompt {
	struct span question;
	uint64_t
		fixed_tokens; /* of all but the documents: the question, instructions, what frames them */
	const struct span *docs;
	size_t docs_n;
};

struct prompt_want {
	bool compress;
	uint32_t
		percent; /* of the documents' tokens are kept; 0: PROMPT_PERCENT, or what `tokens` allows */
	uint64_t tokens; /* of the whole prompt at most; 0: no limit */
	uint64_t window; /* of it the model takes so many; 0: it is not known */
};

enum prompt_way {
	PROMPT_OFF,       /* it was not asked for */
	PROMPT_SMALL,     /* whole: there is too little of it */
	PROMPT_FITS,      /* whole: it is within the limits */
	PROMPT_LITTLE,    /* whole: too little would be saved */
	PROMPT_LOSSLESS,  /* shorter, and it says the same */
	PROMPT_SELECTION, /* parts of the documents are left out, [...] says where */
	PROMPT_WAYS
};

struct prompt_facts {
	enum prompt_way way;
	uint64_t tokens_in;  /* of the whole prompt as it was given */
	uint64_t tokens_out; /* as it is now */
	bool exact;          /* counted by the model's vocabulary, not estimated */
};

/* Are the outs the documents now? Else they mean nothing, and the documents stay. */
static inline bool prompt_is_shorter(const struct prompt_facts *f)
{
	return f->way == PROMPT_LOSSLESS || f->way == PROMPT_SELECTION;
}

/* docs_n empty outs. ERR_TOO_BIG with field "compress.tokens": what must stay has more; ERR_UNSUPPORTED with field
 * "context_max": the model does not take it; ERR_NO_MEMORY, or ERR_TOO_BIG of an out. */
int prompt_press(struct arena *scratch, const struct prompt *p, const struct prompt_want *want,
	const struct token_count *count, struct buf *outs, struct prompt_facts *ret,
	struct fail *why) MUST_USE;

/* "whole", "lossless", "selection"; "off". */
const char *prompt_way_name(enum prompt_way way);
/* "prompt 5,120 -> 1,024 tokens, by selection"; to has PROMPT_TEXT_BYTES. Returns to. */
char *prompt_text(const struct prompt_facts *f, char *to);
