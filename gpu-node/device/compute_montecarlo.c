/* SPDX-License-Identifier: Apache-2.0
 *
 * compute_montecarlo: a fixed number of work-groups; longer steps give each more turns.
 */
#include "gpu-node/device/compute.h"

#define GROUP 64u        /* work-items a group, as in the kernel */
#define ITEM_SAMPLES 16u /* samples a work-item takes in one turn */
#define GROUPS_A_UNIT 16u
#define GROUPS_MAX 4096u
#define TURNS_MAX (1u << 16) /* a group's count stays far below 2^32 */

struct run {
	uint32_t groups;
	cl_uint2 key;
	cl_mem counts; /* one for each group */
	uint32_t host[GROUPS_MAX];
};

static uint32_t groups_for(const struct device *d)
{
	const uint32_t units = d->facts.units > 0 ? d->facts.units : 1;

	return units < GROUPS_MAX / GROUPS_A_UNIT ? units * GROUPS_A_UNIT : GROUPS_MAX;
}

/* Add the samples first .. first + n - 1 that are inside to *inside. first is even. */
static int count(struct device *d, struct run *run, uint64_t first, uint64_t n, uint64_t *inside,
	int64_t *ret_ns, struct fail *why)
{
	const uint64_t turn = (uint64_t)run->groups * GROUP * ITEM_SAMPLES;
	const cl_uint turns = (cl_uint)((n + turn - 1) / turn);
	const cl_ulong from = first, end = first + n;
	const struct device_arg args[] = { DEVICE_ARG(from), DEVICE_ARG(end), DEVICE_ARG(turns),
		DEVICE_ARG(run->key), DEVICE_ARG(run->counts) };
	const struct device_launch launch = { KERNEL_MONTECARLO, args, ARRAY_LEN(args),
		run->groups * GROUP, 1 };
	const struct device_rows rows = { run->groups * sizeof(uint32_t), 1,
		run->groups * sizeof(uint32_t) };
	int r = device_run(d, &launch, ret_ns, why);

	if (r == 0)
		r = device_read(d, run->counts, rows, run->host, why);
	for (uint32_t i = 0; r == 0 && i < run->groups; i++)
		*inside += run->host[i];
	return r;
}

static int count_all(struct device *d, struct run *run, const struct montecarlo_points *points,
	uint64_t *ret_inside, const struct pace *pace, struct fail *why)
{
	const uint64_t turn = (uint64_t)run->groups * GROUP * ITEM_SAMPLES;
	struct steps steps = steps_of(points->samples, turn, turn, turn * TURNS_MAX);
	uint64_t n, inside = 0;

	for (n = steps_next(&steps); n > 0; n = steps_next(&steps)) {
		int64_t ns;
		int r = count(d, run, points->first + steps.done, n, &inside, &ns, why);

		if (r < 0)
			return r;
		if (!steps_took(&steps, ns, pace))
			return fail_set(why, ERR_CANCELLED, NULL, 0, NULL);
	}
	*ret_inside = inside;
	return 0;
}

int compute_montecarlo(struct device *d, struct montecarlo_points points, uint64_t *ret_inside,
	const struct pace *pace, struct fail *why)
{
	struct run run = {
		.groups = groups_for(d),
		.key = { .s = { (cl_uint)points.seed, (cl_uint)(points.seed >> 32) } },
	};
	int r;

	CHECK(points.samples > 0 && points.samples <= UINT64_C(1) << 60);
	CHECK(points.first % 2 == 0 && points.first <= UINT64_C(1) << 60);
	r = device_take(d, run.groups * sizeof(uint32_t), &run.counts, why);
	if (r == 0)
		r = count_all(d, &run, &points, ret_inside, pace, why);
	device_drop(d, &run.counts);
	return r;
}
