/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "base/err.h"
#include "base/mem.h"
#include "tests/support/test.h"

#define ROWS 400

/* The obvious model: a list of pairs. */
struct model {
	uint64_t hash[ROWS];
	uint32_t value[ROWS];
	uint32_t used;
};

static bool model_drop(struct model *m, uint64_t hash, uint32_t value)
{
	for (uint32_t i = 0; i < m->used; i++) {
		if (m->hash[i] == hash && m->value[i] == value) {
			m->used--;
			m->hash[i] = m->hash[m->used];
			m->value[i] = m->value[m->used];
			return true;
		}
	}
	return false;
}

/* The values of a hash: how many, and their sum. */
static void assert_same_values(const struct map *map, const struct model *m, uint64_t hash)
{
	uint64_t count = 0, sum = 0, wanted_count = 0, wanted_sum = 0;
	uint32_t at = 0, value;

	for (uint32_t i = 0; i < m->used; i++) {
		if (m->hash[i] == hash) {
			wanted_count++;
			wanted_sum += m->value[i];
		}
	}
	while (map_next(map, hash, &at, &value)) {
		count++;
		sum += value;
	}
	assert_int_equal(count, wanted_count);
	assert_int_equal(sum, wanted_sum);
}

/* hashes: how many different ones; few make long runs of equal hashes. stride: the distance of one from
 * the next, so that they differ in the low, middle or high bits only. */
static void run_like_a_list(uint64_t hashes, uint64_t stride)
{
	CLEANUP(map_done) struct map map = { 0 };
	struct model m = { .used = 0 };
	struct prng p;

	rand_start(&p);
	map_init(&map);
	for (int i = 0; i < 30000; i++) {
		uint64_t hash = prng_below(&p, hashes) * stride;
		uint32_t value = (uint32_t)prng_below(&p, 4);
		/* Fill up and empty in turns. */
		bool is_filling = i / 3000 % 2 == 0;

		if (prng_chance(&p, is_filling ? 3 : 1, 4) && m.used < ROWS) {
			assert_int_equal(map_reserve(&map), 0);
			map_put(&map, hash, value);
			m.hash[m.used] = hash;
			m.value[m.used++] = value;
		} else {
			assert_int_equal(map_drop(&map, hash, value), model_drop(&m, hash, value));
		}
		assert_int_equal(map.used, m.used);
		assert_true(map.used + map.dead <= map.cap - map.cap / 4);
		assert_same_values(&map, &m, hash);
	}
	for (uint64_t i = 0; i < hashes; i++)
		assert_same_values(&map, &m, i * stride);
	assert_true(map.cap <= 1024);
}

static void behaves_like_a_list(void **state)
{
	(void)state;
	run_like_a_list(3, 1);
	run_like_a_list(500, 1);
	run_like_a_list(500, UINT64_C(1) << 16);
	run_like_a_list(500, UINT64_C(1) << 55);
}

static void an_empty_map_finds_nothing(void **state)
{
	struct map map;
	uint32_t at = 0, value;

	(void)state;
	map_init(&map);
	assert_false(map_next(&map, 1, &at, &value));
	assert_false(map_drop(&map, 1, 1));
	expect_assert_failure(map_put(&map, 1, 1));
	map_done(&map);
}

static void put_takes_no_memory(void **state)
{
	CLEANUP(map_done) struct map map = { 0 };

	(void)state;
	map_init(&map);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(map_reserve(&map), 0);
		mem_fail_at(1, 1);
		map_put(&map, i, i);
		mem_fail_at(0, 0);
	}
	/* Filled to the brim, a put that was not reserved is refused. */
	while (map.used < map.cap - map.cap / 4)
		map_put(&map, 1, 1);
	expect_assert_failure(map_put(&map, 1, 1));
}

/* Room that was made once is there for all of them; what is in it stays. */
static void room_for_many(void **state)
{
	CLEANUP(map_done) struct map map = { 0 };
	uint32_t cap;

	(void)state;
	map_init(&map);
	assert_int_equal(map_room(&map, 0), 0);
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(map_reserve(&map), 0);
		map_put(&map, i, i);
	}
	assert_int_equal(map_room(&map, 5000), 0);
	cap = map.cap;
	for (uint32_t i = 100; i < 5100; i++)
		map_put(&map, i, i);
	assert_int_equal(map_room(&map, map.cap - map.cap / 4 - map.used), 0);
	assert_int_equal(map.cap, cap);
	for (uint32_t i = 0; i < 5100; i++) {
		uint32_t at = 0, value = UINT32_MAX;

		assert_true(map_next(&map, i, &at, &value));
		assert_int_equal(value, i);
	}
	assert_int_equal(map_room(&map, UINT32_MAX), ERR_NO_MEMORY);
	mem_fail_at(1, 1);
	assert_int_equal(map_room(&map, 20000), ERR_NO_MEMORY);
	mem_fail_at(0, 0);
	assert_int_equal(map.used, 5100);
}

static void rows_may_be_dropped_during_a_walk(void **state)
{
	CLEANUP(map_done) struct map map = { 0 };
	uint32_t at = 0, value, seen = 0;

	(void)state;
	map_init(&map);
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(map_reserve(&map), 0);
		map_put(&map, 5, i);
	}
	while (map_next(&map, 5, &at, &value)) {
		if (value % 2 == 0)
			assert_true(map_drop(&map, 5, value));
		seen++;
	}
	assert_int_equal(seen, 100);
	assert_int_equal(map.used, 50);
}

/* A table with the same number of rows for ever stays as large as it is and asks for no memory in the
 * long run beyond forgetting its dead. */
static void churn_does_not_grow_it(void **state)
{
	CLEANUP(map_done) struct map map = { 0 };
	struct prng p;

	(void)state;
	rand_start(&p);
	map_init(&map);
	for (uint32_t i = 0; i < 200000; i++) {
		assert_int_equal(map_reserve(&map), 0);
		map_put(&map, i * UINT64_C(0x9E3779B97F4A7C15), i);
		if (i >= 100)
			assert_true(
				map_drop(&map, (i - 100) * UINT64_C(0x9E3779B97F4A7C15), i - 100));
	}
	assert_int_equal(map.used, 100);
	assert_true(map.cap <= 256);
}

static int fill(void *arg)
{
	CLEANUP(map_done) struct map map = { 0 };

	(void)arg;
	map_init(&map);
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t at = 0, value;

		if (map_reserve(&map) < 0) {
			assert_int_equal(map.used, i);
			assert_int_equal(map_next(&map, 0, &at, &value), i > 0);
			return ERR_NO_MEMORY;
		}
		map_put(&map, i, i);
	}
	return 0;
}

static void survives_failing_requests(void **state)
{
	(void)state;
	/* 16, 32, ..., 2048 rows. */
	assert_int_equal(nth_alloc(fill, NULL), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behaves_like_a_list),
		cmocka_unit_test(an_empty_map_finds_nothing),
		cmocka_unit_test(put_takes_no_memory),
		cmocka_unit_test(room_for_many),
		cmocka_unit_test(rows_may_be_dropped_during_a_walk),
		cmocka_unit_test(churn_does_not_grow_it),
		cmocka_unit_test(survives_failing_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
