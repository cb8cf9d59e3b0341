/* SPDX-License-Identifier: Apache-2.0
 *
 * What is published without a connection: kept whole and in order, up to a limit, and when memory fails.
 */
#include "run/bus_unsent.h"

#include <string.h>

#include "base/mem.h"
#include "tests/support/test.h"

static const struct bus_unsent_msg messages[] = {
	{ "a", NULL, { NULL, 0 }, { NULL, 0 } },
	{ "spu.up.n1", "_INBOX.1", { (const unsigned char *)"00-11-22-01", 11 },
		{ (const unsigned char *)"\0x", 2 } },
	{ "b.c", NULL, { NULL, 0 }, { (const unsigned char *)"data", 4 } },
	{ "d", "r", { NULL, 0 }, { NULL, 0 } },
};

static void assert_same(const struct bus_unsent_msg *a, const struct bus_unsent_msg *b)
{
	assert_string_equal(a->subject, b->subject);
	assert_int_equal(a->reply == NULL, b->reply == NULL);
	if (a->reply != NULL)
		assert_string_equal(a->reply, b->reply);
	assert_true(span_eq(a->trace, b->trace));
	assert_true(span_eq(a->data, b->data));
}

static void assert_holds(const struct bus_unsent *u, size_t n)
{
	struct bus_unsent_msg m;
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		assert_true(bus_unsent_next(u, &at, &m));
		assert_same(&m, &messages[i]);
	}
	assert_false(bus_unsent_next(u, &at, &m));
}

static void messages_come_out_as_they_went_in(void **state)
{
	struct bus_unsent u;

	(void)state;
	bus_unsent_init(&u);
	assert_holds(&u, 0);
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		assert_int_equal(bus_unsent_add(&u, &messages[i]), 0);
		assert_holds(&u, i + 1);
	}
	bus_unsent_done(&u);
}

static void a_full_one_refuses_and_keeps_what_it_has(void **state)
{
	static unsigned char block[1u << 20];
	struct bus_unsent_msg big = { "big", NULL, { NULL, 0 }, { block, sizeof(block) } }, m;
	struct bus_unsent u;
	size_t at = 0, n = 0;
	int r;

	(void)state;
	bus_unsent_init(&u);
	while ((r = bus_unsent_add(&u, &big)) == 0)
		n++;
	assert_int_equal(r, ERR_BUSY);
	assert_int_equal(n, 7);
	/* there is room for a small one yet, behind the whole ones */
	assert_int_equal(bus_unsent_add(&u, &messages[1]), 0);
	while (n-- > 0) {
		assert_true(bus_unsent_next(&u, &at, &m));
		assert_same(&m, &big);
	}
	assert_true(bus_unsent_next(&u, &at, &m));
	assert_same(&m, &messages[1]);
	assert_false(bus_unsent_next(&u, &at, &m));
	bus_unsent_done(&u);
}

static void failing_memory_loses_no_earlier_message(void **state)
{
	static unsigned char block[4096];
	struct bus_unsent_msg big = { "big", NULL, { NULL, 0 }, { block, sizeof(block) } };
	struct bus_unsent u;

	(void)state;
	bus_unsent_init(&u);
	assert_int_equal(bus_unsent_add(&u, &messages[0]), 0);
	mem_fail_at(1, 0);
	assert_int_equal(bus_unsent_add(&u, &big), ERR_NO_MEMORY);
	mem_fail_at(0, 0);
	assert_holds(&u, 1);
	assert_int_equal(bus_unsent_add(&u, &messages[1]), 0);
	assert_holds(&u, 2);
	bus_unsent_done(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_out_as_they_went_in),
		cmocka_unit_test(a_full_one_refuses_and_keeps_what_it_has),
		cmocka_unit_test(failing_memory_loses_no_earlier_message),
	};

	return cmocka_run_group_tests_name("bus_unsent", tests, NULL, NULL);
}
