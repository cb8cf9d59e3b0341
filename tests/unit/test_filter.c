/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/filter.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tests/support/nth.h"
#include "tests/support/rand.h"
#include "tests/support/test.h"

static void fill(struct picture *p, struct prng *r)
{
	for (size_t i = 0; i < picture_bytes(p); i++)
		p->pixels[i] = (unsigned char)prng_below(r, 256);
}

/* The value of a colour with the border repeated. */
static int at(const struct picture *p, int64_t x, int64_t y, unsigned c)
{
	x = x < 0 ? 0 : x >= p->width ? p->width - 1 : x;
	y = y < 0 ? 0 : y >= p->height ? p->height - 1 : y;
	return p->pixels[((size_t)y * p->width + (size_t)x) * p->channels + c];
}

static int grey_at(const struct picture *p, int64_t x, int64_t y)
{
	if (p->channels == 1)
		return at(p, x, y, 0);
	return (77 * at(p, x, y, 0) + 150 * at(p, x, y, 1) + 29 * at(p, x, y, 2) + 128) >> 8;
}

static int sobel_at(const struct picture *p, int64_t x, int64_t y)
{
	static const int weight[3] = { 1, 2, 1 };
	int gx = 0, gy = 0;

	for (int i = -1; i <= 1; i++) {
		gx += weight[i + 1] * (grey_at(p, x + 1, y + i) - grey_at(p, x - 1, y + i));
		gy += weight[i + 1] * (grey_at(p, x + i, y + 1) - grey_at(p, x + i, y - 1));
	}
	return abs(gx) + abs(gy) > 255 ? 255 : abs(gx) + abs(gy);
}

/* The horizontal pass at any place, clamped before it. */
static int blurred_row(const struct picture *p, const uint32_t *w, int radius, int64_t x, int64_t y,
	unsigned c)
{
	int64_t sum = 32768;

	for (int i = -radius; i <= radius; i++)
		sum += (int64_t)w[i + radius] * at(p, x + i, y, c);
	return (int)(sum >> 16);
}

static int gauss_at(const struct picture *p, int radius, int64_t x, int64_t y, unsigned c)
{
	uint32_t w[FILTER_WEIGHTS_MAX];
	int64_t sum = 32768;

	filter_gauss_weights((unsigned)radius, w);
	for (int i = -radius; i <= radius; i++)
		sum += (int64_t)w[i + radius] * blurred_row(p, w, radius, x, y + i, c);
	return (int)(sum >> 16);
}

static int model(const struct picture *p, enum filter f, int radius, int64_t x, int64_t y,
	unsigned c)
{
	if (c == 3)
		return at(p, x, y, 3);
	if (f == FILTER_GREY)
		return grey_at(p, x, y);
	return f == FILTER_SOBEL ? sobel_at(p, x, y) : gauss_at(p, radius, x, y, c);
}

static void compare(const struct picture *in, enum filter f, int radius)
{
	struct picture out;

	assert_int_equal(filter_ref(in, f, (unsigned)radius, &out, NULL), 0);
	assert_int_equal(out.width, in->width);
	assert_int_equal(out.height, in->height);
	assert_int_equal(out.channels, in->channels);
	for (uint32_t y = 0; y < in->height; y++) {
		for (uint32_t x = 0; x < in->width; x++) {
			for (unsigned c = 0; c < in->channels; c++)
				assert_int_equal(at(&out, x, y, c), model(in, f, radius, x, y, c));
		}
	}
	picture_done(&out);
}

static void test_equals_definition(void **state)
{
	static const uint32_t sizes[][2] = { { 1, 1 }, { 1, 9 }, { 9, 1 }, { 2, 2 }, { 13, 7 } };
	static const uint32_t channels[] = { 1, 3, 4 };
	static const int radii[] = { 1, 2, 5, 16 };
	struct prng r;

	(void)state;
	rand_start(&r);
	for (size_t i = 0; i < ARRAY_LEN(sizes) * ARRAY_LEN(channels); i++) {
		const uint32_t *size = sizes[i / ARRAY_LEN(channels)];
		struct picture in;

		assert_int_equal(picture_init(&in, size[0], size[1],
					 channels[i % ARRAY_LEN(channels)], NULL),
			0);
		fill(&in, &r);
		compare(&in, FILTER_GREY, 0);
		compare(&in, FILTER_SOBEL, 0);
		for (size_t k = 0; k < ARRAY_LEN(radii); k++)
			compare(&in, FILTER_GAUSS, radii[k]);
		picture_done(&in);
	}
}

static void test_weights(void **state)
{
	(void)state;
	for (unsigned radius = 1; radius <= FILTER_RADIUS_MAX; radius++) {
		uint32_t w[FILTER_WEIGHTS_MAX], sum = 0;

		filter_gauss_weights(radius, w);
		for (unsigned i = 0; i <= 2 * radius; i++) {
			sum += w[i];
			assert_int_equal(w[i], w[2 * radius - i]);
			assert_true(i == 0 || i > radius || w[i] > w[i - 1]);
		}
		assert_int_equal(sum, 65536);
		/* exp(-2) = 0.1353 of the middle at the border, as sigma is half the radius */
		assert_in_range(w[0] * 10000 / w[radius], 1300, 1360);
	}
}

static void test_flat_stays_flat(void **state)
{
	struct picture in, out;

	(void)state;
	assert_int_equal(picture_init(&in, 20, 20, 3, NULL), 0);
	memset(in.pixels, 255, picture_bytes(&in));
	assert_int_equal(filter_ref(&in, FILTER_GAUSS, 16, &out, NULL), 0);
	assert_memory_equal(in.pixels, out.pixels, picture_bytes(&in));
	picture_done(&out);
	assert_int_equal(filter_ref(&in, FILTER_SOBEL, 0, &out, NULL), 0);
	for (size_t i = 0; i < picture_bytes(&out); i++)
		assert_int_equal(out.pixels[i], 0);
	picture_done(&out);
	picture_done(&in);
}

static int run_nth(void *arg)
{
	struct picture out;
	int r = filter_ref(arg, FILTER_GAUSS, 2, &out, NULL);

	if (r == 0)
		picture_done(&out);
	return r;
}

static void test_want_of_memory(void **state)
{
	struct picture in;

	(void)state;
	assert_int_equal(picture_init(&in, 3, 3, 3, NULL), 0);
	assert_int_equal(nth_alloc(run_nth, &in), 2);
	picture_done(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equals_definition),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_flat_stays_flat),
		cmocka_unit_test(test_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
