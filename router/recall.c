/* SPDX-License-Identifier: Apache-2.0 */
#include "router/recall.h"

#include "base/err.h"
#include "run/log.h"

#define KEPT_AT_START 1000u /* ended tasks that a restart brings back before they are asked for */

static bool on_kept_row(void *ctx, const struct journal_image *image)
{
	struct router *r = ctx;
	struct fail why = { 0 };

	if (router_restore(r, image, &why) < 0)
		log_warn("a row of the journal cannot be read", "row", LOG_INT((int64_t)image->row),
			"error", LOG_ERR(why.code), "field", LOG_STR(why.field), "detail",
			LOG_STR(why.detail));
	return true;
}

/* The first that is found is the one. */
static bool on_found_row(void *ctx, const struct journal_image *image)
{
	(void)on_kept_row(ctx, image);
	return false;
}

void recall_task(struct journal *j, struct router *r, struct ulid task)
{
	const struct span nobody = { NULL, 0 };

	if (j != NULL && j->kept > 0 && router_task(r, nobody, true, task) == NULL)
		(void)j->ops->find(j, task, on_found_row, r);
}

void recall_key(struct journal *j, struct router *r, struct span tenant, struct span key)
{
	if (j != NULL && j->kept > 0 && key.len > 0 && router_key(r, tenant, key) == NULL)
		(void)j->ops->find_key(j, tenant, key, on_found_row, r);
}

struct loading {
	struct router *machine;
	struct fail *why;
};

static bool on_open_row(void *ctx, const struct journal_image *image)
{
	const struct loading *l = ctx;

	return router_restore(l->machine, image, l->why) == 0;
}

int recall_open(struct journal *j, struct router *r, struct fail *why)
{
	struct loading l = { .machine = r, .why = why };

	if (j == NULL)
		return 0;
	if (j->ops->load(j, on_open_row, &l) < 0 ||
		(why->code == 0 && j->ops->load_kept(j, KEPT_AT_START, on_kept_row, r) < 0))
		return fail_set(why, ERR_IO, "journal", 0, "the journal cannot be read");
	router_next_row(r, j->next_row);
	return why->code;
}
