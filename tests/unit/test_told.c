/* SPDX-License-Identifier: Apache-2.0
 *
 * Pieces of results on their way from threads to the owner thread.
 */
#include "cpu-node/told.h"

#include <time.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "tests/support/test.h"

#define RUNS 3
#define PIECES 20000u

static struct loop loop;
static struct told_box box;
static struct told runs[RUNS];
static uint32_t next[RUNS];
static size_t seen;

static void on_piece(struct told *t, struct span piece)
{
	uint32_t number;

	assert_true(piece.len >= sizeof(number));
	memcpy(&number, piece.at, sizeof(number));
	assert_int_equal(number, next[t - runs]);
	next[t - runs]++;
	seen++;
}

static int set_up(void **state)
{
	(void)state;
	memset(next, 0, sizeof(next));
	seen = 0;
	assert_int_equal(loop_open(&loop), 0);
	assert_int_equal(told_open(&box, &loop, RUNS, on_piece), 0);
	for (int i = 0; i < RUNS; i++)
		told_init(&runs[i]);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	told_serve(&box);
	for (int i = 0; i < RUNS; i++)
		told_done(&runs[i]);
	told_close(&box);
	loop_close(&loop);
	return mem_held() == 0 ? 0 : -1;
}

static int put(unsigned run, uint32_t number, size_t len)
{
	static unsigned char bytes[LIMIT_BODY_BYTES];

	memcpy(bytes, &number, sizeof(number));
	return told_put(&box, &runs[run], span_of(bytes, len));
}

static void test_order_and_room(void **state)
{
	uint32_t n = 0;

	(void)state;
	while (put(0, n, 100) == 0)
		n++;
	assert_in_range(n, TOLD_BYTES / 120, TOLD_BYTES / 100);
	assert_int_equal(put(0, n, 100), ERR_BUSY);
	assert_int_equal(put(1, 0, 4), 0); /* another run has room of its own */
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(seen, n + 1);
	/* one piece may be as large as a body, if nothing else waits */
	assert_int_equal(put(0, n, LIMIT_BODY_BYTES), 0);
	assert_int_equal(put(0, n + 1, 4), ERR_BUSY);
	told_serve(&box);
	assert_int_equal(seen, n + 2);
	assert_int_equal(put(0, n + 1, 4), 0);
}

struct producer {
	unsigned run;
	pthread_t thread;
};

static void *produce(void *ctx)
{
	static const struct timespec pause = { .tv_nsec = 100000 };
	const struct producer *p = ctx;
	unsigned char bytes[300] = { 0 };

	for (uint32_t i = 0; i < PIECES; i++) {
		memcpy(bytes, &i, sizeof(i));
		while (told_put(&box, &runs[p->run], span_of(bytes, 4 + i % 290)) < 0)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct producer producers[RUNS];

	(void)state;
	for (unsigned i = 0; i < RUNS; i++) {
		producers[i].run = i;
		assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]),
			0);
	}
	while (seen < (size_t)RUNS * PIECES)
		assert_int_equal(loop_turn(&loop, -1), 0);
	for (unsigned i = 0; i < RUNS; i++) {
		pthread_join(producers[i].thread, NULL);
		assert_int_equal(next[i], PIECES);
	}
}

/* A piece that finds no memory is put again by who has it. */
static void test_want_of_memory(void **state)
{
	(void)state;
	mem_fail_at(1, 0);
	assert_int_equal(put(0, 0, 200), ERR_NO_MEMORY);
	mem_fail_at(0, 0);
	assert_int_equal(put(0, 0, 200), 0);
	told_serve(&box);
	assert_int_equal(seen, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order_and_room),
		TEST(test_threads),
		TEST(test_want_of_memory),
	};

	return cmocka_run_group_tests_name("told", tests, NULL, NULL);
}
