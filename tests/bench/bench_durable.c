/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_durable [SECONDS]: tasks of kind util.echo, 256 bytes, through real processes, each flushed to the
 * router's journal when it is accepted and when it ends; beside it the floor, in the same run: the same rows in
 * groups of the same order of size, written by bare SQLite in one thread. Then how long a router takes to
 * start on a journal of 100,000 open tasks, alone and beside 1,000,000 ended ones.
 */
#include <stdio.h>
#include <stdlib.h>
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
	int err = db_begin(db);

	for (uint64_t i = 0; i < n && err == 0; i++) {
		struct journal_image image = image_of(m, from + i, ended);

		err = db_put(db, &image);
	}
	return err < 0 ? err : db_commit(db);
}

/* --- the floor ---------------------------------------------------------------------------------------- */

/* Tasks a second: each comes in one group and ends in the next. */
static double floor_per_s(const char *path, double seconds)
{
	struct fail why = { 0 };
	struct images m = { 0 };
	struct journal_db *db = db_open(path, NULL, true, &why);
	int64_t begun = clocks_mono(), now;
	uint64_t row = 1, done = 0;

	if (db == NULL)
		return -1;
	make_images(&m);
	do {
		if (put_rows(db, &m, row, GROUP, false) < 0 ||
			put_rows(db, &m, row, GROUP, true) < 0)
			return -1;
		row += GROUP;
		done += GROUP;
		now = clocks_mono();
	} while (now - begun < (int64_t)(seconds * 1e9));
	done_images(&m);
	db_close(db);
	return (double)done / ((double)(now - begun) / 1e9);
}

/* --- a router on a full journal ----------------------------------------------------------------------- */

static int fill(const char *path, uint64_t open_n, uint64_t kept_n)
{
	struct fail why = { 0 };
	struct images m = { 0 };
	struct journal_db *db = db_open(path, NULL, true, &why);
	int err = db == NULL ? why.code : 0;

	make_images(&m);
	for (uint64_t i = 0; i < kept_n && err == 0; i += 10000)
		err = put_rows(db, &m, 1 + i, 10000, true);
	for (uint64_t i = 0; i < open_n && err == 0; i += 10000)
		err = put_rows(db, &m, 1 + kept_n + i, 10000, false);
	done_images(&m);
	db_close(db);
	return err;
}

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
	}
	return 0;
}

static int run(const char *url, const char *dir, double seconds)
{
	struct proc router = { 0 }, node = { 0 };
	struct figures f = { 0 };
	char journal[128], open_only[128], full[128];
	double recover, recover_full;
	int r;

	snprintf(journal, sizeof journal, "%s/journal.db", dir);
	snprintf(open_only, sizeof open_only, "%s/open.db", dir);
	snprintf(full, sizeof full, "%s/full.db", dir);
	const char *const router_args[] = { "--url", url, "--name", "router-1", "--log-level",
		"warn", "--journal", journal, NULL };
	const char *const node_args[] = { "--url", url, "--name", "cpu-1", "--log-level", "warn",
		"--slots", NODE_SLOTS, NULL };

	r = proc_start(&router, "spu-router", router_args);
	if (r == 0)
		r = proc_start(&node, "spu-cpu-node", node_args);
	if (r == 0)
		r = measure(url, dir, seconds, &f);
	proc_stop(&node);
	proc_stop(&router);
	if (r < 0 || fill(open_only, 100000, 0) < 0 || fill(full, 100000, 1000000) < 0)
		return -1;
	recover = recover_ms(url, open_only);
	recover_full = recover_ms(url, full);
	printf("figure durable_tasks_per_s %.0f 1/s\n", median(f.durable));
	printf("figure sqlite_floor_per_s %.0f 1/s\n", median(f.floor));
	printf("figure durable_to_floor %.2f ratio\n", median(f.ratio));
	printf("figure durable_alone_ms %.2f ms\n", median(f.alone_ms));
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
