/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_map: the plan of a task.map: what it says, the parts that its input is cut into (kinds_cut.c), and a join that
 * makes one result of theirs. What is done with the parts is the router's.
 */
#include "base/limits.h"
#include "cpu-node/kinds_plan.h"
#include "cpu-node/map.h"
#include "wire/node.h"

#define FAN_IN 32u

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
	{ "image.filter", CUT_TILES, "items" },
	{ "compute.matmul", CUT_TILES, "concat" },
	{ "compute.montecarlo", CUT_RANGE, "sum" },
};

/* Their results say nothing about a whole that was cut. */
static const char *const indivisible[] = { "text.stats", "text.search", "data.diff" };

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

static const char *grid_join(const struct map *m)
{
	return map_is_local(m) ? "concat" : "items";
}

/* "HOW", "KIND,KIND" or "HOW,KIND,KIND". */
static int read_join(struct map *m)
{
	static const char *const hows[] = { "items", "concat", "sum", "summary" };
	struct span last = m->chain.kinds[m->chain.n - 1];
	struct span text = kind_text(m->call->kind, m->call->in, "join"), rest, first;

	if (text.len == 0)
		text = map_is_pictures(m)
			       ? (struct span){ 0 }
			       : span_str(m->cut == CUT_GRID ? grid_join(m) : way_of(last)->join);
	rest = text;
	first = span_trim(span_cut(&rest, ','));
	m->how = map_is_pictures(m) ? SPAN_LIT("tiles") : span_str(hows[0]);
	for (size_t i = 0; i < ARRAY_LEN(hows); i++) {
		if (span_is(first, hows[i]) && map_is_pictures(m))
			return fail_set(m->call->why, ERR_UNSUPPORTED, "join", 0,
				"tiles of a picture are joined to the picture; for others "
				"by=items");
		if (span_is(first, hows[i])) {
			m->how = first;
			text = rest;
		}
	}
	return chain_read(m->call, "join", text, &m->join);
}

/* Points are numbers: they are cut by range, and each has all items. */
static int read_grid(struct map *m)
{
	const struct cpu_call *call = m->call;
	unsigned by = kind_choice(call->kind, call->in, "by");
	int r = grid_read(call, &m->chain, &m->grid);

	if (r == 0 && by != CUT_AUTO && by != CUT_RANGE)
		return fail_set(call->why, ERR_UNSUPPORTED, "by", 0,
			"a task with axes is cut by range");
	if (r == 0 && !map_is_local(m) && m->grid.points > LIMIT_PARTS)
		return fail_set(call->why, ERR_TOO_BIG, "kinds", LIMIT_PARTS,
			"of a kind that no CPU node has each point is a part, and there are %llu",
			(unsigned long long)m->grid.points);
	return r;
}

static int read_cut(struct map *m)
{
	static const char *const names[] = { "auto", "items", "docs", "records", "range", "tiles" };
	const struct cpu_call *call = m->call;
	bool chained = m->chain.n > 1;
	enum cut own = way_of(m->chain.kinds[0])->cut;

	if (m->cut == CUT_GRID)
		return read_grid(m);
	m->cut = (enum cut)kind_choice(call->kind, call->in, "by");
	if (chained && span_is(m->chain.kinds[0], "image.filter"))
		own = CUT_ITEMS; /* who comes next would see a tile for a picture */
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

static int read_map(struct map *m)
{
	const struct cpu_call *call = m->call;
	int64_t parts = kind_int(call->kind, call->in, "parts");
	int r = chain_read(call, "kinds", kind_text(call->kind, call->in, "kinds"), &m->chain);

	m->parts_max = (uint32_t)(parts == 0 ? m->asked->parts : parts);
	m->parts_given = parts > 0;
	if (grid_is(call->in))
		m->cut = CUT_GRID;
	if (r == 0)
		r = check_kinds(m, &m->chain, "kinds");
	if (r == 0)
		r = read_cut(m);
	if (r == 0)
		r = read_join(m);
	if (r == 0)
		r = check_kinds(m, &m->join, "join");
	if (r == 0)
		r = check_owners(m);
	if (r == 0 && m->cut != CUT_GRID) /* there an axis may give what is needed */
		r = check_params(m, &m->chain);
	return r != 0 ? r : check_params(m, &m->join);
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
	map_put_facts(&b, m->call->in);
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
	if (m->tiles.len > 0)
		body_put_param(&b, alone ? SPAN_LIT("tiles") : SPAN_LIT("task.reduce.tiles"),
			buf_span(&m->tiles));
	body_put_param(&b, alone ? SPAN_LIT("split.kind") : SPAN_LIT("task.reduce.split.kind"),
		last);
	if (buf_err(&b) < 0)
		return cpu_no_memory(m->call);
	part.body = buf_span(&b);
	if (alone && (span_is(m->how, "sum") || span_is(m->how, "items") ||
			     span_is(m->how, "concat"))) /* of joined results they make the same */
		part.fan_in = FAN_IN;
	split_plan_put_join(m->call->out, &part);
	return 0;
}

int split_map(const struct cpu_call *call, const struct plan_asked *asked)
{
	struct map m = { .call = call, .asked = asked };
	int r = read_map(&m);

	buf_init(&m.tiles, LIMIT_PARAM_BYTES);
	if (r == 0)
		r = map_cut(&m);
	if (r == 0)
		r = buf_err(&m.tiles) < 0 ? cpu_no_memory(call) : put_join(&m);
	buf_done(&m.tiles);
	return r;
}
