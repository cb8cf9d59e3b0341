/* SPDX-License-Identifier: Apache-2.0
 *
 * journal: the router's truth is the sequence of its records. This is the interface; journal_mem.c keeps them
 * in memory only, for `fast` work and tests; a durable one implements the same row of functions.
 *
 * Within a turn the router appends records and gathers its replies; then it flushes, and only when the flush
 * is done the replies leave. On any error the router stops: it never acknowledges what may be lost.
 */
#pragma once
#include "wire/task.h"

enum journal_kind {
	JOURNAL_ACCEPTED, /* tenant, submit */
	JOURNAL_ASSIGNED, /* node, attempt */
	JOURNAL_ENDED,    /* result */
};

struct journal_record {
	enum journal_kind kind;
	struct ulid task;
	int64_t at_ns;
	struct span tenant;
	const struct submit *submit;
	struct span node;
	uint32_t attempt;
	const struct result *result;
};

struct journal;

struct journal_ops {
	const char *name;
	/* Queue a record for the next flush. */
	int (*append)(struct journal *j, const struct journal_record *record);
	/* Make all appended records durable. */
	int (*flush)(struct journal *j);
	void (*close)(struct journal *j);
};

struct journal {
	const struct journal_ops *ops;
	uint64_t records;
	uint64_t flushes;
};

/* The journal in memory: it counts, and keeps the last JOURNAL_MEM_KEEP record heads. NULL without memory. */
#define JOURNAL_MEM_KEEP 1024u
struct journal *journal_mem_open(void) MUST_USE;

static inline int journal_append(struct journal *j, const struct journal_record *record)
{
	return j->ops->append(j, record);
}

static inline int journal_flush(struct journal *j)
{
	return j->ops->flush(j);
}

static inline void journal_close(struct journal *j)
{
	if (j != NULL)
		j->ops->close(j);
}
