/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_text: text.extract, and the summary of task.reduce: what to keep of texts.
 */
#include "base/fmt.h"
#include "base/limits.h"
#include "cpu-node/kinds.h"
#include "policy/select.h"

/* What the selection may take of a result: the rest is for the body's framing. */
#define FRAME_BYTES 1024u

/* How much of how much was kept. */
struct facts {
	int64_t bytes_in;
	int64_t sentences_in;
	int64_t bytes_out;
	int64_t sentences_out;
};

static void put_facts(struct buf *out, const struct facts *f)
{
	body_put_int(out, "bytes_in", f->bytes_in);
	body_put_int(out, "bytes_out", f->bytes_out);
	body_put_int(out, "sentences_in", f->sentences_in);
	body_put_int(out, "sentences_out", f->sentences_out);
}

/* Append an item with what is selected of the call's items. */
static int put_selection(const struct cpu_call *call, const struct select_want *want,
	const char *name, struct facts *ret)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct select_result picked;
	struct span *docs;
	int r = cpu_texts(call, &docs);

	buf_init(&text, want->bytes_max);
	if (r < 0)
		return r;
	r = select_sentences(call->arena, docs, call->in->items_n, want, &picked);
	if (r < 0)
		return cpu_no_memory(call);
	select_emit(&text, &picked);
	if (buf_err(&text) < 0)
		return fail_set(call->why, buf_err(&text), "max_bytes", (int64_t)want->bytes_max,
			NULL);
	body_put_item(call->out, span_str(name), SPAN_LIT("text/plain"), buf_span(&text));
	*ret = (struct facts){
		.bytes_out = (int64_t)text.len,
		.sentences_out = (int64_t)picked.picks_n,
		.sentences_in = (int64_t)picked.sentences_in,
	};
	for (size_t i = 0; i < call->in->items_n; i++)
		ret->bytes_in += (int64_t)docs[i].len;
	return 0;
}

static size_t room_for(const struct cpu_call *call, int64_t max_bytes)
{
	size_t room = call->out->max - FRAME_BYTES;

	return (size_t)max_bytes < room ? (size_t)max_bytes : room;
}

CPU_KIND("text.extract", run_extract, CPU_SMALL)
int run_extract(const struct cpu_call *call)
{
	struct select_want want = {
		.query = kind_text(call->kind, call->in, "query"),
		.sentences_max = (uint32_t)kind_int(call->kind, call->in, "sentences"),
		.bytes_max = room_for(call, kind_int(call->kind, call->in, "max_bytes")),
	};
	struct facts facts;
	int r = cpu_need_items(call);

	if (r == 0)
		r = put_selection(call, &want, "extract", &facts);
	if (r == 0)
		put_facts(call->out, &facts);
	return r;
}

/* A number that task.split left for the end, or `otherwise`. */
static int64_t fact_of_split(const struct cpu_call *call, const char *key, int64_t otherwise)
{
	const struct param *p = body_param(call->in, key);
	int64_t n;

	return p != NULL && fmt_int(p->value, &n) == 0 && n >= 0 ? n : otherwise;
}

int reduce_summary(const struct cpu_call *call)
{
	struct select_want want = {
		.query = kind_text(call->kind, call->in, "query"),
		.sentences_max = (uint32_t)kind_int(call->kind, call->in, "sentences"),
		.bytes_max = room_for(call, INT64_MAX),
	};
	struct facts facts = { 0 };
	int r = put_selection(call, &want, "summary", &facts);

	if (r < 0)
		return r;
	facts.bytes_in = fact_of_split(call, "split.bytes_in", facts.bytes_in);
	facts.sentences_in = fact_of_split(call, "split.sentences_in", facts.sentences_in);
	put_facts(call->out, &facts);
	return 0;
}
