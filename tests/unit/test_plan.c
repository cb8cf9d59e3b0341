/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/plan.h"

#include <stdio.h>

#include "tests/support/test.h"
#include "wire/blob.h"

static struct arena arena;
static struct buf first, second;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, (size_t)8 << 20);
	buf_init(&first, (size_t)4 << 20);
	buf_init(&second, (size_t)4 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_done(&arena);
	buf_done(&first);
	buf_done(&second);
	return 0;
}

/* Parts with i items each, and a join. */
static void put_plan(struct buf *to, unsigned parts, size_t item_bytes)
{
	static unsigned char data[70000];
	struct buf body;
	struct part part = { .kind = SPAN_LIT("text.extract") };

	buf_init(&body, (size_t)4 << 20);
	for (unsigned i = 0; i < parts; i++) {
		char name[16];

		buf_reset(&body);
		body_put_int(&body, "n", i);
		for (unsigned k = 0; k < i; k++) {
			(void)snprintf(name, sizeof(name), "%u", k);
			body_put_item(&body, span_str(name), SPAN_LIT("text/plain"),
				span_of(data, item_bytes));
		}
		part.body = buf_span(&body);
		split_plan_put_part(to, &part);
	}
	part = (struct part){ .kind = SPAN_LIT("task.reduce"), .body = SPAN_LIT("") };
	split_plan_put_join(to, &part);
	buf_done(&body);
}

/* Larger than a message, and the same again. */
static void test_there_and_back(void **state)
{
	struct plan p;

	(void)state;
	put_plan(&first, 7, 70000);
	assert_true(first.len > LIMIT_MESSAGE_BYTES);
	assert_int_equal(plan_view(&arena, buf_span(&first), &p, NULL), 0);
	assert_int_equal(p.split.parts_n, 7);
	assert_int_equal(p.items_n, 21);
	assert_true(span_is(p.split.join.kind, "task.reduce"));
	plan_encode(&second, &p);
	assert_int_equal(buf_err(&second), 0);
	assert_true(span_eq(buf_span(&first), buf_span(&second)));
}

/* What is put elsewhere is so in its part, and then it is a plan for a message. */
static void test_references(void **state)
{
	unsigned char hash[BLOB_HASH] = { 7 };
	struct split_plan plan;
	struct plan p;

	(void)state;
	put_plan(&first, 7, 70000);
	assert_int_equal(plan_view(&arena, buf_span(&first), &p, NULL), 0);
	for (size_t i = 0; i < p.items_n; i++)
		p.items[i] = (struct item){ .name = p.items[i].name,
			.blob = span_of(hash, sizeof(hash)),
			.size = i };
	plan_encode(&second, &p);
	assert_int_equal(split_plan_decode(&arena, buf_span(&second), &plan, NULL), 0);
	assert_int_equal(plan.parts_n, 7);
	for (size_t i = 0, n = 0; i < 7; i++) {
		struct body body;

		assert_int_equal(body_decode(&arena, plan.parts[i].body, &body, NULL), 0);
		assert_int_equal(body.items_n, i);
		for (size_t k = 0; k < i; k++, n++)
			assert_true(item_is_blob(&body.items[k]) && body.items[k].size == n);
	}
}

static void refuse(struct span bytes, int code, const char *field)
{
	struct fail why = { 0 };
	struct plan p;

	assert_int_equal(plan_view(&arena, bytes, &p, &why), code);
	assert_string_equal(why.field, field);
}

static void test_what_is_no_plan(void **state)
{
	struct part part = { .kind = SPAN_LIT("k"), .body = SPAN_LIT("") };
	struct plan p;
	unsigned ok = 0;

	(void)state;
	refuse(SPAN_LIT(""), ERR_INVALID, "part");
	split_plan_put_part(&first, &part);
	refuse(buf_span(&first), ERR_INVALID, "join");
	split_plan_put_join(&first, &part);
	assert_int_equal(plan_view(&arena, buf_span(&first), &p, NULL), 0);
	part.body = SPAN_LIT("\xFF");
	split_plan_put_part(&first, &part);
	refuse(buf_span(&first), ERR_MALFORMED, "Body");
	buf_reset(&first);
	part.kind = SPAN_LIT("no kind");
	part.body = SPAN_LIT("");
	split_plan_put_part(&first, &part);
	split_plan_put_join(&first, &part);
	refuse(buf_span(&first), ERR_MALFORMED, "Part");
	buf_reset(&first);
	part.kind = SPAN_LIT("k");
	split_plan_put_join(&first, &part);
	for (unsigned i = 0; i <= LIMIT_PARTS; i++)
		split_plan_put_part(&first, &part);
	refuse(buf_span(&first), ERR_TOO_BIG, "part");
	/* cut anywhere: an error or a shorter plan */
	buf_reset(&first);
	put_plan(&first, 3, 10);
	for (size_t n = 0; n < first.len; n++) {
		arena_reset(&arena);
		ok += plan_view(&arena, span_part(buf_span(&first), 0, n), &p, NULL) == 0;
	}
	assert_int_equal(ok, 0); /* the join comes last */
}

static int view_all(void *arg)
{
	struct arena a;
	struct plan p;
	int r;

	(void)arg;
	arena_init(&a, 1 << 20);
	r = plan_view(&a, buf_span(&first), &p, NULL);
	arena_done(&a);
	return r;
}

static void test_want_of_memory(void **state)
{
	(void)state;
	put_plan(&first, 40, 1);
	assert_true(nth_alloc(view_all, NULL) > 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_there_and_back),
		TEST(test_references),
		TEST(test_what_is_no_plan),
		TEST(test_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
