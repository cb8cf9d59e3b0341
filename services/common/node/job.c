/* SPDX-License-Identifier: Apache-2.0
 *
 * job: decode, find the kind's row, check.
 */
#include "node/job.h"

#include "base/pure.h"

#define NS_PER_MS INT64_C(1000000)

static int fill(const struct down *d, struct span raw, const struct body *body, struct job *ret,
	struct fail *why)
{
	const struct kind_row *row = kind_find(d->task_kind);
	int r = row == NULL ? 0 : kind_check(row, body, why);

	if (r < 0)
		return r;
	*ret = (struct job){
		.task = d->task,
		.attempt = d->attempt,
		.kind = d->task_kind,
		.tenant = d->tenant,
		.row = row,
		.deadline_ns = INT64_MAX,
		.raw = raw,
		.body = body,
	};
	if (d->deadline_ms > 0 && d->deadline_ms < INT64_MAX / NS_PER_MS)
		ret->deadline_ns = d->deadline_ms * NS_PER_MS;
	return 0;
}

int job_open(struct arena *a, const struct down *d, struct job *ret, struct fail *why)
{
	struct body *body = arena_alloc(a, sizeof(*body));
	int r;

	if (body == NULL)
		return fail_set(why, ERR_NO_MEMORY, "body", 0, NULL);
	r = body_decode(a, d->body, body, why);
	return r < 0 ? r : fill(d, d->body, body, ret, why);
}

int job_view(struct arena *a, const struct down *d, struct span raw, struct job *ret,
	struct fail *why)
{
	struct body *body = arena_alloc(a, sizeof(*body));
	int r;

	if (body == NULL)
		return fail_set(why, ERR_NO_MEMORY, "body", 0, NULL);
	r = body_view(a, raw, body, why);
	if (r == 0)
		r = fill(d, raw, body, ret, why);
	ret->is_kept = true;
	return r;
}
