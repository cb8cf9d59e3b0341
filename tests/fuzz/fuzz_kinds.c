/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_kinds: lines "kind", then "key=value" up to a blank one, then items (name:data) with a zero between them, as a
 * task for the CPU node. The item's name may say that it is a body, a dictionary, or bytes in hexadecimal. What it makes is a body, or its error has a code and is one that the kind may give.
 */
#include <stdlib.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "cpu-node/kinds.h"
#include "wire/plan.h"

#define OUT_BYTES ((size_t)8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NUMBER_MAX 20000 /* points, or entries of matrices */

/* Would it compute, or wait, for as long as it is told, alone or in a chain? Then it is cancelled from the start. */
static bool takes_long(const struct kind_row *kind, const struct body *in)
{
	bool counts = strcmp(kind->name, "compute.montecarlo") == 0;
	int64_t size = 1, n;

	for (size_t i = 0; i < in->params_n; i++) {
		struct span key = in->params[i].key, value = in->params[i].value;
		bool is_samples = memmem(key.at, key.len, "samples", 7) != NULL;

		if (memmem(key.at, key.len, "every_ms", 8) != NULL)
			return true;
		if (span_is(span_part(key, 0, 6), "sweep.") &&
			(memmem(value.at, value.len, "..", 2) != NULL ||
				memmem(key.at, key.len, "compute.", 8) != NULL))
			return true;
		if (span_is(key, "kinds") && memmem(value.at, value.len, "compute.", 8) != NULL)
			counts = true;
		if (fmt_int(value, &n) < 0)
			continue;
		if (is_samples && n > NUMBER_MAX)
			return true;
		if (is_samples)
			counts = false;
		if (key.len > 0 && memchr("mkn", key.at[key.len - 1], 3) != NULL && n > 0)
			size = n > NUMBER_MAX / size ? NUMBER_MAX : size * n;
	}
	return counts || size >= NUMBER_MAX;
}

static unsigned nibble(unsigned char c)
{
	return c <= '9' ? c & 15u : (c + 9u) & 15u;
}

/* Any two bytes are one of the item's. */
static struct span from_hex(struct buf *room, struct span hex)
{
	buf_reset(room);
	for (size_t i = 0; i + 1 < hex.len; i += 2)
		buf_byte(room, (unsigned char)(nibble(hex.at[i]) << 4 | nibble(hex.at[i + 1])));
	return buf_span(room);
}

static struct span media_of(struct span name)
{
	if (span_is(name, "task") || span_is(name, "part"))
		return SPAN_LIT(BODY_MEDIA);
	return span_is(name, "dict") ? SPAN_LIT(CPU_DICT_MEDIA) : (struct span){ 0 };
}

static void read_body(struct buf *to, struct span rest)
{
	CLEANUP(buf_done) struct buf room = { .max = LIMIT_BODY_BYTES };

	while (rest.len > 0) {
		struct span value = span_cut(&rest, '\n'), key = span_cut(&value, '=');

		if (key.len == 0)
			break;
		body_put_param(to, key, value);
	}
	while (rest.len > 0) {
		struct span item = span_cut(&rest, '\0'), name = span_cut(&item, ':');

		if (span_is(name, "hex") || span_is(name, "dict"))
			item = from_hex(&room, item);
		body_put_item(to, name, media_of(name), item);
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
	const _Atomic bool cancel = takes_long(kind, in);
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
		.cancel = &cancel,
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

	if (row == NULL)
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
