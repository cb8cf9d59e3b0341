/* SPDX-License-Identifier: Apache-2.0
 *
 * backlog: how far the journal is behind: whether more may come while so much waits for its flush, and, if not, when
 * to come again, by how long the last groups took; and whether its disk has room for more. Knows rows and bytes; no
 * journal and no clock.
 */
#pragma once
#include "base/err.h"

struct backlog_conf {
	uint64_t rows_max;  /* that wait; beyond, no new ones are taken. 0: no limit */
	uint64_t bytes_max; /* of what waits. 0: no limit */
	int64_t room_bytes; /* that the disk must have free, so that what was taken can go on. 0: any */
};

struct backlog {
	struct backlog_conf conf;
	int64_t begun_ns;    /* of the group that is written; INT64_MIN: none is */
	uint64_t group_rows; /* in it */
	/* Of the last groups, older ones fading. */
	int64_t took_ns;
	uint64_t rows;
};

void backlog_init(struct backlog *b, const struct backlog_conf *conf);
/* A group of so many rows is handed to the writer. */
void backlog_begin(struct backlog *b, int64_t now_ns, uint64_t rows);
/* It is safe. Without one that was begun nothing happens. */
void backlog_end(struct backlog *b, int64_t now_ns);
/* May one more come while so much waits? 0, or ERR_BUSY and *why with limit and time. */
int backlog_admit(const struct backlog *b, int64_t now_ns, uint64_t rows, uint64_t bytes,
	struct fail *why) MUST_USE;
/* And while the disk has so much room? The same. */
int backlog_room(const struct backlog *b, int64_t room_bytes, struct fail *why) MUST_USE;
