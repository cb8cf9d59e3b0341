/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/prompt.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/pure.h"

#define RELAXES 2u /* times that what is kept is doubled */
#define COVER_PERCENT                                                                              \
	80u /* of the question's words that the documents have: kept, or it is relaxed */
#define RELAXED_PERCENT 80 /* no more than this is kept so */

struct press {
	struct arena *scratch;
	const struct prompt *p;
	const struct prompt_want *want;
	const struct token_count *count;
	struct buf *outs;
	struct prompt_facts *facts;
	struct fail *why;
	uint64_t docs; /* their tokens */
	uint64_t hard; /* so many of them at most: a limit of the task or the model */
	uint64_t soft; /* so many are to be kept */
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int measure(struct press *s)
{
	int64_t n = token_count_all(s->count, s->p->docs, s->p->docs_n);

	if (n < 0)
		return fail_set(s->why, (int)n, NULL, 0, NULL);
	s->docs = (uint64_t)n;
	s->facts->tokens_in = s->facts->tokens_out = s->p->fixed_tokens + s->docs;
	s->facts->exact = s->count->exact != NULL;
	return 0;
}

static int check_limits(struct press *s)
{
	uint64_t fixed = s->p->fixed_tokens, window = s->want->window, tokens = s->want->tokens;
	uint64_t rest = s->want->compress && s->docs > 0 ? fixed : s->facts->tokens_in;

	if (window > 0 && rest > window)
		return fail_set(s->why, ERR_UNSUPPORTED, "context_max", (int64_t)window,
			"the prompt has %s%" PRIu64 " tokens%s, the model takes %" PRIu64
			" besides its answer",
			s->facts->exact ? "" : "about ", rest,
			rest == fixed ? " without its documents" : "", window);
	if (s->want->compress && tokens > 0 && fixed > tokens)
		return fail_set(s->why, ERR_TOO_BIG, "compress.tokens", (int64_t)tokens,
			"the prompt has %s%" PRIu64 " tokens without its documents",
			s->facts->exact ? "" : "about ", fixed);
	s->hard = UINT64_MAX;
	if (window > 0)
		s->hard = window - least(fixed, window);
	if (tokens > 0)
		s->hard = least(s->hard, tokens - least(fixed, tokens));
	return 0;
}

static bool is_by_default(const struct press *s)
{
	return s->want->percent == 0 && s->want->tokens == 0;
}

/* Why the documents stay as they are, or PROMPT_OFF: they do not. Sets s->soft. */
static enum prompt_way why_whole(struct press *s)
{
	uint32_t percent = is_by_default(s) ? PROMPT_PERCENT : s->want->percent;

	s->soft = s->hard;
	if (percent > 0)
		s->soft = least(s->hard, s->docs / 100 * percent + s->docs % 100 * percent / 100);
	if (s->docs <= s->soft)
		return PROMPT_FITS;
	if (s->docs <= s->hard && s->docs < PROMPT_SMALL_TOKENS)
		return PROMPT_SMALL;
	return PROMPT_OFF;
}

/* The question's end, which is usually what it asks. */
static struct span query_of(struct span question)
{
	size_t from = question.len > PROMPT_QUERY_BYTES ? question.len - PROMPT_QUERY_BYTES : 0;

	while (from > 0 && from < question.len && (question.at[from] & 0xC0) == 0x80)
		from++;
	return span_part(question, from, question.len);
}

static int press_docs(struct press *s, enum guard_mode mode, uint64_t tokens,
	struct compress_facts *ret)
{
	const struct compress_want want = {
		.query = query_of(s->p->question),
		.mode = mode,
		.tokens = tokens,
		.marks = true,
	};

	for (size_t i = 0; i < s->p->docs_n; i++)
		buf_reset(&s->outs[i]);
	return fit_texts(s->scratch, s->p->docs, s->p->docs_n, &want, s->count, s->outs, NULL, ret,
		s->why);
}

static void took(struct press *s, enum prompt_way way, uint64_t docs)
{
	uint64_t saved = s->docs - least(docs, s->docs);

	s->facts->way = way;
	s->facts->tokens_out = s->facts->tokens_in - saved;
	if (s->docs > s->hard || saved >= s->facts->tokens_in / 100 * PROMPT_GAIN_PERCENT)
		return;
	s->facts->way = PROMPT_LITTLE;
	s->facts->tokens_out = s->facts->tokens_in;
}

static bool covers(const struct compress_facts *f)
{
	return (uint64_t)f->kept * 100 >= (uint64_t)f->found * COVER_PERCENT;
}

static int select_docs(struct press *s)
{
	struct compress_facts facts;
	int r = press_docs(s, GUARD_EXTRACT, s->soft, &facts);

	for (unsigned i = 0; r == 0 && i < RELAXES && is_by_default(s) && !covers(&facts); i++) {
		s->soft = least(s->soft * 2, s->hard);
		if (s->soft >= s->docs / 100 * RELAXED_PERCENT)
			break;
		r = press_docs(s, GUARD_EXTRACT, s->soft, &facts);
	}
	if (r == 0)
		took(s, PROMPT_SELECTION, facts.tokens_out);
	return r;
}

/* White space is rarely half of a text; the keys of JSON are. */
static bool may_squeeze(const struct press *s)
{
	if (s->soft >= s->docs / 2)
		return true;
	for (size_t i = 0; i < s->p->docs_n; i++) {
		struct span doc = span_trim(s->p->docs[i]);

		if (doc.len > 0 && (doc.at[0] == '[' || doc.at[0] == '{'))
			return true;
	}
	return false;
}

/* All that the documents say, if that is short enough. */
static int squeeze_docs(struct press *s, bool *ret_fits)
{
	struct compress_facts facts;
	int r = press_docs(s, GUARD_LOSSLESS, UINT64_MAX, &facts);

	*ret_fits = r == 0 && facts.tokens_out <= s->soft;
	if (*ret_fits)
		took(s, PROMPT_LOSSLESS, facts.tokens_out);
	return r;
}

int prompt_press(struct arena *scratch, const struct prompt *p, const struct prompt_want *want,
	const struct token_count *count, struct buf *outs, struct prompt_facts *ret,
	struct fail *why)
{
	struct press s = { scratch, p, want, count, outs, ret, why, .docs = 0 };
	bool fits = false;
	int r;

	*ret = (struct prompt_facts){ .way = PROMPT_OFF };
	r = measure(&s);
	if (r == 0)
		r = check_limits(&s);
	if (r < 0 || !want->compress)
		return r;
	ret->way = why_whole(&s);
	if (ret->way != PROMPT_OFF)
		return 0;
	if (may_squeeze(&s))
		r = squeeze_docs(&s, &fits);
	return r < 0 || fits ? r : select_docs(&s);
}

const char *prompt_way_name(enum prompt_way way)
{
	static const char *const names[PROMPT_WAYS] = {
		[PROMPT_OFF] = "off",
		[PROMPT_SMALL] = "whole",
		[PROMPT_FITS] = "whole",
		[PROMPT_LITTLE] = "whole",
		[PROMPT_LOSSLESS] = "lossless",
		[PROMPT_SELECTION] = "selection",
	};

	return names[way];
}

/* 5120 -> "5,120"; to has 32 bytes. */
static const char *grouped(uint64_t n, char *to)
{
	char *at = to + 31;

	*at = '\0';
	for (unsigned i = 1; n > 0 || i == 1; i++, n /= 10) {
		*--at = (char)('0' + n % 10);
		if (i % 3 == 0 && n >= 10)
			*--at = ',';
	}
	return at;
}

char *prompt_text(const struct prompt_facts *f, char *to)
{
	static const char *const ways[PROMPT_WAYS] = {
		[PROMPT_OFF] = "not compressed",
		[PROMPT_SMALL] = "whole: there is little of the documents",
		[PROMPT_FITS] = "whole: it is within the limits",
		[PROMPT_LITTLE] = "whole: too little would be saved",
		[PROMPT_LOSSLESS] = "without loss",
		[PROMPT_SELECTION] = "by selection",
	};
	char in[32], out[32];
	const char *about = f->exact ? "" : "about ";

	if (prompt_is_shorter(f))
		snprintf(to, PROMPT_TEXT_BYTES, "prompt %s%s -> %s tokens, %s", about,
			grouped(f->tokens_in, in), grouped(f->tokens_out, out), ways[f->way]);
	else
		snprintf(to, PROMPT_TEXT_BYTES, "prompt %s%s tokens, %s", about,
			grouped(f->tokens_in, in), ways[f->way]);
	return to;
}
