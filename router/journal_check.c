/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_check: reads a journal as a router would, and further, and says what it saw.
 */
#include <inttypes.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "router/journal_db.h"
#include "router/journal_sqlite.h"
#include "wire/journal.h"

#define ARENA_MAX (8u << 20)

struct check {
	FILE *out;
	struct arena arena;
	uint64_t rows[2][STATES]; /* by life, then by state */
	uint64_t bytes;
	int64_t oldest_ns, newest_ns; /* acceptance */
	int faults;
};

static void say_fault(void *ctx, const char *line)
{
	struct check *c = ctx;

	c->faults++;
	fprintf(c->out, "fault: %s\n", line);
}

static bool on_row(void *ctx, const struct journal_image *i)
{
	struct check *c = ctx;
	struct task_order order;
	struct task_state state;
	struct fail why = { 0 };
	int err;

	arena_reset(&c->arena);
	err = task_order_decode(&c->arena, i->order, &order, &why);
	if (err == 0)
		err = task_state_decode(&c->arena, i->state, &state, &why);
	if (err < 0) {
		c->faults++;
		fprintf(c->out, "fault: row %" PRIu64 " cannot be read: %s %s %s\n", i->row,
			err_row(err)->name, why.field, why.detail);
		return true;
	}
	if (!span_eq(order.tenant, i->tenant) || !span_eq(order.key, i->key)) {
		c->faults++;
		fprintf(c->out, "fault: row %" PRIu64 " stands under another tenant or key\n",
			i->row);
	}
	c->rows[i->life == JOURNAL_KEPT][state.state]++;
	c->bytes += i->order.len + i->state.len;
	if (c->oldest_ns == 0 || order.accepted_ns < c->oldest_ns)
		c->oldest_ns = order.accepted_ns;
	if (order.accepted_ns > c->newest_ns)
		c->newest_ns = order.accepted_ns;
	return true;
}

static void tell(const struct check *c)
{
	static const char *const lives[] = { "open", "kept" };

	for (int life = 0; life < 2; life++)
		for (int s = 0; s < STATES; s++)
			if (c->rows[life][s] > 0)
				fprintf(c->out, "%s %s: %" PRIu64 "\n", lives[life], state_name(s),
					c->rows[life][s]);
	fprintf(c->out, "bytes of orders and states: %" PRIu64 "\n", c->bytes);
	if (c->newest_ns > 0)
		fprintf(c->out, "accepted from %" PRId64 " to %" PRId64 " (Unix ms)\n",
			c->oldest_ns / 1000000, c->newest_ns / 1000000);
	if (c->faults == 0)
		fprintf(c->out, "the journal is whole: a router can go on from it\n");
	else
		fprintf(c->out,
			"%d faults: a router would refuse it; restore a copy, or take the "
			"whole rows out with sqlite3\n",
			c->faults);
}

int journal_check(const char *path, FILE *out, struct fail *why)
{
	struct check c = { .out = out };
	struct journal_db *db = db_open(path, NULL, false, why);
	int err;

	if (db == NULL)
		return why->code;
	arena_init(&c.arena, ARENA_MAX);
	err = db_integrity(db, say_fault, &c);
	if (err >= 0)
		err = db_load(db, on_row, &c);
	if (err >= 0)
		err = db_load_kept(db, on_row, &c);
	if (err < 0) {
		c.faults++;
		fprintf(out, "fault: the rows cannot be read to the end\n");
	}
	tell(&c);
	arena_done(&c.arena);
	db_close(db);
	return c.faults;
}
