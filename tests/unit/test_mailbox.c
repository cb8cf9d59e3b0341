/* SPDX-License-Identifier: Apache-2.0 */
#include "run/mailbox.h"

#include <poll.h>
#include <sched.h>

#include "tests/support/test.h"

static bool is_readable(const struct mailbox *m)
{
	struct pollfd p = { .fd = m->fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void keeps_the_order_and_refuses_when_full(void **state)
{
	struct mailbox m;
	int item[4];

	(void)state;
	assert_int_equal(mailbox_open(&m, 3), 0);
	assert_null(mailbox_take(&m));
	for (int round = 0; round < 5; round++) { /* so that the ring wraps around */
		for (int i = 0; i < 3; i++)
			assert_true(mailbox_post(&m, &item[i]));
		assert_false(mailbox_post(&m, &item[3]));
		for (int i = 0; i < 2; i++)
			assert_ptr_equal(mailbox_take(&m), &item[i]);
		assert_true(mailbox_post(&m, &item[3]));
		assert_ptr_equal(mailbox_take(&m), &item[2]);
		assert_ptr_equal(mailbox_take(&m), &item[3]);
		assert_null(mailbox_take(&m));
	}
	mailbox_close(&m);
	mailbox_close(&m);
}

static void is_readable_while_something_waits(void **state)
{
	struct mailbox m;
	int item;

	(void)state;
	assert_int_equal(mailbox_open(&m, 8), 0);
	for (int round = 0; round < 2; round++) {
		assert_false(is_readable(&m));
		assert_true(mailbox_post(&m, &item));
		assert_true(mailbox_post(&m, &item));
		assert_true(is_readable(&m));
		assert_non_null(mailbox_take(&m));
		assert_true(is_readable(&m));
		assert_non_null(mailbox_take(&m));
	}
	assert_false(is_readable(&m));
	mailbox_close(&m);
}

#define PRODUCERS 4u
#define EACH 20000u

struct item {
	unsigned producer;
	unsigned number;
};

struct producer {
	pthread_t thread;
	struct mailbox *to;
	struct item items[EACH];
};

static void *produce(void *arg)
{
	struct producer *p = arg;

	for (unsigned i = 0; i < EACH; i++)
		while (!mailbox_post(p->to, &p->items[i]))
			sched_yield();
	return NULL;
}

static void carries_everything_of_many_threads_in_order(void **state)
{
	static struct producer producers[PRODUCERS];
	unsigned next[PRODUCERS] = { 0 };
	struct mailbox m;
	unsigned taken = 0;

	(void)state;
	assert_int_equal(mailbox_open(&m, 64), 0);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		producers[i].to = &m;
		for (unsigned n = 0; n < EACH; n++)
			producers[i].items[n] = (struct item){ i, n };
		assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]),
			0);
	}
	while (taken < PRODUCERS * EACH) {
		struct pollfd p = { .fd = m.fd, .events = POLLIN };
		struct item *item;

		assert_int_equal(poll(&p, 1, 10000), 1); /* a lost wake-up ends here */
		while ((item = mailbox_take(&m)) != NULL) {
			assert_int_equal(item->number, next[item->producer]++);
			taken++;
		}
	}
	for (unsigned i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_join(producers[i].thread, NULL), 0);
	assert_false(is_readable(&m));
	mailbox_close(&m);
}

static int open_and_close(void *arg)
{
	struct mailbox m;
	int r = mailbox_open(&m, 16);

	(void)arg;
	mailbox_close(&m);
	return r;
}

static void opens_without_memory_or_not_at_all(void **state)
{
	(void)state;
	assert_int_equal(nth_alloc(open_and_close, NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_order_and_refuses_when_full),
		cmocka_unit_test(is_readable_while_something_waits),
		cmocka_unit_test(carries_everything_of_many_threads_in_order),
		cmocka_unit_test(opens_without_memory_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
