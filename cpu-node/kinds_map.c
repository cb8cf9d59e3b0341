/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_map: the plan of a task.map: its input cut into parts, each a task of the kind (or of task.chain where there
 * are several), and a join that makes one result of theirs. What is done with the parts is the router's.
 */
#include "base/limits.h"
#include "cpu-node/chain.h"
#include "cpu-node/kinds_plan.h"
#include "policy/split.h"
#include "wire/node.h"

#define PART_BYTES_MIN 4096u        /* smaller texts cost more than they save */
#define PART_BYTES_MAX (384u << 10) /* of texts, so that a part with its parameters is a body */
#define PART_COUNT_MIN (INT64_C(1) << 20) /* of a count: about 10 ms */
#define HOW_MAX 8u

/* As the choices of "by". */
enum cut { CUT_AUTO, CUT_ITEMS, CUT_DOCS, CUT_RECORDS, CUT_RANGE, CUT_TILES };

/* How a kind is cut and joined if the task does not say. All others: by items, and their results' items in order. */
static const struct way {
	const char *kind;
	enum cut cut;
	const char *join;
} ways[] = {
	{ "text.extract", CUT_DOCS, "summary" },
	{ "text.summarize", CUT_DOCS, "concat" },
	{ "text.dedupe", CUT_RECORDS, "items,text.dedupe" },
	{ "text.language", CUT_ITEMS, "concat" },
	{ "data.hash", CUT_ITEMS, "concat" },
	{ "compute.matmul", CUT_TILES, "concat" },
	{ "compute.montecarlo", CUT_RANGE, "sum" },
};

/* Their results say nothing about a whole that was cut. */
static const char *const indivisible[] = { "text.stats", "text.search", "data.diff" };

struct map {
	const struct cpu_call *call; /* as if for the task.map */
	struct chain chain;
	struct span how; /* of task.reduce */
	struct chain join;
	enum cut cut;
	uint32_t parts_max;
};

static const struct way *way_of(struct span kind)
{
	static const struct way others = { "", CUT_ITEMS, "items" };

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		if (span_is(kind, ways[i].kind))
			return &ways[i];
	}
	return &others;
}

/* --- what was asked for ------------------------------------------------------------------------------- */

/* Kinds that plan have no parts, and a part of a part is not cut again. */
static int check_kinds(const struct map *m, const struct chain *c, const char *field)
{
	const struct cpu_call *call = m->call;

	for (size_t i = 0; i < c->n; i++) {
		if (span_is(span_part(c->kinds[i], 0, 5), "task.") ||
			(c->n > 1 && cpu_kind_find(c->kinds[i]) == NULL))
			return fail_set(call->why, ERR_UNSUPPORTED, field, 0,
				"%.*s cannot be run over parts", (int)c->kinds[i].len,
				(const char *)c->kinds[i].at);
	}
	return 0;
}

/* A parameter that is nobody's is a slip of the pen. */
static int check_owners(const struct map *m)
{
	const struct cpu_call *call = m->call;

	for (size_t i = 0; i < call->in->params_n; i++) {
		struct span key = call->in->params[i].key, kind = key;

		while (kind.len > 0 && kind.at[kind.len - 1] != '.')
			kind.len--;
		kind = span_part(kind, 0, kind.len > 0 ? kind.len - 1 : 0);
		if (kind_find(kind) != NULL && !chain_has(&m->chain, kind) &&
			!chain_has(&m->join, kind))
			return fail_set(call->why, ERR_INVALID, "kinds", 0,
				"%.*s is a parameter of a kind that is not run", (int)key.len,
				(const char *)key.at);
	}
	return 0;
}

/* Parameters of all kinds against their rows, before there is any part. */
static int check_params(const struct map *m, const struct chain *c)
{
	const struct cpu_call *call = m->call;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n; i++) {
		struct body body;

		r = chain_body(call->arena, call->in, c->kinds[i], &body, call->why);
	}
	return r;
}

/* "HOW", "KIND,KIND" or "HOW,KIND,KIND". */
static int read_join(struct map *m)
{
	static const char *const hows[] = { "items", "concat", "sum", "summary" };
	struct span last = m->chain.kinds[m->chain.n - 1];
	struct span text = kind_text(m->call->kind, m->call->in, "join"), rest, first;

	if (text.len == 0)
		text = span_str(way_of(last)->join);
	rest = text;
	first = span_trim(span_cut(&rest, ','));
	m->how = span_str(hows[0]);
	for (size_t i = 0; i < ARRAY_LEN(hows); i++) {
		if (span_is(first, hows[i])) {
			m->how = first;
			text = rest;
		}
	}
	return chain_read(m->call, "join", text, &m->join);
}

static int read_cut(struct map *m)
{
	static const char *const names[] = { "auto", "items", "docs", "records", "range", "tiles" };
	const struct cpu_call *call = m->call;
	enum cut own = way_of(m->chain.kinds[0])->cut;

	m->cut = (enum cut)kind_choice(call->kind, call->in, "by");
	for (size_t i = 0; i < ARRAY_LEN(indivisible); i++) {
		if (chain_has(&m->chain, span_str(indivisible[i])) && m->cut != CUT_ITEMS)
			return fail_set(call->why, ERR_UNSUPPORTED, "by", 0,
				"%s can be run over whole items only (by=items)", indivisible[i]);
	}
	if (m->cut == CUT_AUTO)
		m->cut = own;
	if (m->cut != own && (m->cut == CUT_RANGE || m->cut == CUT_TILES))
		return fail_set(call->why, ERR_UNSUPPORTED, "by", 0, "%.*s cannot be cut by %s",
			(int)m->chain.kinds[0].len, (const char *)m->chain.kinds[0].at,
			names[m->cut]);
	return 0;
}

static int read_map(struct map *m, int64_t parts_asked)
{
	const struct cpu_call *call = m->call;
	int64_t parts = kind_int(call->kind, call->in, "parts");
	int r = chain_read(call, "kinds", kind_text(call->kind, call->in, "kinds"), &m->chain);

	m->parts_max = (uint32_t)(parts == 0 ? parts_asked : parts);
	if (r == 0)
		r = check_kinds(m, &m->chain, "kinds");
	if (r == 0)
		r = read_join(m);
	if (r == 0)
		r = check_kinds(m, &m->join, "join");
	if (r == 0)
		r = check_owners(m);
	if (r == 0)
		r = check_params(m, &m->chain);
	if (r == 0)
		r = check_params(m, &m->join);
	return r != 0 ? r : read_cut(m);
}

/* --- parts -------------------------------------------------------------------------------------------- */

/* Of the mesh, for parts as for the whole. */
static void put_facts(struct buf *b, const struct body *in)
{
	for (size_t i = 0; i < in->params_n; i++) {
		if (span_is(span_part(in->params[i].key, 0, 6), "cache."))
			body_put_param(b, in->params[i].key, in->params[i].value);
	}
}

/* Append a parameter of the first kind. */
static void put_first(struct buf *b, const struct map *m, const char *key, int64_t n)
{
	char name[LIMIT_KIND_BYTES + LIMIT_TOKEN_BYTES + 2];
	size_t len = 0;

	if (m->chain.n > 1) {
		len = span_copy(m->chain.kinds[0], name, sizeof(name));
		name[len++] = '.';
	}
	(void)span_copy(span_str(key), name + len, sizeof(name) - len);
	body_put_int(b, name, n);
}

static void part_begin(struct buf *b, const struct map *m)
{
	const struct body *in = m->call->in;

	buf_reset(b);
	put_facts(b, in);
	if (m->chain.n == 1)
		chain_put_params(b, in, m->chain.kinds[0], false);
	else
		chain_put(b, in, &m->chain);
}

static int part_end(const struct buf *b, const struct map *m)
{
	struct part part = {
		.kind = m->chain.n == 1 ? m->chain.kinds[0] : SPAN_LIT("task.chain"),
		.body = buf_span(b),
	};

	if (buf_err(b) == ERR_NO_MEMORY)
		return cpu_no_memory(m->call);
	if (buf_err(b) < 0 || b->len > LIMIT_BODY_BYTES)
		return fail_set(m->call->why, ERR_TOO_BIG, "parts", LIMIT_BODY_BYTES,
			"a part has more than %d bytes", LIMIT_BODY_BYTES);
	split_plan_put_part(m->call->out, &part);
	return 0;
}

static void put_piece(struct buf *b, const struct item *whole, struct span data)
{
	struct item item = *whole;

	item.data = data;
	body_put(b, &item);
}

/* Whole items, in order, in parts of similar size. */
static int cut_items(const struct map *m, struct buf *b)
{
	const struct body *in = m->call->in;
	size_t parts = in->items_n < m->parts_max ? in->items_n : m->parts_max;
	uint64_t bytes = 0, done = 0;
	size_t at = 0;
	int r = cpu_need_items(m->call);

	for (size_t i = 0; i < in->items_n; i++)
		bytes += 1 + item_bytes(&in->items[i]);
	for (size_t p = 0; r == 0 && p < parts; p++) {
		size_t left = parts - p - 1; /* each of those to come needs an item */

		part_begin(b, m);
		put_first(b, m, "split.item", (int64_t)at);
		do {
			done += 1 + item_bytes(&in->items[at]);
			body_put(b, &in->items[at++]);
		} while (at < in->items_n - left &&
			 done + item_bytes(&in->items[at]) / 2 < bytes * (p + 1) / parts);
		r = part_end(b, m);
	}
	return r;
}

/* How many parts a text makes, so that each is a body. */
static int text_parts(const struct map *m, uint32_t *ret)
{
	uint64_t bytes = 0, least;

	for (size_t i = 0; i < m->call->in->items_n; i++)
		bytes += m->call->in->items[i].data.len;
	least = bytes / PART_BYTES_MAX + 1;
	if (least > LIMIT_PARTS)
		return fail_set(m->call->why, ERR_TOO_BIG, "items", LIMIT_PARTS,
			"a text of %llu bytes has more than %d parts of %u",
			(unsigned long long)bytes, LIMIT_PARTS, PART_BYTES_MAX);
	*ret = least > m->parts_max ? (uint32_t)least : m->parts_max;
	return 0;
}

static int cut_texts(const struct map *m, struct buf *b)
{
	const struct cpu_call *call = m->call;
	struct split_want want = {
		.part_min = PART_BYTES_MIN,
		.lines = m->cut == CUT_RECORDS,
	};
	struct split_piece *pieces;
	struct span *docs;
	size_t n;
	int r = cpu_need_items(call);

	if (r == 0)
		r = text_parts(m, &want.parts_max);
	if (r == 0)
		r = cpu_texts(call, &docs);
	if (r != 0)
		return r;
	if (split_docs(call->arena, docs, call->in->items_n, &want, &pieces, &n) < 0)
		return cpu_no_memory(call);
	if (n == 0)
		return fail_set(call->why, ERR_INVALID, "items", 0, "the texts are empty");
	for (size_t i = 0; r == 0 && i < n;) {
		uint32_t part = pieces[i].part;

		part_begin(b, m);
		for (; i < n && pieces[i].part == part; i++)
			put_piece(b, &call->in->items[pieces[i].doc], pieces[i].text);
		r = part_end(b, m);
	}
	return r;
}

/* The first kind's parameter, of the whole. */
static int64_t number_of(const struct map *m, const char *key)
{
	struct body body;
	int r = chain_body(m->call->arena, m->call->in, m->chain.kinds[0], &body, NULL);

	/* checked before */
	return r < 0 ? 0 : kind_int(kind_find(m->chain.kinds[0]), &body, key);
}

/* Nothing is made for a point of the range: cutting it costs the same for any. */
static int cut_range(const struct map *m, struct buf *b)
{
	int64_t all = number_of(m, "samples"), first = number_of(m, "first");
	int64_t parts = all / PART_COUNT_MIN + 1, done = 0;
	int r = 0;

	if (parts > m->parts_max)
		parts = m->parts_max;
	for (int64_t p = 1; r == 0 && p <= parts; p++) {
		/* at most 10^10 times 1,024; a part begins with an even one */
		int64_t to = p == parts ? all : all * p / parts & ~INT64_C(1);

		part_begin(b, m);
		put_first(b, m, "first", first + done);
		put_first(b, m, "samples", to - done);
		for (size_t i = 0; i < m->call->in->items_n; i++)
			body_put(b, &m->call->in->items[i]);
		r = part_end(b, m);
		done = to;
	}
	return r;
}

/* Rows of C: each part has some rows of A, and all of B. */
static int cut_tiles(const struct map *m, struct buf *b)
{
	const struct cpu_call *call = m->call;
	uint64_t rows = (uint64_t)number_of(m, "m"), row = (uint64_t)number_of(m, "k") * 4,
		 done = 0;
	uint64_t parts = rows < m->parts_max ? rows : m->parts_max;
	int r = 0;

	for (uint64_t p = 1; r == 0 && p <= parts; p++) {
		uint64_t to = rows * p / parts;

		part_begin(b, m);
		put_first(b, m, "m", (int64_t)(to - done));
		for (size_t i = 0; r == 0 && i < call->in->items_n; i++) {
			const struct item *item = &call->in->items[i];

			if (!span_is(item->name, "a"))
				body_put(b, item);
			else if (item->data.len == rows * row)
				put_piece(b, item,
					span_part(item->data, done * row, (to - done) * row));
			else
				r = fail_set(call->why, ERR_INVALID, "a", (int64_t)(rows * row),
					"\"a\" has %zu bytes, not m * k * 4", item->data.len);
		}
		if (r == 0)
			r = part_end(b, m);
		done = to;
	}
	return r;
}

static int cut(const struct map *m)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, m->call->out->max);
	switch (m->cut) {
	case CUT_DOCS:
	case CUT_RECORDS:
		return cut_texts(m, &b);
	case CUT_RANGE:
		return cut_range(m, &b);
	case CUT_TILES:
		return cut_tiles(m, &b);
	case CUT_AUTO:
	case CUT_ITEMS:
		break;
	}
	return cut_items(m, &b);
}

/* --- join --------------------------------------------------------------------------------------------- */

/* What a summary of extracts has from those. */
static void put_summary(struct buf *b, const struct map *m, struct span last)
{
	static const char *const keys[] = { "query", "sentences" };
	struct body body;

	if (chain_body(m->call->arena, m->call->in, last, &body, NULL) < 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct param *p = body_param(&body, keys[i]);

		if (p != NULL)
			body_put_param(b, p->key, p->value);
	}
}

/* task.reduce alone, or before the kinds of the join. */
static int put_join(const struct map *m)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct span last = m->chain.kinds[m->chain.n - 1];
	struct part part = { .kind = SPAN_LIT("task.reduce") };
	bool alone = m->join.n == 0;

	buf_init(&b, m->call->out->max);
	put_facts(&b, m->call->in);
	if (alone && span_is(m->how, "summary"))
		put_summary(&b, m, last);
	if (!alone) {
		struct chain with = { .kinds = { SPAN_LIT("task.reduce") }, .n = 1 };

		for (size_t i = 0; i < m->join.n && with.n < CHAIN_MAX; i++)
			with.kinds[with.n++] = m->join.kinds[i];
		chain_put(&b, m->call->in, &with);
		part.kind = SPAN_LIT("task.chain");
	}
	body_put_param(&b, alone ? SPAN_LIT("how") : SPAN_LIT("task.reduce.how"), m->how);
	body_put_param(&b, alone ? SPAN_LIT("split.kind") : SPAN_LIT("task.reduce.split.kind"),
		last);
	if (buf_err(&b) < 0)
		return cpu_no_memory(m->call);
	part.body = buf_span(&b);
	split_plan_put_join(m->call->out, &part);
	return 0;
}

int split_map(const struct cpu_call *call, int64_t parts_asked)
{
	struct map m = { .call = call };
	int r = read_map(&m, parts_asked);

	if (r == 0)
		r = cut(&m);
	return r != 0 ? r : put_join(&m);
}
