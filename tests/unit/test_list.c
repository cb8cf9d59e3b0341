/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"

#include "base/check.h"
#include "tests/support/test.h"

struct record {
	int number;
	struct list link;
};

static void assert_numbers(const struct list *l, const char *wanted)
{
	char got[16];
	size_t n = 0;

	for (struct list *at = l->next; at != l; at = at->next) {
		assert_ptr_equal(at->next->prev, at);
		assert_in_range(n, 0, sizeof(got) - 2);
		got[n++] = (char)('0' + CONTAINER(at, struct record, link)->number);
	}
	got[n] = '\0';
	assert_string_equal(got, wanted);
	assert_int_equal(list_is_empty(l), n == 0);
}

static void records_keep_their_order(void **state)
{
	struct record records[4];
	struct list a, b;

	(void)state;
	list_init(&a);
	list_init(&b);
	assert_numbers(&a, "");
	for (int i = 0; i < 4; i++) {
		records[i].number = i;
		list_init(&records[i].link);
		list_push(&a, &records[i].link);
	}
	assert_numbers(&a, "0123");
	list_drop(&records[1].link);
	assert_numbers(&a, "023");
	/* A link in no list: nothing happens. */
	list_drop(&records[1].link);
	list_push(&b, &records[1].link);
	list_drop(&records[3].link);
	list_push(&b, &records[3].link);
	assert_numbers(&a, "02");
	assert_numbers(&b, "13");
	list_drop(&records[0].link);
	list_drop(&records[2].link);
	assert_numbers(&a, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
