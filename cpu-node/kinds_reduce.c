/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_reduce: task.reduce: one result of those of parts.
 */
#include "base/fmt.h"
#include "base/limits.h"
#include "cpu-node/kinds.h"
#include "kernel/montecarlo.h"

/* As the choices of "how". */
enum { HOW_SUMMARY, HOW_CONCAT, HOW_ITEMS, HOW_SUM, HOW_TILES };

/* --- items -------------------------------------------------------------------------------------------- */

/* All items' bytes as one item. */
static int reduce_concat(const struct cpu_call *call)
{
	CLEANUP(buf_done) struct buf all = { 0 };

	buf_init(&all, call->out->max);
	for (size_t i = 0; i < call->in->items_n; i++)
		buf_add(&all, call->in->items[i].data);
	if (buf_err(&all) < 0)
		return fail_set(call->why, buf_err(&all), "result", (int64_t)all.max, NULL);
	body_put_item(call->out, call->in->items[0].name, call->in->items[0].media, buf_span(&all));
	return 0;
}

static int reduce_items(const struct cpu_call *call)
{
	for (size_t i = 0; i < call->in->items_n; i++)
		body_put(call->out, &call->in->items[i]);
	return 0;
}

/* Add n items to ret's, which have room for LIMIT_ITEMS. */
static int add_items(const struct cpu_call *call, struct body *ret, const struct item *items,
	size_t n)
{
	if (ret->items_n + n > LIMIT_ITEMS)
		return fail_set(call->why, ERR_TOO_BIG, "items", LIMIT_ITEMS,
			"the parts have more than %d items together", LIMIT_ITEMS);
	for (size_t i = 0; i < n; i++)
		ret->items[ret->items_n++] = items[i];
	return 0;
}

/* Add what the i-th item has inside. */
static int add_part(const struct cpu_call *call, struct body *ret, size_t i)
{
	struct body part;
	int r = cpu_unwrap(call, i, &part);

	if (r < 0)
		return r;
	for (size_t k = 0; k < part.items_n; k++) {
		if (cpu_is_body(&part.items[k]))
			return fail_set(call->why, ERR_INVALID, "items", 0,
				"item %zu is a body with another body inside", i + 1);
	}
	return add_items(call, ret, part.items, part.items_n);
}

/* The call's body with each item that is a body replaced by that one's items: what parts found. */
static int unwrap_parts(const struct cpu_call *call, struct body *ret)
{
	int r = 0;

	*ret = *call->in;
	ret->items_n = 0;
	ret->items = arena_raw(call->arena, LIMIT_ITEMS * sizeof(*ret->items));
	if (ret->items == NULL)
		return cpu_no_memory(call);
	for (size_t i = 0; r == 0 && i < call->in->items_n; i++) {
		const struct item *item = &call->in->items[i];

		r = cpu_is_body(item) ? add_part(call, ret, i) : add_items(call, ret, item, 1);
	}
	return r;
}

static int reduce_unwrapped(const struct cpu_call *call, unsigned how)
{
	struct cpu_call inner = *call;
	struct body in;
	int r = unwrap_parts(call, &in);

	inner.in = &in;
	if (r == 0)
		r = cpu_need_items(&inner);
	if (r < 0)
		return r;
	return how == HOW_SUMMARY  ? reduce_summary(&inner)
	       : how == HOW_TILES  ? reduce_tiles(&inner)
	       : how == HOW_CONCAT ? reduce_concat(&inner)
				   : reduce_items(&inner);
}

/* --- sum ---------------------------------------------------------------------------------------------- */

static int read_parts(const struct cpu_call *call, struct body **ret)
{
	int r = cpu_need_items(call);

	*ret = arena_raw(call->arena, (call->in->items_n + 1) * sizeof(**ret));
	if (*ret == NULL)
		return cpu_no_memory(call);
	for (size_t i = 0; r == 0 && i < call->in->items_n; i++) {
		if (!cpu_is_body(&call->in->items[i]))
			return fail_set(call->why, ERR_INVALID, "items", 0,
				"item %zu is no result of a part: there is nothing to add up",
				i + 1);
		r = cpu_unwrap(call, i, &(*ret)[i]);
	}
	return r;
}

/* 1 and the sum of all parts' numbers, 0 if one of them has none. */
static int sum_of(const struct cpu_call *call, const struct body *parts, const char *key,
	int64_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < call->in->items_n; i++) {
		const struct param *p = body_param(&parts[i], key);
		int64_t n;

		if (p == NULL || fmt_int(p->value, &n) < 0)
			return 0;
		if (__builtin_add_overflow(*ret, n, ret))
			return fail_set(call->why, ERR_TOO_BIG, key, INT64_MAX,
				"the sum of the parts' is too large");
	}
	return 1;
}

/* What compute.montecarlo makes of its counts. */
static void put_pi(const struct cpu_call *call, int64_t inside, int64_t samples)
{
	const struct param *kind = body_param(call->in, "split.kind");
	char pi[MONTECARLO_PI_BYTES];

	if (kind == NULL || !span_is(kind->value, "compute.montecarlo") || samples <= 0 ||
		samples > INT64_C(1) << 60 || inside < 0 || inside > samples)
		return;
	body_put_param(call->out, SPAN_LIT("pi"),
		span_str(montecarlo_pi((uint64_t)inside, (uint64_t)samples, pi)));
}

/* Parameters that are numbers in every part, added up; their items go. */
static int reduce_sum(const struct cpu_call *call)
{
	int64_t inside = -1, samples = -1;
	struct body *parts;
	int r = read_parts(call, &parts);

	for (size_t i = 0; r >= 0 && i < parts[0].params_n; i++) {
		char key[LIMIT_TOKEN_BYTES + 1];
		int64_t sum;

		span_copy(parts[0].params[i].key, key, sizeof(key));
		r = sum_of(call, parts, key, &sum);
		if (r <= 0)
			continue;
		body_put_int(call->out, key, sum);
		if (strcmp(key, "inside") == 0)
			inside = sum;
		if (strcmp(key, "samples") == 0)
			samples = sum;
	}
	if (r < 0)
		return r;
	put_pi(call, inside, samples);
	return 0;
}

CPU_KIND("task.reduce", run_reduce, CPU_SMALL)
int run_reduce(const struct cpu_call *call)
{
	unsigned how = kind_choice(call->kind, call->in, "how");

	return how == HOW_SUM ? reduce_sum(call) : reduce_unwrapped(call, how);
}
