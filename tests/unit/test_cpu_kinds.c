/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cpu_trial.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "base/mem.h"
#include "kernel/picture.h"
#include "tests/support/nth.h"
#include "tests/support/test.h"
#include "wire/node.h"

static void test_rows(void **state)
{
	(void)state;
	for (unsigned i = 0; cpu_kind_at(i) != NULL; i++) {
		const struct cpu_kind *row = cpu_kind_at(i);

		assert_non_null(kind_find(span_str(row->name)));
		assert_ptr_equal(cpu_kind_find(span_str(row->name)), row);
	}
	assert_null(cpu_kind_find(SPAN_LIT("llm.chat")));
}

static void test_echo(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_item(&t, "one", SPAN_LIT("data"));
	trial_item(&t, "", SPAN_LIT(""));
	assert_int_equal(trial_run(&t, "util.echo", 1), 0);
	assert_int_equal(t.result.items_n, 2);
	assert_true(
		span_is(t.result.items[0].name, "one") && span_is(t.result.items[0].data, "data"));
	trial_param(&t, "fail", "once");
	assert_int_equal(trial_run(&t, "util.echo", 1), ERR_LOST);
	assert_int_equal(trial_run(&t, "util.echo", 2), 0);
	trial_param(&t, "fail", "always");
	assert_int_equal(trial_run(&t, "util.echo", 2), ERR_LOST);
	trial_close(&t);
}

static void test_echo_sleeps(void **state)
{
	struct param p = { .key = SPAN_LIT("sleep_ms"), .value = SPAN_LIT("250") };
	struct body in = { .params = &p, .params_n = 1 };
	const struct cpu_kind *row = cpu_kind_find(SPAN_LIT("util.echo"));

	(void)state;
	assert_int_equal(row->delay_ns(kind_find(SPAN_LIT("util.echo")), &in), 250 * NS_PER_MS);
}

static void test_blob(void **state)
{
	static char text[100000];
	struct trial t, back;

	(void)state;
	memset(text, 'x', sizeof(text));
	trial_open(&t);
	trial_open(&back);
	assert_int_equal(trial_run(&t, "blob.compress", 1), ERR_INVALID);
	trial_item(&t, "doc", span_of(text, sizeof(text)));
	trial_item(&t, "", SPAN_LIT(""));
	assert_int_equal(trial_run(&t, "blob.compress", 1), 0);
	assert_true(span_is(t.result.items[0].name, "doc.zst") && t.result.items[1].name.len == 0);
	assert_true(t.result.items[0].data.len < 1000);
	trial_item(&back, "doc.zst", t.result.items[0].data);
	trial_item(&back, "other", t.result.items[1].data);
	trial_param(&back, "max_ratio", "100000");
	assert_int_equal(trial_run(&back, "blob.decompress", 1), 0);
	assert_true(span_is(back.result.items[0].name, "doc") &&
		    span_is(back.result.items[1].name, "other"));
	assert_true(span_eq(back.result.items[0].data, span_of(text, sizeof(text))));
	assert_int_equal(back.result.items[1].data.len, 0);
	trial_param(&back, "max_bytes", "99999");
	assert_int_equal(trial_run(&back, "blob.decompress", 1), ERR_TOO_BIG);
	assert_string_equal(back.why.field, "max_bytes");
	trial_close(&back);
	trial_open(&back);
	trial_item(&back, "doc.zst", SPAN_LIT("no zstd"));
	assert_int_equal(trial_run(&back, "blob.decompress", 1), ERR_MALFORMED);
	trial_close(&back);
	trial_close(&t);
}

static const char text[] = "The mesh places tasks. A silent node loses its lease after thirty "
			   "seconds. Lunch was good. "
			   "The router then places the task again.";

static void test_extract(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	assert_int_equal(trial_run(&t, "text.extract", 1), ERR_INVALID);
	trial_item(&t, "doc", span_str(text));
	trial_param(&t, "query", "How long is a lease?");
	trial_param(&t, "sentences", "1");
	assert_int_equal(trial_run(&t, "text.extract", 1), 0);
	assert_int_equal(t.result.items_n, 1);
	assert_true(span_is(t.result.items[0].data,
		"A silent node loses its lease after thirty seconds."));
	assert_true(span_is(t.result.items[0].media, "text/plain"));
	assert_int_equal(trial_number(&t, "bytes_in"), sizeof(text) - 1);
	assert_int_equal(trial_number(&t, "bytes_out"), 51);
	assert_int_equal(trial_number(&t, "sentences_in"), 4);
	assert_int_equal(trial_number(&t, "sentences_out"), 1);
	trial_item(&t, "bad", SPAN_LIT("caf\xE9"));
	assert_int_equal(trial_run(&t, "text.extract", 1), ERR_UNSUPPORTED);
	trial_close(&t);
}

static void test_reduce(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_item(&t, "a", SPAN_LIT("Leases end after thirty seconds. Lunch was good."));
	trial_item(&t, "b", SPAN_LIT("Shoes were cheap."));
	trial_param(&t, "how", "concat");
	assert_int_equal(trial_run(&t, "task.reduce", 1), 0);
	assert_true(span_is(t.result.items[0].data,
		"Leases end after thirty seconds. Lunch was good.Shoes were cheap."));
	trial_param(&t, "how", "summary");
	trial_param(&t, "query", "lease");
	trial_param(&t, "sentences", "1");
	trial_param(&t, "split.bytes_in", "12345");
	trial_param(&t, "split.sentences_in", "rubbish");
	assert_int_equal(trial_run(&t, "task.reduce", 1), 0);
	assert_true(span_is(t.result.items[0].data, "Leases end after thirty seconds."));
	assert_int_equal(trial_number(&t, "bytes_in"), 12345);
	assert_int_equal(trial_number(&t, "sentences_in"), 3);
	trial_close(&t);
}

/* A result of a part: one text, and a fact about it. */
static void part_result(struct trial *join, const char *name, const char *data)
{
	struct buf b;

	buf_init(&b, LIMIT_BODY_BYTES);
	body_put_int(&b, "bytes_in", 7);
	body_put_item(&b, span_str(name), SPAN_LIT("text/plain"), span_str(data));
	trial_nested(join, "part", buf_span(&b));
	buf_done(&b);
}

static void test_reduce_takes_results_of_parts(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_param(&t, "how", "concat");
	trial_nested(&t, "part", SPAN_LIT(""));
	trial_refuse(&t, "task.reduce", ERR_INVALID, "items", "needs an item");
	part_result(&t, "first", "One. ");
	trial_item(&t, "plain", SPAN_LIT("Two. "));
	part_result(&t, "third", "Three.");
	assert_int_equal(trial_run(&t, "task.reduce", 1), 0);
	assert_int_equal(t.result.items_n, 1);
	assert_true(span_is(t.result.items[0].name, "first"));
	assert_true(span_is(t.result.items[0].media, "text/plain"));
	assert_true(span_is(t.result.items[0].data, "One. Two. Three."));
	trial_param(&t, "how", "summary");
	assert_int_equal(trial_run(&t, "task.reduce", 1), 0);
	assert_true(span_is(t.result.items[0].name, "summary"));
	assert_int_equal(trial_number(&t, "bytes_in"), 16);
	trial_nested(&t, "part", SPAN_LIT("\xFF"));
	trial_refuse(&t, "task.reduce", ERR_INVALID, "items", "item 5 is no body");
	trial_close(&t);
}

static void test_reduce_unwraps_once_and_not_too_much(void **state)
{
	struct trial t, part;

	(void)state;
	trial_open(&t);
	trial_open(&part);
	trial_nested(&part, "deeper", SPAN_LIT(""));
	trial_nested(&t, "part", buf_span(&part.in));
	trial_refuse(&t, "task.reduce", ERR_INVALID, "items", "item 1 is a body with another body");
	trial_close(&t);
	trial_close(&part);
	trial_open(&t);
	trial_open(&part);
	for (int i = 0; i < LIMIT_ITEMS / 2; i++)
		trial_item(&part, "", SPAN_LIT("x"));
	trial_param(&t, "how", "concat");
	trial_nested(&t, "part", buf_span(&part.in));
	trial_nested(&t, "part", buf_span(&part.in));
	assert_int_equal(trial_run(&t, "task.reduce", 1), 0);
	assert_int_equal(t.result.items[0].data.len, LIMIT_ITEMS);
	trial_item(&t, "one more", SPAN_LIT("x"));
	trial_refuse(&t, "task.reduce", ERR_TOO_BIG, "items", "more than 1024 items");
	assert_int_equal(t.why.limit, LIMIT_ITEMS);
	trial_close(&t);
	trial_close(&part);
}

/* Runs the plan as the router does: each part, then the join with their results behind its own body. */
static void run_plan(const struct trial *split, struct trial *join)
{
	struct split_plan plan;
	struct arena a;

	arena_init(&a, 4 << 20);
	assert_int_equal(split_plan_decode(&a, buf_span(&split->out), &plan, NULL), 0);
	assert_true(plan.parts_n > 1 && plan.parts_n <= 5);
	assert_true(span_is(plan.join.kind, "task.reduce"));
	buf_add(&join->in, plan.join.body);
	for (size_t i = 0; i < plan.parts_n; i++) {
		struct trial part;
		struct body body;

		trial_open(&part);
		assert_true(span_is(plan.parts[i].kind, "text.extract"));
		assert_int_equal(body_decode(&a, plan.parts[i].body, &body, NULL), 0);
		assert_int_equal(kind_check(kind_find(plan.parts[i].kind), &body, NULL), 0);
		buf_add(&part.in, plan.parts[i].body);
		assert_int_equal(trial_run(&part, "text.extract", 1), 0);
		trial_nested(join, "part", buf_span(&part.out));
		trial_close(&part);
	}
	arena_done(&a);
}

/* The body of task.split around a task of kind. */
static void split_of(struct trial *t, const char *kind, const struct trial *task)
{
	buf_reset(&t->in);
	trial_param(t, "split.kind", kind);
	trial_param(t, "split.parts", "5");
	trial_nested(t, "task", buf_span(&task->in));
}

static void test_split(void **state)
{
	static char doc[20000];
	struct trial t, task, join;
	struct body in;

	(void)state;
	for (size_t at = 0; at + 64 < sizeof(doc);)
		at += (size_t)snprintf(doc + at, sizeof(doc) - at, "In line %zu the dog barks.%s",
			at, at % 7 ? " " : "\n\n");
	memcpy(doc + 9000, " Leases end at noon. ", 21);
	trial_open(&t);
	trial_open(&task);
	trial_open(&join);
	trial_param(&task, "prompt", "Please summarise what the document says on leases.");
	trial_item(&task, "doc", span_str(doc));
	split_of(&t, "llm.chat", &task);
	assert_int_equal(body_decode(&join.arena, buf_span(&t.in), &in, NULL), 0);
	assert_int_equal(kind_check(kind_find(SPAN_LIT("task.split")), &in, NULL), 0);
	assert_int_equal(trial_run(&t, "task.split", 1), 0);
	run_plan(&t, &join);
	assert_int_equal(body_decode(&join.arena, buf_span(&join.in), &in, NULL), 0);
	assert_int_equal(kind_check(kind_find(SPAN_LIT("task.reduce")), &in, NULL), 0);
	assert_int_equal(trial_run(&join, "task.reduce", 1), 0);
	assert_non_null(memmem(join.result.items[0].data.at, join.result.items[0].data.len,
		"Leases end at noon.", 19));
	assert_int_equal(trial_number(&join, "bytes_in"), strlen(doc));
	assert_true(trial_number(&join, "sentences_in") > 500);
	trial_close(&join);
	trial_close(&task);
	trial_close(&t);
}

static void test_split_refuses(void **state)
{
	struct trial t, task;

	(void)state;
	trial_open(&t);
	trial_open(&task);
	split_of(&t, "image.filter", &task);
	assert_int_equal(trial_run(&t, "task.split", 1), ERR_UNSUPPORTED);
	assert_string_equal(t.why.field, "split.kind");
	split_of(&t, "llm.chat", &task);
	assert_int_equal(trial_run(&t, "task.split", 1), ERR_INVALID);
	assert_string_equal(t.why.field, "prompt");
	trial_param(&task, "prompt", "A prompt alone.");
	split_of(&t, "llm.chat", &task);
	trial_refuse(&t, "task.split", ERR_UNSUPPORTED, "items", "no document");
	trial_item(&task, "doc", SPAN_LIT("caf\xE9"));
	split_of(&t, "llm.chat", &task);
	trial_refuse(&t, "task.split", ERR_UNSUPPORTED, "items", "no text in UTF-8");
	trial_nested(&t, "task", buf_span(&task.in));
	trial_refuse(&t, "task.split", ERR_INVALID, "items", "one item");
	buf_reset(&t.in);
	trial_param(&t, "split.kind", "llm.chat");
	trial_refuse(&t, "task.split", ERR_INVALID, "items", "one item");
	trial_item(&t, "task", buf_span(&task.in));
	trial_refuse(&t, "task.split", ERR_INVALID, "items", "one item");
	buf_reset(&t.in);
	trial_param(&t, "split.kind", "llm.chat");
	trial_nested(&t, "task", SPAN_LIT("\xFF"));
	trial_refuse(&t, "task.split", ERR_INVALID, "items", "item 1 is no body");
	trial_close(&task);
	trial_close(&t);
}

static void test_matmul(void **state)
{
	/* (1 2) (1 0) = (1 4) */
	/*       (0 2)         */
	static const unsigned char a[] = { 0, 0, 0x80, 0x3F, 0, 0, 0, 0x40 };
	static const unsigned char b[] = { 0, 0, 0x80, 0x3F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0x40 };
	static const unsigned char c[] = { 0, 0, 0x80, 0x3F, 0, 0, 0x80, 0x40 };
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_param(&t, "m", "1");
	trial_param(&t, "k", "2");
	trial_param(&t, "n", "2");
	trial_item(&t, "a", span_of(a, sizeof(a)));
	assert_int_equal(trial_run(&t, "compute.matmul", 1), ERR_INVALID);
	assert_string_equal(t.why.field, "b");
	trial_item(&t, "b", span_of(b, sizeof(b)));
	assert_int_equal(trial_run(&t, "compute.matmul", 1), 0);
	assert_true(span_is(t.result.items[0].name, "c"));
	assert_true(span_eq(t.result.items[0].data, span_of(c, sizeof(c))));
	t.cancel = true;
	assert_int_equal(trial_run(&t, "compute.matmul", 1), ERR_CANCELLED);
	t.cancel = false;
	trial_param(&t, "n", "3");
	assert_int_equal(trial_run(&t, "compute.matmul", 1), ERR_INVALID);
	assert_int_equal(t.why.limit, 24);
	trial_close(&t);
}

static void test_montecarlo(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_param(&t, "samples", "1500000");
	trial_param(&t, "seed", "9223372036854775807");
	assert_int_equal(trial_run(&t, "compute.montecarlo", 1), 0);
	assert_int_equal(trial_number(&t, "samples"), 1500000);
	assert_in_range(trial_number(&t, "inside"), 1175000, 1181000);
	assert_memory_equal(body_param(&t.result, "pi")->value.at, "3.1", 3);
	assert_in_range(t.permille, 990, 1000);
	t.cancel = true;
	assert_int_equal(trial_run(&t, "compute.montecarlo", 1), ERR_CANCELLED);
	trial_close(&t);
}

static void *pause_often(void *arg)
{
	struct trial *t = arg;

	while (!t->cancel) {
		t->pause = true;
		usleep(500);
	}
	return NULL;
}

/* A kind that is paused wherever it may be goes on from there. Its first pause is before it has begun. */
static void run_with_pauses(struct trial *t, const char *kind)
{
	CLEANUP(buf_done) struct buf whole = { 0 };
	pthread_t thread;

	buf_init(&whole, LIMIT_BODY_BYTES);
	assert_int_equal(trial_run(t, kind, 1), 0);
	assert_int_equal(t->pauses, 0);
	buf_add(&whole, buf_span(&t->out));
	t->pause = true;
	assert_int_equal(pthread_create(&thread, NULL, pause_often, t), 0);
	assert_int_equal(trial_run(t, kind, 1), 0);
	t->cancel = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(t->pauses > 0);
	assert_true(span_eq(buf_span(&whole), buf_span(&t->out)));
}

static void test_pauses(void **state)
{
	static float m[128 * 128];
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_param(&t, "samples", "10000000");
	run_with_pauses(&t, "compute.montecarlo");
	trial_close(&t);
	for (unsigned i = 0; i < ARRAY_LEN(m); i++)
		m[i] = (float)(i % 7);
	trial_open(&t);
	trial_param(&t, "m", "128");
	trial_param(&t, "k", "128");
	trial_param(&t, "n", "128");
	trial_item(&t, "a", span_of(m, sizeof(m)));
	trial_item(&t, "b", span_of(m, sizeof(m)));
	run_with_pauses(&t, "compute.matmul");
	trial_close(&t);
}

static void put_picture(struct trial *t, const char *name)
{
	struct picture p;
	struct buf b;

	assert_int_equal(picture_init(&p, 40, 30, 3, NULL), 0);
	p.pixels[0] = 255;
	buf_init(&b, 1 << 20);
	assert_int_equal(picture_encode_png(&p, 6, &b, NULL), 0);
	trial_item(t, name, buf_span(&b));
	buf_done(&b);
	picture_done(&p);
}

static void test_image(void **state)
{
	struct picture p;
	struct trial t;

	(void)state;
	trial_open(&t);
	assert_int_equal(trial_run(&t, "image.filter", 1), ERR_INVALID);
	put_picture(&t, "a.jpeg");
	put_picture(&t, "b.png");
	assert_int_equal(trial_run(&t, "image.filter", 1), 0);
	assert_true(span_is(t.result.items[0].name, "a.png") &&
		    span_is(t.result.items[1].name, "b.png"));
	assert_int_equal(picture_decode(t.result.items[0].data, &p, NULL), 0);
	assert_int_equal(p.pixels[0], (77 * 255 + 128) >> 8);
	assert_int_equal(p.pixels[1], p.pixels[0]);
	picture_done(&p);
	t.cancel = true;
	assert_int_equal(trial_run(&t, "image.filter", 1), ERR_CANCELLED);
	t.cancel = false;
	trial_item(&t, "c", SPAN_LIT("no picture"));
	assert_int_equal(trial_run(&t, "image.filter", 1), ERR_UNSUPPORTED);
	trial_close(&t);
}

/* A result that does not fit is met, whatever the kind. */
static void test_result_too_big(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_item(&t, "x", span_str(text));
	t.out.max = 20;
	assert_int_equal(trial_run(&t, "util.echo", 1), ERR_TOO_BIG);
	assert_string_equal(t.why.field, "result");
	trial_close(&t);
}

static void test_want_of_memory(void **state)
{
	struct trial t, task;

	(void)state;
	trial_open(&t);
	trial_param(&t, "sentences", "1");
	trial_item(&t, "doc", span_str(text));
	(void)trial_nth(&t, "text.extract");
	(void)trial_nth(&t, "task.reduce");
	trial_close(&t);
	trial_open(&t);
	trial_open(&task);
	trial_param(&task, "prompt", "leases");
	trial_item(&task, "doc", span_str(text));
	split_of(&t, "llm.chat", &task);
	(void)trial_nth(&t, "task.split");
	buf_reset(&t.in);
	part_result(&t, "extract", text);
	(void)trial_nth(&t, "task.reduce");
	trial_close(&task);
	trial_close(&t);
	trial_open(&t);
	put_picture(&t, "a.jpg");
	(void)trial_nth(&t, "image.filter");
	(void)trial_nth(&t, "util.echo");
	(void)trial_nth(&t, "blob.compress");
	trial_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_echo_sleeps),
		cmocka_unit_test(test_blob),
		cmocka_unit_test(test_extract),
		cmocka_unit_test(test_reduce),
		cmocka_unit_test(test_reduce_takes_results_of_parts),
		cmocka_unit_test(test_reduce_unwraps_once_and_not_too_much),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_split_refuses),
		cmocka_unit_test(test_matmul),
		cmocka_unit_test(test_montecarlo),
		cmocka_unit_test(test_pauses),
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_result_too_big),
		cmocka_unit_test(test_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
