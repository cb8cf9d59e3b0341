/* SPDX-License-Identifier: Apache-2.0 */
#include "base/chunks.h"

#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "tests/support/nth.h"
#include "tests/support/rand.h"
#include "tests/support/test.h"

static void put(struct chunks *c, uint64_t seq)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)seq);

	assert_int_equal(chunks_put(c, seq, span_of(text, (size_t)n)), 0);
}

/* Each is the copy of its number. */
static void expect(const struct chunks *c, uint64_t oldest, uint64_t last)
{
	char text[24];
	size_t bytes = 0;

	assert_int_equal(chunks_oldest(c), oldest);
	assert_int_equal(c->last, last);
	assert_int_equal(c->n, last + 1 - oldest);
	for (uint64_t seq = oldest; seq <= last; seq++) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)seq);
		assert_true(chunks_has(c, seq));
		assert_true(span_is(chunks_at(c, seq), text));
		bytes += strlen(text) + CHUNK_COST;
	}
	assert_false(chunks_has(c, oldest - 1));
	assert_false(chunks_has(c, last + 1));
	assert_int_equal(c->bytes, bytes);
}

static void test_in_order(void **state)
{
	struct chunks c;

	(void)state;
	chunks_init(&c);
	expect(&c, 1, 0);
	for (uint64_t seq = 1; seq <= 100; seq++)
		put(&c, seq);
	expect(&c, 1, 100);
	chunks_trim(&c, 10 * CHUNK_COST + 9 * 2 + 3);
	expect(&c, 91, 100);
	chunks_trim(&c, 0);
	expect(&c, 101, 100);
	put(&c, 101);
	expect(&c, 101, 101);
	chunks_reset(&c);
	expect(&c, 1, 0);
	chunks_done(&c);
}

static void test_a_gap_begins_anew(void **state)
{
	struct chunks c;

	(void)state;
	chunks_init(&c);
	put(&c, 1);
	put(&c, 2);
	put(&c, 7);
	expect(&c, 7, 7);
	put(&c, 8);
	put(&c, 3);
	expect(&c, 3, 3);
	chunks_done(&c);
}

/* The ring goes round while it grows and shrinks. */
static void test_against_numbers(void **state)
{
	struct chunks c;
	struct prng p;
	uint64_t oldest = 1, last = 0;

	(void)state;
	rand_start(&p);
	chunks_init(&c);
	for (unsigned i = 0; i < 20000; i++) {
		if (prng_below(&p, 5) < 3)
			put(&c, ++last);
		else if (oldest <= last && prng_below(&p, 200) > 0) {
			chunks_drop_oldest(&c);
			oldest++;
		} else if (prng_below(&p, 50) == 0) {
			last += 2 + prng_below(&p, 9);
			oldest = last;
			put(&c, last);
		}
		assert_int_equal(chunks_oldest(&c), oldest);
		if (i % 64 == 0)
			expect(&c, oldest, last);
	}
	chunks_done(&c);
	assert_int_equal(mem_held(), 0);
}

static void test_empty_chunks_count(void **state)
{
	struct chunks c;

	(void)state;
	chunks_init(&c);
	assert_int_equal(chunks_put(&c, 1, (struct span){ NULL, 0 }), 0);
	assert_int_equal(c.bytes, CHUNK_COST);
	assert_int_equal(chunks_at(&c, 1).len, 0);
	chunks_done(&c);
}

/* Without memory the number is known, and nothing before it is kept. */
static int fill(void *arg)
{
	struct chunks c;
	int r = 0;

	(void)arg;
	chunks_init(&c);
	for (uint64_t seq = 1; seq <= 20 && r == 0; seq++) {
		r = chunks_put(&c, seq, SPAN_LIT("some"));
		assert_int_equal(c.last, seq);
		assert_int_equal(chunks_has(&c, seq), r == 0);
		if (r < 0)
			assert_int_equal(c.n, 0);
	}
	if (r < 0) {
		uint64_t seq = c.last;

		assert_int_equal(c.bytes, 0);
		if (chunks_put(&c, seq + 1, SPAN_LIT("x")) == 0)
			assert_int_equal(chunks_oldest(&c), seq + 1);
	}
	chunks_done(&c);
	return r;
}

static void test_every_failing_request_for_memory(void **state)
{
	(void)state;
	assert_true(nth_alloc(fill, NULL) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_a_gap_begins_anew),
		cmocka_unit_test(test_against_numbers),
		cmocka_unit_test(test_empty_chunks_count),
		cmocka_unit_test(test_every_failing_request_for_memory),
	};

	return cmocka_run_group_tests_name("chunks", tests, NULL, NULL);
}
