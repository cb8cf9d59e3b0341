/* SPDX-License-Identifier: Apache-2.0 */
#include "router/recall.h"

#include "base/err.h"
#include "run/log.h"

#define KEPT_AT_START 1000u /* ended tasks that a restart brings back before they are asked for */

struct loading {
	struct router *machine;
	struct fail *why;
};

static int restore(const struct loading *l, const struct journal_image *image, struct fail *why)
{
	if (image->damaged)
		return fail_set(why, ERR_MALFORMED, "journal", 0,
			"row %llu is damaged: --check-journal says more",
			(unsigned long long)image->row);
	return router_restore(l->machine, image, why);
}

static bool on_kept_row(void *ctx, const struct journal_image *image)
{
	const struct loading *l = ctx;
	struct fail why = { 0 };

	if (restore(l, image, &why) < 0)
		log_warn("a row of the journal cannot be read", "row", LOG_INT((int64_t)image->row),
			"error", LOG_ERR(why.code), "field", LOG_STR(why.field), "detail",
			LOG_STR(why.detail));
	return true;
}

/* The first that is found is the one. */
static bool on_found_row(void *ctx, const struct journal_image *image)
{
	const struct loading *l = ctx;

	(void)restore(l, image, l->why);
	return false;
}

/* The asker learns what it cannot have; the log, why. */
static int end_find(int found, const char *what, struct fail *why)
{
	struct fail cause = *why;

	if (found >= 0 && cause.code == 0)
		return 0;
	log_error("the journal cannot be read", "error",
		LOG_ERR(cause.code != 0 ? cause.code : found), "field", LOG_STR(cause.field),
		"detail", LOG_STR(cause.detail));
	return fail_set(why, ERR_IO, "journal", 0, "%s cannot be read from the journal: %s", what,
		cause.detail);
}

int recall_task(struct journal *j, struct router *r, struct ulid task, struct fail *why)
{
	const struct span nobody = { NULL, 0 };
	struct loading l = { r, why };

	if (j == NULL || j->kept == 0 || router_task(r, nobody, true, task) != NULL)
		return 0;
	return end_find(j->ops->find(j, task, on_found_row, &l, why), "the task", why);
}

int recall_key(struct journal *j, struct router *r, struct span tenant, struct span key,
	struct fail *why)
{
	struct loading l = { r, why };

	if (j == NULL || j->kept == 0 || key.len == 0 || router_key(r, tenant, key) != NULL)
		return 0;
	return end_find(j->ops->find_key(j, tenant, key, on_found_row, &l, why),
		"whether this key was used before", why);
}

static bool on_open_row(void *ctx, const struct journal_image *image)
{
	const struct loading *l = ctx;

	return restore(l, image, l->why) == 0;
}

int recall_open(struct journal *j, struct router *r, struct fail *why)
{
	struct loading l = { .machine = r, .why = why };

	if (j == NULL)
		return 0;
	if (j->ops->load(j, on_open_row, &l) < 0 ||
		(why->code == 0 && j->ops->load_kept(j, KEPT_AT_START, on_kept_row, &l) < 0))
		return fail_set(why, ERR_IO, "journal", 0, "the journal cannot be read");
	router_next_row(r, j->next_row);
	return why->code;
}
