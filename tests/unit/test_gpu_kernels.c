/* SPDX-License-Identifier: Apache-2.0
 *
 * test_gpu_kernels: every kernel against its C reference, on the first OpenCL device. A device is always
 * there (PoCL): without one, or with a kernel that never ran, these tests fail.
 */
#include "tests/support/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "gpu-node/device/compute.h"
#include "gpu-node/device/probe.h"
#include "kernel/matmul.h"
#include "kernel/montecarlo.h"

static struct device device;
static const struct pace no_pace;

static int open_device(void **state)
{
	struct inventory inventory;
	struct fail why = { 0 };

	(void)state;
	setenv("POCL_CACHE_DIR", "cache", 1);
	setenv("POCL_SIGFPE_HANDLER", "0", 1);
	inventory_take(&inventory);
	if (inventory.n == 0) {
		print_error("no OpenCL device: install pocl-opencl-icd\n");
		return -1;
	}
	return device_open(&device, &inventory.facts[0], inventory.id[0], &why);
}

static int close_device(void **state)
{
	int unused = 0;

	(void)state;
	for (unsigned k = 0; k < KERNELS; k++) {
		if (device.runs[k] == 0) {
			print_error("kernel %s was never run\n", device_kernel_name(k));
			unused = -1;
		}
	}
	if (device.held_bytes != 0) {
		print_error("buffers were not given back\n");
		unused = -1;
	}
	device_close(&device);
	return unused;
}

/* matmul */

/* Sums of floats differ by the order of adding: bounded by k roundings of the sum of the absolute products. */
static void compare_product(struct matmul_shape s, const float *a, const float *b, const float *c)
{
	float *expected = mem_alloc((size_t)s.m * s.n * sizeof(float));

	assert_non_null(expected);
	matmul_ref(a, b, expected, s.m, s.k, s.n);
	for (uint32_t i = 0; i < s.m; i++) {
		for (uint32_t j = 0; j < s.n; j++) {
			double size = 0, wanted = (double)expected[(size_t)i * s.n + j];

			for (uint32_t t = 0; t < s.k; t++)
				size += fabs((double)a[(size_t)i * s.k + t] *
					     (double)b[(size_t)t * s.n + j]);
			if (fabs((double)c[(size_t)i * s.n + j] - wanted) >
				size * s.k * 0x1p-24 + 0x1p-140)
				fail_msg("%u x %u x %u: C[%u][%u] is %g, not %g", s.m, s.k, s.n, i,
					j, (double)c[(size_t)i * s.n + j], wanted);
		}
	}
	mem_free(expected);
}

static void check_matmul(struct prng *rng, struct matmul_shape s)
{
	const size_t a_n = (size_t)s.m * s.k, b_n = (size_t)s.k * s.n, c_n = (size_t)s.m * s.n;
	float *a = mem_alloc((a_n + b_n + c_n + 1) * sizeof(float)), *b = a + a_n, *c = b + b_n;
	struct fail why = { 0 };

	assert_non_null(a);
	for (size_t i = 0; i < a_n + b_n; i++)
		a[i] = (float)((double)(int64_t)prng_next(rng) * 0x1p-63);
	c[c_n] = 12345; /* behind the result: not to be touched */
	assert_int_equal(compute_matmul(&device, s, a, b, c, &no_pace, &why), 0);
	compare_product(s, a, b, c);
	assert_true(c[c_n] == 12345);
	mem_free(a);
}

static void check_matmul_kernel(enum device_kernel kernel)
{
	static const struct matmul_shape shapes[] = {
		{ 1, 1, 1 },
		{ 1, 7, 1 },
		{ 1, 1, 65 },
		{ 63, 15, 1 },
		{ 64, 16, 64 },
		{ 65, 17, 63 },
		{ 3, 129, 5 },
		{ 127, 1, 3 },
		{ 130, 70, 200 },
		{ 31, 333, 97 },
		{ 1, 2048, 1 },
		{ 2048, 1, 17 },
		{ 5, 3, 2048 },
		{ 256, 256, 256 },
	};
	struct prng rng;

	rand_start(&rng);
	device.matmul = kernel;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		check_matmul(&rng, shapes[i]);
	for (unsigned i = 0; i < 10; i++) {
		const struct matmul_shape s = { 1 + (uint32_t)prng_below(&rng, 150),
			1 + (uint32_t)prng_below(&rng, 150), 1 + (uint32_t)prng_below(&rng, 150) };

		check_matmul(&rng, s);
	}
}

static void test_matmul_tiled(void **state)
{
	(void)state;
	check_matmul_kernel(KERNEL_MATMUL_TILED);
}

static void test_matmul_vector(void **state)
{
	(void)state;
	check_matmul_kernel(KERNEL_MATMUL_VECTOR);
}

/* montecarlo */

static void check_montecarlo(uint64_t samples, uint64_t seed, uint64_t first)
{
	uint64_t inside = 0, expected = montecarlo_ref(samples, seed, first);
	struct fail why = { 0 };

	assert_int_equal(compute_montecarlo(&device,
				 (struct montecarlo_points){ first, samples, seed }, &inside,
				 &no_pace, &why),
		0);
	if (inside != expected)
		fail_msg("%llu samples, seed %llu: %llu inside, not %llu",
			(unsigned long long)samples, (unsigned long long)seed,
			(unsigned long long)inside, (unsigned long long)expected);
}

static void test_montecarlo_is_exact(void **state)
{
	static const uint64_t counts[] = { 1, 2, 3, 15, 16, 17, 1023, 1024, 1025, 99999, 1000000 };
	static const uint64_t seeds[] = { 0, 1, UINT32_MAX, UINT64_C(1) << 32, INT64_MAX };
	struct prng rng;

	(void)state;
	rand_start(&rng);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		for (size_t j = 0; j < ARRAY_LEN(seeds); j++)
			check_montecarlo(counts[i], seeds[j], 0);
	check_montecarlo(99999, 1, 6);
	check_montecarlo(99999, 1, UINT64_C(1) << 59);
	for (unsigned i = 0; i < 20; i++)
		check_montecarlo(1 + prng_below(&rng, 200000), prng_next(&rng) >> 1,
			2 * prng_below(&rng, 1000000));
}

/* Enough for several steps of different sizes. */
static void test_montecarlo_in_steps(void **state)
{
	(void)state;
	check_montecarlo(30000001, 42, 0);
}

/* filters */

static void fill_picture(struct prng *rng, struct picture *p, uint32_t width, uint32_t height,
	uint32_t channels)
{
	assert_int_equal(picture_init(p, width, height, channels, NULL), 0);
	for (size_t i = 0; i < picture_bytes(p); i++)
		p->pixels[i] = (unsigned char)prng_below(rng, 256);
}

static void check_filter(const struct picture *in, struct filter_what what)
{
	struct picture out = { 0 }, expected = { 0 };
	struct fail why = { 0 };

	assert_int_equal(compute_filter(&device, in, what, &out, &no_pace, &why), 0);
	assert_int_equal(filter_ref(in, what.filter, what.radius, &expected, &why), 0);
	assert_int_equal(out.width, in->width);
	assert_int_equal(out.height, in->height);
	assert_int_equal(out.channels, in->channels);
	if (memcmp(out.pixels, expected.pixels, picture_bytes(in)) != 0)
		fail_msg("filter %d, radius %u: %u x %u, %u channels differ", what.filter,
			what.radius, in->width, in->height, in->channels);
	picture_done(&out);
	picture_done(&expected);
}

static void check_filters(struct prng *rng, uint32_t width, uint32_t height)
{
	static const uint32_t channels[] = { 1, 3, 4 };

	for (size_t i = 0; i < ARRAY_LEN(channels); i++) {
		struct picture in;

		fill_picture(rng, &in, width, height, channels[i]);
		check_filter(&in, (struct filter_what){ FILTER_GREY, 1 });
		check_filter(&in, (struct filter_what){ FILTER_SOBEL, 1 });
		check_filter(&in, (struct filter_what){ FILTER_GAUSS,
					  1 + (unsigned)prng_below(rng, FILTER_RADIUS_MAX) });
		picture_done(&in);
	}
}

static void test_filters_are_exact(void **state)
{
	static const uint32_t sizes[][2] = { { 1, 1 }, { 1, 9 }, { 9, 1 }, { 2, 2 }, { 63, 3 },
		{ 64, 4 }, { 65, 5 }, { 1, 3000 }, { 3000, 1 }, { 31, 33 } };
	struct prng rng;

	(void)state;
	rand_start(&rng);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		check_filters(&rng, sizes[i][0], sizes[i][1]);
	for (unsigned i = 0; i < 8; i++)
		check_filters(&rng, 1 + (uint32_t)prng_below(&rng, 200),
			1 + (uint32_t)prng_below(&rng, 100));
}

static void test_every_radius(void **state)
{
	struct picture in;
	struct prng rng;

	(void)state;
	rand_start(&rng);
	fill_picture(&rng, &in, 71, 29, 3);
	for (unsigned radius = 1; radius <= FILTER_RADIUS_MAX; radius++)
		check_filter(&in, (struct filter_what){ FILTER_GAUSS, radius });
	picture_done(&in);
}

/* Larger than one step. */
static void test_large_picture(void **state)
{
	struct picture in;
	struct prng rng;

	(void)state;
	rand_start(&rng);
	fill_picture(&rng, &in, 1537, 1029, 3);
	for (unsigned f = 0; f < FILTERS; f++)
		check_filter(&in, (struct filter_what){ f, 5 });
	picture_done(&in);
}

/* what holds for all */

static void test_nothing_is_refused(void **state)
{
	struct picture none = { 0 };
	float x = 0;
	uint64_t inside;
	struct fail why;
	volatile int r = 0;

	(void)state;
	expect_assert_failure(r = compute_montecarlo(&device, (struct montecarlo_points){ 0, 0, 1 },
				      &inside, &no_pace, &why));
	expect_assert_failure(r = compute_matmul(&device, (struct matmul_shape){ 0, 1, 1 }, &x, &x,
				      &x, &no_pace, &why));
	expect_assert_failure(
		r = compute_filter(&device, &none, (struct filter_what){ FILTER_GREY, 1 }, &none,
			&no_pace, &why));
	assert_int_equal(r, 0);
}

static bool stop_at_once(void *ctx, uint32_t permille)
{
	unsigned *steps = ctx;

	assert_true(permille <= 1000);
	++*steps;
	return false;
}

static void test_cancel_between_steps(void **state)
{
	unsigned steps = 0;
	const struct pace pace = { stop_at_once, &steps };
	const uint64_t held = device.held_bytes;
	struct picture in, out = { 0 };
	struct prng rng;
	uint64_t inside;
	float x[3] = { 1, 1, 1 };
	struct fail why;

	(void)state;
	rand_start(&rng);
	fill_picture(&rng, &in, 5, 5, 3);
	assert_int_equal(compute_montecarlo(&device,
				 (struct montecarlo_points){ 0, UINT64_C(1) << 40, 1 }, &inside,
				 &pace, &why),
		ERR_CANCELLED);
	assert_int_equal(compute_matmul(&device, (struct matmul_shape){ 1, 1, 1 }, x, x + 1, x + 2,
				 &pace, &why),
		ERR_CANCELLED);
	for (unsigned f = 0; f < FILTERS; f++)
		assert_int_equal(compute_filter(&device, &in, (struct filter_what){ f, 2 }, &out,
					 &pace, &why),
			ERR_CANCELLED);
	assert_int_equal(why.code, ERR_CANCELLED);
	assert_int_equal(steps, 2 + FILTERS);
	assert_null(out.pixels);
	assert_true(device.held_bytes == held);
	picture_done(&in);
}

struct heard {
	uint32_t last;
	unsigned n;
};

static bool listen(void *ctx, uint32_t permille)
{
	struct heard *h = ctx;

	assert_true(permille >= h->last && permille <= 1000);
	h->last = permille;
	h->n++;
	return true;
}

static void test_progress_grows_to_the_end(void **state)
{
	struct heard heard = { 0 };
	const struct pace pace = { listen, &heard };
	struct picture in, out;
	struct prng rng;
	uint64_t inside;
	struct fail why;

	(void)state;
	assert_int_equal(compute_montecarlo(&device, (struct montecarlo_points){ 0, 30000000, 1 },
				 &inside, &pace, &why),
		0);
	assert_int_equal(heard.last, 1000);
	assert_true(heard.n > 2);
	heard = (struct heard){ 0 };
	rand_start(&rng);
	fill_picture(&rng, &in, 50, 40, 3);
	assert_int_equal(compute_filter(&device, &in, (struct filter_what){ FILTER_GAUSS, 2 }, &out,
				 &pace, &why),
		0);
	assert_int_equal(heard.last, 1000);
	picture_done(&in);
	picture_done(&out);
}

static void test_memory_limits(void **state)
{
	const uint64_t most = device.facts.allocation_bytes, held = device.held_bytes;
	struct fail why = { 0 };
	cl_mem buffer = NULL;

	(void)state;
	assert_int_equal(device_take(&device, (size_t)most + 1, &buffer, &why), ERR_NO_MEMORY);
	assert_int_equal(why.code, ERR_NO_MEMORY);
	device.facts.allocation_bytes = 1000;
	assert_int_equal(device_take(&device, 1001, &buffer, &why), ERR_NO_MEMORY);
	device.facts.allocation_bytes = most;
	assert_null(buffer);
	assert_int_equal(device_take(&device, 1001, &buffer, &why), 0);
	assert_true(device.held_bytes == held + 1001);
	device_drop(&device, &buffer);
	assert_null(buffer);
	assert_true(device.held_bytes == held);
	device_drop(&device, &buffer);
}

static void test_buffers_start_as_zero(void **state)
{
	unsigned char bytes[1001];
	const struct device_rows all = { sizeof(bytes), 1, sizeof(bytes) };
	struct fail why;
	cl_mem buffer = NULL;

	(void)state;
	for (unsigned turn = 0; turn < 4; turn++) {
		assert_int_equal(device_take(&device, sizeof(bytes), &buffer, &why), 0);
		assert_int_equal(device_read(&device, buffer, all, bytes, &why), 0);
		for (size_t i = 0; i < sizeof(bytes); i++)
			assert_int_equal(bytes[i], 0);
		memset(bytes, 0xa5, sizeof(bytes));
		assert_int_equal(device_write(&device, buffer, all, bytes, &why), 0);
		device_drop(&device, &buffer);
	}
}

static void test_probe_passes(void **state)
{
	struct probe probe;

	(void)state;
	probe_run(&device, &probe);
	for (unsigned k = 0; k < GPU_KINDS; k++)
		if (probe.kinds[k].code != 0)
			fail_msg("%s: %s", gpu_kind_name(k), probe.kinds[k].detail);
	assert_true(probe.launch_ns > 0);
	assert_true(probe.matmul_mflops > 0);
	assert_true(probe.montecarlo_per_s > 0);
}

/* A kernel that could not be built makes its kind unready, not the device. */
static void test_probe_tells_what_is_missing(void **state)
{
	const cl_kernel kernel = device.kernels[KERNEL_SOBEL];
	struct probe probe;

	(void)state;
	device.kernels[KERNEL_SOBEL] = NULL;
	fail_set(&device.unbuilt[PROGRAM_FILTER], ERR_DEVICE, NULL, 0, "no such luck");
	probe_run(&device, &probe);
	device.kernels[KERNEL_SOBEL] = kernel;
	assert_int_equal(probe.kinds[GPU_FILTER].code, ERR_DEVICE);
	assert_string_equal(probe.kinds[GPU_FILTER].detail, "no such luck");
	assert_int_equal(probe.kinds[GPU_MATMUL].code, 0);
	assert_int_equal(probe.kinds[GPU_MONTECARLO].code, 0);
}

/* A device that computes wrongly is found out: two kernels change places. */
static void test_probe_finds_wrong_results(void **state)
{
	const cl_kernel grey = device.kernels[KERNEL_GREY];
	struct probe probe;

	(void)state;
	device.kernels[KERNEL_GREY] = device.kernels[KERNEL_LUMA];
	probe_run(&device, &probe);
	device.kernels[KERNEL_GREY] = grey;
	assert_int_equal(probe.kinds[GPU_FILTER].code, ERR_DEVICE);
	assert_non_null(strstr(probe.kinds[GPU_FILTER].detail, "wrong"));
}

static void test_same_device_through_two_platforms(void **state)
{
	struct facts f[6] = {
		{ .name = "A", .platform = "P", .uuid = "01", .memory_bytes = 1 },
		{ .name = "A again", .platform = "Q", .uuid = "01", .memory_bytes = 2 },
		{ .name = "B", .platform = "P", .memory_bytes = 3 },
		{ .name = "B", .platform = "P", .memory_bytes = 3 }, /* two cards of one sort */
		{ .name = "B", .platform = "Q", .memory_bytes = 3 },
		{ .name = "A", .platform = "Q", .uuid = "02", .memory_bytes = 1 },
	};
	static const int32_t expected[] = { -1, 0, -1, -1, 2, -1 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(f); i++) {
		inventory_mark(f, i);
		assert_int_equal(f[i].same_as, expected[i]);
	}
}

static void test_steps_adapt(void **state)
{
	struct steps s = steps_of(1000000, 100, 10, 50000);

	(void)state;
	assert_true(steps_took(&s, PACE_STEP_NS / 100,
		&no_pace)); /* far too quick: four times as much */
	assert_int_equal(s.next, 400);
	assert_true(
		steps_took(&s, PACE_STEP_NS * 2, &no_pace)); /* too slow: half, in whole units */
	assert_int_equal(s.next, 200);
	assert_true(steps_took(&s, PACE_STEP_NS * 1000, &no_pace));
	assert_int_equal(s.next, 10); /* not less than a unit */
	while (s.next < 50000)
		assert_true(steps_took(&s, 0, &no_pace));
	assert_int_equal(s.next, 50000); /* not more than the most */
	while (steps_next(&s) > 0)
		assert_true(steps_took(&s, 0, &no_pace));
	assert_true(s.done == s.total);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matmul_tiled),
		cmocka_unit_test(test_matmul_vector),
		cmocka_unit_test(test_montecarlo_is_exact),
		cmocka_unit_test(test_montecarlo_in_steps),
		cmocka_unit_test(test_filters_are_exact),
		cmocka_unit_test(test_every_radius),
		cmocka_unit_test(test_large_picture),
		cmocka_unit_test(test_nothing_is_refused),
		cmocka_unit_test(test_cancel_between_steps),
		cmocka_unit_test(test_progress_grows_to_the_end),
		cmocka_unit_test(test_memory_limits),
		cmocka_unit_test(test_buffers_start_as_zero),
		cmocka_unit_test(test_probe_passes),
		cmocka_unit_test(test_probe_tells_what_is_missing),
		cmocka_unit_test(test_probe_finds_wrong_results),
		cmocka_unit_test(test_same_device_through_two_platforms),
		cmocka_unit_test(test_steps_adapt),
	};

	return cmocka_run_group_tests(tests, open_device, close_device);
}
