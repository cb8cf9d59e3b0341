/* SPDX-License-Identifier: Apache-2.0
 *
 * test_gpu_job: tasks' bodies to results' bodies, in this process: results are those of the references, and
 * bad input is refused with the code, field and limit that it deserves.
 */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "gpu-node/device/job.h"
#include "kernel/matmul.h"
#include "kernel/montecarlo.h"
#include "wire/body.h"

static struct device device;
static const struct pace no_pace;

static int open_device(void **state)
{
	struct inventory inventory;
	struct fail why;

	(void)state;
	setenv("POCL_CACHE_DIR", "cache", 1);
	inventory_take(&inventory);
	return inventory.n == 0 ? -1
				: device_open(&device, &inventory.facts[0], inventory.id[0], &why);
}

static int close_device(void **state)
{
	(void)state;
	device_close(&device);
	return 0;
}

/* Runs the body in b, decodes the result into a. */
static void run_well(struct arena *a, enum gpu_kind kind, const struct buf *b, struct body *ret)
{
	struct fail why = { 0 };
	struct buf out;

	buf_init(&out, LIMIT_BODY_BYTES);
	arena_init(a, 4u << 20);
	if (job_run(&device, kind, buf_span(b), &no_pace, &out, &why) != 0)
		fail_msg("%s: %s", why.field, why.detail);
	assert_int_equal(body_decode(a, buf_span(&out), ret, &why), 0);
	buf_done(&out);
}

static void run_badly(enum gpu_kind kind, const struct buf *b, int code, const char *field)
{
	struct fail why = { 0 };
	struct buf out;

	buf_init(&out, LIMIT_BODY_BYTES);
	buf_str(&out, "before");
	assert_int_equal(job_run(&device, kind, buf_span(b), &no_pace, &out, &why), code);
	assert_int_equal(why.code, code);
	assert_string_equal(why.field, field);
	assert_int_equal(out.len, strlen("before"));
	assert_int_equal(buf_err(&out), 0);
	buf_done(&out);
}

static void put_param(struct buf *b, const char *key, const char *value)
{
	body_put_param(b, span_str(key), span_str(value));
}

static void put_item(struct buf *b, const char *name, struct span data)
{
	body_put_item(b, span_str(name), (struct span){ 0 }, data);
}

static void test_matmul(void **state)
{
	const float a[6] = { 1, 2, 3, 4, 5, 6 }, b[3] = { 1, 10, 100 };
	unsigned char wire[9 * 4];
	float c[2];
	struct body body;
	struct arena arena;
	struct buf in;

	(void)state;
	buf_init(&in, LIMIT_BODY_BYTES);
	matmul_store(a, 6, wire);
	matmul_store(b, 3, wire + 24);
	put_param(&in, "m", "2");
	put_param(&in, "k", "3");
	put_param(&in, "n", "1");
	put_item(&in, "b", span_of(wire + 24, 12));
	put_item(&in, "a", span_of(wire, 24));
	run_well(&arena, GPU_MATMUL, &in, &body);
	assert_int_equal(body.items_n, 1);
	assert_true(span_is(body.items[0].name, "c"));
	assert_true(span_is(body.items[0].media, "application/octet-stream"));
	assert_int_equal(body.items[0].data.len, sizeof(c));
	matmul_load(body.items[0].data, c);
	assert_true(c[0] == 321 && c[1] == 654);
	arena_done(&arena);
	buf_done(&in);
}

static void test_matmul_refuses(void **state)
{
	static const unsigned char zeros[8192];
	struct buf in;

	(void)state;
	buf_init(&in, LIMIT_BODY_BYTES);
	put_item(&in, "a", span_of(zeros, 4));
	put_item(&in, "b", span_of(zeros, 4));
	run_badly(GPU_MATMUL, &in, ERR_INVALID, "m"); /* no sizes: zero is none */
	put_param(&in, "m", "1");
	put_param(&in, "k", "2049");
	put_param(&in, "n", "1");
	run_badly(GPU_MATMUL, &in, ERR_INVALID, "k");
	buf_reset(&in);
	put_item(&in, "a", span_of(zeros, 4));
	put_item(&in, "b", span_of(zeros, 4));
	put_param(&in, "m", "1");
	put_param(&in, "k", "2");
	put_param(&in, "n", "1");
	run_badly(GPU_MATMUL, &in, ERR_INVALID, "a");
	buf_reset(&in);
	put_param(&in, "m", "1");
	put_param(&in, "k", "1");
	put_param(&in, "n", "1");
	put_item(&in, "a", span_of(zeros, 4));
	run_badly(GPU_MATMUL, &in, ERR_INVALID, "b");
	buf_reset(&in); /* small factors, a product beyond what a result holds */
	put_param(&in, "m", "2048");
	put_param(&in, "k", "1");
	put_param(&in, "n", "2048");
	put_item(&in, "a", span_of(zeros, 8192));
	put_item(&in, "b", span_of(zeros, 8192));
	run_badly(GPU_MATMUL, &in, ERR_TOO_BIG, "c");
	buf_done(&in);
}

static void test_montecarlo(void **state)
{
	char pi[MONTECARLO_PI_BYTES], inside[24];
	struct body body;
	struct arena arena;
	struct buf in;

	(void)state;
	buf_init(&in, LIMIT_BODY_BYTES);
	put_param(&in, "samples", "12345");
	put_param(&in, "seed", "9223372036854775807");
	run_well(&arena, GPU_MONTECARLO, &in, &body);
	snprintf(inside, sizeof(inside), "%llu",
		(unsigned long long)montecarlo_ref(12345, INT64_MAX, 0));
	assert_true(span_is(body_param(&body, "inside")->value, inside));
	assert_true(span_is(body_param(&body, "samples")->value, "12345"));
	assert_true(span_is(body_param(&body, "pi")->value,
		montecarlo_pi(montecarlo_ref(12345, INT64_MAX, 0), 12345, pi)));
	arena_done(&arena);
	buf_reset(&in);
	put_param(&in, "samples", "0");
	run_badly(GPU_MONTECARLO, &in, ERR_INVALID, "samples");
	buf_done(&in);
}

/* A picture of random pixels as PNG; its filtered pixels as the reference makes them, as PNG. */
static void make_pngs(struct buf *in, struct buf *expected, enum filter filter, unsigned radius)
{
	struct picture picture, filtered;
	struct prng rng;

	rand_start(&rng);
	assert_int_equal(picture_init(&picture, 43, 21, 3, NULL), 0);
	for (size_t i = 0; i < picture_bytes(&picture); i++)
		picture.pixels[i] = (unsigned char)prng_below(&rng, 256);
	assert_int_equal(filter_ref(&picture, filter, radius, &filtered, NULL), 0);
	assert_int_equal(picture_encode_png(&picture, 6, in, NULL), 0);
	assert_int_equal(picture_encode_png(&filtered, 6, expected, NULL), 0);
	picture_done(&picture);
	picture_done(&filtered);
}

static void test_filter(void **state)
{
	struct body body;
	struct arena arena;
	struct buf in, png, expected;

	(void)state;
	buf_init(&in, LIMIT_BODY_BYTES);
	buf_init(&png, LIMIT_BODY_BYTES);
	buf_init(&expected, LIMIT_BODY_BYTES);
	make_pngs(&png, &expected, FILTER_GAUSS, 4);
	put_param(&in, "filter", "gauss");
	put_param(&in, "radius", "4");
	put_item(&in, "holiday.jpeg", buf_span(&png));
	put_item(&in, "b.png", buf_span(&png));
	run_well(&arena, GPU_FILTER, &in, &body);
	assert_int_equal(body.items_n, 2);
	assert_true(span_is(body.items[0].name, "holiday.png"));
	assert_true(span_is(body.items[1].name, "b.png"));
	assert_true(span_is(body.items[0].media, "image/png"));
	assert_true(span_eq(body.items[0].data, buf_span(&expected)));
	assert_true(span_eq(body.items[1].data, buf_span(&expected)));
	arena_done(&arena);
	buf_done(&in);
	buf_done(&png);
	buf_done(&expected);
}

static void test_filter_refuses(void **state)
{
	struct buf in, png, expected;

	(void)state;
	buf_init(&in, LIMIT_BODY_BYTES);
	buf_init(&png, LIMIT_BODY_BYTES);
	buf_init(&expected, LIMIT_BODY_BYTES);
	run_badly(GPU_FILTER, &in, ERR_INVALID, "items");
	put_item(&in, "a.txt", SPAN_LIT("this is no picture"));
	run_badly(GPU_FILTER, &in, ERR_UNSUPPORTED, "picture");
	make_pngs(&png, &expected, FILTER_GREY, 1);
	buf_reset(&in);
	put_item(&in, "half.png", span_part(buf_span(&png), 0, png.len / 2));
	run_badly(GPU_FILTER, &in, ERR_MALFORMED, "picture");
	buf_reset(&in);
	put_param(&in, "filter", "blur");
	put_item(&in, "a.png", buf_span(&png));
	run_badly(GPU_FILTER, &in, ERR_INVALID, "filter");
	buf_done(&in);
	buf_done(&png);
	buf_done(&expected);
}

static void test_no_body(void **state)
{
	struct buf in;

	(void)state;
	buf_init(&in, 100);
	buf_str(&in, "\xff\xff\xff\xff\xff");
	for (unsigned k = 0; k < GPU_KINDS; k++)
		run_badly(k, &in, ERR_MALFORMED, "Body");
	buf_done(&in);
}

static int filter_without_memory(void *arg)
{
	struct fail why = { 0 };
	struct buf out;
	int r;

	buf_init(&out, LIMIT_BODY_BYTES);
	r = job_run(&device, GPU_FILTER, buf_span(arg), &no_pace, &out, &why);
	assert_int_equal(r, why.code);
	assert_true(r == 0 || out.len == 0);
	buf_done(&out);
	return r;
}

static int matmul_without_memory(void *arg)
{
	struct buf out;
	int r;

	buf_init(&out, LIMIT_BODY_BYTES);
	r = job_run(&device, GPU_MATMUL, buf_span(arg), &no_pace, &out, NULL);
	buf_done(&out);
	return r;
}

static void test_no_memory(void **state)
{
	static const unsigned char zeros[4];
	const uint64_t held = device.held_bytes;
	struct buf in, png, expected;

	(void)state;
	buf_init(&in, LIMIT_BODY_BYTES);
	buf_init(&png, LIMIT_BODY_BYTES);
	buf_init(&expected, LIMIT_BODY_BYTES);
	make_pngs(&png, &expected, FILTER_SOBEL, 1);
	put_param(&in, "filter", "sobel");
	put_item(&in, "a.jpg", buf_span(&png));
	assert_true(nth_alloc(filter_without_memory, &in) > 3);
	buf_reset(&in);
	put_param(&in, "m", "1");
	put_param(&in, "k", "1");
	put_param(&in, "n", "1");
	put_item(&in, "a", span_of(zeros, 4));
	put_item(&in, "b", span_of(zeros, 4));
	assert_true(nth_alloc(matmul_without_memory, &in) > 3);
	assert_true(device.held_bytes == held);
	buf_done(&in);
	buf_done(&png);
	buf_done(&expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matmul),
		cmocka_unit_test(test_matmul_refuses),
		cmocka_unit_test(test_montecarlo),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_filter_refuses),
		cmocka_unit_test(test_no_body),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, open_device, close_device);
}
