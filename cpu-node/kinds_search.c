/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_search: text.search and text.dedupe: texts compared with a query, and with each other.
 */
#include "cpu-node/kinds.h"
#include "policy/search.h"
#include "policy/similar.h"
#include "policy/text.h"

enum { SEARCH_PASSAGES, SEARCH_DOCUMENTS };
enum { DEDUPE_ITEMS, DEDUPE_PARAGRAPHS, DEDUPE_LINES };

/* --- text.search -------------------------------------------------------------------------------------- */

/* What is searched: whole documents, or passages of them. */
static int search_units(const struct cpu_call *call, const struct span *docs,
	struct search_passage **ret, size_t *ret_n)
{
	if (kind_choice(call->kind, call->in, "unit") == SEARCH_PASSAGES)
		return search_passages(call->arena, docs, call->in->items_n, ret, ret_n) < 0
			       ? cpu_no_memory(call)
			       : 0;
	*ret_n = call->in->items_n;
	*ret = arena_raw(call->arena, *ret_n * sizeof(**ret));
	if (*ret == NULL)
		return cpu_no_memory(call);
	for (size_t i = 0; i < *ret_n; i++)
		(*ret)[i] = (struct search_passage){ docs[i], (uint32_t)i };
	return 0;
}

static void put_hit(struct buf *to, const struct cpu_call *call, const struct search_passage *unit,
	const struct search_hit *hit, const struct span *docs)
{
	bool whole = kind_choice(call->kind, call->in, "unit") == SEARCH_DOCUMENTS;

	buf_fmt(to, "{\"item\":%zu,\"name\":", cpu_items_before(call) + unit->doc + 1);
	buf_json(to, call->in->items[unit->doc].name);
	buf_fmt(to, ",\"score_milli\":%lld,\"terms\":%u,\"offset\":%zu,\"bytes\":%zu",
		(long long)hit->score, hit->terms, (size_t)(unit->text.at - docs[unit->doc].at),
		unit->text.len);
	if (!whole) {
		buf_str(to, ",\"text\":");
		buf_json(to, unit->text);
	}
	buf_str(to, "}\n");
}

static int put_hits(const struct cpu_call *call, const struct span *docs,
	const struct search_passage *units, const struct search_hit *hits, size_t hits_n)
{
	CLEANUP(buf_done) struct buf lines = { 0 };
	size_t limit = (size_t)kind_int(call->kind, call->in, "limit"), shown;

	buf_init(&lines, call->out->max);
	for (shown = 0; shown < hits_n && shown < limit; shown++)
		put_hit(&lines, call, &units[hits[shown].text], &hits[shown], docs);
	if (buf_err(&lines) < 0)
		return fail_set(call->why, buf_err(&lines), "limit", (int64_t)limit, NULL);
	body_put_item(call->out, SPAN_LIT("hits"), SPAN_LIT(CPU_LINES_MEDIA), buf_span(&lines));
	body_put_int(call->out, "hits", (int64_t)hits_n);
	body_put_int(call->out, "shown", (int64_t)shown);
	return 0;
}

CPU_KIND("text.search", run_search, CPU_SMALL)
int run_search(const struct cpu_call *call)
{
	struct search_passage *units;
	struct search_hit *hits;
	struct span *docs, *texts;
	size_t units_n = 0, hits_n;
	int r = cpu_need_items(call);

	if (r == 0)
		r = cpu_texts(call, &docs);
	if (r == 0)
		r = search_units(call, docs, &units, &units_n);
	if (r != 0)
		return r;
	texts = arena_raw(call->arena, (units_n + 1) * sizeof(*texts));
	if (texts == NULL)
		return cpu_no_memory(call);
	for (size_t i = 0; i < units_n; i++)
		texts[i] = units[i].text;
	r = search_texts(call->arena, kind_text(call->kind, call->in, "query"), texts, units_n,
		&hits, &hits_n, call->why);
	return r != 0 ? r : put_hits(call, docs, units, hits, hits_n);
}

/* --- text.dedupe -------------------------------------------------------------------------------------- */

/* A piece of an item. */
struct piece {
	struct span text; /* what is compared */
	struct span
		whole; /* with the blank lines behind it, of the first one also those before it */
	uint32_t item;
};

struct pieces {
	struct piece *at;
	size_t n;
	unsigned unit;
};

/* How long the piece at the start of s is. Paragraphs are divided by blank lines. */
static size_t piece_length(struct span s, unsigned unit)
{
	size_t len = 0, next;

	if (unit == DEDUPE_ITEMS || s.len == 0)
		return s.len;
	do {
		text_line(span_part(s, len, s.len), &next);
		len += next;
	} while (unit == DEDUPE_PARAGRAPHS && len < s.len &&
		 !text_is_blank(text_line(span_part(s, len, s.len), &next)));
	return len;
}

/* Blank lines at the start of s. */
static size_t blank_length(struct span s, unsigned unit)
{
	size_t len = 0, next;

	while (unit != DEDUPE_ITEMS && len < s.len &&
		text_is_blank(text_line(span_part(s, len, s.len), &next)))
		len += next;
	return len;
}

static void cut(struct pieces *p, struct span s, uint32_t item)
{
	size_t lead = blank_length(s, p->unit);

	do {
		struct span rest = span_part(s, lead, s.len);
		size_t bytes = piece_length(rest, p->unit);
		size_t all = lead + bytes + blank_length(span_part(rest, bytes, rest.len), p->unit);

		if (p->at != NULL)
			p->at[p->n] = (struct piece){
				.text = span_part(rest, 0, bytes),
				.whole = span_part(s, 0, all),
				.item = item,
			};
		p->n++;
		s = span_part(s, all, s.len);
		lead = 0;
	} while (s.len > 0);
}

static int cut_all(const struct cpu_call *call, const struct span *docs, struct pieces *ret)
{
	*ret = (struct pieces){ .unit = kind_choice(call->kind, call->in, "unit") };
	for (size_t i = 0; i < call->in->items_n; i++)
		cut(ret, docs[i], (uint32_t)i);
	if (ret->n > SIMILAR_TEXTS_MAX)
		return fail_set(call->why, ERR_TOO_BIG, "unit", SIMILAR_TEXTS_MAX,
			"the items have %zu of these, at most %u go", ret->n, SIMILAR_TEXTS_MAX);
	ret->at = arena_raw(call->arena, ret->n * sizeof(*ret->at));
	if (ret->at == NULL)
		return cpu_no_memory(call);
	ret->n = 0;
	for (size_t i = 0; i < call->in->items_n; i++)
		cut(ret, docs[i], (uint32_t)i);
	return 0;
}

/* What is kept, item by item; an item of which nothing is left goes. */
static int put_kept(const struct cpu_call *call, const struct pieces *p,
	const struct similar *found)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	buf_init(&text, call->out->max);
	for (size_t i = 0; i < p->n;) {
		uint32_t number = p->at[i].item;
		const struct item *item = &call->in->items[number];
		bool any = false;

		buf_reset(&text);
		for (; i < p->n && p->at[i].item == number; i++) {
			if (found[i].of != i)
				continue;
			any = true;
			buf_add(&text, p->at[i].whole);
		}
		if (buf_err(&text) < 0)
			return cpu_no_memory(call);
		if (any)
			body_put_item(call->out, item->name, item->media, buf_span(&text));
	}
	return 0;
}

static void put_repeat(struct buf *lines, const struct pieces *p, size_t i,
	const struct similar *found)
{
	buf_fmt(lines,
		"{\"piece\":%zu,\"item\":%u,\"repeats\":%u,\"of_item\":%u,"
		"\"similar_permille\":%u}\n",
		i + 1, p->at[i].item + 1, found->of + 1, p->at[found->of].item + 1,
		found->permille);
}

static int put_repeats(const struct cpu_call *call, const struct pieces *p,
	const struct similar *found)
{
	CLEANUP(buf_done) struct buf lines = { 0 };
	bool report = kind_choice(call->kind, call->in, "report") == 1;
	size_t repeats = 0;

	buf_init(&lines, call->out->max);
	for (size_t i = 0; i < p->n; i++) {
		if (found[i].of == i)
			continue;
		repeats++;
		if (report)
			put_repeat(&lines, p, i, &found[i]);
	}
	if (buf_err(&lines) < 0)
		return fail_set(call->why, buf_err(&lines), "report", (int64_t)lines.max,
			"the report is larger than %zu bytes", lines.max);
	if (report)
		body_put_item(call->out, SPAN_LIT("repeats"), SPAN_LIT(CPU_LINES_MEDIA),
			buf_span(&lines));
	body_put_int(call->out, "pieces_in", (int64_t)p->n);
	body_put_int(call->out, "pieces_out", (int64_t)(p->n - repeats));
	return 0;
}

static int dedupe(const struct cpu_call *call, const struct pieces *p)
{
	struct span *texts = arena_raw(call->arena, p->n * sizeof(*texts));
	struct similar *found = arena_raw(call->arena, p->n * sizeof(*found));
	uint32_t least = 10 * (uint32_t)kind_int(call->kind, call->in, "similar_percent");
	int r;

	if (texts == NULL || found == NULL)
		return cpu_no_memory(call);
	for (size_t i = 0; i < p->n; i++)
		texts[i] = p->at[i].text;
	if (similar_find(call->arena, texts, p->n, least, found) < 0)
		return cpu_no_memory(call);
	r = put_kept(call, p, found);
	return r < 0 ? r : put_repeats(call, p, found);
}

CPU_KIND("text.dedupe", run_dedupe, CPU_SMALL)
int run_dedupe(const struct cpu_call *call)
{
	struct pieces pieces;
	struct span *docs;
	int r = cpu_need_items(call);

	if (r == 0)
		r = cpu_texts(call, &docs);
	if (r == 0)
		r = cut_all(call, docs, &pieces);
	return r != 0 ? r : dedupe(call, &pieces);
}
