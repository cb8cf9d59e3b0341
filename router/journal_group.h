/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_group: the images that one write makes safe. A newer image of a row takes the place of an older one, so
 * a task that came, ran and ended within one group is written once. Filled by the owner thread; while it is
 * being written both threads only read it.
 */
#pragma once
#include "base/buf.h"
#include "base/map.h"
#include "router/journal.h"

#define GROUP_BYTES_MAX (1u << 30)

struct group_row {
	struct journal_image image; /* spans unset: where they stand is below */
	size_t tenant_at, key_at, order_at, state_at;
	size_t tenant_len, key_len, order_len, state_len;
	bool replaced; /* by a later row of the group */
};

struct group {
	struct buf bytes;
	struct group_row *rows;
	uint32_t n, cap;
	uint64_t appended; /* images, replaced ones too */
	struct map by_row, by_task, by_key;
};

void group_init(struct group *g);
void group_done(struct group *g);
void group_reset(struct group *g);
/* A copy of the image. 0 or ERR_NO_MEMORY (beyond GROUP_BYTES_MAX, too): then nothing changed. */
int group_add(struct group *g, const struct journal_image *image) MUST_USE;
/* Row i with its spans, which point into the group. */
struct journal_image group_image(const struct group *g, uint32_t i);
/* The newest image of a row, a task or a tenant's key: 1 and *ret, or 0. A GONE row has neither task nor key. */
int group_find_row(const struct group *g, uint64_t row, struct journal_image *ret);
int group_find_task(const struct group *g, struct ulid task, struct journal_image *ret);
int group_find_key(const struct group *g, struct span tenant, struct span key,
	struct journal_image *ret);
