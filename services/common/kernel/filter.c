/* SPDX-License-Identifier: Apache-2.0
 *
 * filter: the reference, one row at a time. The order of work never shows in the result.
 */
#include "kernel/filter.h"

#include "base/pure.h"

#define ONE_SHIFT 30
#define ONE (INT64_C(1) << ONE_SHIFT) /* 1.0 in fixed point */
#define WEIGHT_SUM 65536u
#define SERIES_TERMS 24 /* more than fixed point can tell apart for arguments up to 2 */

/* exp(-x) by its series; x in 0..2. */
static int64_t exp_minus(int64_t x)
{
	int64_t term = ONE, sum = ONE;

	for (int n = 1; n <= SERIES_TERMS; n++) {
		term = -term * x / ONE / n;
		sum += term;
	}
	return sum;
}

/* exp(-i^2 / (2 sigma^2)) with sigma = radius / 2 is q^(i^2), where q = exp(-2 / radius^2): each value is
 * the one before times q^(2 i - 1). */
void filter_gauss_weights(unsigned radius, uint32_t weights[FILTER_WEIGHTS_MAX])
{
	int64_t bell[FILTER_RADIUS_MAX + 1], sum, q, step;
	uint32_t given = 0;

	CHECK(radius >= 1 && radius <= FILTER_RADIUS_MAX);
	q = exp_minus(2 * ONE / (int64_t)(radius * radius));
	bell[0] = sum = ONE;
	step = q;
	for (unsigned i = 1; i <= radius; i++) {
		bell[i] = bell[i - 1] * step / ONE;
		step = step * q / ONE * q / ONE;
		sum += 2 * bell[i];
	}
	for (unsigned i = 1; i <= radius; i++) {
		uint32_t w = (uint32_t)(bell[i] * WEIGHT_SUM / sum);

		weights[radius - i] = weights[radius + i] = w;
		given += 2 * w;
	}
	weights[radius] = WEIGHT_SUM - given; /* what the cutting off left */
}

unsigned filter_halo(enum filter f, unsigned radius)
{
	if (f == FILTER_GREY)
		return 0;
	return f == FILTER_GAUSS ? radius : 1;
}

static unsigned colours(const struct picture *p)
{
	return p->channels == 1 ? 1 : 3;
}

static unsigned char *pixel(const struct picture *p, uint32_t x, uint32_t y)
{
	return p->pixels + ((size_t)y * p->width + x) * p->channels;
}

/* at + offset, but inside 0..size - 1. */
static uint32_t clamp(uint32_t at, int offset, uint32_t size)
{
	int64_t to = (int64_t)at + offset;

	if (to < 0)
		return 0;
	return to >= size ? size - 1 : (uint32_t)to;
}

static int grey_of(const struct picture *p, uint32_t x, uint32_t y)
{
	const unsigned char *at = pixel(p, x, y);

	return p->channels == 1 ? at[0] : (77 * at[0] + 150 * at[1] + 29 * at[2] + 128) >> 8;
}

/* One value for all colours of the pixel, with the input's alpha. */
static void put_grey(struct filter_run *run, uint32_t x, uint32_t y, int value)
{
	unsigned char *to = pixel(&run->out, x, y);

	for (unsigned c = 0; c < colours(&run->out); c++)
		to[c] = (unsigned char)value;
	if (run->out.channels == 4)
		to[3] = pixel(run->in, x, y)[3];
}

static void row_grey(struct filter_run *run, uint32_t y)
{
	for (uint32_t x = 0; x < run->in->width; x++)
		put_grey(run, x, y, grey_of(run->in, x, y));
}

static void row_sobel(struct filter_run *run, uint32_t y)
{
	const struct picture *p = run->in;

	for (uint32_t x = 0; x < p->width; x++) {
		int g[3][3], gx, gy, sum;

		for (int dy = -1; dy <= 1; dy++) {
			for (int dx = -1; dx <= 1; dx++)
				g[dy + 1][dx + 1] =
					grey_of(p, clamp(x, dx, p->width), clamp(y, dy, p->height));
		}
		gx = g[0][2] + 2 * g[1][2] + g[2][2] - g[0][0] - 2 * g[1][0] - g[2][0];
		gy = g[2][0] + 2 * g[2][1] + g[2][2] - g[0][0] - 2 * g[0][1] - g[0][2];
		sum = abs(gx) + abs(gy);
		put_grey(run, x, y, sum > 255 ? 255 : sum);
	}
}

/* The weighted mean of the colours around (x, y), along the row or down the column. */
static void blur_pixel(const struct filter_run *run, const struct picture *from, struct picture *to,
	uint32_t x, uint32_t y, bool down)
{
	unsigned char *put = pixel(to, x, y);
	uint32_t sum[3] = { 0 };
	int radius = (int)run->radius;

	for (int i = -radius; i <= radius; i++) {
		const unsigned char *at = down ? pixel(from, x, clamp(y, i, from->height))
					       : pixel(from, clamp(x, i, from->width), y);

		for (unsigned c = 0; c < colours(from); c++)
			sum[c] += run->weights[i + radius] * at[c];
	}
	for (unsigned c = 0; c < colours(from); c++)
		put[c] = (unsigned char)((sum[c] + WEIGHT_SUM / 2) / WEIGHT_SUM);
	if (from->channels == 4)
		put[3] = pixel(from, x, y)[3];
}

static void row_gauss(struct filter_run *run, uint32_t row)
{
	bool down = row >= run->in->height;
	uint32_t y = down ? row - run->in->height : row;

	for (uint32_t x = 0; x < run->in->width; x++)
		blur_pixel(run, down ? &run->between : run->in, down ? &run->out : &run->between, x,
			y, down);
}

int filter_open(struct filter_run *run, const struct picture *in, enum filter f, unsigned radius,
	struct fail *why)
{
	int r;

	*run = (struct filter_run){ .in = in, .filter = f, .radius = radius, .rows = in->height };
	r = picture_init(&run->out, in->width, in->height, in->channels, why);
	if (r < 0 || f != FILTER_GAUSS)
		return r;
	filter_gauss_weights(radius, run->weights);
	run->rows = 2 * in->height;
	r = picture_init(&run->between, in->width, in->height, in->channels, why);
	if (r < 0)
		filter_done(run);
	return r;
}

bool filter_step(struct filter_run *run, uint32_t rows)
{
	static void (*const work[FILTERS])(struct filter_run *, uint32_t) = {
		[FILTER_GREY] = row_grey,
		[FILTER_GAUSS] = row_gauss,
		[FILTER_SOBEL] = row_sobel,
	};

	for (; rows > 0 && run->row < run->rows; rows--)
		work[run->filter](run, run->row++);
	return run->row < run->rows;
}

struct picture filter_take(struct filter_run *run)
{
	struct picture out = run->out;

	CHECK(run->row == run->rows);
	run->out = (struct picture){ 0 };
	return out;
}

void filter_done(struct filter_run *run)
{
	picture_done(&run->between);
	picture_done(&run->out);
}

int filter_ref(const struct picture *in, enum filter f, unsigned radius, struct picture *out,
	struct fail *why)
{
	struct filter_run run;
	int r = filter_open(&run, in, f, radius, why);

	if (r < 0)
		return r;
	filter_step(&run, UINT32_MAX);
	*out = filter_take(&run);
	filter_done(&run);
	return 0;
}
