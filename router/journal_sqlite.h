/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_sqlite: the durable journal. The owner thread gathers images in one group while a thread of its own
 * writes the other, so a flush is shared by all that came while the one before was under way.
 *
 *	journal_group.c  the gathered images      journal_db.c     the database
 *	journal_check.c  what a file holds, for people
 */
#pragma once
#include <stdio.h>

#include "router/journal.h"
#include "run/loop.h"

struct journal_sqlite_conf {
	const char *path;
	const char *vfs;   /* SQLite's, or NULL: its default */
	int64_t rows_max;  /* ended tasks that are kept */
	int64_t bytes_max; /* of the file; beyond that the oldest ended tasks go */
};

/* on_safe is called from the loop. NULL and *why as db_open says. */
struct journal *journal_sqlite_open(struct loop *l, const struct journal_sqlite_conf *conf,
	struct fail *why) MUST_USE;

/* Read a whole journal that no process holds, and tell in sentences what it holds and what is wrong. The number of
 * faults, or negative and *why if it cannot be read at all. */
int journal_check(const char *path, FILE *out, struct fail *why) MUST_USE;
