/* SPDX-License-Identifier: Apache-2.0 */
#include "services/delegate/question.h"

#include <inttypes.h>

#include "base/fmt.h"
#include "base/limits.h"

#define DOCS_BYTES_MAX                                                                             \
	((size_t)4 << 20) /* to be made shorter, which takes the owner thread's time */
#define MESSAGE_TOKENS 4u /* of what APIs put around a message */
#define ANSWER_TOKENS 3u  /* and before the answer */

/* What one call works with. */
struct writer {
	const struct job *job;
	struct token_count count;
	struct arena arena;   /* for the call */
	struct arena scratch; /* of the selection */
	struct span *docs;
	size_t docs_n;
	struct buf *outs; /* the same, shorter */
	struct question_facts *facts;
	struct fail *why;
};

static void writer_done(struct writer *w)
{
	for (size_t i = 0; w->outs != NULL && i < w->docs_n; i++)
		buf_done(&w->outs[i]);
	arena_done(&w->arena);
	arena_done(&w->scratch);
}

static struct span text_of(const struct job *job, const char *key)
{
	return kind_text(job->row, job->body, key);
}

static int check(const struct job *job, struct fail *why)
{
	if (text_of(job, "prompt").len == 0)
		return fail_set(why, ERR_INVALID, "prompt", 0, "a question needs a prompt");
	for (size_t i = 0; i < job->body->items_n; i++) {
		if (!fmt_is_text(job->body->items[i].data))
			return fail_set(why, ERR_UNSUPPORTED, "item", 0,
				"document %zu is not text (UTF-8)", i + 1);
	}
	return 0;
}

/* --- the content -------------------------------------------------------------------------------------- */

/* Where a document ends is told by a number made of all documents, so that none of them can write its own end
 * and go on as if it were the prompt. */
static uint64_t border_of(const struct writer *w)
{
	uint64_t border = 0;

	for (size_t i = 0; i < w->docs_n; i++)
		border = span_hash(w->docs[i], border);
	return border;
}

static void put_document(const struct writer *w, size_t i, uint64_t border, struct buf *to)
{
	struct span name = w->job->body->items[i].name;

	buf_fmt(to, "\n\n=== document %zu of %zu", i + 1, w->docs_n);
	if (name.len > 0) {
		buf_str(to, ": ");
		buf_json(to, name);
	}
	buf_fmt(to, " (%016" PRIx64 ") ===\n", border);
	buf_add(to, w->docs[i]);
	buf_fmt(to, "\n=== end of document %zu (%016" PRIx64 ") ===", i + 1, border);
}

static int put_content(const struct writer *w, struct buf *to)
{
	uint64_t border = border_of(w);

	buf_add(to, text_of(w->job, "prompt"));
	for (size_t i = 0; i < w->docs_n; i++)
		put_document(w, i, border, to);
	return buf_err(to) == 0 ? 0 : fail_set(w->why, buf_err(to), "item", (int64_t)to->max, NULL);
}

/* --- its tokens --------------------------------------------------------------------------------------- */

static int add_tokens(const struct writer *w, const struct token_count *count, struct span text,
	uint64_t *sum)
{
	int64_t n = token_count(count, text);

	if (n < 0)
		return fail_set(w->why, (int)n, NULL, 0, NULL);
	*sum += (uint64_t)n;
	return 0;
}

static uint64_t around(const struct writer *w)
{
	return ANSWER_TOKENS + MESSAGE_TOKENS * (text_of(w->job, "system").len > 0 ? 2 : 1);
}

/* Of all but the documents, which stand empty in their frames for the while. */
static int count_fixed(struct writer *w, uint64_t *ret)
{
	CLEANUP(buf_done) struct buf frame = { 0 };
	struct writer empty = *w;
	int r;

	empty.docs = arena_alloc(&w->arena, (w->docs_n + 1) * sizeof(*empty.docs));
	if (empty.docs == NULL)
		return fail_set(w->why, ERR_NO_MEMORY, NULL, 0, NULL);
	buf_init(&frame, QUESTION_BYTES_MAX);
	*ret = around(w);
	r = put_content(&empty, &frame);
	if (r == 0)
		r = add_tokens(w, &w->count, buf_span(&frame), ret);
	return r == 0 ? add_tokens(w, &w->count, text_of(w->job, "system"), ret) : r;
}

/* --- shorter documents -------------------------------------------------------------------------------- */

static int take_docs(struct writer *w)
{
	const struct body *body = w->job->body;
	size_t bytes = 0;

	w->docs = arena_raw(&w->arena, (body->items_n + 1) * sizeof(*w->docs));
	w->outs = arena_alloc(&w->arena, (body->items_n + 1) * sizeof(*w->outs));
	if (w->docs == NULL || w->outs == NULL)
		return fail_set(w->why, ERR_NO_MEMORY, NULL, 0, NULL);
	for (; w->docs_n < body->items_n; w->docs_n++) {
		w->docs[w->docs_n] = body->items[w->docs_n].data;
		bytes += w->docs[w->docs_n].len;
		buf_init(&w->outs[w->docs_n], DOCS_BYTES_MAX);
	}
	return bytes <= DOCS_BYTES_MAX
		       ? 0
		       : fail_set(w->why, ERR_TOO_BIG, "item", (int64_t)DOCS_BYTES_MAX, NULL);
}

static struct prompt_want want_of(const struct job *job, uint64_t context_max)
{
	uint64_t answer = (uint64_t)kind_int(job->row, job->body, "max_tokens");

	return (struct prompt_want){
		.compress = kind_choice(job->row, job->body, "compress") == 1,
		.percent = (uint32_t)kind_int(job->row, job->body, "compress.percent"),
		.tokens = (uint64_t)kind_int(job->row, job->body, "compress.tokens"),
		.window = context_max == 0       ? 0
			  : context_max > answer ? context_max - answer
						 : 1,
	};
}

static int shorten(struct writer *w, const struct prompt_want *want)
{
	struct prompt p = {
		.question = text_of(w->job, "prompt"),
		.docs = w->docs,
		.docs_n = w->docs_n,
	};
	int r = count_fixed(w, &p.fixed_tokens);

	if (r == 0)
		r = prompt_press(&w->scratch, &p, want, &w->count, w->outs, &w->facts->prompt,
			w->why);
	for (size_t i = 0; r == 0 && prompt_is_shorter(&w->facts->prompt) && i < w->docs_n; i++)
		w->docs[i] = buf_span(&w->outs[i]);
	return r;
}

int question_write(const struct question_how *how, const struct job *job, struct buf *to,
	struct question_facts *ret, struct fail *why)
{
	const struct prompt_want want = want_of(job, how->context_max);
	const struct token_count plain = { how->count.family, TOKEN_RATE_ONE, NULL, NULL };
	CLEANUP(writer_done)
	struct writer w = {
		.job = job,
		.count = how->count,
		.facts = ret,
		.why = why,
	};
	int r = check(job, why);

	*ret = (struct question_facts){ .compress = want.compress };
	arena_init(&w.arena, sizeof(struct buf) * 4 * LIMIT_ITEMS);
	arena_init(&w.scratch, COMPRESS_ARENA_BYTES);
	if (r == 0)
		r = take_docs(&w);
	if (r == 0 && (want.compress || want.window > 0))
		r = shorten(&w, &want);
	if (r == 0)
		r = put_content(&w, to);
	if (r < 0)
		return r;
	ret->estimated = around(&w);
	r = add_tokens(&w, &plain, text_of(job, "system"), &ret->estimated);
	return r == 0 ? add_tokens(&w, &plain, buf_span(to), &ret->estimated) : r;
}

void question_put_facts(const struct question_facts *f, struct buf *to)
{
	const struct prompt_facts *p = &f->prompt;

	if (!f->compress)
		return;
	body_put_param(to, SPAN_LIT("compress"), span_str(prompt_way_name(p->way)));
	body_put_int(to, "compress.tokens_in", (int64_t)p->tokens_in);
	body_put_int(to, "compress.tokens_out", (int64_t)p->tokens_out);
	body_put_param(to, SPAN_LIT("compress.count"), span_str(p->exact ? "exact" : "estimate"));
	body_put_int(to, "tokens_saved", (int64_t)(p->tokens_in - p->tokens_out));
}
