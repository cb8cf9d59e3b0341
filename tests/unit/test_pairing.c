/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pairing.h"

#include "tests/support/test.h"

#define ITEMS 200u

/* The obvious model: an array that is searched from end to end. */
struct model {
	struct pairing h;
	struct pairing_link links[ITEMS];
	uint64_t key[ITEMS], order[ITEMS];
	bool has[ITEMS];
};

static const struct pairing_link *first(const struct model *m)
{
	unsigned best = ITEMS;

	for (unsigned i = 0; i < ITEMS; i++)
		if (m->has[i] &&
			(best == ITEMS || m->key[i] < m->key[best] ||
				(m->key[i] == m->key[best] && m->order[i] < m->order[best])))
			best = i;
	return best == ITEMS ? NULL : &m->links[best];
}

static void behaves_like_an_array(void **state)
{
	static struct model m;
	struct prng p;

	(void)state;
	rand_start(&p);
	for (unsigned i = 0; i < 60000; i++) {
		unsigned item = (unsigned)prng_below(&p, ITEMS);
		bool put = prng_chance(&p, i / 5000 % 2 == 0 ? 3 : 1, 4);

		if (m.has[item])
			pairing_drop(&m.h, &m.links[item]);
		m.has[item] = put;
		if (put) {
			m.key[item] = prng_chance(&p, 1, 50) ? UINT64_MAX : prng_below(&p, 60);
			m.order[item] = i;
			pairing_put(&m.h, &m.links[item], m.key[item]);
		}
		assert_int_equal(m.links[item].is_in, put);
		assert_ptr_equal(m.h.top, first(&m));
	}
	while (m.h.top != NULL) {
		assert_ptr_equal(m.h.top, first(&m));
		m.has[m.h.top - m.links] = false;
		pairing_drop(&m.h, m.h.top);
	}
	assert_null(first(&m));
}

static void one_that_is_not_in_may_be_dropped(void **state)
{
	struct pairing h = { NULL, 0 };
	struct pairing_link a = { .is_in = false };

	(void)state;
	pairing_drop(&h, &a);
	assert_null(h.top);
	pairing_put(&h, &a, 5);
	pairing_drop(&h, &a);
	pairing_drop(&h, &a);
	assert_null(h.top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behaves_like_an_array),
		cmocka_unit_test(one_that_is_not_in_may_be_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
