/* SPDX-License-Identifier: Apache-2.0
 *
 * sweep: the points of a grid, each a value of every axis, by their number: the last axis turns fastest, as the
 * innermost of nested loops. No list of points is ever made, so a grid of any size costs the same.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

#define SWEEP_AXES_MAX 16u
#define SWEEP_POINTS_MAX INT64_C(1000000000000)
#define SWEEP_VALUE_BYTES 24u /* a number as text */

struct sweep_axis {
	struct span key;
	const struct span *values; /* of a list, or NULL */
	int64_t low;               /* else low, low + step, ... */
	uint64_t step;
	uint64_t n; /* >= 1 */
};

struct sweep {
	struct sweep_axis axes[SWEEP_AXES_MAX];
	uint32_t axes_n;
	uint64_t points; /* the product of what the axes have; 1 without axes */
};

void sweep_init(struct sweep *s);
/* One more axis, which turns faster than those before it: "LOW..HIGH" or "LOW..HIGH/STEP" in whole numbers, or values
 * with commas between them. key and text are borrowed. The field of an error is the key. ERR_INVALID: neither of
 * these; ERR_TOO_BIG: more axes, or more points than SWEEP_POINTS_MAX; ERR_NO_MEMORY. */
int sweep_add(struct arena *a, struct sweep *s, struct span key, struct span text,
	struct fail *why) MUST_USE;
/* The value of the axis there; point < s->points. A number's text stands in `room`. */
struct span sweep_value(const struct sweep *s, uint32_t axis, uint64_t point,
	char room[SWEEP_VALUE_BYTES]);
/* The i-th value of an axis, i < n. */
struct span sweep_axis_value(const struct sweep_axis *axis, uint64_t i,
	char room[SWEEP_VALUE_BYTES]);
