/* SPDX-License-Identifier: Apache-2.0
 *
 * test_job: what a body must be before a backend sees it, and how long kinds take.
 */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "node/job.h"
#include "node/typical.h"

static struct down order_of(const char *kind, struct span body)
{
	return (struct down){
		.kind = DOWN_ASSIGN,
		.task = { 1, 2 },
		.attempt = 3,
		.task_kind = span_str(kind),
		.tenant = SPAN_LIT("ada"),
		.body = body,
	};
}

static void test_an_order_becomes_a_job(void **state)
{
	struct down d = order_of("util.echo", (struct span){ 0 });
	struct fail why = { 0 };
	struct arena a;
	struct job job;

	(void)state;
	arena_init(&a, 1 << 20);
	assert_int_equal(job_open(&a, &d, &job, &why), 0);
	assert_true(ulid_eq(job.task, d.task) && job.attempt == 3);
	assert_true(span_is(job.kind, "util.echo") && span_is(job.tenant, "ada"));
	assert_string_equal(job.row->name, "util.echo");
	assert_true(job.deadline_ns == INT64_MAX);
	d.deadline_ms = 5;
	assert_int_equal(job_open(&a, &d, &job, &why), 0);
	assert_true(job.deadline_ns == 5000000);
	d.deadline_ms = INT64_MAX;
	assert_int_equal(job_open(&a, &d, &job, &why), 0);
	assert_true(job.deadline_ns == INT64_MAX);
	d.task_kind = SPAN_LIT("my.own");
	assert_int_equal(job_open(&a, &d, &job, &why), 0);
	assert_null(job.row);
	arena_done(&a);
}

static int open_without_memory(void *arg)
{
	struct down d = order_of("task.split", *(const struct span *)arg);
	struct fail why = { 0 };
	struct arena a;
	struct job job;
	int r;

	arena_init(&a, 1 << 20);
	r = job_open(&a, &d, &job, &why);
	assert_int_equal(r, why.code);
	arena_done(&a);
	return r;
}

static void test_every_failing_request_for_memory(void **state)
{
	struct span body;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	body_put_param(&b, SPAN_LIT("split.kind"), SPAN_LIT("llm.chat"));
	body_put_item(&b, SPAN_LIT("task"), SPAN_LIT(BODY_MEDIA), SPAN_LIT("any bytes"));
	body = buf_span(&b);
	assert_true(nth_alloc(open_without_memory, &body) >= 1);
	buf_done(&b);
}

static void test_a_body_is_checked_against_its_kind(void **state)
{
	static const struct {
		const char *kind, *key, *value, *field; /* field NULL: good */
	} rows[] = {
		{ "task.split", "split.kind", "llm.chat", NULL },
		{ "task.split", "split.kind", "", "split.kind" },
		{ "task.split", "prompt", "of another kind", "prompt" },
		{ "text.extract", "sentences", "8", NULL },
		{ "text.extract", "sentences", "0", "sentences" },
		{ "my.own", "colour", "red", NULL },
	};
	struct arena a;
	struct buf b;

	(void)state;
	arena_init(&a, 1 << 20);
	buf_init(&b, 4096);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct fail why = { 0 };
		struct down d;
		struct job job;

		buf_reset(&b);
		body_put_param(&b, span_str(rows[i].key), span_str(rows[i].value));
		body_put_item(&b, SPAN_LIT("task"), SPAN_LIT(BODY_MEDIA), SPAN_LIT("\xFF"));
		d = order_of(rows[i].kind, buf_span(&b));
		arena_reset(&a);
		assert_int_equal(job_open(&a, &d, &job, &why),
			rows[i].field == NULL ? 0 : ERR_INVALID);
		assert_string_equal(why.field, rows[i].field == NULL ? "" : rows[i].field);
	}
	arena_done(&a);
	buf_done(&b);
}

static void test_typical_follows_what_is_measured(void **state)
{
	static struct typical ty;
	char name[16];
	uint32_t row;

	(void)state;
	memset(&ty, 0, sizeof(ty));
	row = typical_row(&ty, SPAN_LIT("util.echo"));
	assert_int_equal(typical_us(&ty, row), 0);
	typical_add(&ty, row, 0);
	assert_int_equal(typical_us(&ty, row), 1);
	for (unsigned i = 0; i < 100; i++)
		typical_add(&ty, row, 1000);
	assert_in_range(typical_us(&ty, row), 990, 1000);
	typical_add(&ty, row, 9000);
	assert_in_range(typical_us(&ty, row), 1900, 2100);
	assert_int_equal(typical_row(&ty, SPAN_LIT("util.echo")), row);
	assert_int_equal(typical_find(&ty, SPAN_LIT("util.ech")), TYPICAL_NONE);
	typical_add(&ty, TYPICAL_NONE, 5);
	for (unsigned i = 1; i < LIMIT_OFFER_KINDS; i++)
		assert_int_equal(typical_row(&ty, span_of(name, (size_t)snprintf(name, sizeof(name),
									"k%u", i))),
			i);
	assert_int_equal(typical_row(&ty, SPAN_LIT("one.more")), TYPICAL_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_order_becomes_a_job),
		cmocka_unit_test(test_every_failing_request_for_memory),
		cmocka_unit_test(test_a_body_is_checked_against_its_kind),
		cmocka_unit_test(test_typical_follows_what_is_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
