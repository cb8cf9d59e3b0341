/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_mem: a journal that survives nothing: the heads of the last records, for a look at what went by.
 */
#include "base/mem.h"
#include "router/journal.h"

struct head {
	struct ulid task;
	int64_t at_ns;
	enum journal_kind kind;
	uint32_t attempt;
};

struct journal_mem {
	struct journal base;
	struct head heads[JOURNAL_MEM_KEEP];
	uint64_t unflushed;
};

static struct journal_mem *self_of(struct journal *j)
{
	return CONTAINER(j, struct journal_mem, base);
}

static int mem_append(struct journal *j, const struct journal_record *record)
{
	struct journal_mem *m = self_of(j);

	m->heads[j->records++ % JOURNAL_MEM_KEEP] =
		(struct head){ record->task, record->at_ns, record->kind, record->attempt };
	m->unflushed++;
	return 0;
}

static int mem_flush(struct journal *j)
{
	struct journal_mem *m = self_of(j);

	if (m->unflushed > 0)
		j->flushes++;
	m->unflushed = 0;
	return 0;
}

static void mem_close(struct journal *j)
{
	mem_free(self_of(j));
}

struct journal *journal_mem_open(void)
{
	static const struct journal_ops ops = { "memory", mem_append, mem_flush, mem_close };
	struct journal_mem *m = mem_alloc(sizeof *m);

	if (m == NULL)
		return NULL;
	m->base.ops = &ops;
	return &m->base;
}
