/* SPDX-License-Identifier: Apache-2.0
 *
 * sweep: a point's number in the mixed radix of the axes.
 */
#include "policy/sweep.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/fmt.h"
#include "base/limits.h"

#include "base/pure.h"

void sweep_init(struct sweep *s)
{
	*s = (struct sweep){ .points = 1 };
}

static int refuse(const struct sweep_axis *axis, int code, int64_t limit, const char *detail,
	struct fail *why)
{
	char key[LIMIT_TOKEN_BYTES + 1];

	span_copy(axis->key, key, sizeof(key));
	return fail_set(why, code, key, limit, "%s", detail);
}

/* Two dots among digits, signs, a slash; other texts with dots are values. */
static bool is_range(struct span text)
{
	bool dots = false;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = text.at[i];

		if ((c < '0' || c > '9') && c != '-' && c != '.' && c != '/')
			return false;
		dots = dots || (c == '.' && i > 0 && text.at[i - 1] == '.');
	}
	return dots;
}

static int read_range(struct sweep_axis *axis, struct span text, struct fail *why)
{
	struct span rest = text, low = span_cut(&rest, '.'), high, step;
	int64_t top, by = 1;

	if (rest.len > 0) /* the second dot */
		rest = span_part(rest, 1, rest.len);
	step = rest;
	high = span_cut(&step, '/');
	if (fmt_int(low, &axis->low) < 0 || fmt_int(high, &top) < 0 || top < axis->low ||
		(high.len < rest.len && (fmt_int(step, &by) < 0 || by < 1)))
		return refuse(axis, ERR_INVALID, 0,
			"a range is LOW..HIGH or LOW..HIGH/STEP, in whole numbers of 64 bits, "
			"the low one first",
			why);
	axis->step = (uint64_t)by;
	/* at most 2^64 - 1 divided by 1; the one more is added where it cannot overflow */
	axis->n = ((uint64_t)top - (uint64_t)axis->low) / axis->step;
	if (axis->n >= (uint64_t)SWEEP_POINTS_MAX)
		return refuse(axis, ERR_TOO_BIG, SWEEP_POINTS_MAX,
			"this axis has more points than a sweep", why);
	axis->n++;
	return 0;
}

static int read_list(struct arena *a, struct sweep_axis *axis, struct span text, struct fail *why)
{
	struct span *values;

	axis->n = 1;
	for (size_t i = 0; i < text.len; i++)
		axis->n += text.at[i] == ',';
	values = arena_raw(a, axis->n * sizeof(*values));
	if (values == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	for (uint64_t i = 0; i < axis->n; i++)
		values[i] = span_trim(span_cut(&text, ','));
	axis->values = values;
	return 0;
}

int sweep_add(struct arena *a, struct sweep *s, struct span key, struct span text, struct fail *why)
{
	struct sweep_axis axis = { .key = key };
	int r;

	if (s->axes_n == SWEEP_AXES_MAX)
		return refuse(&axis, ERR_TOO_BIG, SWEEP_AXES_MAX, "a sweep has so many axes", why);
	r = is_range(text) ? read_range(&axis, text, why) : read_list(a, &axis, text, why);
	if (r < 0)
		return r;
	if (axis.n > (uint64_t)SWEEP_POINTS_MAX / s->points)
		return refuse(&axis, ERR_TOO_BIG, SWEEP_POINTS_MAX,
			"with this axis the sweep has too many points", why);
	s->points *= axis.n;
	s->axes[s->axes_n++] = axis;
	return 0;
}

struct span sweep_axis_value(const struct sweep_axis *axis, uint64_t i,
	char room[SWEEP_VALUE_BYTES])
{
	int len;

	CHECK(i < axis->n);
	if (axis->values != NULL)
		return axis->values[i];
	len = snprintf(room, SWEEP_VALUE_BYTES, "%" PRId64,
		(int64_t)((uint64_t)axis->low + i * axis->step));
	return span_of(room, (size_t)len);
}

struct span sweep_value(const struct sweep *s, uint32_t axis, uint64_t point,
	char room[SWEEP_VALUE_BYTES])
{
	CHECK(axis < s->axes_n && point < s->points);
	for (uint32_t i = s->axes_n - 1; i > axis; i--)
		point /= s->axes[i].n;
	return sweep_axis_value(&s->axes[axis], point % s->axes[axis].n, room);
}
