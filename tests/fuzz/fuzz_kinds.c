/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_kinds: lines "kind", then "key=value" up to a blank one, then items with a zero between them, as a task for
 * the CPU node: what it makes is a body, or its error has a code and is one that the kind may give.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "cpu-node/kinds.h"
#include "wire/plan.h"

#define OUT_BYTES ((size_t)8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Those that compute for as long as they are told, alone or in a chain. */
static bool takes_long(struct span kind, struct span rest)
{
	if (span_is(kind, "task.chain"))
		return memmem(rest.at, rest.len, "compute.", 8) != NULL;
	return span_is(kind, "compute.montecarlo") || span_is(kind, "compute.matmul");
}

static void read_body(struct buf *to, struct span rest)
{
	while (rest.len > 0) {
		struct span value = span_cut(&rest, '\n'), key = span_cut(&value, '=');

		if (key.len == 0)
			break;
		body_put_param(to, key, value);
	}
	while (rest.len > 0) {
		struct span item = span_cut(&rest, '\0'), name = span_cut(&item, ':');
		/* an item whose name says so is a body */
		struct span media = span_is(name, "task") || span_is(name, "part")
					    ? SPAN_LIT(BODY_MEDIA)
					    : (struct span){ 0 };

		body_put_item(to, name, media, item);
	}
}

/* A plan is one, and comes out as it went in. */
static void check_plan(struct arena *a, const struct buf *out)
{
	struct plan plan;
	struct buf again;

	buf_init(&again, OUT_BYTES);
	CHECK(plan_view(a, buf_span(out), &plan, NULL) == 0);
	plan_encode(&again, &plan);
	CHECK(span_eq(buf_span(&again), buf_span(out)));
	buf_done(&again);
}

static void run(const struct cpu_kind *row, const struct kind_row *kind, const struct body *in)
{
	static const _Atomic bool never = false;
	_Atomic uint32_t permille = 0;
	struct fail why = { 0 };
	struct arena arena, result_arena;
	struct body result;
	struct buf out;
	struct cpu_call call = { .kind = kind,
		.in = in,
		.attempt = 1,
		.arena = &arena,
		.out = &out,
		.why = &why,
		.cancel = &never,
		.permille = &permille };
	int r;

	arena_init(&arena, CALL_ARENA_BYTES);
	arena_init(&result_arena, 4 * OUT_BYTES);
	buf_init(&out, OUT_BYTES);
	r = cpu_kind_run(row, &call);
	CHECK(r <= 0 && why.code == r);
	CHECK(r != ERR_NO_MEMORY && r != ERR_BUG);
	if (r == 0 && span_is(SPAN_LIT("task.split"), kind->name))
		check_plan(&result_arena, &out);
	else if (r == 0)
		CHECK(body_decode(&result_arena, buf_span(&out), &result, NULL) == 0);
	buf_done(&out);
	arena_done(&result_arena);
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of(data, size), name = span_cut(&rest, '\n');
	const struct cpu_kind *row = cpu_kind_find(name);
	const struct kind_row *kind = kind_find(name);
	struct arena arena;
	struct body in;
	struct buf body;

	if (row == NULL || takes_long(name, rest))
		return 0;
	buf_init(&body, LIMIT_BODY_BYTES);
	arena_init(&arena, (size_t)4 << 20);
	read_body(&body, rest);
	if (buf_err(&body) == 0 && body_decode(&arena, buf_span(&body), &in, NULL) == 0 &&
		kind_check(kind, &in, NULL) == 0)
		run(row, kind, &in);
	arena_done(&arena);
	buf_done(&body);
	return 0;
}
