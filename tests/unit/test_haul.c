/* SPDX-License-Identifier: Apache-2.0
 *
 * Results that are larger than they are to be in a message: which of them go to the store, and which have nothing to
 * put there. The way through a node and a store is in tests/sim and tests/e2e.
 */
#include "node/haul.h"
#include "tests/support/store_kit.h"
#include "tests/support/test.h"
#include "wire/node.h"

static struct {
	struct store_kit store;
	struct hauls *hauls;
	struct buf told; /* the body of what was handed to hauls_out, when it may be told */
	bool is_told;
} t;

static void on_in(void *ctx, const struct job *job, const struct fail *why)
{
	(void)ctx;
	(void)job;
	(void)why;
	fail_msg("no input was asked for");
}

static void on_out(void *ctx, const struct worker_event *done, const struct fail *why)
{
	(void)ctx;
	assert_int_equal(why->code, 0);
	buf_add(&t.told, done->body);
	t.is_told = true;
}

static void on_turn(void *ctx)
{
	(void)ctx;
	hauls_turn(t.hauls);
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	if (!store_kit_open(&t.store))
		return -1;
	t.store.on_turn = on_turn;
	t.hauls = hauls_new(&(struct hauls_conf){
		.loop = &t.store.loop,
		.bus = t.store.bus,
		.bytes_max = 16 << 20,
		.on_in = on_in,
		.on_out = on_out,
	});
	buf_init(&t.told, LIMIT_BODY_BYTES);
	return t.hauls == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	hauls_free(t.hauls);
	buf_done(&t.told);
	store_kit_close(&t.store);
	return 0;
}

/* A plan of so many parts, each with an item of so many bytes; 0: without one, as of kinds that take parameters only. */
static void put_plan(struct buf *to, unsigned parts, size_t item_bytes)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	CLEANUP(buf_done) struct buf data = { 0 };

	buf_init(&body, LIMIT_BODY_BYTES);
	buf_init(&data, LIMIT_BODY_BYTES);
	while (data.len < item_bytes)
		buf_byte(&data, 'x');
	body_put_int(&body, "samples", 1000);
	if (item_bytes > 0)
		body_put_item(&body, SPAN_LIT("item"), SPAN_LIT("text/plain"), buf_span(&data));
	struct part part = { .kind = SPAN_LIT("compute.montecarlo"), .body = buf_span(&body) };

	for (unsigned i = 0; i < parts; i++)
		split_plan_put_part(to, &part);
	part.kind = SPAN_LIT("task.reduce");
	part.body = (struct span){ NULL, 0 };
	split_plan_put_join(to, &part);
	assert_int_equal(buf_err(to), 0);
}

static int out(struct buf *plan)
{
	const struct worker_event done = { .kind = WORKER_DONE, .task = { 1, 1 }, .attempt = 1 };
	const struct worker_about about = { .tenant = "ada",
		.deadline_ns = INT64_MAX,
		.inline_bytes = LIMIT_PART_BYTES };
	struct fail why = { 0 };

	return hauls_out(t.hauls, &done, &about, true, plan, &why);
}

/* A part of a graph that is a task.split itself: its plan is larger than a part's result is to be, but there is
 * nothing in it that could be put elsewhere. */
static void test_a_plan_without_items(void **state)
{
	CLEANUP(buf_done) struct buf plan = { 0 };

	(void)state;
	buf_init(&plan, LIMIT_MESSAGE_BYTES);
	put_plan(&plan, 100, 0);
	assert_true(plan.len > LIMIT_PART_BYTES);
	size_t len = plan.len;

	assert_int_equal(out(&plan), 1);
	assert_int_equal(plan.len, len);
	hauls_turn(t.hauls);
	/* Nor in one whose items are small. */
	buf_reset(&plan);
	put_plan(&plan, 100, 10);
	assert_int_equal(out(&plan), 1);
	hauls_turn(t.hauls);
	assert_false(t.is_told);
}

static void test_a_plan_with_large_items(void **state)
{
	CLEANUP(buf_done) struct buf plan = { 0 };
	struct arena arena;
	struct split_plan told;

	(void)state;
	buf_init(&plan, 2 * LIMIT_MESSAGE_BYTES);
	put_plan(&plan, 4, 200000);
	assert_int_equal(out(&plan), 0);
	assert_true(store_kit_run(&t.store, &t.is_told, 60));
	arena_init(&arena, 4 << 20);
	assert_int_equal(split_plan_decode(&arena, buf_span(&t.told), &told, NULL), 0);
	assert_int_equal(told.parts_n, 4);
	assert_true(t.told.len < LIMIT_PART_BYTES * 4);
	arena_done(&arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_plan_without_items),
		TEST(test_a_plan_with_large_items),
	};

	return cmocka_run_group_tests_name("haul", tests, NULL, NULL);
}
