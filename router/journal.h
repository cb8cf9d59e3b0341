/* SPDX-License-Identifier: Apache-2.0
 *
 * journal: what outlives the router. Its content is a table: one row for each task that was accepted as
 * durable, with an image of all that decides about the task (router/image.h). A step of the machine appends
 * the new image of every task that it changed; images are made safe in groups, and what a step says leaves
 * only when its images are safe. So there is no log to replay and no snapshot to make: the table is the
 * snapshot, and a restart reads the open rows.
 *
 * journal_sqlite.h is the one for use; the tests have one in memory (tests/support/journal_mem.h). A router
 * without a journal keeps its tasks in memory only. On any error in writing or flushing the router stops: it never
 * acknowledges what may be lost. What cannot be read is refused by who asked for it.
 */
#pragma once
#include "wire/task.h"

enum journal_life {
	JOURNAL_OPEN = 1, /* accepted, not ended */
	JOURNAL_KEPT,     /* ended; its result can be fetched until forget_ns */
	JOURNAL_GONE,     /* forgotten before its time: the row goes; only row and life are set */
};

/* One row. The spans are borrowed for the call. */
struct journal_image {
	uint64_t
		row; /* the task's number, given once by the machine, growing from journal.next_row */
	enum journal_life life;
	struct ulid task;
	struct span tenant;
	struct span key;   /* idempotency key, or empty; one row of a tenant has it, open or kept */
	int64_t forget_ns; /* KEPT: Unix time from which the row may be dropped */
	struct span
		order; /* encoded spu.v1.TaskOrder: what does not change. Empty: as appended before */
	struct span state; /* encoded spu.v1.TaskState: what does */
	bool damaged;      /* read: the disk spoiled it; what it says is not what was written */
};

/* A row that was read; false ends the reading. */
typedef bool journal_row_fn(void *ctx, const struct journal_image *image);

struct journal;

struct journal_ops {
	const char *name;
	/* Take a copy of an image into the group that is gathered; a newer image of a row replaces an older
	 * one in the same group. ERR_NO_MEMORY, or the journal's error. */
	int (*append)(struct journal *j, const struct journal_image *image);
	/* Hand the gathered group to the writer, unless one is being written: then nothing happens. Does not
	 * wait. The journal's error, if a write failed. */
	int (*commit)(struct journal *j);
	/* Wait until all that was appended is safe. */
	int (*sync)(struct journal *j);
	/* All open rows in the order of their numbers. 0 or negative ERR_*. */
	int (*load)(struct journal *j, journal_row_fn *on_row, void *ctx);
	/* The newest kept rows that are safe, at most so many, in the order of their numbers. */
	int (*load_kept)(struct journal *j, uint32_t max, journal_row_fn *on_row, void *ctx);
	/* The safe or appended row of a kept task by its id, or of a tenant's key: 1 and on_row is called with
	 * order and state; 0: there is none, or it is open; or negative ERR_* and *why: then nobody knows. */
	int (*find)(struct journal *j, struct ulid task, journal_row_fn *on_row, void *ctx,
		struct fail *why);
	int (*find_key)(struct journal *j, struct span tenant, struct span key,
		journal_row_fn *on_row, void *ctx, struct fail *why);
	/* Makes what was appended safe, if it can. */
	void (*close)(struct journal *j);
};

/* The common head of every implementation. The counts are of images, and grow. */
struct journal {
	const struct journal_ops *ops;
	uint64_t appended;
	uint64_t safe;   /* of those appended, so many are safe, in their order */
	uint64_t groups; /* written */
	/* Appended and not safe. Of a row's images in one group the last one counts. */
	uint64_t waiting_rows;
	uint64_t waiting_bytes;
	uint64_t next_row; /* after the highest that is known; set by open */
	uint64_t kept;     /* rows of ended tasks, about: 0 means that find is not worth a call */
	/* Free on its disk when it was last looked, which is at least once a second. INT64_MAX: it does not say. */
	int64_t room_bytes;
	/* Told on the owner thread, from the loop, when safe has grown or an error stands; may be NULL. */
	void (*on_safe)(void *ctx);
	void *safe_ctx;
};

static inline int journal_append(struct journal *j, const struct journal_image *image)
{
	return j->ops->append(j, image);
}

static inline int journal_commit(struct journal *j)
{
	return j->ops->commit(j);
}

static inline int journal_sync(struct journal *j)
{
	return j->ops->sync(j);
}

static inline void journal_close(struct journal *j)
{
	if (j != NULL)
		j->ops->close(j);
}
