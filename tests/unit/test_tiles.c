/* SPDX-License-Identifier: Apache-2.0
 *
 * test_tiles: every pixel is in one tile; what is filtered tile by tile is the whole filtered.
 */
#include "kernel/tiles.h"

#include "base/prng.h"
#include "kernel/filter.h"
#include "tests/support/nth.h"
#include "tests/support/test.h"

static const uint64_t seed = 20261121;

static void test_each_pixel_once(void **state)
{
	struct prng p;

	(void)state;
	prng_seed(&p, seed);
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int round = 0; round < 2000; round++) {
		uint32_t n = 1 + (uint32_t)prng_below(&p, 70);
		struct tiles t = tiles_plan(1 + (uint32_t)prng_below(&p, round < 1000 ? 9 : 65535),
			1 + (uint32_t)prng_below(&p, round % 2 == 0 ? 9 : 65535),
			(uint32_t)prng_below(&p, 17), n);
		uint64_t pixels = 0;

		assert_in_range(t.columns * t.rows, 1, n);
		for (uint32_t i = 0; i < t.columns * t.rows; i++) {
			struct tile tile = tiles_at(&t, i);

			assert_true(tile.width > 0 && tile.height > 0);
			assert_true(tile.from_x <= tile.x && tile.from_y <= tile.y);
			assert_true(tile.from_x + tile.wide >= tile.x + tile.width);
			assert_true(tile.from_y + tile.high >= tile.y + tile.height);
			assert_true(tile.from_x + tile.wide <= t.width);
			assert_true(tile.from_y + tile.high <= t.height);
			assert_int_equal(tile.x == 0, i % t.columns == 0);
			pixels += (uint64_t)tile.width * tile.height;
		}
		assert_int_equal(pixels, (uint64_t)t.width * t.height);
	}
}

static void test_shapes(void **state)
{
	static const uint32_t rows[][5] = { /* width, height, n, columns, rows */
		{ 1000, 1000, 1, 1, 1 }, { 1000, 1000, 4, 2, 2 }, { 1000, 100, 4, 4, 1 },
		{ 100, 1000, 4, 1, 4 }, { 2, 1, 64, 1, 1 }, { 4096, 4096, 16, 4, 4 },
		{ 65535, 256, 8, 8, 1 }
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tiles t = tiles_plan(rows[i][0], rows[i][1], 16, rows[i][2]);

		assert_int_equal(t.columns, rows[i][3]);
		assert_int_equal(t.rows, rows[i][4]);
	}
}

static void filter_in_tiles(const struct picture *in, enum filter f, unsigned radius, uint32_t n)
{
	struct tiles t = tiles_plan(in->width, in->height, filter_halo(f, radius), n);
	struct picture whole, joined;

	assert_int_equal(filter_ref(in, f, radius, &whole, NULL), 0);
	assert_int_equal(picture_init(&joined, in->width, in->height, in->channels, NULL), 0);
	for (uint32_t i = 0; i < t.columns * t.rows; i++) {
		struct tile tile = tiles_at(&t, i);
		struct picture cut, done;

		assert_int_equal(tile_cut(in, &tile, &cut, NULL), 0);
		assert_int_equal(filter_ref(&cut, f, radius, &done, NULL), 0);
		assert_int_equal(tile_put(&joined, &tile, &done, NULL), 0);
		picture_done(&cut);
		picture_done(&done);
	}
	assert_memory_equal(joined.pixels, whole.pixels, picture_bytes(&whole));
	picture_done(&whole);
	picture_done(&joined);
}

static void test_filtered_in_tiles(void **state)
{
	static const uint32_t channels[] = { 1, 3, 4 };
	struct prng p;

	(void)state;
	prng_seed(&p, seed);
	for (int round = 0; round < 150; round++) {
		struct picture in;

		assert_int_equal(picture_init(&in, 1 + (uint32_t)prng_below(&p, 60),
					 1 + (uint32_t)prng_below(&p, 60), channels[round % 3],
					 NULL),
			0);
		for (size_t i = 0; i < picture_bytes(&in); i++)
			in.pixels[i] = (unsigned char)prng_below(&p, 256);
		filter_in_tiles(&in, (enum filter)prng_below(&p, FILTERS),
			1 + (unsigned)prng_below(&p, FILTER_RADIUS_MAX),
			1 + (uint32_t)prng_below(&p, 20));
		picture_done(&in);
	}
}

static void test_other_tiles(void **state)
{
	struct tiles t = tiles_plan(10, 10, 1, 4);
	struct tile tile = tiles_at(&t, 0);
	struct picture whole, other;
	struct fail why;

	(void)state;
	assert_int_equal(picture_init(&whole, 10, 10, 3, NULL), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(picture_init(&other, tile.wide + (i == 0), tile.high + (i == 1),
					 i == 2 ? 1 : 3, NULL),
			0);
		assert_int_equal(tile_put(&whole, &tile, &other, &why), ERR_INVALID);
		assert_string_equal(why.field, "items");
		picture_done(&other);
	}
	picture_done(&whole);
}

static int cut_one(void *arg)
{
	struct tiles t = tiles_plan(10, 10, 1, 4);
	struct tile tile = tiles_at(&t, 3);
	struct picture ret;
	int r = tile_cut(arg, &tile, &ret, NULL);

	if (r == 0)
		picture_done(&ret);
	return r;
}

static void test_want_of_memory(void **state)
{
	struct picture whole;

	(void)state;
	assert_int_equal(picture_init(&whole, 10, 10, 3, NULL), 0);
	assert_int_equal(nth_alloc(cut_one, &whole), 1);
	picture_done(&whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_pixel_once),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_filtered_in_tiles),
		cmocka_unit_test(test_other_tiles),
		cmocka_unit_test(test_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
