/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cpu_kinds_tiles: pictures that a task.map filters in tiles, beside the same filter over the whole; what
 * task.reduce makes of tiles that are none.
 */
#include "tests/support/cpu_map.h"

#include "kernel/picture.h"

/* A PNG with no two places alike. */
static void make(struct buf *b, uint32_t width, uint32_t height, uint32_t channels)
{
	struct picture p;

	buf_init(b, (size_t)16 << 20);
	assert_int_equal(picture_init(&p, width, height, channels, NULL), 0);
	for (size_t i = 0; i < picture_bytes(&p); i++)
		p.pixels[i] = (unsigned char)(i * 7 ^ i >> 8 ^ i / width);
	assert_int_equal(picture_encode_png(&p, 1, b, NULL), 0);
	picture_done(&p);
}

static void filter_both(const char *filter, uint32_t channels, size_t parts)
{
	struct buf large, small;
	struct trial whole;
	struct mapped m;

	make(&large, 700, 500, channels);
	make(&small, 30, 20, channels);
	trial_open(&whole);
	trial_param(&whole, "filter", filter);
	trial_param(&whole, "radius", "5");
	trial_item(&whole, "large.png", buf_span(&large));
	trial_item(&whole, "small.png", buf_span(&small));
	assert_int_equal(trial_run(&whole, "image.filter", 1), 0);
	open_map(&m, "image.filter");
	trial_param(&m.task, "parts", "8");
	trial_param(&m.task, "image.filter.filter", filter);
	trial_param(&m.task, "image.filter.radius", "5");
	trial_item(&m.task, "large.png", buf_span(&large));
	trial_item(&m.task, "small.png", buf_span(&small));
	run_map(&m);
	assert_int_equal(m.parts_n, parts);
	assert_string_equal(m.part_kind, "image.filter");
	expect_same(&m.join, &whole);
	close_map(&m);
	trial_close(&whole);
	buf_done(&large);
	buf_done(&small);
}

static void test_as_the_whole(void **state)
{
	(void)state;
	filter_both("gauss", 3, 5);
	filter_both("sobel", 1, 5);
	filter_both("grey", 4, 5);
}

static void test_kinds_behind_the_join(void **state)
{
	struct trial whole;
	struct buf png;
	struct mapped m;

	(void)state;
	make(&png, 600, 300, 3);
	trial_open(&whole);
	trial_param(&whole, "kinds", "image.filter,data.hash");
	trial_item(&whole, "a.png", buf_span(&png));
	assert_int_equal(trial_run(&whole, "task.chain", 1), 0);
	open_map(&m, "image.filter");
	trial_param(&m.task, "join", "data.hash");
	trial_item(&m.task, "a.png", buf_span(&png));
	run_map(&m);
	assert_int_equal(m.parts_n, 2);
	expect_same(&m.join, &whole);
	close_map(&m);
	open_map(&m,
		"image.filter,data.hash"); /* who comes behind in a chain sees whole pictures */
	trial_item(&m.task, "a.png", buf_span(&png));
	run_map(&m);
	assert_int_equal(m.parts_n, 1);
	expect_same(&m.join, &whole);
	trial_param(&m.task, "by", "tiles");
	assert_int_equal(plan_map(&m), ERR_UNSUPPORTED);
	assert_string_equal(m.split.why.field, "by");
	close_map(&m);
	open_map(&m, "image.filter");
	trial_param(&m.task, "join", "concat");
	trial_item(&m.task, "a.png", buf_span(&png));
	assert_int_equal(plan_map(&m), ERR_UNSUPPORTED);
	assert_string_equal(m.split.why.field, "join");
	close_map(&m);
	trial_close(&whole);
	buf_done(&png);
}

static void test_no_pictures(void **state)
{
	struct mapped m;

	(void)state;
	open_map(&m, "image.filter");
	assert_int_equal(plan_map(&m), ERR_INVALID);
	trial_item(&m.task, "a", SPAN_LIT("no picture"));
	assert_int_equal(plan_map(&m), ERR_UNSUPPORTED);
	assert_string_equal(m.split.why.field, "picture");
	close_map(&m);
}

static void test_bad_tiles(void **state)
{
	static const struct {
		const char *tiles;
		int code;
		const char *field;
	} rows[] = {
		{ "", ERR_INVALID, "tiles" }, { "4 4 3 1 2", ERR_INVALID, "tiles" },
		{ "4 4 3 1 2 0 0", ERR_INVALID, "tiles" }, { "4 4 3 5 1 0", ERR_INVALID, "tiles" },
		{ "4 4 3 1 0 0", ERR_INVALID, "tiles" }, { "4 4 3 -1 -2 0", ERR_INVALID, "tiles" },
		{ "65535 65535 3 1024 2 0", ERR_INVALID, "tiles" },
		{ "65535 65535 3 2 1 0", ERR_TOO_BIG, "pixels" },
		{ "4 4 2 2 1 0", ERR_INVALID, "channels" },
		{ "4 4 3 2 1 0", ERR_INVALID, "items" },   /* other tiles */
		{ "60 20 3 3 1 0", ERR_INVALID, "items" }, /* fewer items */
		{ "30 20 3 1 1 0", ERR_INVALID, "items" }, /* more items */
	};
	struct buf png;

	(void)state;
	make(&png, 30, 20, 3);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trial t;

		trial_open(&t);
		trial_param(&t, "how", "tiles");
		trial_param(&t, "tiles", rows[i].tiles);
		trial_item(&t, "a", buf_span(&png));
		trial_item(&t, "b", buf_span(&png));
		trial_refuse(&t, "task.reduce", rows[i].code, rows[i].field, "");
		trial_close(&t);
	}
	buf_done(&png);
}

static void test_want_of_memory(void **state)
{
	struct buf png;
	struct mapped m;

	(void)state;
	make(&png, 600, 300, 1);
	open_map(&m, "image.filter");
	trial_item(&m.task, "a.png", buf_span(&png));
	assert_int_equal(plan_map(&m), 0);
	assert_true(trial_nth(&m.split, "task.split") > 3);
	run_map(&m);
	assert_true(trial_nth(&m.join, "task.reduce") > 3);
	close_map(&m);
	buf_done(&png);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_whole),
		cmocka_unit_test(test_kinds_behind_the_join),
		cmocka_unit_test(test_no_pictures),
		cmocka_unit_test(test_bad_tiles),
		cmocka_unit_test(test_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
