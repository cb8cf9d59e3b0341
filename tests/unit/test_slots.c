/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slots.h"

#include "base/err.h"
#include "base/mem.h"
#include "tests/support/test.h"

#define MAX 1000u

/* A record that knows its own name; its size is no multiple of 16. */
struct record {
	struct slot_id id;
	uint64_t payload[2];
	uint32_t tail;
};

/* The model: per index, the id that is taken, or generation 0. */
static void check_all(const struct slots *s, const struct slot_id *taken, uint32_t used)
{
	assert_int_equal(s->used, used);
	for (uint32_t i = 0; i < MAX; i++) {
		bool is_taken = taken[i].generation != 0;
		const struct record *r = slots_find(s, taken[i]);

		assert_int_equal(slots_is_taken(s, i), is_taken);
		assert_int_equal(r != NULL, is_taken);
		if (is_taken)
			assert_memory_equal(&r->id, &taken[i], sizeof(r->id));
	}
}

static void records_stay_and_stale_names_find_nothing(void **state)
{
	CLEANUP(slots_done) struct slots s = { 0 };
	struct slot_id taken[MAX] = { 0 };
	struct slot_id stale[64] = { 0 };
	uint32_t used = 0;
	struct prng p;

	(void)state;
	rand_start(&p);
	slots_init(&s, sizeof(struct record), MAX);
	for (int i = 0; i < 100000; i++) {
		uint32_t at = (uint32_t)prng_below(&p, MAX);
		/* Fill up and empty in turns. */
		bool is_filling = i / 10000 % 2 == 0;

		if (taken[at].generation != 0 && prng_chance(&p, is_filling ? 1 : 9, 10)) {
			stale[i % 64] = taken[at];
			slots_drop(&s, at);
			taken[at].generation = 0;
			used--;
		} else if (prng_chance(&p, is_filling ? 9 : 1, 10)) {
			uint32_t index = slots_take(&s);
			struct record *r;

			assert_int_equal(index == SLOT_NONE, used == MAX);
			if (index == SLOT_NONE)
				continue;
			r = slots_at(&s, index);
			assert_int_equal(r->id.generation, 0);
			assert_int_equal(r->tail, 0);
			assert_int_equal((uintptr_t)r % 16, 0);
			r->id = slots_id(&s, index);
			r->tail = 7;
			assert_int_equal(r->id.generation % 2, 1);
			assert_int_equal(taken[index].generation, 0);
			taken[index] = r->id;
			used++;
		}
		assert_null(slots_find(&s, stale[prng_below(&p, 64)]));
		if (i % 1000 == 0)
			check_all(&s, taken, used);
	}
	check_all(&s, taken, used);
}

static void the_ceiling_holds_within_a_page(void **state)
{
	CLEANUP(slots_done) struct slots s = { 0 };

	(void)state;
	slots_init(&s, 1, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(slots_take(&s), i);
	assert_int_equal(slots_take(&s), SLOT_NONE);
	slots_drop(&s, 1);
	assert_int_equal(slots_take(&s), 1);
	assert_int_equal(slots_take(&s), SLOT_NONE);
}

static void misuse_is_refused(void **state)
{
	CLEANUP(slots_done) struct slots s = { 0 };
	uint32_t index;

	(void)state;
	slots_init(&s, 24, 10);
	expect_assert_failure(slots_at(&s, 0));
	expect_assert_failure(slots_drop(&s, SLOT_NONE));
	index = slots_take(&s);
	slots_drop(&s, index);
	expect_assert_failure(slots_drop(&s, index));
	expect_assert_failure(slots_at(&s, index));
	expect_assert_failure(slots_id(&s, index));
	/* The generation of a free slot is even and names nothing either. */
	assert_null(slots_find(&s, (struct slot_id){ index, s.generations[index] }));
	assert_null(slots_find(&s, (struct slot_id){ SLOT_NONE, 1 }));
	expect_assert_failure(slots_init(&s, 0, 10));
	expect_assert_failure(slots_init(&s, 1, SLOT_NONE));
}

static int fill(void *arg)
{
	CLEANUP(slots_done) struct slots s = { 0 };
	uint32_t failed = 0;

	(void)arg;
	slots_init(&s, 40, 5 * SLOTS_PAGE);
	for (uint32_t i = 0; i < 5 * SLOTS_PAGE; i++) {
		uint32_t index = slots_take(&s);

		if (index == SLOT_NONE)
			failed++;
		else
			memset(slots_at(&s, index), 0xFF, 40);
	}
	assert_int_equal(s.used, 5 * SLOTS_PAGE - failed);
	return failed == 0 ? 0 : ERR_NO_MEMORY;
}

static void survives_failing_requests(void **state)
{
	(void)state;
	/* 5 pages, and the 3 arrays of the directory grown to 1, 2, 4 and 8. */
	assert_int_equal(nth_alloc(fill, NULL), 5 + 3 * 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_stay_and_stale_names_find_nothing),
		cmocka_unit_test(the_ceiling_holds_within_a_page),
		cmocka_unit_test(misuse_is_refused),
		cmocka_unit_test(survives_failing_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
