/* SPDX-License-Identifier: Apache-2.0
 *
 * wire_decoders: what the tests of bad messages share: every decoder behind one signature, and a fixture.
 */
#pragma once
#include "base/mem.h"
#include "tests/support/test.h"
#include "wire/blob.h"
#include "wire/body.h"
#include "wire/node.h"
#include "wire/pbwrite.h"
#include "wire/query.h"
#include "wire/task.h"

#define T(s) SPAN_LIT(s)
#define ARENA_BYTES (16u << 20)
#define LONG_BYTES (LIMIT_MESSAGE_BYTES + 1)

/* Every decoder behind one signature; for batches: the number of rows. */
struct decoder {
	const char *name;
	int (*decode)(struct arena *a, struct span bytes, struct fail *why);
};

struct fix {
	struct arena arena;
	struct buf b;
	struct fail why;
	unsigned char *x; /* LONG_BYTES times 'x' */
};

static inline int setup(void **state)
{
	static struct fix f;

	f = (struct fix){ 0 };
	arena_init(&f.arena, ARENA_BYTES);
	buf_init(&f.b, 4 << 20);
	f.x = mem_grow(NULL, LONG_BYTES);
	assert_non_null(f.x);
	memset(f.x, 'x', LONG_BYTES);
	*state = &f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fix *f = *state;

	arena_done(&f->arena);
	buf_done(&f->b);
	mem_free(f->x);
	return 0;
}

#define BATCH(type, name)                                                                          \
	static int decode_##name(struct arena *a, struct span bytes, struct fail *why)             \
	{                                                                                          \
		struct type *rows = NULL;                                                          \
		size_t n = 0;                                                                      \
		int r = name##_decode(a, bytes, &rows, &n, why);                                   \
                                                                                                   \
		return r < 0 ? r : (int)n;                                                         \
	}
#define MESSAGE(type, name)                                                                        \
	static int decode_##name(struct arena *a, struct span bytes, struct fail *why)             \
	{                                                                                          \
		struct type x = { 0 };                                                             \
                                                                                                   \
		return name##_decode(a, bytes, &x, why);                                           \
	}
BATCH(submit, submits)
BATCH(submit_reply, submit_replies)
BATCH(event, events)
BATCH(up, ups)
BATCH(down, downs)
BATCH(blob_ask, blob_asks)
BATCH(blob_reply, blob_replies)
MESSAGE(body, body)
MESSAGE(split_plan, split_plan)
MESSAGE(query, query)
MESSAGE(query_reply, query_reply)
MESSAGE(ask, ask)
MESSAGE(ask_reply, ask_reply)

static const struct decoder decoders[] = {
	{ "submits", decode_submits },
	{ "submit_replies", decode_submit_replies },
	{ "events", decode_events },
	{ "ups", decode_ups },
	{ "downs", decode_downs },
	{ "blob_asks", decode_blob_asks },
	{ "blob_replies", decode_blob_replies },
	{ "body", decode_body },
	{ "split_plan", decode_split_plan },
	{ "query", decode_query },
	{ "query_reply", decode_query_reply },
	{ "ask", decode_ask },
	{ "ask_reply", decode_ask_reply },
};
#define BATCHES 7 /* the first of them */

static inline struct span xs(const struct fix *f, size_t n)
{
	return span_of(f->x, n);
}

static inline void fresh(struct fix *f)
{
	arena_reset(&f->arena);
	buf_reset(&f->b);
	f->why = (struct fail){ 0 };
}

/* Decode what the buf holds; the code, and what `why` must say about it. */
static inline void expect(struct fix *f, int (*decode)(struct arena *, struct span, struct fail *),
	int code, const char *field, int64_t limit)
{
	int r;

	assert_int_equal(buf_err(&f->b), 0);
	r = decode(&f->arena, buf_span(&f->b), &f->why);
	if (r != code || f->why.code != (code < 0 ? code : 0))
		fail_msg("%d and not %d: field '%s', limit %lld, %s", r, code, f->why.field,
			(long long)f->why.limit, f->why.detail);
	if (code < 0) {
		assert_string_equal(f->why.field, field);
		assert_int_equal(f->why.limit, limit);
		assert_true(f->why.detail[0] != 0);
	}
	fresh(f);
}
