/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_check: SQLite's own check of the file, then every row: does it decode, does it agree with its columns, is
 * it where its state says it must be.
 */
#include <inttypes.h>

#include "base/arena.h"
#include "base/fmt.h"
#include "router/journal_db.h"
#include "router/journal_file.h"
#include "router/journal_seal.h"
#include "router/journal_sqlite.h"
#include "run/clocks.h"
#include "wire/journal.h"

#define ARENA_BYTES (16u << 20)
#define SHOWN_MAX 20 /* of one sort; the rest is only counted */

struct check {
	sqlite3 *db;
	FILE *out;
	struct fail *why;
	struct arena arena;
	uint64_t key_seed;
	uint64_t open, kept, bytes;
	uint64_t by_state[2][STATES]; /* by life */
	int faults;
	int shown; /* of this sort */
	int hidden;
	int64_t oldest_ns, newest_ns;
};

#define WRONG(c, ...)                                                                              \
	do {                                                                                       \
		(c)->faults++;                                                                     \
		if ((c)->shown++ < SHOWN_MAX)                                                      \
			fprintf((c)->out, "fault: " __VA_ARGS__);                                  \
		else                                                                               \
			(c)->hidden++;                                                             \
	} while (0)

static struct span column(sqlite3_stmt *s, int at)
{
	const void *bytes = sqlite3_column_blob(s, at);

	return span_of(bytes, (size_t)sqlite3_column_bytes(s, at));
}

/* Each row of the statement that the SQL gives. 0 or the check's error. */
static int each(struct check *c, const char *sql, void (*on_row)(struct check *c, sqlite3_stmt *s))
{
	sqlite3_stmt *s = NULL;
	int err = journal_file_prepare(c->db, sql, &s, c->why), rc;

	if (err < 0)
		return err;
	c->shown = 0;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		on_row(c, s);
	if (rc != SQLITE_DONE)
		err = journal_file_fail(c->db, rc, c->why);
	sqlite3_finalize(s);
	return err;
}

/* --- rows --------------------------------------------------------------------------------------------- */

static void note_age(struct check *c, int64_t accepted_ns)
{
	if (c->oldest_ns == 0 || accepted_ns < c->oldest_ns)
		c->oldest_ns = accepted_ns;
	if (accepted_ns > c->newest_ns)
		c->newest_ns = accepted_ns;
}

static void look_at(struct check *c, sqlite3_stmt *s, const char *table,
	const struct task_order *order)
{
	int64_t row = sqlite3_column_int64(s, 0);

	note_age(c, order->accepted_ns);
	if (!span_eq(order->tenant, column(s, 5)) || !span_eq(order->key, column(s, 6)))
		WRONG(c, "row %" PRId64 " of %s: tenant or key differ from those in its order\n",
			row, table);
}

/* columns: row, hi, lo, forget_ns, key_hash, tenant, key, order, state */
static void on_row(struct check *c, sqlite3_stmt *s, bool is_kept, struct task_state *state)
{
	const char *table = is_kept ? "kept" : "open";
	int64_t row = sqlite3_column_int64(s, 0);
	const struct journal_image image = {
		.row = (uint64_t)row,
		.life = is_kept ? JOURNAL_KEPT : JOURNAL_OPEN,
		.task = { (uint64_t)sqlite3_column_int64(s, 1),
			(uint64_t)sqlite3_column_int64(s, 2) },
		.forget_ns = sqlite3_column_int64(s, 3),
	};
	struct span order_bytes = column(s, 7), state_bytes = column(s, 8);
	struct fail why = { 0 };
	struct task_order order;

	state->state = STATE_NONE;
	arena_reset(&c->arena);
	if (!journal_seal_take(&order_bytes, journal_seal_order(&image)))
		WRONG(c, "row %" PRId64 " of %s: its order is damaged: the sum does not fit\n", row,
			table);
	else if (task_order_decode(&c->arena, order_bytes, &order, &why) < 0)
		WRONG(c, "row %" PRId64 " of %s: its order cannot be read: %s %s\n", row, table,
			why.field, why.detail);
	else
		look_at(c, s, table, &order);
	if (!journal_seal_take(&state_bytes, journal_seal_state(&image))) {
		WRONG(c,
			"row %" PRId64 " of %s: its state, task or time is damaged: the sum does "
			"not fit\n",
			row, table);
		return;
	}
	if (task_state_decode(&c->arena, state_bytes, state, &why) < 0) {
		WRONG(c, "row %" PRId64 " of %s: its state cannot be read: %s %s\n", row, table,
			why.field, why.detail);
		state->state = STATE_NONE;
		return;
	}
	c->by_state[is_kept][state->state]++;
}

static void on_open(struct check *c, sqlite3_stmt *s)
{
	struct task_state state;

	c->open++;
	on_row(c, s, false, &state);
}

static void on_kept(struct check *c, sqlite3_stmt *s)
{
	int64_t row = sqlite3_column_int64(s, 0);
	struct span tenant = column(s, 5), key = column(s, 6);
	struct task_state state;

	c->kept++;
	c->bytes += tenant.len + key.len + column(s, 7).len + column(s, 8).len + JOURNAL_ROW_BYTES;
	on_row(c, s, true, &state);
	if (state.state != STATE_NONE && !state_is_final(state.state))
		WRONG(c, "row %" PRId64 " of kept: its task has not ended\n", row);
	if ((key.len == 0) != (sqlite3_column_type(s, 4) == SQLITE_NULL) ||
		(key.len > 0 && sqlite3_column_int64(s, 4) !=
					journal_db_key_hash(c->key_seed, tenant, key)))
		WRONG(c, "row %" PRId64 " of kept: its key cannot be found by its number\n", row);
}

static void on_twice(struct check *c, sqlite3_stmt *s)
{
	WRONG(c, "row %" PRId64 ": %s\n", (int64_t)sqlite3_column_int64(s, 0),
		(const char *)sqlite3_column_text(s, 1));
}

static int look_at_rows(struct check *c)
{
	int err = each(c,
		"SELECT row, task_hi, task_lo, 0, NULL, tenant, key,"
		" ifnull(l.task_order, o.task_order), task_state"
		" FROM open o LEFT JOIN long_order l USING(row)",
		on_open);

	if (err == 0)
		err = each(c, "SELECT * FROM kept", on_kept);
	if (err == 0)
		err = each(c,
			"SELECT row, 'it is both open and kept' FROM open JOIN kept USING(row)",
			on_twice);
	if (err == 0)
		err = each(c,
			"SELECT max(row), 'its task stands in another row, too' FROM"
			" (SELECT row, task_hi, task_lo FROM open UNION ALL"
			" SELECT row, task_hi, task_lo FROM kept)"
			" GROUP BY task_hi, task_lo HAVING count(*) > 1",
			on_twice);
	if (err == 0)
		err = each(c,
			"SELECT max(row), 'its key stands in another row of the tenant, too' FROM"
			" (SELECT row, tenant, key FROM open WHERE key <> '' UNION ALL"
			" SELECT row, tenant, key FROM kept WHERE key <> '')"
			" GROUP BY tenant, key HAVING count(*) > 1",
			on_twice);
	return err;
}

/* --- the file ----------------------------------------------------------------------------------------- */

static void on_integrity(struct check *c, sqlite3_stmt *s)
{
	struct span said = column(s, 0);

	if (!span_is(said, "ok"))
		WRONG(c, "SQLite says: %.*s\n", (int)said.len, (const char *)said.at);
}

static void on_total(struct check *c, sqlite3_stmt *s)
{
	if ((uint64_t)sqlite3_column_int64(s, 0) != c->kept)
		WRONG(c, "the file counts %lld kept tasks, there are %" PRIu64 "\n",
			(long long)sqlite3_column_int64(s, 0), c->kept);
	if ((uint64_t)sqlite3_column_int64(s, 1) != c->bytes)
		WRONG(c, "the file counts %lld bytes of kept tasks, there are %" PRIu64 "\n",
			(long long)sqlite3_column_int64(s, 1), c->bytes);
}

static int look_at_file(struct check *c)
{
	int64_t seed = 0;
	int err = each(c, "PRAGMA integrity_check(20)", on_integrity);

	if (err == 0)
		err = journal_file_int(c->db, "SELECT key_seed FROM total", &seed, c->why);
	c->key_seed = (uint64_t)seed;
	if (err == 0)
		err = look_at_rows(c);
	if (err == 0)
		err = each(c, "SELECT kept_rows, kept_bytes FROM total", on_total);
	return err;
}

static void tell(const struct check *c)
{
	static const char *const lives[] = { "open", "kept" };
	char text[CLOCKS_TEXT_BYTES], bytes[24];

	for (int life = 0; life < 2; life++)
		for (int i = 0; i < STATES; i++)
			if (c->by_state[life][i] > 0)
				fprintf(c->out, "%s %s: %" PRIu64 "\n", lives[life],
					state_name((enum state)i), c->by_state[life][i]);
	fprintf(c->out, "%" PRIu64 " tasks are open; %" PRIu64 " have ended and are kept, %s\n",
		c->open, c->kept, fmt_bytes_text((int64_t)c->bytes, bytes));
	if (c->newest_ns != 0) {
		fprintf(c->out, "accepted from %s", clocks_text(c->oldest_ns, text));
		fprintf(c->out, " to %s\n", clocks_text(c->newest_ns, text));
	}
	if (c->hidden > 0)
		fprintf(c->out, "%d more faults are not shown\n", c->hidden);
	if (c->faults == 0)
		fprintf(c->out, "the journal is whole: a router can go on from it\n");
	else
		fprintf(c->out,
			"%d faults: a router would refuse it or lose tasks; restore a copy, or "
			"take the "
			"whole rows out with sqlite3\n",
			c->faults);
}

int journal_check(const char *path, FILE *out, struct fail *why)
{
	struct check c = { .out = out, .why = why };
	int err = journal_file_open(path, NULL, JOURNAL_FILE_CHECK, &c.db, why);

	if (err < 0)
		return err;
	arena_init(&c.arena, ARENA_BYTES);
	err = look_at_file(&c);
	if (err < 0)
		WRONG(&c, "the file cannot be read to the end: %s\n", why->detail);
	tell(&c);
	arena_done(&c.arena);
	journal_file_close(c.db, true);
	return c.faults;
}
