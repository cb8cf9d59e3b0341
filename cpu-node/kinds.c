/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds: the table, and what several of its functions need.
 */
#include "cpu-node/kinds.h"

#include "base/fmt.h"
#include "base/limits.h"

/* The lines CPU_KIND of all files kinds_*.c, which the Makefile gathers: as declarations, then as rows. */
#include "cpu-kinds.def"
#undef CPU_KIND

/* clang-format off */
static const struct cpu_kind rows[] = {
#define CPU_KIND(name_, run_, inline_bytes_, ...) \
	{ .name = name_, .run = run_, .inline_bytes = inline_bytes_, __VA_ARGS__ },
#include "cpu-kinds.def"
};
/* clang-format on */

const struct cpu_kind *cpu_kind_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (span_is(name, rows[i].name))
			return &rows[i];
	}
	return NULL;
}

const struct cpu_kind *cpu_kind_at(unsigned i)
{
	return i < ARRAY_LEN(rows) ? &rows[i] : NULL;
}

int cpu_kind_run(const struct cpu_kind *kind, const struct cpu_call *call)
{
	int r = kind->run(call);

	if (r == ERR_NO_MEMORY && call->arena->full)
		return fail_set(call->why, ERR_TOO_BIG, "items", (int64_t)call->arena->max,
			"the work on so much needs more than %zu bytes of memory",
			call->arena->max);
	if (r != 0)
		return r;
	if (buf_err(call->out) == ERR_TOO_BIG)
		return fail_set(call->why, ERR_TOO_BIG, "result", (int64_t)call->out->max,
			"the result is larger than %zu bytes", call->out->max);
	return buf_err(call->out) < 0 ? cpu_no_memory(call) : 0;
}

int cpu_no_memory(const struct cpu_call *call)
{
	return fail_set(call->why, ERR_NO_MEMORY, NULL, 0, NULL);
}

int cpu_cancelled(const struct cpu_call *call)
{
	return fail_set(call->why, ERR_CANCELLED, NULL, 0, NULL);
}

void *cpu_state(const struct cpu_call *call, size_t bytes)
{
	void *state = call->state == NULL ? NULL : *call->state;

	if (state == NULL)
		state = arena_alloc(call->arena, bytes);
	if (call->state != NULL)
		*call->state = state;
	return state;
}

int cpu_need_items(const struct cpu_call *call)
{
	if (call->in->items_n > 0)
		return 0;
	return fail_set(call->why, ERR_INVALID, "items", 0, "%s needs an item", call->kind->name);
}

int cpu_texts(const struct cpu_call *call, struct span **ret)
{
	struct span *texts = arena_raw(call->arena, (call->in->items_n + 1) * sizeof(*texts));

	if (texts == NULL)
		return cpu_no_memory(call);
	for (size_t i = 0; i < call->in->items_n; i++) {
		texts[i] = call->in->items[i].data;
		if (!fmt_is_text(texts[i]))
			return fail_set(call->why, ERR_UNSUPPORTED, "items", 0,
				"item %zu is no text in UTF-8", i + 1);
	}
	*ret = texts;
	return 0;
}

size_t cpu_items_before(const struct cpu_call *call)
{
	const struct param *p = body_param(call->in, "split.item");
	int64_t n;

	return p != NULL && fmt_int(p->value, &n) == 0 && n >= 0 && n < LIMIT_ITEMS ? (size_t)n : 0;
}

bool cpu_is_body(const struct item *item)
{
	return span_is(item->media, BODY_MEDIA);
}

int cpu_unwrap(const struct cpu_call *call, size_t i, struct body *ret)
{
	struct fail why = { 0 };
	int r = body_view(call->arena, call->in->items[i].data, ret, &why);

	if (r == 0)
		return 0;
	if (r == ERR_NO_MEMORY)
		return cpu_no_memory(call);
	return fail_set(call->why, ERR_INVALID, "items", why.limit, "item %zu is no body: %s: %s",
		i + 1, why.field, why.detail);
}

int cpu_name(const struct cpu_call *call, struct span stem, const char *ending, struct span *ret)
{
	size_t ending_bytes = strlen(ending);
	unsigned char *to = arena_raw(call->arena, stem.len + ending_bytes + 1);

	if (to == NULL)
		return cpu_no_memory(call);
	if (stem.len > 0) {
		memcpy(to, stem.at, stem.len);
		memcpy(to + stem.len, ending, ending_bytes);
	}
	*ret = span_of(to, stem.len == 0 ? 0 : stem.len + ending_bytes);
	return 0;
}
