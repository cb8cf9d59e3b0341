/* SPDX-License-Identifier: Apache-2.0
 *
 * compress: how much, batch by batch; the units of a batch are chosen by rank, and emit writes them.
 */
#include "policy/compress.h"

#include "policy/emit.h"
#include "policy/rank.h"
#include "policy/text.h"
#include "policy/trace.h"

#include "base/pure.h"

#define BATCH_MIN 4096u

struct press {
	struct arena *scratch;
	const struct compress_want *want;
	const struct span *docs;
	size_t docs_n;
	size_t doc;     /* being read */
	size_t at;      /* read up to here */
	uint32_t block; /* the last number of one */
	struct buf *outs;
	struct buf *map;
	struct emit emit;
	struct fail *why;
	struct compress_facts facts;
	uint64_t budget; /* left, in thousandths */
	uint64_t tokens; /* of what is not yet read, likewise */
	bool mark_paid;  /* one for what is left out at the end of the batch before */
	size_t batch_bytes;
};

static uint64_t total(struct tokens t)
{
	return t.text + t.space;
}

/* Thousandths of a token that the texts may have afterwards; UINT64_MAX: no limit. */
static uint64_t budget_of(const struct compress_want *want, uint64_t in, uint64_t prefix)
{
	uint64_t budget = want->tokens > UINT64_MAX / 1000 ? UINT64_MAX : want->tokens * 1000;
	uint64_t rest = in - prefix, share;

	if (want->ratio_milli <= 1000 || in < COMPRESS_SMALL_TOKENS * UINT64_C(1000))
		return budget;
	share = prefix + rest / want->ratio_milli * 1000 +
		rest % want->ratio_milli * 1000 / want->ratio_milli;
	return share < budget ? share : budget;
}

/* --- one batch ------------------------------------------------------------------------------------ */

/* Where a part of a text that may have `most` bytes ends: behind a line if there is one. */
static size_t part_end(struct span rest, size_t most)
{
	const unsigned char *line;

	if (rest.len <= most)
		return rest.len;
	line = memrchr(rest.at, '\n', most);
	if (line != NULL && line > rest.at)
		return (size_t)(line - rest.at) + 1;
	return text_border(rest, most);
}

/* Read units until the batch is full or the texts are at their end. */
static int read_batch(struct press *p, struct guard *g)
{
	size_t left = p->batch_bytes;

	while (p->doc < p->docs_n && left > 0) {
		struct span doc = p->docs[p->doc], rest = span_part(doc, p->at, doc.len), part;
		size_t end = part_end(rest, left);
		int r;

		/* What is left of the batch is too little for a line of the next text: it waits. */
		if (end < rest.len && left < p->batch_bytes / 2)
			return 0;
		part = span_part(rest, 0, end);
		r = guard_doc(g, doc, part, (uint32_t)p->doc);
		if (r < 0)
			return r;
		left -= part.len;
		p->at += part.len;
		if (p->at == doc.len) {
			p->doc++;
			p->at = 0;
		}
	}
	return 0;
}

static uint32_t cost_of(void *self, struct span text)
{
	const struct press *p = self;
	uint64_t cost = tokens_of(p->want->family, text).text;

	return cost < UINT32_MAX ? (uint32_t)cost : UINT32_MAX;
}

/* What the units cost when all are kept. */
static uint64_t cost_of_all(const struct press *p, const struct units *u)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < u->n; i++) {
		bool opens = i == 0 || u->rows[i].doc != u->rows[i - 1].doc ||
			     u->rows[i].block != u->rows[i - 1].block;

		sum += u->rows[i].cost + (opens ? p->emit.newline : 0);
	}
	return sum;
}

/* The share of the budget that what costs `tokens` gets. */
static uint64_t share_of(const struct press *p, uint64_t tokens)
{
	if (p->budget == UINT64_MAX || tokens >= p->tokens)
		return p->budget;
	return (uint64_t)((unsigned __int128)p->budget * tokens / p->tokens);
}

static int choose(struct press *p, const struct units *u, uint64_t budget, struct rank_result *ret)
{
	struct rank_want want = {
		.query = p->want->query,
		.budget = budget,
		.units_max = UINT32_MAX,
		.newline = p->emit.newline,
		.gap = p->want->marks ? p->emit.mark : 0,
	};
	uint64_t all = cost_of_all(p, u);

	*ret = (struct rank_result){ .cost = all, .taken_n = u->n, .clipped = UNIT_NONE };
	if (all > budget && p->want->mode != GUARD_LOSSLESS)
		return rank_units(p->scratch, u->rows, u->n, &want, cost_of, p, ret);
	ret->taken = arena_raw(p->scratch, u->n + (size_t)1);
	if (ret->taken == NULL)
		return ERR_NO_MEMORY;
	memset(ret->taken, true, u->n);
	return 0;
}

/* What stands between a batch and those beside it: a line end, and a mark for what either leaves out there, which the
 * ranking of one batch does not see. The mark behind it is paid by this batch if the text goes on. */
struct border {
	uint64_t before, behind;
};

static struct border border_of(const struct press *p, bool goes_on, bool ends_inside)
{
	uint64_t mark = p->want->marks && p->want->mode != GUARD_LOSSLESS ? p->emit.mark : 0;

	return (struct border){
		.before = (goes_on ? p->emit.newline : 0) +
			  (goes_on && p->emit.left_out && !p->mark_paid ? mark : 0),
		.behind = ends_inside ? mark : 0,
	};
}

static void add_facts(struct compress_facts *f, const struct guard *g, const struct rank_result *r)
{
	for (size_t i = 0; i < SECTION_KINDS; i++)
		f->sections[i] += g->sections[i];
	f->units_in += g->units.n;
	f->units_out += r->taken_n;
	f->terms = r->terms > f->terms ? r->terms : f->terms;
	f->found = r->found > f->found ? r->found : f->found;
	f->kept = r->kept > f->kept ? r->kept : f->kept;
}

static void spend(struct press *p, uint64_t cost)
{
	if (p->budget != UINT64_MAX)
		p->budget -= cost < p->budget ? cost : p->budget;
}

static int press_batch(struct press *p, uint64_t tokens)
{
	struct guard g = {
		.units = { .arena = p->scratch },
		.mode = p->want->mode,
		.family = p->want->family,
		.block = p->block,
	};
	struct rank_result chosen = { 0 };
	uint64_t budget = share_of(p, tokens), around;
	bool goes_on = p->at > 0;
	size_t doc = p->doc;
	struct border border;
	int r = read_batch(p, &g);

	border = border_of(p, goes_on, p->at > 0);
	around = border.before + border.behind;
	if (r == 0)
		r = choose(p, &g.units, budget < around ? 0 : budget - around, &chosen);
	if (r < 0)
		return fail_set(p->why, r, NULL, 0, NULL);
	if (p->want->mode == GUARD_LOSSLESS && chosen.cost > budget)
		return fail_set(p->why, ERR_TOO_BIG, "tokens", (int64_t)(p->budget / 1000),
			"without a loss it is larger");
	p->block = g.block;
	emit_units(&p->emit, g.units.rows, g.units.n, &chosen);
	add_facts(&p->facts, &g, &chosen);
	if (chosen.taken_n > 0) {
		spend(p, chosen.cost + around);
		p->mark_paid = border.behind > 0;
	} else if (p->doc != doc) {
		p->mark_paid = false;
	}
	return 0;
}

/* --- all ------------------------------------------------------------------------------------------ */

/* The tokens of the next batch, as read_batch will cut it. */
static uint64_t next_tokens(const struct press *p)
{
	struct press look = *p;
	size_t left = p->batch_bytes;
	uint64_t sum = 0;

	while (look.doc < look.docs_n && left > 0) {
		struct span doc = look.docs[look.doc], rest = span_part(doc, look.at, doc.len);
		size_t end = part_end(rest, left);

		if (end < rest.len && left < p->batch_bytes / 2)
			break;
		sum += total(tokens_of(p->want->family, span_part(rest, 0, end)));
		left -= end;
		look.at += end;
		if (look.at == doc.len) {
			look.doc++;
			look.at = 0;
		}
	}
	return sum;
}

static int press_all(struct press *p, size_t bytes)
{
	int r = 0;

	while (r == 0 && p->doc < p->docs_n) {
		uint64_t tokens = bytes <= p->batch_bytes ? p->tokens : next_tokens(p);

		r = press_batch(p, tokens);
		p->tokens -= tokens < p->tokens ? tokens : p->tokens;
		arena_reset(p->scratch);
	}
	return r;
}

/* The texts as they are. */
static void give_back(struct press *p)
{
	p->facts.whole = true;
	p->facts.tokens_out = p->facts.tokens_in;
	for (size_t i = 0; i < p->docs_n; i++)
		emit_whole(&p->emit, (uint32_t)i, p->docs[i].len);
}

static int check_outs(const struct press *p)
{
	for (size_t i = 0; i < p->docs_n; i++) {
		int err = buf_err(&p->outs[i]);

		if (err < 0)
			return fail_set(p->why, err, "result", (int64_t)p->outs[i].max, NULL);
	}
	if (p->map != NULL && buf_err(p->map) < 0)
		return fail_set(p->why, buf_err(p->map), "map", (int64_t)p->map->max, NULL);
	return 0;
}

static void count_tokens(struct press *p)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->docs_n; i++)
		sum += total(tokens_of(p->want->family, buf_span(&p->outs[i])));
	p->facts.tokens_out = (sum + 999) / 1000;
}

static int press(struct press *p, size_t bytes)
{
	const struct compress_want *want = p->want;
	struct span first = p->docs_n == 0 ? (struct span){ 0 } : p->docs[0];
	size_t prefix = want->prefix_bytes < first.len ? want->prefix_bytes : first.len;
	uint64_t in = p->tokens, kept = total(tokens_of(want->family, span_part(first, 0, prefix)));
	int r;

	p->facts.tokens_in = (in + 999) / 1000;
	kept = kept < in ? kept : in;
	p->budget = budget_of(want, in, kept);
	if (want->mode != GUARD_LOSSLESS && p->budget >= in) {
		give_back(p);
		return 0;
	}
	if (kept > p->budget)
		return fail_set(p->why, ERR_TOO_BIG, "prefix_bytes", (int64_t)(p->budget / 1000),
			"the prefix alone has more tokens than that");
	p->budget -= p->budget == UINT64_MAX ? 0 : kept;
	p->tokens -= kept;
	emit_whole(&p->emit, 0, prefix);
	p->at = prefix;
	if (prefix > 0 && prefix == first.len)
		p->doc++, p->at = 0;
	r = press_all(p, bytes);
	emit_end(&p->emit);
	if (r == 0)
		count_tokens(p);
	return r;
}

int compress_texts(struct arena *scratch, const struct span *docs, size_t docs_n,
	const struct compress_want *want, struct buf *outs, struct buf *map,
	struct compress_facts *ret, struct fail *why)
{
	struct press p = {
		.scratch = scratch,
		.want = want,
		.docs = docs,
		.docs_n = docs_n,
		.outs = outs,
		.map = map,
		.why = why,
		.batch_bytes = want->batch_bytes == 0 ? COMPRESS_BATCH_BYTES : want->batch_bytes,
	};
	size_t bytes = 0;
	int r;

	if (p.batch_bytes < BATCH_MIN)
		p.batch_bytes = BATCH_MIN;
	emit_init(&p.emit, docs, docs_n, outs, map, want->marks, want->family);
	for (size_t i = 0; i < docs_n; i++) {
		bytes += docs[i].len;
		p.tokens += total(tokens_of(want->family, docs[i]));
	}
	r = press(&p, bytes);
	if (r == 0)
		r = check_outs(&p);
	if (r == 0)
		*ret = p.facts;
	return r;
}
