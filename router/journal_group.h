/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_group: images that are made safe together. One growing block of bytes and one table of rows for all of
 * them, so that an image costs no call for memory; a newer image of a row takes the place of the older.
 */
#pragma once
#include "base/buf.h"
#include "base/map.h"
#include "router/journal.h"

#define JOURNAL_GROUP_MAX ((size_t)1 << 30) /* bytes; more cannot wait */

/* Where some bytes stand in the group. */
struct journal_piece {
	size_t at;
	uint32_t len;
	uint32_t room; /* bytes that belong to it */
};

struct journal_group_row {
	uint64_t row;
	struct ulid task;
	int64_t forget_ns;
	enum journal_life life;
	bool by_task; /* is in the map by its task */
	bool by_key;
	struct journal_piece tenant;
	struct journal_piece key;
	struct journal_piece order; /* sealed */
	struct journal_piece state; /* sealed */
};

struct journal_group {
	struct journal_group_row *rows; /* in the order of their first images */
	uint32_t rows_n;
	uint32_t rows_cap;
	uint32_t kept;   /* rows that are KEPT */
	uint64_t images; /* taken in, those that were replaced too */
	struct buf bytes;
	struct map map; /* by number; KEPT ones by task and by key too */
	uint64_t key_seed;
};

/* key_seed: of the hashes of keys, as secret as the file's. */
void journal_group_init(struct journal_group *g, uint64_t key_seed);
/* A zeroed one is allowed. */
void journal_group_done(struct journal_group *g);
/* Empty it. Keeps the memory, unless it is much. */
void journal_group_reset(struct journal_group *g);
/* Take a copy. 0 or ERR_NO_MEMORY; the group is then of no use. */
int journal_group_add(struct journal_group *g, const struct journal_image *image) MUST_USE;
/* The row of this number, or NULL. */
const struct journal_group_row *journal_group_row(const struct journal_group *g, uint64_t row);
/* The KEPT row of this task, or of a tenant's key, or NULL. */
const struct journal_group_row *journal_group_task(const struct journal_group *g, struct ulid task);
const struct journal_group_row *journal_group_key(const struct journal_group *g, struct span tenant,
	struct span key);
/* The row as an image; its spans point into the group and hold until something is added. */
struct journal_image journal_group_image(const struct journal_group *g,
	const struct journal_group_row *row);
/* The same with order and state as they stand in the file: with their sums. */
struct journal_image journal_group_sealed(const struct journal_group *g,
	const struct journal_group_row *row);
