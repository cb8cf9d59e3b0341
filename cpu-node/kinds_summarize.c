/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_summarize: text.summarize: the sentences that say most of what texts are about, as a share of them.
 */
#include "base/limits.h"
#include "cpu-node/kinds.h"
#include "policy/select.h"

#define ROOM_MIN 256u /* bytes: a share of a short text would hold no sentence */

enum { TOGETHER, EACH };

static size_t room_for(const struct cpu_call *call, const struct span *docs, size_t docs_n)
{
	uint64_t percent = (uint64_t)kind_int(call->kind, call->in, "percent"), bytes = 0;

	for (size_t i = 0; i < docs_n; i++)
		bytes += docs[i].len;
	bytes = bytes * percent / 100;
	return bytes < ROOM_MIN ? ROOM_MIN : (size_t)bytes;
}

/* The summary of some documents, as one item. */
static int put_summary(const struct cpu_call *call, const struct span *docs, size_t docs_n,
	struct span name, uint64_t *bytes_out)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct select_want want = {
		.sentences_max = LIMIT_BODY_BYTES,
		.bytes_max = room_for(call, docs, docs_n),
	};
	struct select_result picked;

	buf_init(&text, want.bytes_max);
	if (select_sentences(call->arena, docs, docs_n, &want, &picked) < 0)
		return cpu_no_memory(call);
	select_emit(&text, &picked);
	if (buf_err(&text) < 0)
		return fail_set(call->why, buf_err(&text), "percent", (int64_t)want.bytes_max,
			NULL);
	body_put_item(call->out, name, SPAN_LIT("text/plain"), buf_span(&text));
	*bytes_out += text.len;
	return 0;
}

CPU_KIND("text.summarize", run_summarize, CPU_SMALL)
int run_summarize(const struct cpu_call *call)
{
	uint64_t bytes_in = 0, bytes_out = 0;
	size_t n = call->in->items_n;
	struct span *docs;
	int r = cpu_need_items(call);

	if (r == 0)
		r = cpu_texts(call, &docs);
	for (size_t i = 0; r == 0 && i < n; i++)
		bytes_in += docs[i].len;
	if (r == 0 && kind_choice(call->kind, call->in, "of") == TOGETHER)
		r = put_summary(call, docs, n, SPAN_LIT("summary"), &bytes_out);
	else
		for (size_t i = 0; r == 0 && i < n; i++) {
			if (cpu_is_cancelled(call))
				return cpu_cancelled(call);
			arena_reset(call->arena); /* the list of docs is not needed any more */
			r = put_summary(call, &call->in->items[i].data, 1, call->in->items[i].name,
				&bytes_out);
			cpu_progress(call, i + 1, n);
		}
	if (r < 0)
		return r;
	body_put_int(call->out, "bytes_in", (int64_t)bytes_in);
	body_put_int(call->out, "bytes_out", (int64_t)bytes_out);
	return 0;
}
