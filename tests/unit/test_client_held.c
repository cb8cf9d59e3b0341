/* SPDX-License-Identifier: Apache-2.0
 *
 * Events that wait for the reply that names their task: however many come, memory has a limit.
 */
#include "run/client_held.h"

#include "tests/support/test.h"

static void test_held_is_bounded(void **state)
{
	struct event e = { .kind = EVENT_CHUNK, .seq = 1, .task = { 1, 1 } };
	static unsigned char data[100000];
	struct client_held h;

	(void)state;
	client_held_init(&h);
	e.data = span_of(data, sizeof(data));
	for (unsigned i = 0; i < 1000; i++, e.seq++)
		client_held_put(&h, &e, i);
	assert_true(h.bytes <= CLIENT_HELD_BYTES + sizeof(data) + 100);
	client_held_drop(&h, 999);
	assert_int_equal(h.events.used, 1);
	client_held_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
