/* SPDX-License-Identifier: Apache-2.0
 *
 * backlog: limits, and the time that is named when they are met.
 */
#include "router/backlog.h"
#include "tests/support/test.h"

#define MS INT64_C(1000000)

static int64_t after_ms(const struct backlog *b, int64_t now_ns, uint64_t rows)
{
	struct fail why = { 0 };

	assert_int_equal(backlog_admit(b, now_ns, rows, 0, &why), ERR_BUSY);
	return why.retry_after_ms;
}

static void test_limits(void **state)
{
	struct backlog b;
	struct fail why = { 0 };

	(void)state;
	backlog_init(&b, &(struct backlog_conf){ 0 });
	assert_int_equal(backlog_admit(&b, 0, UINT64_MAX, UINT64_MAX, NULL), 0);
	backlog_init(&b, &(struct backlog_conf){ 100, 5000, 0 });
	assert_int_equal(backlog_admit(&b, 0, 99, 4999, &why), 0);
	assert_int_equal(why.code, 0);
	assert_int_equal(backlog_admit(&b, 0, 100, 0, &why), ERR_BUSY);
	assert_string_equal(why.field, "journal_wait_rows");
	assert_int_equal(why.limit, 100);
	assert_int_equal(backlog_admit(&b, 0, 1, 5000, &why), ERR_BUSY);
	assert_string_equal(why.field, "journal_wait_bytes");
	assert_int_equal(why.limit, 5000);
	assert_non_null(strstr(why.detail, "1 rows with 5000 bytes wait"));
}

/* What waits takes as long as groups of its size did. */
static void test_the_time_is_measured(void **state)
{
	struct backlog b;

	(void)state;
	backlog_init(&b, &(struct backlog_conf){ .rows_max = 100 });
	assert_int_equal(after_ms(&b, 0, 100), 1000); /* nothing is known */
	backlog_end(&b, 5 * MS);                      /* of nothing */
	assert_int_equal(after_ms(&b, 5 * MS, 100), 1000);
	for (int i = 0; i < 50; i++) {
		backlog_begin(&b, i * 1000 * MS, 1000);
		backlog_end(&b, i * 1000 * MS + 50 * MS);
	}
	assert_in_range(after_ms(&b, 60000 * MS, 2000), 99, 101);
	assert_in_range(after_ms(&b, 60000 * MS, 100), 20, 20);      /* never less */
	assert_int_equal(after_ms(&b, 60000 * MS, 1u << 30), 30000); /* never more */
	/* The disk becomes ten times slower: soon it is known. */
	for (int i = 0; i < 30; i++) {
		backlog_begin(&b, i * 1000 * MS, 1000);
		backlog_end(&b, i * 1000 * MS + 500 * MS);
	}
	assert_in_range(after_ms(&b, 60000 * MS, 2000), 900, 1001);
}

/* A flush that hangs shows before it ends. */
static void test_a_hanging_flush_counts(void **state)
{
	struct backlog b;

	(void)state;
	backlog_init(&b, &(struct backlog_conf){ .rows_max = 100 });
	backlog_begin(&b, 0, 1000);
	backlog_end(&b, 1 * MS);
	backlog_begin(&b, 10 * MS, 1000);
	assert_int_equal(after_ms(&b, 10 * MS, 1000), 20);
	assert_int_equal(after_ms(&b, 4010 * MS, 1000), 4000);
	assert_int_equal(after_ms(&b, 900000 * MS, 1000), 30000);
	backlog_end(&b, 900000 * MS);
	assert_true(after_ms(&b, 900000 * MS, 100) > 1000);
}

static void test_a_disk_that_is_nearly_full(void **state)
{
	struct backlog b;
	struct fail why = { 0 };

	(void)state;
	backlog_init(&b, &(struct backlog_conf){ .room_bytes = 64 << 20 });
	assert_int_equal(backlog_room(&b, INT64_MAX, &why), 0);
	assert_int_equal(backlog_room(&b, 64 << 20, &why), 0);
	assert_int_equal(why.code, 0);
	assert_int_equal(backlog_room(&b, (64 << 20) - 1, &why), ERR_BUSY);
	assert_string_equal(why.field, "journal_room");
	assert_int_equal(why.limit, 64 << 20);
	assert_true(why.retry_after_ms > 0);
	assert_int_equal(backlog_room(&b, 3 << 20, &why), ERR_BUSY);
	assert_non_null(strstr(why.detail, "3 MiB are free; tasks are taken again from 64 MiB"));
	assert_int_equal(backlog_room(&b, 0, NULL), ERR_BUSY);
	backlog_init(&b, &(struct backlog_conf){ 0 });
	assert_int_equal(backlog_room(&b, 0, &why), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_the_time_is_measured),
		cmocka_unit_test(test_a_hanging_flush_counts),
		cmocka_unit_test(test_a_disk_that_is_nearly_full),
	};

	return cmocka_run_group_tests_name("backlog", tests, NULL, NULL);
}
