/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_chain: task.chain: kinds of this node, each on the items that the one before gave; and the lists of kinds that
 * task.map has, too.
 */
#include "base/fmt.h"
#include "base/limits.h"
#include "cpu-node/chain.h"

/* --- lists of kinds ----------------------------------------------------------------------------------- */

int chain_read(const struct cpu_call *call, const char *field, struct span text, struct chain *ret)
{
	ret->n = 0;
	while (text.len > 0) {
		struct span name = span_trim(span_cut(&text, ','));

		if (!fmt_is_kind(name))
			return fail_set(call->why, ERR_INVALID, field, 0,
				"names of kinds with a comma between them");
		if (ret->n == CHAIN_MAX)
			return fail_set(call->why, ERR_INVALID, field, CHAIN_MAX,
				"more than %u kinds", CHAIN_MAX);
		ret->kinds[ret->n++] = name;
	}
	return 0;
}

bool chain_has(const struct chain *c, struct span kind)
{
	for (size_t i = 0; i < c->n; i++) {
		if (span_eq(c->kinds[i], kind))
			return true;
	}
	return false;
}

/* The key without the kind's name; empty if it is not the kind's. */
static struct span key_of(struct span key, struct span kind)
{
	if (key.len <= kind.len + 1 || key.at[kind.len] != '.' ||
		!span_eq(span_part(key, 0, kind.len), kind))
		return (struct span){ 0 };
	return span_part(key, kind.len + 1, key.len);
}

void chain_put_params(struct buf *b, const struct body *from, struct span kind, bool named)
{
	for (size_t i = 0; i < from->params_n; i++) {
		struct span key = key_of(from->params[i].key, kind);

		if (key.len > 0)
			body_put_param(b, named ? from->params[i].key : key, from->params[i].value);
	}
}

void chain_put(struct buf *b, const struct body *from, const struct chain *c)
{
	char names[CHAIN_MAX * (LIMIT_KIND_BYTES + 1)];
	size_t len = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (i > 0)
			names[len++] = ',';
		len += span_copy(c->kinds[i], names + len, sizeof(names) - len);
	}
	body_put_param(b, SPAN_LIT("kinds"), span_of(names, len));
	for (size_t i = 0; i < c->n; i++)
		chain_put_params(b, from, c->kinds[i], true);
}

int chain_body(struct arena *a, const struct body *from, struct span kind, struct body *ret,
	struct fail *why)
{
	const struct kind_row *row = kind_find(kind);

	*ret = (struct body){ .items = from->items, .items_n = from->items_n };
	ret->params = arena_raw(a, (from->params_n + 1) * sizeof(*ret->params));
	if (ret->params == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	for (size_t i = 0; i < from->params_n; i++) {
		struct span key = key_of(from->params[i].key, kind);

		if (key.len > 0)
			ret->params[ret->params_n++] = (struct param){ key, from->params[i].value };
	}
	return row == NULL ? 0 : kind_check(row, ret, why);
}

/* --- task.chain --------------------------------------------------------------------------------------- */

void links_init(struct links *l, size_t out_max)
{
	arena_init(&l->views, (size_t)4 << 20);
	arena_init(&l->scratch, CALL_ARENA_BYTES);
	buf_init(&l->outs[0], out_max);
	buf_init(&l->outs[1], out_max);
	atomic_init(&l->permille, 0);
}

void links_done(struct links *l)
{
	arena_done(&l->views);
	arena_done(&l->scratch);
	buf_done(&l->outs[0]);
	buf_done(&l->outs[1]);
}

/* Say in which step; the code, field and limit stay. */
static int in_step(struct fail *why, struct span kind, int code)
{
	struct fail of = *why;

	return fail_set(why, code, of.field, of.limit, "%.*s: %s", (int)kind.len,
		(const char *)kind.at, of.detail);
}

/* One kind with its own of the parameters. */
static int run_step(const struct cpu_call *call, struct links *l, struct span name,
	const struct body *in, struct buf *out)
{
	const struct cpu_kind *kind = cpu_kind_find(name);
	struct cpu_call inner = *call;
	struct body body;
	int r = chain_body(&l->views, in, name, &body, call->why);

	inner.kind = kind_find(name);
	inner.in = &body;
	inner.arena = &l->scratch;
	inner.out = out;
	inner.permille = &l->permille;
	inner.pause = NULL; /* what stood still could not go on in the middle of a chain */
	inner.state = NULL;
	arena_reset(&l->scratch);
	if (r == 0)
		r = cpu_kind_run(kind, &inner);
	return r < 0 ? in_step(call->why, name, r) : 0;
}

int links_run(const struct cpu_call *call, const struct chain *c, struct links *l,
	const struct body *in, struct buf *out, bool tell)
{
	struct body now = *in;
	int r = 0;

	arena_reset(&l->views);
	for (size_t i = 0; r == 0 && i < c->n; i++) {
		bool last = i + 1 == c->n;
		struct buf *to = last ? out : &l->outs[i % 2];

		if (cpu_is_cancelled(call))
			return cpu_cancelled(call);
		if (!last)
			buf_reset(to);
		r = run_step(call, l, c->kinds[i], &now, to);
		if (tell)
			cpu_progress(call, i + 1, c->n);
		if (r == 0 && !last) {
			r = body_view(&l->views, buf_span(to), &now, call->why);
			now.params = in->params;
			now.params_n = in->params_n;
		}
	}
	return r;
}

/* Those that plan or run others have no place in it. */
static bool may_be_in(struct span kind)
{
	return cpu_kind_find(kind) != NULL && !span_is(kind, "task.chain") &&
	       !span_is(kind, "task.split") && !span_is(kind, "task.sweep");
}

int chain_check(const struct cpu_call *call, const struct chain *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (!may_be_in(c->kinds[i]))
			return fail_set(call->why, ERR_UNSUPPORTED, "kinds", 0,
				"%.*s cannot be part of a chain", (int)c->kinds[i].len,
				(const char *)c->kinds[i].at);
	}
	return 0;
}

/* Never on the owner thread: however small it is, it may hold kinds that take long, or wait. */
CPU_KIND("task.chain", run_chain, 0)
int run_chain(const struct cpu_call *call)
{
	CLEANUP(links_done) struct links l = { 0 };
	struct chain c;
	int r;

	links_init(&l, call->out->max);
	r = chain_read(call, "kinds", kind_text(call->kind, call->in, "kinds"), &c);
	if (r == 0)
		r = chain_check(call, &c);
	return r < 0 ? r : links_run(call, &c, &l, call->in, call->out, true);
}
