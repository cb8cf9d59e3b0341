/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_util: util.echo.
 */
#include "base/fmt.h"
#include "cpu-node/kinds.h"

enum { FAIL_NO, FAIL_ONCE, FAIL_ALWAYS };

int64_t delay_echo(const struct kind_row *kind, const struct body *in)
{
	return in->params_n == 0 ? 0 : kind_int(kind, in, "sleep_ms") * NS_PER_MS;
}

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
