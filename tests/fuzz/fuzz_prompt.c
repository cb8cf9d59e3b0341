/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_prompt: the first bytes are limits and how tokens are counted, the first line is the question, the rest the
 * documents, apart by zero bytes: limits hold in the tokens that are counted, and what is not asked for is not done.
 */
#include "policy/prompt.h"

#define DOCS_MAX 4u
#define HEAD 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Far from any estimate: so many tokens for each byte, two of them for letters. */
static int64_t count_bytes(const void *vocabulary, struct span s)
{
	uint64_t each = *(const uint8_t *)vocabulary, sum = 0;

	for (size_t i = 0; i < s.len; i++)
		sum += s.at[i] >= 'a' ? 2 * each : each;
	return (int64_t)((sum + 3) / 4);
}

static int64_t count_outs(const struct token_count *count, const struct buf *outs, size_t n)
{
	struct span spans[DOCS_MAX];

	for (size_t i = 0; i < n; i++)
		spans[i] = buf_span(&outs[i]);
	return token_count_all(count, spans, n);
}

static void check(const struct prompt *p, const struct prompt_want *want,
	const struct token_count *count, const struct prompt_facts *f, const struct buf *outs)
{
	int64_t docs = prompt_is_shorter(f) ? count_outs(count, outs, p->docs_n)
					    : token_count_all(count, p->docs, p->docs_n);
	char text[PROMPT_TEXT_BYTES];

	CHECK(want->compress || f->way == PROMPT_OFF);
	CHECK(f->tokens_out <= f->tokens_in);
	CHECK((uint64_t)docs + p->fixed_tokens == f->tokens_out);
	CHECK(!want->compress || want->tokens == 0 || f->tokens_out <= want->tokens);
	CHECK(want->window == 0 || f->tokens_out <= want->window);
	CHECK(strlen(prompt_text(f, text)) > 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t none[HEAD];
	const uint8_t *head = size < HEAD ? none : data;
	struct span rest = span_part(span_of(data, size), HEAD, size), docs[DOCS_MAX];
	struct prompt p = { .question = span_cut(&rest, '\n'), .fixed_tokens = 20, .docs = docs };
	struct prompt_want want = {
		.compress = head[0] % 8 != 0,
		.percent = head[0] / 8 % 4 == 0 ? head[1] % 100 : 0,
		.tokens = head[0] / 8 % 2 == 0 ? 0 : 10 + head[2] * 8u,
		.window = head[0] / 64 == 0 ? 10 + head[3] * 8u : 0,
	};
	struct token_count count = {
		.family = (enum tokens_family)(head[1] % TOKENS_FAMILIES),
		.rate = head[2] % 2 == 0 ? TOKEN_RATE_ONE : TOKEN_RATE_LOW + head[3] * 900u,
		.exact = head[3] % 3 == 0 ? count_bytes : NULL,
		.vocabulary = &head[1],
	};
	struct buf outs[DOCS_MAX];
	struct prompt_facts facts;
	struct fail why = { 0 };
	struct arena a;
	int r;

	for (; rest.len > 0 && p.docs_n < DOCS_MAX; p.docs_n++) {
		docs[p.docs_n] = span_cut(&rest, '\0');
		buf_init(&outs[p.docs_n], 4 * size + 4096);
	}
	arena_init(&a, COMPRESS_ARENA_BYTES);
	r = prompt_press(&a, &p, &want, &count, outs, &facts, &why);
	CHECK(r == 0 || r == ERR_TOO_BIG || r == ERR_UNSUPPORTED);
	if (r == 0)
		check(&p, &want, &count, &facts, outs);
	for (size_t i = 0; i < p.docs_n; i++)
		buf_done(&outs[i]);
	arena_done(&a);
	return 0;
}
