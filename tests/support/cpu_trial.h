/* SPDX-License-Identifier: Apache-2.0
 *
 * cpu_trial: one call of a kind of the CPU node, as a node makes it, and what came of it.
 */
#pragma once
#include "tests/support/test.h"

#include <string.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "cpu-node/kinds.h"

struct trial {
	struct buf in; /* the body, encoded */
	struct arena arena;
	struct arena result_arena;
	struct buf out;
	struct body result;
	struct fail why;
	_Atomic bool cancel;
	_Atomic bool pause;
	void *state;
	const struct tokenizers *tokenizers;
	unsigned pauses; /* of the last run */
	_Atomic uint32_t permille;
};

static inline void trial_open(struct trial *t)
{
	*t = (struct trial){ .permille = 0 };
	buf_init(&t->in, LIMIT_BODY_BYTES);
	buf_init(&t->out, LIMIT_BODY_BYTES);
	arena_init(&t->arena, CALL_ARENA_BYTES);
	arena_init(&t->result_arena, 4 << 20);
}

static inline void trial_close(struct trial *t)
{
	buf_done(&t->in);
	buf_done(&t->out);
	arena_done(&t->arena);
	arena_done(&t->result_arena);
}

static inline void trial_param(struct trial *t, const char *key, const char *value)
{
	body_put_param(&t->in, span_str(key), span_str(value));
}

static inline void trial_item(struct trial *t, const char *name, struct span data)
{
	body_put_item(&t->in, span_str(name), (struct span){ 0 }, data);
}

/* An item that is an encoded body of its own. */
static inline void trial_nested(struct trial *t, const char *name, struct span body)
{
	body_put_item(&t->in, span_str(name), SPAN_LIT(BODY_MEDIA), body);
}

/* Run the kind as a node does, and again whenever it was to pause. The result's body is in t->result. */
static inline int trial_run(struct trial *t, const char *kind, uint32_t attempt)
{
	const struct cpu_kind *row = cpu_kind_find(span_str(kind));
	struct cpu_call call = {
		.kind = kind_find(span_str(kind)),
		.attempt = attempt,
		.arena = &t->arena,
		.out = &t->out,
		.why = &t->why,
		.cancel = &t->cancel,
		.permille = &t->permille,
		.pause = &t->pause,
		.tokenizers = t->tokenizers,
		.state = &t->state,
	};
	struct body in;
	int r;

	t->state = NULL;
	t->pauses = 0;
	assert_non_null(row);
	arena_reset(&t->arena);
	arena_reset(&t->result_arena);
	buf_reset(&t->out);
	t->why = (struct fail){ 0 };
	assert_int_equal(buf_err(&t->in), 0);
	assert_int_equal(body_view(&t->result_arena, buf_span(&t->in), &in, NULL), 0);
	call.in = &in;
	while ((r = cpu_kind_run(row, &call)) == CPU_PAUSED) {
		t->pauses++;
		t->pause = false;
	}
	assert_int_equal(t->why.code, r);
	if (r == 0 && strcmp(kind, "task.split") != 0)
		assert_int_equal(body_decode(&t->result_arena, buf_span(&t->out), &t->result, NULL),
			0);
	return r;
}

static inline int64_t trial_number(const struct trial *t, const char *key)
{
	const struct param *p = body_param(&t->result, key);
	int64_t n = -1;

	assert_non_null(p);
	assert_int_equal(fmt_int(p->value, &n), 0);
	return n;
}

/* It is refused, with this code and field, and the detail has this in it. */
static inline void trial_refuse(struct trial *t, const char *kind, int code, const char *field,
	const char *about)
{
	assert_int_equal(trial_run(t, kind, 1), code);
	assert_string_equal(t->why.field, field);
	if (strstr(t->why.detail, about) == NULL)
		fail_msg("\"%s\" lacks \"%s\"", t->why.detail, about);
}

struct trial_again {
	const struct trial *from;
	const char *kind;
};

static inline int trial_run_again(void *arg)
{
	const struct trial_again *again = arg;
	struct trial t;
	struct cpu_call call;
	struct body in;
	int r;

	trial_open(&t);
	call = (struct cpu_call){
		.kind = kind_find(span_str(again->kind)),
		.attempt = 1,
		.arena = &t.arena,
		.out = &t.out,
		.why = &t.why,
		.cancel = &t.cancel,
		.permille = &t.permille,
		.tokenizers = again->from->tokenizers,
		.in = &in,
	};
	r = body_decode(&t.result_arena, buf_span(&again->from->in), &in, NULL);
	if (r == 0)
		r = cpu_kind_run(cpu_kind_find(span_str(again->kind)), &call);
	trial_close(&t);
	assert_true(r == 0 || r == ERR_NO_MEMORY);
	return r;
}

/* Any failing request for memory ends in ERR_NO_MEMORY and leaves nothing behind. Returns how many there are. */
static inline unsigned trial_nth(const struct trial *t, const char *kind)
{
	struct trial_again again = { t, kind };

	return nth_alloc(trial_run_again, &again);
}
