/* SPDX-License-Identifier: Apache-2.0
 *
 * admit: limits of a tenant, and its part of what all share.
 */
#include "policy/admit.h"

#include "base/fmt.h"

#include "base/pure.h"

#define GAP_WEIGHT 8 /* of the last gap: one in so many */
#define WAIT_PART 16 /* worth another try when one in so many of the tenant's tasks has ended */
#define GAP_MOST_NS (3600 * NS_PER_S)

static int64_t clamp_ms(int64_t ns)
{
	int64_t ms = ns / NS_PER_MS;

	return ms < ADMIT_RETRY_LEAST_MS  ? ADMIT_RETRY_LEAST_MS
	       : ms > ADMIT_RETRY_MOST_MS ? ADMIT_RETRY_MOST_MS
					  : ms;
}

/* Until some of its tasks have ended, at the pace at which they did. */
static int64_t until_room_ns(const struct admit_load *load)
{
	int64_t gap_ns = load->end_gap_ns > 0 ? load->end_gap_ns : NS_PER_S;
	int64_t ends = (int64_t)(load->tasks / WAIT_PART) + 1;

	return ends > ADMIT_RETRY_MOST_MS * NS_PER_MS / gap_ns ? ADMIT_RETRY_MOST_MS * NS_PER_MS
							       : ends * gap_ns;
}

static int full(const struct admit_load *load, const char *field, uint64_t limit, const char *what,
	struct fail *why)
{
	int err = fail_set(why, ERR_BUSY, field, (int64_t)limit, "%s", what);

	why->retry_after_ms = clamp_ms(until_room_ns(load));
	return err;
}

/* Part of what is left, and never more than that. */
static uint64_t share_of(uint64_t max, uint64_t all, uint32_t weight)
{
	uint64_t left = max > all ? max - all : 0, times = (uint64_t)ADMIT_SHARE * weight;

	return left > UINT64_MAX / times ? UINT64_MAX : left * times;
}

static int check_tasks(const struct admit_limits *limits, const struct admit_load *load,
	struct fail *why)
{
	uint64_t share = share_of(load->tasks_max, load->all_tasks, load->weight);

	if (limits->tasks > 0 && load->tasks >= limits->tasks)
		return full(load, "tenant.tasks", limits->tasks,
			"the tenant has as many open tasks as it may", why);
	if (load->all_tasks >= load->tasks_max)
		return full(load, "tasks", load->tasks_max, "the router holds all it may", why);
	if (load->tasks >= share)
		return full(load, "tenant.tasks", share,
			"the router is nearly full, and the tenant has its part of it", why);
	return 0;
}

static int check_bytes(const struct admit_limits *limits, const struct admit_load *load,
	uint64_t more, struct fail *why)
{
	uint64_t share = share_of(load->bytes_max, load->all_bytes + more, load->weight);

	if (limits->bytes > 0 && load->bytes + more > limits->bytes)
		return full(load, "tenant.bytes", limits->bytes,
			"the tenant's open tasks have as many bytes as they may", why);
	if (load->all_bytes + more > load->bytes_max)
		return full(load, "bytes", load->bytes_max,
			"the bodies of open tasks take all the memory they may", why);
	if (load->bytes > 0 && load->bytes + more > share)
		return full(load, "tenant.bytes", share,
			"the router is nearly full, and the tenant has its part of it", why);
	return 0;
}

static int check_rate(const struct admit_limits *limits, struct admit_rate *rate, int64_t now_ns,
	struct fail *why)
{
	int64_t gap_ns, due_ns;
	int err;

	if (limits->rate == 0)
		return 0;
	gap_ns = NS_PER_S / limits->rate;
	due_ns = rate->due_ns > now_ns ? rate->due_ns : now_ns;
	if (due_ns - now_ns <= gap_ns * (limits->burst > 0 ? limits->burst - 1 : 0)) {
		rate->due_ns = due_ns + gap_ns;
		return 0;
	}
	err = fail_set(why, ERR_BUSY, "tenant.rate", limits->rate,
		"the tenant submits more in a second than it may");
	why->retry_after_ms = clamp_ms(due_ns - now_ns);
	return err;
}

int admit_task(const struct admit_limits *limits, const struct admit_load *load,
	uint64_t body_bytes, struct admit_rate *rate, int64_t now_ns, struct fail *why)
{
	int err = check_tasks(limits, load, why);

	if (err == 0)
		err = check_bytes(limits, load, body_bytes, why);
	return err < 0 ? err : check_rate(limits, rate, now_ns, why);
}

int64_t admit_gap(int64_t gap_ns, int64_t since_last_ns)
{
	int64_t last = since_last_ns < 1             ? 1
		       : since_last_ns > GAP_MOST_NS ? GAP_MOST_NS
						     : since_last_ns;

	return gap_ns == 0 ? last : gap_ns + (last - gap_ns) / GAP_WEIGHT;
}
