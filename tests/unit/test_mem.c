/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <pthread.h>

#include "base/arena.h"
#include "base/err.h"
#include "tests/support/test.h"

static void blocks_are_zeroed_and_counted(void **state)
{
	int64_t held = mem_held();
	unsigned char *at = mem_alloc(1000);
	void *empty = mem_alloc(0);

	(void)state;
	assert_non_null(at);
	assert_non_null(empty);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(at[i], 0);
	assert_int_equal(mem_held(), held + 2);
	at = mem_grow(at, 2000);
	assert_int_equal(mem_held(), held + 2);
	mem_free(at);
	mem_free(empty);
	mem_free(NULL);
	assert_int_equal(mem_held(), held);
	at = mem_grow(NULL, 0);
	assert_int_equal(mem_held(), held + 1);
	mem_freep(&at);
	assert_int_equal(mem_held(), held);
}

static void copies(void **state)
{
	CLEANUP(mem_freep) char *text = mem_str(span_str("abc"));
	CLEANUP(mem_freep) char *none = mem_str((struct span){ 0 });
	CLEANUP(mem_freep) void *bytes = mem_dup(span_of("a\0b", 3));
	CLEANUP(mem_freep) void *empty = mem_dup((struct span){ 0 });

	(void)state;
	assert_string_equal(text, "abc");
	assert_string_equal(none, "");
	assert_memory_equal(bytes, "a\0b", 3);
	assert_non_null(empty);
}

static void the_nth_request_fails(void **state)
{
	void *at = NULL;

	(void)state;
	mem_fail_at(3, 0);
	for (int i = 1; i <= 5; i++) {
		at = mem_alloc(1);
		assert_int_equal(at == NULL, i == 3);
		mem_free(at);
	}
	assert_int_equal(mem_failed(), 1);
	at = mem_alloc(1);
	mem_fail_at(2, 1);
	for (int i = 1; i <= 5; i++) {
		void *grown = mem_grow(at, (size_t)i * 1000);

		assert_int_equal(grown == NULL, i >= 2);
		at = grown == NULL ? at : grown;
	}
	assert_int_equal(mem_failed(), 4);
	mem_fail_at(0, 0);
	assert_int_equal(mem_failed(), 0);
	mem_free(at);
	at = mem_alloc(1);
	assert_non_null(at);
	mem_free(at);
}

#define REQUESTS 20000

static void *many_requests(void *arg)
{
	uint64_t *failed = arg;

	for (int i = 0; i < REQUESTS; i++) {
		void *at = mem_alloc(1);

		*failed += at == NULL;
		mem_free(at);
	}
	return NULL;
}

static void one_fails_among_threads(void **state)
{
	int64_t held = mem_held();
	pthread_t threads[4];
	uint64_t failed[4] = { 0 };

	(void)state;
	mem_fail_at(2 * REQUESTS, 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, many_requests, &failed[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(failed[0] + failed[1] + failed[2] + failed[3], 1);
	assert_int_equal(mem_failed(), 1);
	assert_int_equal(mem_held(), held);
	mem_fail_at(0, 0);
}

static void arena_pieces_are_aligned_and_apart(void **state)
{
	CLEANUP(arena_done) struct arena a = { 0 };
	struct prng p;

	(void)state;
	arena_init(&a, 1 << 20);
	rand_start(&p);
	for (int turn = 0; turn < 20; turn++) {
		unsigned char *at[200];
		size_t size[200];

		for (int i = 0; i < 200; i++) {
			size[i] = prng_below(&p, prng_chance(&p, 1, 20) ? 20000 : 100);
			at[i] = i % 2 == 0 ? arena_alloc(&a, size[i]) : arena_raw(&a, size[i]);
			assert_non_null(at[i]);
			assert_int_equal((uintptr_t)at[i] % 16, 0);
			for (size_t k = 0; i % 2 == 0 && k < size[i]; k++)
				assert_int_equal(at[i][k], 0);
			memset(at[i], i, size[i]);
		}
		for (int i = 0; i < 200; i++) {
			for (size_t k = 0; k < size[i]; k++)
				assert_int_equal(at[i][k], i);
		}
		arena_reset(&a);
		assert_int_equal(a.used, 0);
	}
}

static void arena_has_a_ceiling(void **state)
{
	CLEANUP(arena_done) struct arena a = { 0 };

	(void)state;
	arena_init(&a, 100); /* counts as 112 */
	assert_false(a.full);
	assert_null(arena_alloc(&a, 113));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_str(&a, span_of("x", SIZE_MAX)));
	assert_non_null(arena_alloc(&a, 100));
	assert_int_equal(a.used, 112);
	assert_null(arena_alloc(&a, 1));
	assert_null(arena_alloc(&a, 0));
	assert_true(a.full);
	arena_reset(&a);
	assert_false(a.full);
	assert_non_null(arena_alloc(&a, 96));
	assert_non_null(arena_alloc(&a, 16));
	assert_null(arena_fmt(&a, "x"));
	arena_done(&a);
	arena_init(&a, SIZE_MAX);
	assert_non_null(arena_alloc(&a, 100000));
	assert_null(arena_alloc(&a, SIZE_MAX - 8));
}

static void arena_keeps_its_first_chunk(void **state)
{
	CLEANUP(arena_done) struct arena a = { 0 };
	int64_t held = mem_held();

	(void)state;
	arena_init(&a, 1 << 20);
	assert_int_equal(mem_held(), held);
	for (int i = 0; i < 3; i++)
		assert_non_null(arena_raw(&a, 100000));
	assert_true(mem_held() > held + 1);
	arena_reset(&a);
	assert_int_equal(mem_held(), held + 1);
	mem_fail_at(1, 1);
	assert_non_null(arena_raw(&a, 3000));
	mem_fail_at(0, 0);
	arena_done(&a);
	assert_int_equal(mem_held(), held);
}

static void arena_texts(void **state)
{
	CLEANUP(arena_done) struct arena a = { 0 };

	(void)state;
	arena_init(&a, 1 << 16);
	assert_string_equal(arena_str(&a, span_of("abcdef", 3)), "abc");
	assert_string_equal(arena_str(&a, (struct span){ 0 }), "");
	assert_string_equal(arena_fmt(&a, "%s-%d", "x", 42), "x-42");
	assert_int_equal(strlen(arena_fmt(&a, "%05000d", 1)), 5000);
}

static int use_arena(void *arg)
{
	CLEANUP(arena_done) struct arena a = { 0 };

	(void)arg;
	arena_init(&a, 1 << 20);
	for (int i = 0; i < 20; i++) {
		if (arena_alloc(&a, 10000) == NULL || arena_fmt(&a, "%d", i) == NULL)
			return ERR_NO_MEMORY;
	}
	return 0;
}

static void arena_survives_failing_requests(void **state)
{
	(void)state;
	assert_in_range(nth_alloc(use_arena, NULL), 3, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_zeroed_and_counted),
		cmocka_unit_test(copies),
		cmocka_unit_test(the_nth_request_fails),
		cmocka_unit_test(one_fails_among_threads),
		cmocka_unit_test(arena_pieces_are_aligned_and_apart),
		cmocka_unit_test(arena_has_a_ceiling),
		cmocka_unit_test(arena_keeps_its_first_chunk),
		cmocka_unit_test(arena_texts),
		cmocka_unit_test(arena_survives_failing_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
