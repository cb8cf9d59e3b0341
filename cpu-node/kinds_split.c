/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_split: task.split. What it can cut is task.map (kinds_map.c), and llm.chat about documents: each part is an
 * extract of some of the text, and the join an extract of the extracts. Other tasks are refused, so that they go on
 * down their ladder.
 */
#include "base/fmt.h"
#include "cpu-node/kinds.h"
#include "cpu-node/kinds_plan.h"
#include "policy/split.h"
#include "policy/text.h"
#include "wire/node.h"

#define PART_BYTES_MIN 2048u /* smaller parts cost more than they save */
#define PARTS_MAX 64         /* a plan repeats the query in each part, and must fit into a body */
#define QUERY_BYTES 128u
#define TOKENS_PER_SENTENCE 40         /* of the answer that was asked for */
#define EXTRACTS_BYTES_MAX (400 << 10) /* of all parts together: the join must fit into a body */
#define EXTRACT_BYTES_MAX 8192

struct plan {
	struct span query;
	int64_t sentences;      /* of the answer */
	int64_t part_sentences; /* of each extract */
	int64_t part_bytes;
	int64_t bytes_in;
	int64_t sentences_in;
};

static int64_t clamp(int64_t n, int64_t low, int64_t high)
{
	if (n < low)
		return low;
	return n > high ? high : n;
}

static struct plan plan_for(struct span query, int64_t max_tokens, size_t parts)
{
	struct plan p = { .query = query };

	p.sentences = clamp(max_tokens / TOKENS_PER_SENTENCE, 4, 40);
	/* Twice as many as the answer takes, so that the join has a choice. */
	p.part_sentences = clamp(2 * p.sentences / (int64_t)parts + 2, 3, p.sentences);
	p.part_bytes = clamp(EXTRACTS_BYTES_MAX / (int64_t)parts, 64, EXTRACT_BYTES_MAX);
	return p;
}

static void count_sentences(struct plan *p, const struct span *docs, size_t docs_n)
{
	for (size_t i = 0; i < docs_n; i++) {
		struct text_reader r = text_read(docs[i]);
		struct sentence s;

		p->bytes_in += (int64_t)docs[i].len;
		while (text_next(&r, &s))
			p->sentences_in++;
	}
}

static void put_query(struct buf *b, const struct plan *p)
{
	if (p->query.len > 0)
		body_put_param(b, SPAN_LIT("query"), p->query);
}

/* One part of the encoded plan, from its pieces. */
static int put_part(const struct cpu_call *call, const struct plan *p,
	const struct split_piece *pieces, size_t n)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	struct part part = { .kind = SPAN_LIT("text.extract") };

	buf_init(&body, call->out->max);
	put_query(&body, p);
	body_put_int(&body, "sentences", p->part_sentences);
	body_put_int(&body, "max_bytes", p->part_bytes);
	for (size_t i = 0; i < n; i++)
		body_put_item(&body, call->in->items[pieces[i].doc].name, SPAN_LIT("text/plain"),
			pieces[i].text);
	if (buf_err(&body) < 0)
		return fail_set(call->why, buf_err(&body), "part", (int64_t)body.max, NULL);
	part.body = buf_span(&body);
	split_plan_put_part(call->out, &part);
	return 0;
}

static int put_join(const struct cpu_call *call, const struct plan *p)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	struct part join = { .kind = SPAN_LIT("task.reduce") };

	buf_init(&body, call->out->max);
	body_put_param(&body, SPAN_LIT("how"), SPAN_LIT("summary"));
	put_query(&body, p);
	body_put_int(&body, "sentences", p->sentences);
	body_put_int(&body, "split.bytes_in", p->bytes_in);
	body_put_int(&body, "split.sentences_in", p->sentences_in);
	if (buf_err(&body) < 0)
		return cpu_no_memory(call);
	join.body = buf_span(&body);
	split_plan_put_join(call->out, &join);
	return 0;
}

static int put_plan(const struct cpu_call *call, const struct plan *p,
	const struct split_piece *pieces, size_t n)
{
	for (size_t from = 0, to; from < n; from = to) {
		int r;

		for (to = from + 1; to < n && pieces[to].part == pieces[from].part;)
			to++;
		r = put_part(call, p, pieces + from, to - from);
		if (r < 0)
			return r;
	}
	return put_join(call, p);
}

/* The call is as if for the task itself. */
static int split_chat(const struct cpu_call *call, int64_t parts_max)
{
	struct split_want want = {
		.parts_max = (uint32_t)clamp(parts_max, 1, PARTS_MAX),
		.part_min = PART_BYTES_MIN,
	};
	char query[QUERY_BYTES];
	struct split_piece *pieces;
	struct span *docs;
	struct plan p;
	size_t n, query_len;
	int r = cpu_texts(call, &docs);

	if (r < 0)
		return r;
	if (split_docs(call->arena, docs, call->in->items_n, &want, &pieces, &n) < 0)
		return cpu_no_memory(call);
	if (n == 0)
		return fail_set(call->why, ERR_UNSUPPORTED, "items", 0,
			"there is no document to cut: a prompt alone needs a model or a person");
	query_len = split_query(kind_text(call->kind, call->in, "prompt"), query, sizeof(query));
	p = plan_for(span_of(query, query_len), kind_int(call->kind, call->in, "max_tokens"),
		pieces[n - 1].part + 1);
	count_sentences(&p, docs, call->in->items_n);
	return put_plan(call, &p, pieces, n);
}

/* The task to cut is the body's only item. */
static int unwrap_task(const struct cpu_call *call, const struct kind_row *kind, struct body *ret)
{
	const struct body *in = call->in;
	int r;

	if (in->items_n != 1 || !span_is(in->items[0].name, "task") || !cpu_is_body(&in->items[0]))
		return fail_set(call->why, ERR_INVALID, "items", 1,
			"needs one item: \"task\", an encoded body of type " BODY_MEDIA);
	r = cpu_unwrap(call, 0, ret);
	return r < 0 ? r : kind_check(kind, ret, call->why);
}

CPU_KIND("task.split", run_split, CPU_SMALL)
int run_split(const struct cpu_call *call)
{
	struct span name = kind_text(call->kind, call->in, "split.kind");
	const struct plan_asked asked = {
		.parts = kind_int(call->kind, call->in, "split.parts"),
		.unit = kind_text(call->kind, call->in, "split.unit"),
		.unit_ps = kind_int(call->kind, call->in, "split.unit_ps"),
		.nodes = kind_int(call->kind, call->in, "split.nodes"),
	};
	bool is_map = span_is(name, "task.map");
	struct cpu_call inner = *call;
	struct body task;
	int r;

	if (!is_map && !span_is(name, "llm.chat"))
		return fail_set(call->why, ERR_UNSUPPORTED, "split.kind", 0, "%.*s cannot be split",
			(int)name.len, (const char *)name.at);
	inner.kind = kind_find(name);
	r = unwrap_task(call, inner.kind, &task);
	if (r < 0)
		return r;
	inner.in = &task;
	return is_map ? split_map(&inner, &asked) : split_chat(&inner, asked.parts);
}
