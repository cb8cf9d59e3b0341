/* SPDX-License-Identifier: Apache-2.0
 *
 * test_recent: the last ones are kept, in order, within number and bytes.
 */
#include "tests/support/test.h"

#include "base/err.h"
#include "base/mem.h"
#include "node/recent.h"

static void assert_ends(const struct recent *r, const char *wanted)
{
	assert_int_equal(r->n, strlen(wanted));
	for (uint32_t i = 0; i < r->n; i++) {
		assert_int_equal(recent_at(r, i).len, 1);
		assert_int_equal(recent_at(r, i).at[0], wanted[i]);
	}
}

static void test_the_oldest_go_first(void **state)
{
	int64_t held = mem_held();
	struct recent r;

	(void)state;
	assert_int_equal(recent_init(&r, 3), 0);
	assert_ends(&r, "");
	for (unsigned char c = 'a'; c <= 'h'; c++)
		recent_put(&r, span_of(&c, 1));
	assert_ends(&r, "fgh");
	recent_done(&r);
	recent_done(&r);
	assert_int_equal(mem_held(), held);
}

static void test_bytes_are_bounded(void **state)
{
	static const unsigned char large[RECENT_BYTES + 1];
	struct recent r;

	(void)state;
	assert_int_equal(recent_init(&r, 8), 0);
	recent_put(&r, SPAN_LIT("a"));
	recent_put(&r, span_of(large, RECENT_BYTES + 1)); /* more than there may be */
	assert_ends(&r, "a");
	recent_put(&r, span_of(large, RECENT_BYTES - 1));
	assert_int_equal(r.n, 2);
	recent_put(&r, span_of(large, RECENT_BYTES));
	assert_int_equal(r.n, 1);
	assert_true(r.bytes == RECENT_BYTES);
	recent_put(&r, SPAN_LIT("b"));
	assert_ends(&r, "b");
	recent_done(&r);
}

static void test_without_memory_it_is_not_kept(void **state)
{
	struct recent r;

	(void)state;
	mem_fail_at(1, 0);
	assert_int_equal(recent_init(&r, 3), ERR_NO_MEMORY);
	recent_done(&r);
	assert_int_equal(recent_init(&r, 3), 0);
	mem_fail_at(1, 0);
	recent_put(&r, SPAN_LIT("a"));
	recent_put(&r, SPAN_LIT("b"));
	mem_fail_at(0, 0);
	assert_ends(&r, "b");
	recent_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_oldest_go_first),
		cmocka_unit_test(test_bytes_are_bounded),
		cmocka_unit_test(test_without_memory_it_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
