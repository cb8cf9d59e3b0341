/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_facts: text.stats and text.language: what texts are like.
 */
#include "cpu-node/kinds.h"
#include "policy/language.h"
#include "policy/tally.h"

static int put_top(const struct cpu_call *call, const struct tally *t)
{
	CLEANUP(buf_done) struct buf lines = { 0 };

	buf_init(&lines, call->out->max);
	for (uint32_t i = 0; i < t->top_n; i++) {
		buf_str(&lines, "{\"word\":");
		buf_json(&lines, t->top[i].text);
		buf_fmt(&lines, ",\"count\":%u}\n", t->top[i].count);
	}
	if (buf_err(&lines) < 0)
		return fail_set(call->why, buf_err(&lines), "top", (int64_t)lines.max, NULL);
	if (t->top_n > 0)
		body_put_item(call->out, SPAN_LIT("top"), SPAN_LIT(CPU_LINES_MEDIA),
			buf_span(&lines));
	return 0;
}

CPU_KIND("text.stats", run_stats, CPU_SMALL)
int run_stats(const struct cpu_call *call)
{
	uint32_t top = (uint32_t)kind_int(call->kind, call->in, "top");
	struct tally t;
	struct span *docs;
	int r = cpu_need_items(call);

	if (r == 0)
		r = cpu_texts(call, &docs);
	if (r != 0)
		return r;
	if (tally_texts(call->arena, docs, call->in->items_n, top, &t) < 0)
		return cpu_no_memory(call);
	body_put_int(call->out, "items", (int64_t)call->in->items_n);
	body_put_int(call->out, "bytes", (int64_t)t.bytes);
	body_put_int(call->out, "characters", (int64_t)t.characters);
	body_put_int(call->out, "lines", (int64_t)t.lines);
	body_put_int(call->out, "blank_lines", (int64_t)t.blank_lines);
	body_put_int(call->out, "longest_line", (int64_t)t.longest_line);
	body_put_int(call->out, "paragraphs", (int64_t)t.paragraphs);
	body_put_int(call->out, "sentences", (int64_t)t.sentences);
	body_put_int(call->out, "words", (int64_t)t.words);
	body_put_int(call->out, "distinct_words", (int64_t)t.distinct_words);
	return put_top(call, &t);
}

static void put_language(struct buf *lines, const struct cpu_call *call, size_t i,
	const struct language *l)
{
	buf_fmt(lines, "{\"item\":%zu,\"name\":", cpu_items_before(call) + i + 1);
	buf_json(lines, call->in->items[i].name);
	buf_fmt(lines,
		",\"language\":\"%s\",\"script\":\"%s\",\"letters\":%u,\"sure_permille\":%u}\n",
		l->code, l->script, l->letters, l->sure_permille);
}

static int put_languages(const struct cpu_call *call, const struct language_profiles *profiles)
{
	CLEANUP(buf_done) struct buf lines = { 0 };

	buf_init(&lines, call->out->max);
	for (size_t i = 0; i < call->in->items_n; i++) {
		struct language l = language_of(profiles, call->in->items[i].data);

		put_language(&lines, call, i, &l);
		if (i > 0)
			continue;
		body_put_param(call->out, SPAN_LIT("language"), span_str(l.code));
		body_put_param(call->out, SPAN_LIT("script"), span_str(l.script));
		body_put_int(call->out, "sure_permille", l.sure_permille);
	}
	if (buf_err(&lines) < 0)
		return fail_set(call->why, buf_err(&lines), "items", (int64_t)lines.max, NULL);
	body_put_item(call->out, SPAN_LIT("languages"), SPAN_LIT(CPU_LINES_MEDIA),
		buf_span(&lines));
	return 0;
}

/* One line for each item; of the first one also as parameters, since most ask about one. */
CPU_KIND("text.language", run_language, 0)
int run_language(const struct cpu_call *call)
{
	const struct language_profiles *profiles;
	struct span *docs;
	int r = cpu_need_items(call);

	if (r == 0)
		r = cpu_texts(call, &docs);
	if (r != 0)
		return r;
	profiles = language_profiles_new(call->arena);
	return profiles == NULL ? cpu_no_memory(call) : put_languages(call, profiles);
}
