/* SPDX-License-Identifier: Apache-2.0
 *
 * probe: see probe.h.
 */
#include "gpu-node/device/probe.h"

#include "base/mem.h"
#include "base/prng.h"
#include "gpu-node/device/compute.h"
#include "kernel/matmul.h"
#include "kernel/montecarlo.h"
#include "run/clocks.h"

#define SEED 20261121u
#define SPEED_SIDE 512u /* of the matrices for measuring */
#define LAUNCHES 16

static const struct pace no_pace;

static int wrong(struct fail *why, const char *what)
{
	return fail_set(why, ERR_DEVICE, NULL, 0, "%s gave a wrong result in the self-test", what);
}

/* Small whole numbers: their sums are exact in any order, fused or not, so they must be equal to the bit. */
static void fill_floats(struct prng *rng, float *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (float)prng_below(rng, 17) - 8;
}

enum matmul_try { MATMUL_COMPARE, MATMUL_MEASURE };

/* Multiply on d->matmul; compare with the reference, or tell how long it took. */
static int try_matmul(struct device *d, struct matmul_shape s, enum matmul_try what,
	int64_t *ret_ns, struct fail *why)
{
	struct prng rng;
	const size_t a_n = (size_t)s.m * s.k, b_n = (size_t)s.k * s.n, c_n = (size_t)s.m * s.n;
	CLEANUP(mem_freep) void *memory = mem_alloc((a_n + b_n + 2 * c_n) * sizeof(float));
	float *a = memory, *b, *c, *expected;
	int64_t started_ns;
	int r;

	if (memory == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	b = a + a_n;
	c = b + b_n;
	expected = c + c_n;
	prng_seed(&rng, SEED);
	fill_floats(&rng, a, a_n + b_n);
	started_ns = clocks_mono();
	r = compute_matmul(d, s, a, b, c, &no_pace, why);
	*ret_ns = clocks_mono() - started_ns;
	if (r < 0 || what == MATMUL_MEASURE)
		return r;
	matmul_ref(a, b, expected, s.m, s.k, s.n);
	return memcmp(c, expected, c_n * sizeof(float)) == 0
		       ? 0
		       : wrong(why, device_kernel_name(d->matmul));
}

/* Both kernels on a shape with borders on every side, then the speed of those that were right. */
static void probe_matmul(struct device *d, struct probe *p)
{
	static const enum device_kernel kernels[] = { KERNEL_MATMUL_TILED, KERNEL_MATMUL_VECTOR };
	const struct matmul_shape odd = { 67, 35, 81 },
				  big = { SPEED_SIDE, SPEED_SIDE, SPEED_SIDE };
	enum device_kernel best = kernels[0];
	int64_t ns = INT64_MAX, best_ns = INT64_MAX;
	struct fail why = { 0 };

	for (unsigned i = 0; i < ARRAY_LEN(kernels); i++) {
		d->matmul = kernels[i];
		if (try_matmul(d, odd, MATMUL_COMPARE, &ns, &why) < 0 ||
			try_matmul(d, big, MATMUL_MEASURE, &ns, &why) < 0 || ns >= best_ns)
			continue;
		best = kernels[i];
		best_ns = ns;
	}
	d->matmul = best;
	if (best_ns == INT64_MAX) {
		p->kinds[GPU_MATMUL] = why;
		return;
	}
	p->matmul_mflops = (int64_t)(2 * (uint64_t)SPEED_SIDE * SPEED_SIDE * SPEED_SIDE * 1000 /
				     (uint64_t)best_ns);
}

/* Also measures its speed. */
static int try_montecarlo(struct device *d, struct probe *p, struct fail *why)
{
	const uint64_t seed = SEED | UINT64_C(1) << 62;
	const struct montecarlo_points points = { 4, 100003, seed },
				       many = { 0, UINT64_C(1) << 22, seed };
	uint64_t inside = 0;
	int64_t started_ns;
	int r = compute_montecarlo(d, points, &inside, &no_pace, why);

	if (r < 0)
		return r;
	if (inside != montecarlo_ref(points.samples, seed, points.first))
		return wrong(why, device_kernel_name(KERNEL_MONTECARLO));
	started_ns = clocks_mono();
	r = compute_montecarlo(d, many, &inside, &no_pace, why);
	p->montecarlo_per_s = (int64_t)many.samples * NS_PER_S / (clocks_mono() - started_ns + 1);
	return r;
}

static int try_filter(struct device *d, const struct picture *in, enum filter filter,
	struct fail *why)
{
	static const char *const names[FILTERS] = { "grey", "gauss", "sobel" };
	const struct filter_what what = { filter, 3 };
	CLEANUP(picture_done) struct picture out = { 0 }, expected = { 0 };
	int r = compute_filter(d, in, what, &out, &no_pace, why);

	if (r == 0)
		r = filter_ref(in, filter, what.radius, &expected, why);
	if (r < 0 || out.pixels == NULL || expected.pixels == NULL)
		return r;
	if (memcmp(out.pixels, expected.pixels, picture_bytes(in)) != 0)
		return wrong(why, names[filter]);
	return 0;
}

static int try_filters(struct device *d, struct fail *why)
{
	CLEANUP(picture_done) struct picture in = { 0 };
	struct prng rng;
	int r = picture_init(&in, 101, 37, 4, why);

	if (r < 0)
		return r;
	prng_seed(&rng, SEED);
	for (size_t i = 0; i < picture_bytes(&in); i++)
		in.pixels[i] = (unsigned char)prng_below(&rng, 256);
	for (unsigned f = 0; f < FILTERS && r == 0; f++)
		r = try_filter(d, &in, f, why);
	return r;
}

/* The best of several: what a launch costs when nothing else is in the way. */
static void measure_launch(struct device *d, struct probe *p)
{
	p->launch_ns = 0;
	for (unsigned i = 0; i < LAUNCHES; i++) {
		const cl_uint one = 1, row = 0;
		cl_mem pixels = NULL;
		const struct device_arg args[] = { DEVICE_ARG(pixels), DEVICE_ARG(pixels),
			DEVICE_ARG(one), DEVICE_ARG(one), DEVICE_ARG(row) };
		const struct device_launch launch = { KERNEL_GREY, args, ARRAY_LEN(args), 1, 1 };
		int64_t ns = 0;
		int r = device_take(d, sizeof(cl_uint), &pixels, NULL);

		if (r == 0)
			r = device_run(d, &launch, &ns, NULL);
		device_drop(d, &pixels);
		if (r == 0 && (p->launch_ns == 0 || ns < p->launch_ns))
			p->launch_ns = ns;
	}
}

void probe_run(struct device *d, struct probe *ret)
{
	*ret = (struct probe){ 0 };
	probe_matmul(d, ret);
	(void)try_montecarlo(d, ret, &ret->kinds[GPU_MONTECARLO]); /* the fail tells */
	(void)try_filters(d, &ret->kinds[GPU_FILTER]);
	measure_launch(d, ret);
}
