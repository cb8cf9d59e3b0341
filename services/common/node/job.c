/* SPDX-License-Identifier: Apache-2.0
 *
 * job: decode, find the kind's row, check.
 */
#include "node/job.h"

#include "base/pure.h"

#define NS_PER_MS INT64_C(1000000)
#define SPLIT_KIND "split.kind"

/* The parameters of the body that the row names, the others left out. */
static int own_params(
	struct arena *a, const struct kind_row *row, const struct body *body, struct body *ret)
{
	struct param *own = arena_raw(a, (body->params_n + 1) * sizeof(*own));

	if (own == NULL)
		return ERR_NO_MEMORY;
	*ret = (struct body){ .params = own };
	for (size_t i = 0; i < body->params_n; i++) {
		for (unsigned k = 0; k < row->params_n; k++) {
			if (span_is(body->params[i].key, row->params[k].key))
				own[ret->params_n++] = body->params[i];
		}
	}
	return 0;
}

static int check_split(
	struct arena *a, const struct kind_row *row, const struct body *body, struct fail *why)
{
	const struct kind_row *split;
	struct body own;
	int r = own_params(a, row, body, &own);

	if (r < 0)
		return fail_set(why, r, "body", 0, NULL);
	r = kind_check(row, &own, why);
	if (r < 0)
		return r;
	split = kind_find(kind_text(row, body, SPLIT_KIND));
	/* its own parameters have dots, so the other row lets them pass */
	return split == NULL || split == row ? 0 : kind_check(split, body, why);
}

int job_open(struct arena *a, const struct down *d, struct job *ret, struct fail *why)
{
	struct body *body = arena_alloc(a, sizeof(*body));
	const struct kind_row *row = kind_find(d->task_kind);
	int r = 0;

	if (body == NULL)
		return fail_set(why, ERR_NO_MEMORY, "body", 0, NULL);
	r = body_decode(a, d->body, body, why);
	if (r < 0)
		return r;
	if (row != NULL && span_is(d->task_kind, "task.split"))
		r = check_split(a, row, body, why);
	else if (row != NULL)
		r = kind_check(row, body, why);
	if (r < 0)
		return r;
	*ret = (struct job){
		.task = d->task,
		.attempt = d->attempt,
		.kind = d->task_kind,
		.tenant = d->tenant,
		.row = row,
		.deadline_ns = INT64_MAX,
		.raw = d->body,
		.body = body,
	};
	if (d->deadline_ms > 0 && d->deadline_ms < INT64_MAX / NS_PER_MS)
		ret->deadline_ns = d->deadline_ms * NS_PER_MS;
	return 0;
}
