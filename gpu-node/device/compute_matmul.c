/* SPDX-License-Identifier: Apache-2.0
 *
 * compute_matmul: matrices are padded with zeros on the device, so that the kernels know no borders.
 */
#include "gpu-node/device/compute.h"

#define SIDE 64u  /* of a tile of C: m and n are padded to this */
#define DEPTH 16u /* k is padded to this */

static uint32_t pad(uint32_t n, uint32_t unit)
{
	return (n + unit - 1) / unit * unit;
}

struct run {
	struct matmul_shape shape;
	cl_uint m, k, n; /* padded */
	cl_mem a, b, c;
};

static struct device_rows rows_of(uint32_t rows, uint32_t columns, uint32_t padded)
{
	return (struct device_rows){ columns * sizeof(float), rows, padded * sizeof(float) };
}

static int send(struct device *d, struct run *run, const float *a, const float *b, struct fail *why)
{
	const struct matmul_shape s = run->shape;
	int r;

	r = device_take(d, sizeof(float) * run->m * run->k, &run->a, why);
	if (r == 0)
		r = device_take(d, sizeof(float) * run->k * run->n, &run->b, why);
	if (r == 0)
		r = device_take(d, sizeof(float) * run->m * run->n, &run->c, why);
	if (r == 0)
		r = device_write(d, run->a, rows_of(s.m, s.k, run->k), a, why);
	if (r == 0)
		r = device_write(d, run->b, rows_of(s.k, s.n, run->n), b, why);
	return r;
}

/* Rows first .. first + rows - 1 of C; multiples of SIDE. */
static int run_rows(struct device *d, const struct run *run, cl_uint first, cl_uint rows,
	int64_t *ret_ns, struct fail *why)
{
	const struct device_arg args[] = { DEVICE_ARG(run->a), DEVICE_ARG(run->b),
		DEVICE_ARG(run->c), DEVICE_ARG(run->k), DEVICE_ARG(run->n), DEVICE_ARG(first) };
	struct device_launch launch = { d->matmul, args, ARRAY_LEN(args), run->n, rows };

	if (d->matmul == KERNEL_MATMUL_TILED) { /* 4 x 4 elements a work-item */
		launch.x /= 4;
		launch.y /= 4;
	} else { /* 16 columns of 4 rows */
		launch.x /= 16;
		launch.y /= 4;
	}
	return device_run(d, &launch, ret_ns, why);
}

static int run_all(struct device *d, const struct run *run, const struct pace *pace,
	struct fail *why)
{
	struct steps steps = steps_of(run->m, SIDE, SIDE, pad(UINT16_MAX, SIDE));
	uint64_t rows;

	for (rows = steps_next(&steps); rows > 0; rows = steps_next(&steps)) {
		int64_t ns;
		int r = run_rows(d, run, (cl_uint)steps.done, (cl_uint)rows, &ns, why);

		if (r < 0)
			return r;
		if (!steps_took(&steps, ns, pace))
			return fail_set(why, ERR_CANCELLED, NULL, 0, NULL);
	}
	return 0;
}

int compute_matmul(struct device *d, struct matmul_shape shape, const float *a, const float *b,
	float *c, const struct pace *pace, struct fail *why)
{
	struct run run = {
		.shape = shape,
		.m = pad(shape.m, SIDE),
		.k = pad(shape.k, DEPTH),
		.n = pad(shape.n, SIDE),
	};
	int r;

	CHECK(shape.m > 0 && shape.k > 0 && shape.n > 0);
	r = send(d, &run, a, b, why);
	if (r == 0)
		r = run_all(d, &run, pace, why);
	if (r == 0)
		r = device_read(d, run.c, rows_of(shape.m, shape.n, run.n), c, why);
	device_drop(d, &run.a);
	device_drop(d, &run.b);
	device_drop(d, &run.c);
	return r;
}
