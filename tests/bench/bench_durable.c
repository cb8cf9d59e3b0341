/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_durable [SECONDS]: tasks of kind util.echo, 256 bytes, through real processes, each flushed to the
 * router's journal when it is accepted and when it ends; beside it the floor, in the same run: the same rows in
 * groups of the same order of size, written by bare SQLite in one thread. Then the same load on a router whose journal
 * keeps few ended tasks, so that it forgets as many as come: kept_*; and on one that lets few tasks wait for the flush,
 * so that it refuses some: limited_*. Then how long a router takes to start on a journal of 100,000 open tasks, alone
 * and beside 1,000,000 ended ones.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "router/journal_db.h"
#include "run/clocks.h"
#include "tests/bench/load.h"
#include "tests/support/nats.h"
#include "tests/support/proc.h"
#include "wire/body.h"
#include "wire/journal.h"

#define ROUNDS 3
#define MANY 4096
#define GROUP 2048 /* images: about what gathers while one group is written */
#define PAYLOAD 256
#define NODE_SLOTS "4096"
#define KEPT_ROWS "20000"
#define WAIT_ROWS "1000"

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof *v, by_size);
	return v[ROUNDS / 2];
}

/* --- rows as a router writes them --------------------------------------------------------------------- */

struct images {
	struct buf body, order, queued, ended;
};

static void make_images(struct images *m)
{
	unsigned char payload[PAYLOAD];
	struct buf *all[] = { &m->body, &m->order, &m->queued, &m->ended };

	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		buf_init(all[i], 1 << 16);
	memset(payload, 'x', sizeof payload);
	body_put_item(&m->body, SPAN_LIT(""), SPAN_LIT(""), span_of(payload, sizeof payload));
	struct task_order o = {
		.kind = SPAN_LIT("util.echo"),
		.tenant = SPAN_LIT("local"),
		.stream = SPAN_LIT("0123456789abcdef"),
		.body = buf_span(&m->body),
		.ladder = { { RUNG_CPU }, 1 },
		.accepted_ns = clocks_wall(),
		.deadline_ns = clocks_wall() + 600 * NS_PER_S,
	};
	/* A placement with one candidate takes about so much. */
	struct task_state s = {
		.state = STATE_ASSIGNED,
		.node = SPAN_LIT("cpu-1"),
		.steps = SPAN_LIT("01234567890123456789012345678901234567890123456789012345"),
		.rung_ns = clocks_wall(),
		.seq = 65,
		.attempt = 1,
		.attempts = 1,
	};

	task_order_put(&m->order, &o);
	s.state = STATE_QUEUED;
	task_state_put(&m->queued, &s);
	s.state = STATE_SUCCEEDED;
	s.result = buf_span(&m->body);
	s.ended_ns = clocks_wall();
	task_state_put(&m->ended, &s);
}

static void done_images(struct images *m)
{
	buf_done(&m->body);
	buf_done(&m->order);
	buf_done(&m->queued);
	buf_done(&m->ended);
}

static struct journal_image image_of(const struct images *m, uint64_t row, bool ended)
{
	return (struct journal_image){
		.row = row,
		.life = ended ? JOURNAL_KEPT : JOURNAL_OPEN,
		.task = { row << 20, row * UINT64_C(0x9e3779b97f4a7c15) },
		.tenant = SPAN_LIT("local"),
		.forget_ns = ended ? clocks_wall() + 86400 * NS_PER_S : 0,
		.order = buf_span(&m->order),
		.state = ended ? buf_span(&m->ended) : buf_span(&m->queued),
	};
}

static int put_rows(struct journal_db *db, const struct images *m, uint64_t from, uint64_t n,
	bool ended)
{
	CLEANUP(journal_group_done) struct journal_group g = { 0 };
	int err = 0;

	journal_group_init(&g, 0);
	for (uint64_t i = 0; i < n && err == 0; i++) {
		struct journal_image image = image_of(m, from + i, ended);

		err = journal_group_add(&g, &image);
	}
	return err < 0 ? err : journal_db_write(db, &g, 0, NULL);
}

static int fill(const char *path, uint64_t open_n, uint64_t kept_n)
{
	struct images m = { 0 };
	struct journal_db db;
	int err = journal_db_open(&db, &(struct journal_db_conf){ .path = path }, NULL);

	if (err < 0)
		return err;
	make_images(&m);
	for (uint64_t i = 0; i < kept_n && err == 0; i += 10000)
		err = put_rows(&db, &m, 1 + i, 10000, true);
	for (uint64_t i = 0; i < open_n && err == 0; i += 10000)
		err = put_rows(&db, &m, 1 + kept_n + i, 10000, false);
	done_images(&m);
	journal_db_close(&db, err < 0);
	return err;
}

/* --- bare SQLite: the floor ---------------------------------------------------------------------------------------- */

static const char floor_schema[] = "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA "
				   "synchronous=FULL; PRAGMA cache_size=-16384;"
				   "PRAGMA wal_autocheckpoint=4096;"
				   "CREATE TABLE open(row INTEGER PRIMARY KEY, task BLOB, tenant "
				   "TEXT, key TEXT, job BLOB, state BLOB) STRICT;"
				   "CREATE TABLE kept(row INTEGER PRIMARY KEY, task BLOB, tenant "
				   "TEXT, key TEXT, forget_ns INTEGER, job BLOB,"
				   " state BLOB) STRICT;"
				   "CREATE INDEX kept_task ON kept(task);"
				   "CREATE INDEX kept_forget ON kept(forget_ns);"
				   "CREATE INDEX kept_key ON kept(tenant, key) WHERE key <> ''";

static bool run_with(sqlite3_stmt *s, const struct journal_image *i)
{
	sqlite3_bind_int64(s, 1, (int64_t)i->row);
	if (sqlite3_bind_parameter_count(s) > 1) {
		sqlite3_bind_blob(s, 2, &i->task, sizeof i->task, SQLITE_STATIC);
		sqlite3_bind_blob(s, 3, i->order.at, (int)i->order.len, SQLITE_STATIC);
		sqlite3_bind_blob(s, 4, i->state.at, (int)i->state.len, SQLITE_STATIC);
	}
	if (sqlite3_bind_parameter_count(s) > 4)
		sqlite3_bind_int64(s, 5, i->forget_ns);
	bool ok = sqlite3_step(s) == SQLITE_DONE;

	sqlite3_reset(s);
	return ok;
}

struct bare {
	sqlite3 *db;
	sqlite3_stmt *open, *drop, *kept;
};

static bool bare_group(struct bare *b, const struct images *m, uint64_t row, bool ended)
{
	bool ok = sqlite3_exec(b->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;

	for (uint64_t i = row; ok && i < row + GROUP; i++) {
		struct journal_image image = image_of(m, i, ended);

		ok = ended ? run_with(b->drop, &image) && run_with(b->kept, &image)
			   : run_with(b->open, &image);
	}
	return ok && sqlite3_exec(b->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
}

static bool bare_open(struct bare *b, const char *path)
{
	return sqlite3_open(path, &b->db) == SQLITE_OK &&
	       sqlite3_exec(b->db, floor_schema, NULL, NULL, NULL) == SQLITE_OK &&
	       sqlite3_prepare_v2(b->db, "INSERT INTO open VALUES(?1, ?2, 'local', '', ?3, ?4)", -1,
		       &b->open, NULL) == SQLITE_OK &&
	       sqlite3_prepare_v2(b->db, "DELETE FROM open WHERE row = ?1", -1, &b->drop, NULL) ==
		       SQLITE_OK &&
	       sqlite3_prepare_v2(b->db, "INSERT INTO kept VALUES(?1, ?2, 'local', '', ?5, ?3, ?4)",
		       -1, &b->kept, NULL) == SQLITE_OK;
}

/* Tasks a second: each comes in one group and ends in the next. */
static double floor_per_s(const char *path, double seconds)
{
	struct images m = { 0 };
	struct bare b = { .db = NULL };
	int64_t begun, now;
	uint64_t row = 1;
	bool ok = bare_open(&b, path);

	make_images(&m);
	begun = now = clocks_mono();
	for (; ok && now - begun < (int64_t)(seconds * 1e9); now = clocks_mono(), row += GROUP)
		ok = bare_group(&b, &m, row, false) && bare_group(&b, &m, row, true);
	done_images(&m);
	sqlite3_finalize(b.open);
	sqlite3_finalize(b.drop);
	sqlite3_finalize(b.kept);
	sqlite3_close(b.db);
	return ok ? (double)(row - 1) / ((double)(now - begun) / 1e9) : -1;
}

/* --- a router on a full journal ----------------------------------------------------------------------- */

static double recover_ms(const char *url, const char *path)
{
	const char *const args[] = { "--url", url, "--name", "router-2", "--log-level", "warn",
		"--journal", path, NULL };
	struct proc router = { 0 };

	if (proc_start(&router, "spu-router", args) < 0)
		return -1;
	proc_stop(&router);
	return (double)router.ready_ns / 1e6;
}

/* --- the whole ---------------------------------------------------------------------------------------- */

struct figures {
	double floor[ROUNDS], durable[ROUNDS], ratio[ROUNDS], alone_ms[ROUNDS];
	double ack_p50_ms[ROUNDS], ack_p99_ms[ROUNDS];
};

static int measure(const char *url, const char *dir, double seconds, struct figures *f)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct load_result many, alone;
		char path[128];

		snprintf(path, sizeof path, "%s/floor%d.db", dir, i);
		f->floor[i] = floor_per_s(path, seconds);
		if (f->floor[i] < 0 || load_run(url, MANY, seconds, false, &many) < 0 ||
			load_run(url, 1, seconds / 2, false, &alone) < 0)
			return -1;
		if (many.failed + alone.failed > 0)
			fprintf(stderr, "%lu tasks failed\n",
				(unsigned long)(many.failed + alone.failed));
		f->durable[i] = many.per_s;
		f->ratio[i] = many.per_s / f->floor[i];
		f->alone_ms[i] = alone.p50_us / 1e3;
		f->ack_p50_ms[i] = many.ack_p50_us / 1e3;
		f->ack_p99_ms[i] = many.ack_p99_us / 1e3;
	}
	return 0;
}

/* A router with a journal of its own and one more setting (NULL: none), and a node. */
struct mesh {
	struct proc router, node;
	char journal[160];
};

static int mesh_start(struct mesh *m, const char *url, const char *dir, const char *key,
	const char *value)
{
	const char *const router_args[] = { "--url", url, "--name", "router-1", "--log-level",
		"warn", "--journal", m->journal, key, value, NULL };
	const char *const node_args[] = { "--url", url, "--name", "cpu-1", "--log-level", "warn",
		"--slots", NODE_SLOTS, NULL };
	int r;

	snprintf(m->journal, sizeof m->journal, "%s/journal%s.db", dir, key == NULL ? "" : key);
	r = proc_start(&m->router, "spu-router", router_args);
	return r < 0 ? r : proc_start(&m->node, "spu-cpu-node", node_args);
}

static void mesh_stop(struct mesh *m)
{
	proc_stop(&m->node);
	proc_stop(&m->router);
}

/* The load that `measure` has, on a router with one setting more. */
static int load_with(const char *url, const char *dir, const char *key, const char *value,
	double seconds, struct load_result *ret, off_t *ret_bytes)
{
	struct mesh m = { .journal = "" };
	struct stat st = { .st_size = 0 };
	int r = mesh_start(&m, url, dir, key, value);

	if (r == 0)
		r = load_run(url, MANY, seconds, false, ret);
	mesh_stop(&m);
	if (r == 0)
		r = stat(m.journal, &st);
	*ret_bytes = st.st_size;
	return r;
}

static int limits(const char *url, const char *dir, double seconds)
{
	struct load_result kept, limited;
	off_t bytes, ignored;

	if (load_with(url, dir, "--journal-rows", KEPT_ROWS, seconds, &kept, &bytes) < 0 ||
		load_with(url, dir, "--journal-wait-rows", WAIT_ROWS, seconds, &limited, &ignored) <
			0)
		return -1;
	printf("figure kept_tasks_per_s %.0f 1/s\n", kept.per_s);
	printf("figure kept_ack_p99_ms %.2f ms\n", kept.ack_p99_us / 1e3);
	printf("figure kept_file_mb %.1f MB\n", (double)bytes / 1e6);
	printf("figure limited_tasks_per_s %.0f 1/s\n", limited.per_s);
	printf("figure limited_ack_p99_ms %.2f ms\n", limited.ack_p99_us / 1e3);
	printf("figure limited_refused_per_s %.0f 1/s\n",
		(double)limited.refused / (seconds * 3 / 4));
	return 0;
}

static int run(const char *url, const char *dir, double seconds)
{
	struct mesh m = { .journal = "" };
	struct figures f = { 0 };
	char open_only[128], full[128];
	double recover, recover_full;
	int r = mesh_start(&m, url, dir, NULL, NULL);

	snprintf(open_only, sizeof open_only, "%s/open.db", dir);
	snprintf(full, sizeof full, "%s/full.db", dir);
	if (r == 0)
		r = measure(url, dir, seconds, &f);
	mesh_stop(&m);
	if (r < 0)
		return r;
	printf("figure durable_tasks_per_s %.0f 1/s\n", median(f.durable));
	printf("figure sqlite_floor_per_s %.0f 1/s\n", median(f.floor));
	printf("figure durable_to_floor %.2f ratio\n", median(f.ratio));
	printf("figure durable_alone_ms %.2f ms\n", median(f.alone_ms));
	printf("figure durable_ack_p50_ms %.2f ms\n", median(f.ack_p50_ms));
	printf("figure durable_ack_p99_ms %.2f ms\n", median(f.ack_p99_ms));
	if (limits(url, dir, seconds) < 0 || fill(open_only, 100000, 0) < 0 ||
		fill(full, 100000, 1000000) < 0)
		return -1;
	recover = recover_ms(url, open_only);
	recover_full = recover_ms(url, full);
	printf("figure recover_100k_ms %.0f ms\n", recover);
	printf("figure recover_100k_beside_1m_ms %.0f ms\n", recover_full);
	return recover < 0 || recover_full < 0 ? -1 : 0;
}

static void remove_dir(const char *dir)
{
	char command[160];

	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	if (system(command) != 0)
		fprintf(stderr, "%s is left\n", dir);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 3;
	struct broker broker = { 0 };
	char dir[64] = "build/bench-durable.XXXXXX"; /* a disk, not a folder in memory */
	int r;

	if (mkdtemp(dir) == NULL) {
		perror(dir);
		return 1;
	}
	broker_init(&broker);
	broker_start(&broker, NULL);
	r = run(broker.url, dir, seconds);
	broker_done(&broker);
	remove_dir(dir);
	return r < 0;
}
