/* SPDX-License-Identifier: Apache-2.0 */
#include "base/streams.h"

#include "base/mem.h"
#include "tests/support/rand.h"
#include "tests/support/test.h"

#define COST (CHUNK_COST + 10)

static const struct streams_conf conf = {
	.max = 4,
	.bytes_max = 5 * COST,
	.all_bytes_max = 8 * COST,
	.beat_ns = 100,
	.keep_ns = 1000,
};

static struct streams s;

static int set_up(void **state)
{
	(void)state;
	streams_init(&s, &conf);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	streams_done(&s);
	return mem_held() == 0 ? 0 : -1;
}

static struct stream *open(int64_t now_ns, uint64_t task)
{
	struct slot_id id;

	assert_true(streams_open(&s, now_ns, (struct ulid){ 1, task }, 1, &id));
	return streams_find(&s, id);
}

static void put(int64_t now_ns, struct stream *st, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		streams_put(&s, now_ns, st, st->chunks.last + 1, SPAN_LIT("0123456789"));
}

static struct stream *of(uint64_t task)
{
	return streams_search(&s, (struct ulid){ 1, task }, 1);
}

static void test_one_keeps_its_newest(void **state)
{
	struct stream *a = open(0, 1);

	(void)state;
	put(0, a, 9);
	assert_int_equal(chunks_oldest(&a->chunks), 5);
	assert_int_equal(a->chunks.last, 9);
	assert_int_equal(s.bytes, 5 * COST);
	streams_restart(&s, a, 2);
	assert_int_equal(s.bytes, 0);
	assert_null(of(1));
	assert_ptr_equal(streams_search(&s, (struct ulid){ 1, 1 }, 2), a);
	put(0, a, 1);
	assert_int_equal(chunks_oldest(&a->chunks), 1);
}

static void test_ended_ones_make_room_first(void **state)
{
	struct stream *a = open(0, 1), *b = open(1, 2), *c = open(2, 3);

	(void)state;
	put(3, a, 4);
	put(4, b, 2);
	streams_end(&s, 5, a);
	put(6, c, 2);
	assert_non_null(of(1));
	put(7, c, 1);
	assert_null(of(1));
	assert_int_equal(s.bytes, 5 * COST);
	put(8, c, 2);
	/* then the oldest of those that were silent for longest */
	a = open(9, 4);
	put(9, a, 2);
	assert_int_equal(chunks_oldest(&b->chunks), 2);
	assert_int_equal(c->chunks.n, 5);
	put(10, a, 2);
	assert_int_equal(b->chunks.n, 0);
	assert_int_equal(b->chunks.last, 2);
	assert_int_equal(c->chunks.n, 4);
	assert_int_equal(a->chunks.n, 4);
}

static void test_the_number_of_streams_is_bounded(void **state)
{
	struct slot_id id;

	(void)state;
	for (uint64_t i = 1; i <= conf.max; i++)
		open((int64_t)i, i);
	assert_false(streams_open(&s, 9, (struct ulid){ 1, 9 }, 1, &id));
	streams_end(&s, 10, of(3));
	streams_end(&s, 11, of(2));
	assert_true(streams_open(&s, 12, (struct ulid){ 1, 9 }, 1, &id));
	assert_null(of(3));
	assert_non_null(of(2));
	assert_null(streams_find(&s, (struct slot_id){ 0, 0 }));
}

static void test_time(void **state)
{
	struct stream *a = open(0, 1), *b;

	(void)state;
	assert_int_equal(streams_wake(&s), 100);
	assert_null(streams_tick(&s, 99));
	b = open(50, 2);
	put(60, a, 1);
	assert_int_equal(streams_wake(&s), 150);
	assert_ptr_equal(streams_tick(&s, 200), b);
	assert_ptr_equal(streams_tick(&s, 200), a);
	assert_null(streams_tick(&s, 200));
	assert_int_equal(streams_wake(&s), 300);
	streams_end(&s, 250, a);
	streams_drop(&s, b);
	assert_int_equal(streams_wake(&s), 1250);
	/* what comes behind the end keeps it for longer */
	put(300, a, 1);
	assert_null(streams_tick(&s, 1250));
	assert_non_null(of(1));
	assert_null(streams_tick(&s, 1300));
	assert_null(of(1));
	assert_int_equal(streams_wake(&s), INT64_MAX);
	s.conf.beat_ns = INT64_MAX;
	open(400, 3);
	assert_int_equal(streams_wake(&s), INT64_MAX);
	assert_null(streams_tick(&s, INT64_MAX - 1));
}

static void check(void)
{
	const struct list *const lists[] = { &s.live, &s.ended };
	size_t bytes = 0;
	uint32_t n = 0;

	for (unsigned i = 0; i < ARRAY_LEN(lists); i++)
		for (const struct list *l = lists[i]->next; l != lists[i]; l = l->next) {
			const struct stream *st = CONTAINER(l, struct stream, link);

			assert_int_equal(st->ended, i == 1);
			assert_true(st->chunks.bytes <= conf.bytes_max);
			bytes += st->chunks.bytes;
			n++;
		}
	assert_int_equal(n, s.slots.used);
	assert_int_equal(bytes, s.bytes);
	assert_true(bytes <= conf.all_bytes_max);
}

static void test_limits_hold_whatever_happens(void **state)
{
	unsigned char x[6 * COST] = { 0 };
	struct prng p;
	int64_t now_ns = 0;

	(void)state;
	rand_start(&p);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t task = prng_below(&p, 6);
		struct stream *st = of(task);
		struct slot_id id;

		now_ns += (int64_t)prng_below(&p, 30);
		if (st == NULL) {
			if (!streams_open(&s, now_ns, (struct ulid){ 1, task }, 1, &id))
				assert_int_equal(s.slots.used, conf.max);
		} else if (prng_below(&p, 40) == 0) {
			streams_drop(&s, st);
		} else if (prng_below(&p, 40) == 0) {
			if (!st->ended)
				streams_end(&s, now_ns, st);
		} else {
			uint64_t seq = st->chunks.last + 1 + (prng_below(&p, 20) == 0);

			streams_put(&s, now_ns, st, seq, span_of(x, prng_below(&p, sizeof(x))));
			assert_ptr_equal(of(task), st);
			assert_int_equal(st->chunks.last, seq);
		}
		if (prng_below(&p, 10) == 0)
			while (streams_tick(&s, now_ns) != NULL)
				;
		check();
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_keeps_its_newest),
		TEST(test_ended_ones_make_room_first),
		TEST(test_the_number_of_streams_is_bounded),
		TEST(test_time),
		TEST(test_limits_hold_whatever_happens),
	};

	return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
