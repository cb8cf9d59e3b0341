/* SPDX-License-Identifier: Apache-2.0
 *
 * compute_filter: pictures as they lie in memory; one pass after the other, each in steps of rows.
 */
#include "gpu-node/device/compute.h"

#define FIRST_STEP_PIXELS (1u << 17)

struct run {
	const struct picture *in;
	cl_uint width, height, channels;
	cl_uint radius;
	cl_mem pixels;  /* the picture, and after gauss the result */
	cl_mem between; /* gauss: after the horizontal pass; sobel: grey values */
	cl_mem result;  /* grey and sobel */
	cl_mem weights; /* gauss */
	const struct pace *pace;
	uint32_t pass, passes; /* for progress over all passes */
};

static bool on_pass_step(void *ctx, uint32_t permille)
{
	const struct run *run = ctx;

	if (run->pace->on_step == NULL)
		return true;
	return run->pace->on_step(run->pace->ctx, (run->pass * 1000 + permille) / run->passes);
}

/* All rows of one pass: args, of which first_row is the fifth. */
static int run_pass(struct device *d, struct run *run, enum device_kernel kernel,
	cl_uint *first_row, const struct device_arg *args, unsigned args_n, struct fail *why)
{
	const struct pace pace = { on_pass_step, run };
	const uint32_t first = FIRST_STEP_PIXELS / run->width + 1;
	struct steps steps = steps_of(run->height, first, 1, run->height);
	uint64_t rows;

	for (rows = steps_next(&steps); rows > 0; rows = steps_next(&steps)) {
		const struct device_launch launch = { kernel, args, args_n, run->width, rows };
		int64_t ns;
		int r;

		*first_row = (cl_uint)steps.done;
		r = device_run(d, &launch, &ns, why);
		if (r < 0)
			return r;
		if (!steps_took(&steps, ns, &pace))
			return fail_set(why, ERR_CANCELLED, NULL, 0, NULL);
	}
	run->pass++;
	return 0;
}

/* grey, or the grey values alone. */
static int run_grey(struct device *d, struct run *run, enum device_kernel kernel, cl_mem to,
	struct fail *why)
{
	cl_uint row = 0;
	const struct device_arg args[] = { DEVICE_ARG(run->pixels), DEVICE_ARG(to),
		DEVICE_ARG(run->width), DEVICE_ARG(run->channels), DEVICE_ARG(row) };

	return run_pass(d, run, kernel, &row, args, ARRAY_LEN(args), why);
}

static int run_gauss_pass(struct device *d, struct run *run, cl_mem from, cl_mem to, cl_uint along,
	struct fail *why)
{
	cl_uint row = 0;
	const struct device_arg args[] = {
		DEVICE_ARG(from),
		DEVICE_ARG(to),
		DEVICE_ARG(run->width),
		DEVICE_ARG(run->channels),
		DEVICE_ARG(row),
		DEVICE_ARG(run->height),
		DEVICE_ARG(run->radius),
		DEVICE_ARG(along),
		DEVICE_ARG(run->weights),
	};

	return run_pass(d, run, KERNEL_GAUSS, &row, args, ARRAY_LEN(args), why);
}

static int run_gauss(struct device *d, struct run *run, struct fail *why)
{
	uint32_t weights[FILTER_WEIGHTS_MAX];
	const struct device_rows rows = { (2 * run->radius + 1) * sizeof(weights[0]), 1,
		sizeof(weights) };
	int r;

	run->passes = 2;
	filter_gauss_weights(run->radius, weights);
	r = device_take(d, picture_bytes(run->in), &run->between, why);
	if (r == 0)
		r = device_take(d, sizeof(weights), &run->weights, why);
	if (r == 0)
		r = device_write(d, run->weights, rows, weights, why);
	if (r == 0)
		r = run_gauss_pass(d, run, run->pixels, run->between, 1, why);
	if (r == 0)
		r = run_gauss_pass(d, run, run->between, run->pixels, 0, why);
	return r;
}

static int run_sobel(struct device *d, struct run *run, struct fail *why)
{
	cl_uint row = 0;
	struct device_arg args[] = {
		DEVICE_ARG(run->pixels),
		DEVICE_ARG(run->result),
		DEVICE_ARG(run->width),
		DEVICE_ARG(run->channels),
		DEVICE_ARG(row),
		DEVICE_ARG(run->height),
		DEVICE_ARG(run->between),
	};
	int r;

	run->passes = 2;
	r = device_take(d, picture_bytes(run->in), &run->result, why);
	if (r == 0)
		r = device_take(d, (size_t)run->width * run->height, &run->between, why);
	if (r == 0)
		r = run_grey(d, run, KERNEL_LUMA, run->between, why);
	if (r == 0)
		r = run_pass(d, run, KERNEL_SOBEL, &row, args, ARRAY_LEN(args), why);
	return r;
}

static int run_filter(struct device *d, struct run *run, enum filter filter, struct fail *why)
{
	int r;

	if (filter == FILTER_GAUSS)
		return run_gauss(d, run, why);
	if (filter == FILTER_SOBEL)
		return run_sobel(d, run, why);
	run->passes = 1;
	r = device_take(d, picture_bytes(run->in), &run->result, why);
	return r < 0 ? r : run_grey(d, run, KERNEL_GREY, run->result, why);
}

static int read_result(struct device *d, const struct run *run, struct device_rows rows,
	struct picture *out, struct fail *why)
{
	int r = picture_init(out, run->width, run->height, run->channels, why);

	if (r < 0)
		return r;
	r = device_read(d, run->result != NULL ? run->result : run->pixels, rows, out->pixels, why);
	if (r < 0)
		picture_done(out);
	return r;
}

int compute_filter(struct device *d, const struct picture *in, struct filter_what what,
	struct picture *out, const struct pace *pace, struct fail *why)
{
	const size_t row = (size_t)in->width * in->channels;
	const struct device_rows rows = { row, in->height, row };
	struct run run = {
		.in = in,
		.width = in->width,
		.height = in->height,
		.channels = in->channels,
		.radius = what.radius,
		.pace = pace,
		.passes = 1,
	};
	int r;

	CHECK(row > 0 && in->height > 0);
	r = device_take(d, picture_bytes(in), &run.pixels, why);
	if (r == 0)
		r = device_write(d, run.pixels, rows, in->pixels, why);
	if (r == 0)
		r = run_filter(d, &run, what.filter, why);
	if (r == 0)
		r = read_result(d, &run, rows, out, why);
	device_drop(d, &run.pixels);
	device_drop(d, &run.between);
	device_drop(d, &run.result);
	device_drop(d, &run.weights);
	return r;
}
