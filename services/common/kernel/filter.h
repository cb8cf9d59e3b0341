/* SPDX-License-Identifier: Apache-2.0
 *
 * filter: filters of pictures, all in integers, so that every device gives the same bytes.
 *
 * The result has the size and the channels of the input; alpha is copied. Pixels beyond the border repeat
 * the nearest pixel of the border.
 *   grey   red, green and blue become (77 R + 150 G + 29 B + 128) >> 8; a grey picture stays as it is
 *   gauss  each colour: a horizontal pass, then a vertical pass over its result; each gives
 *          (sum of weight * value + 32768) >> 16, which is an 8-bit value again
 *   sobel  of the 8-bit grey values: min(255, |gx| + |gy|) in red, green and blue (or grey), with
 *          gx = (right column) - (left column), gy = (lower row) - (upper row), both weighted 1 2 1
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "kernel/picture.h"

/* In the order of the choice in proto/kinds.def. */
enum filter { FILTER_GREY, FILTER_GAUSS, FILTER_SOBEL };
#define FILTERS 3

#define FILTER_RADIUS_MAX 16u
#define FILTER_WEIGHTS_MAX (2 * FILTER_RADIUS_MAX + 1)

/* The 2 * radius + 1 weights of a gauss pass (sigma is half the radius): symmetric, their sum is 65536.
 * radius is in 1..FILTER_RADIUS_MAX. */
void filter_gauss_weights(unsigned radius, uint32_t weights[FILTER_WEIGHTS_MAX]);

/* How many pixels away from its place a pixel counts, in each direction. */
unsigned filter_halo(enum filter f, unsigned radius);

/* The reference. radius counts for gauss only, and is then in 1..FILTER_RADIUS_MAX. *out is made by
 * picture_init. ERR_NO_MEMORY. */
int filter_ref(const struct picture *in, enum filter f, unsigned radius, struct picture *out,
	struct fail *why) MUST_USE;

/* The same in steps, for those who want to stop in between. */
struct filter_run {
	const struct picture *in; /* borrowed */
	struct picture between;   /* gauss: after the horizontal pass */
	struct picture out;
	enum filter filter;
	unsigned radius;
	uint32_t weights[FILTER_WEIGHTS_MAX];
	uint32_t row;  /* the next row, counted through all passes */
	uint32_t rows; /* of all passes */
};

int filter_open(struct filter_run *run, const struct picture *in, enum filter f, unsigned radius,
	struct fail *why) MUST_USE;
/* Work on at most `rows` rows more; false when run->out is complete. */
bool filter_step(struct filter_run *run, uint32_t rows);
/* Takes the result out of a complete run, before filter_done. */
struct picture filter_take(struct filter_run *run);
/* Also for a zeroed run. */
void filter_done(struct filter_run *run);
