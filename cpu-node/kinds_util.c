/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_util: util.echo, util.count.
 */
#include <stdio.h>
#include <time.h>

#include "base/fmt.h"
#include "cpu-node/kinds.h"

#define NAP_NS (20 * NS_PER_MS)
#define LINE_BYTES 7u /* of the highest number, which has five digits, at most */

enum { FAIL_NO, FAIL_ONCE, FAIL_ALWAYS };

int64_t delay_echo(const struct kind_row *kind, const struct body *in)
{
	return in->params_n == 0 ? 0 : kind_int(kind, in, "sleep_ms") * NS_PER_MS;
}

CPU_KIND("util.echo", run_echo, LIMIT_BODY_BYTES, .delay_ns = delay_echo, .traits = CPU_PAUSES)
int run_echo(const struct cpu_call *call)
{
	/* Most have no parameters: they need no look at the table. */
	unsigned fail =
		call->in->params_n == 0 ? FAIL_NO : kind_choice(call->kind, call->in, "fail");

	if (fail == FAIL_ALWAYS || (fail == FAIL_ONCE && call->attempt <= 1))
		return fail_set(call->why, ERR_LOST, "fail", 0, "failed as it was asked to");
	for (size_t i = 0; i < call->in->items_n; i++) {
		const struct item *item = &call->in->items[i];

		body_put_item(call->out, item->name, item->media, item->data);
	}
	return 0;
}

/* In steps, so that a cancel is soon seen. */
static void nap(const struct cpu_call *call, int64_t ns)
{
	for (int64_t left = ns; left > 0 && !cpu_is_cancelled(call); left -= NAP_NS) {
		int64_t step = left < NAP_NS ? left : NAP_NS;
		struct timespec t = { .tv_nsec = (long)step };

		nanosleep(&t, NULL);
	}
}

CPU_KIND("util.count", run_count, 0)
int run_count(const struct cpu_call *call)
{
	int64_t to = kind_int(call->kind, call->in, "to");
	int64_t every_ns = kind_int(call->kind, call->in, "every_ms") * NS_PER_MS;
	char *lines = arena_raw(call->arena, (size_t)to * LINE_BYTES + 1);
	size_t len = 0;

	if (lines == NULL)
		return cpu_no_memory(call);
	for (int64_t i = 1; i <= to; i++) {
		int n;

		nap(call, every_ns);
		if (cpu_is_cancelled(call))
			return cpu_cancelled(call);
		n = snprintf(lines + len, LINE_BYTES + 1, "%lld\n", (long long)i);
		cpu_chunk(call, span_of(lines + len, (size_t)n));
		len += (size_t)n;
		cpu_progress(call, (uint64_t)i * 1000, (uint64_t)to * 1000);
	}
	body_put_item(call->out, SPAN_LIT("numbers.txt"), SPAN_LIT("text/plain"),
		span_of(lines, len));
	return 0;
}
