/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_sqlite: the owner thread gathers, the writer writes. What they share is one job, moved there and back through
 * two mailboxes: who has it may touch it, the group that it names and, with the job, the writing connection.
 */
#include "router/journal_sqlite.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "base/mem.h"
#include "router/journal_db.h"
#include "router/journal_file.h"
#include "router/journal_read.h"
#include "run/mailbox.h"

#define TEND_NS NS_PER_S /* between two looks for what can be forgotten */

enum job_kind { JOB_WRITE, JOB_TEND, JOB_CHECKPOINT, JOB_STOP };

struct job {
	enum job_kind kind;
	struct journal_group *group; /* WRITE */
	int64_t now_ns;
	/* What came of it. */
	int err;
	struct fail why;
	bool more; /* TEND: there is more to forget. WRITE: the log is long */
	int64_t kept;
	int64_t room_bytes;
};

struct journal_sqlite {
	struct journal base;
	struct journal_sqlite_conf conf;
	struct loop *loop;
	struct journal_db db; /* the writer's, while it runs */
	struct journal_read read;
	struct journal_group groups[2];
	struct journal_group *gather; /* one of the two; the other is empty or being written */
	struct job job;
	bool busy;    /* the writer has the job */
	bool wanted;  /* commit was asked for while it had another than a group */
	bool hurry;   /* somebody waits: forget later */
	int64_t kept; /* rows in the file */
	struct fail why;
	struct mailbox to_writer;
	struct mailbox from_writer;
	struct loop_fd done_fd;
	struct loop_timer tend;
	pthread_t writer;
	bool writes; /* the thread runs */
};

static struct journal_sqlite *self_of(const struct journal *j)
{
	return CONTAINER(j, struct journal_sqlite, base);
}

static int stand(struct journal_sqlite *s, int err)
{
	if (s->why.code == 0)
		fail_set(&s->why, err, "journal", 0, NULL);
	return s->why.code;
}

/* --- the writer --------------------------------------------------------------------------------------- */

static int tend(struct journal_sqlite *s, struct job *job)
{
	int more = journal_db_tend(&s->db, job->now_ns, &job->why);
	int err = more < 0 ? more : journal_db_checkpoint(&s->db, &job->why);

	job->more = more > 0;
	return err;
}

static void run_job(struct journal_sqlite *s, struct job *job)
{
	switch (job->kind) {
	case JOB_WRITE:
		job->err = journal_db_write(&s->db, job->group, job->now_ns, &job->why);
		job->more = journal_db_log_is_long(&s->db);
		break;
	case JOB_TEND:
		job->err = tend(s, job);
		break;
	case JOB_CHECKPOINT:
		job->err = journal_db_checkpoint(&s->db, &job->why);
		break;
	case JOB_STOP:
		break;
	}
	job->kept = s->db.kept_rows;
	job->room_bytes = journal_file_room(s->conf.path);
}

static struct job *wait_for(struct mailbox *m)
{
	struct job *job;

	while ((job = mailbox_take(m)) == NULL) {
		struct pollfd fd = { .fd = m->fd, .events = POLLIN };

		(void)poll(&fd, 1, -1);
	}
	return job;
}

static void *write_on(void *ctx)
{
	struct journal_sqlite *s = ctx;
	bool stop = false;

	while (!stop) {
		struct job *job = wait_for(&s->to_writer);

		stop = job->kind == JOB_STOP;
		run_job(s, job);
		CHECK(mailbox_post(&s->from_writer, job));
	}
	return NULL;
}

/* Signals belong to the owner thread. */
static int start_writer(struct journal_sqlite *s, struct fail *why)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &old) == 0);
	r = pthread_create(&s->writer, NULL, write_on, s);
	CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
	if (r != 0)
		return fail_set(why, ERR_NO_MEMORY, "journal", 0, "no thread for the journal");
	(void)pthread_setname_np(s->writer, "spu-journal");
	s->writes = true;
	return 0;
}

/* --- jobs --------------------------------------------------------------------------------------------- */

static void start(struct journal_sqlite *s, enum job_kind kind)
{
	CHECK(!s->busy);
	s->job = (struct job){ .kind = kind,
		.now_ns = s->conf.now == NULL ? s->loop->now_ns : s->conf.now(s->conf.now_ctx) };
	if (kind == JOB_WRITE) {
		s->job.group = s->gather;
		s->gather = s->gather == &s->groups[0] ? &s->groups[1] : &s->groups[0];
		s->wanted = false;
	}
	s->busy = true;
	CHECK(mailbox_post(&s->to_writer, &s->job));
}

static const struct journal_group *written(const struct journal_sqlite *s)
{
	return s->busy && s->job.kind == JOB_WRITE ? s->job.group : NULL;
}

static void count(struct journal_sqlite *s)
{
	const struct journal_group *w = written(s);

	s->base.waiting_rows = s->gather->rows_n + (w == NULL ? 0 : w->rows_n);
	s->base.waiting_bytes = s->gather->bytes.len + (w == NULL ? 0 : w->bytes.len);
	s->base.kept = (uint64_t)s->kept + s->gather->kept + (w == NULL ? 0 : w->kept);
}

static void tend_later(struct journal_sqlite *s)
{
	int err = loop_timer_set(s->loop, &s->tend, s->loop->now_ns + TEND_NS);

	(void)err; /* without a place among the timers the groups still forget */
}

/* What comes next, now that the writer has nothing to do. */
static void go_on(struct journal_sqlite *s, const struct job *ended)
{
	if (ended->kind == JOB_WRITE && ended->more)
		start(s, JOB_CHECKPOINT);
	else if (s->wanted && s->gather->rows_n > 0)
		start(s, JOB_WRITE);
	else if (ended->kind == JOB_TEND && ended->more && !s->hurry)
		start(s, JOB_TEND);
}

static void end_job(struct journal_sqlite *s, const struct job *job)
{
	struct job ended = *job;

	s->busy = false;
	s->kept = ended.kept;
	s->base.room_bytes = ended.room_bytes;
	if (ended.err < 0) {
		s->why = ended.why;
		(void)stand(s, ended.err);
	} else if (ended.kind == JOB_WRITE) {
		s->base.safe += ended.group->images;
		s->base.groups++;
		journal_group_reset(ended.group);
	}
	count(s);
	if (s->why.code == 0)
		go_on(s, &ended);
}

static void on_done(void *ctx, uint32_t events)
{
	struct journal_sqlite *s = ctx;
	const struct job *job = mailbox_take(&s->from_writer);
	bool tell;

	(void)events;
	if (job == NULL) /* sync took it */
		return;
	tell = job->kind == JOB_WRITE || job->err < 0;
	end_job(s, job);
	if (tell && s->base.on_safe != NULL)
		s->base.on_safe(s->base.safe_ctx);
}

static void on_tend(void *ctx, int64_t now_ns)
{
	struct journal_sqlite *s = ctx;

	(void)now_ns;
	if (!s->busy && s->why.code == 0 && s->gather->rows_n == 0)
		start(s, JOB_TEND);
	tend_later(s);
}

/* --- the owner ---------------------------------------------------------------------------------------- */

static int sqlite_append(struct journal *j, const struct journal_image *image)
{
	struct journal_sqlite *s = self_of(j);
	int err;

	if (s->why.code != 0)
		return s->why.code;
	err = journal_group_add(s->gather, image);
	if (err < 0)
		return stand(s, err);
	j->appended++;
	if (image->row >= j->next_row)
		j->next_row = image->row + 1;
	count(s);
	return 0;
}

static int sqlite_commit(struct journal *j)
{
	struct journal_sqlite *s = self_of(j);

	if (s->why.code != 0)
		return s->why.code;
	if (s->gather->rows_n == 0)
		return 0;
	if (!s->busy)
		start(s, JOB_WRITE);
	else
		s->wanted = s->job.kind != JOB_WRITE;
	return 0;
}

static int sqlite_sync(struct journal *j)
{
	struct journal_sqlite *s = self_of(j);

	s->hurry = true;
	while (s->why.code == 0 && (s->busy || s->gather->rows_n > 0)) {
		if (!s->busy)
			start(s, JOB_WRITE);
		end_job(s, wait_for(&s->from_writer));
	}
	s->hurry = false;
	return s->why.code;
}

/* --- reading ------------------------------------------------------------------------------------------ */

struct wanted {
	struct journal_sqlite *s;
	journal_row_fn *on_row;
	void *ctx;
	struct fail *why;
	const struct journal_image *image; /* whose order is asked for */
	bool found;
};

/* After an error of the writer nothing is told of what may not be safe. */
static int standing(const struct journal_sqlite *s, struct fail *why)
{
	if (s->why.code != 0 && why != NULL)
		*why = s->why;
	return s->why.code;
}

static bool on_order(void *ctx, const struct journal_image *safe)
{
	struct wanted *w = ctx;
	struct journal_image whole = *w->image;

	whole.order = safe->order;
	whole.damaged = safe->damaged;
	w->found = true;
	w->on_row(w->ctx, &whole);
	return false;
}

/* Hand on an image that is not in the file yet. Its order may be in an earlier image of the row. */
static int hand_waiting(struct wanted *w, const struct journal_group *g,
	const struct journal_group_row *row)
{
	struct journal_image image = journal_group_image(g, row);
	const struct journal_group *before = written(w->s);
	const struct journal_group_row *earlier =
		before == NULL || before == g ? NULL : journal_group_row(before, row->row);

	if (image.order.len == 0 && earlier != NULL)
		image.order = journal_group_image(before, earlier).order;
	if (image.order.len == 0) {
		w->image = &image;
		return journal_read_row(&w->s->read, row->row, on_order, w, w->why);
	}
	w->found = true;
	w->on_row(w->ctx, &image);
	return 0;
}

static const struct journal_group_row *newest(const struct journal_sqlite *s, uint64_t row)
{
	const struct journal_group *before = written(s);
	const struct journal_group_row *found = journal_group_row(s->gather, row);

	return found == NULL && before != NULL ? journal_group_row(before, row) : found;
}

/* A row of the file, unless what waits says otherwise of it: then it was found there, or is not kept any more. */
static bool on_safe_row(void *ctx, const struct journal_image *image)
{
	struct wanted *w = ctx;

	if (newest(w->s, image->row) != NULL)
		return true;
	w->found = true;
	w->on_row(w->ctx, image);
	return false;
}

/* The latest word in what waits: gathered, then being written unless it is gathered again. 1: it was there. */
static int find_waiting(struct wanted *w, const struct journal_group_row *gathered,
	const struct journal_group_row *writing)
{
	int err = 0;

	if (gathered != NULL)
		err = hand_waiting(w, w->s->gather, gathered);
	else if (writing != NULL && journal_group_row(w->s->gather, writing->row) == NULL)
		err = hand_waiting(w, written(w->s), writing);
	return err < 0 ? err : w->found;
}

static int sqlite_find(struct journal *j, struct ulid task, journal_row_fn *on_row, void *ctx,
	struct fail *why)
{
	struct journal_sqlite *s = self_of(j);
	const struct journal_group *before = written(s);
	struct wanted w = { .s = s, .on_row = on_row, .ctx = ctx, .why = why };
	int err = standing(s, why);

	if (err < 0)
		return err;
	err = find_waiting(&w, journal_group_task(s->gather, task),
		before == NULL ? NULL : journal_group_task(before, task));
	if (err == 0)
		err = journal_read_task(&s->read, task, on_safe_row, &w, why);
	return err < 0 ? err : w.found;
}

static int sqlite_find_key(struct journal *j, struct span tenant, struct span key,
	journal_row_fn *on_row, void *ctx, struct fail *why)
{
	struct journal_sqlite *s = self_of(j);
	const struct journal_group *before = written(s);
	struct wanted w = { .s = s, .on_row = on_row, .ctx = ctx, .why = why };
	int err = standing(s, why);

	if (err < 0)
		return err;
	err = find_waiting(&w, journal_group_key(s->gather, tenant, key),
		before == NULL ? NULL : journal_group_key(before, tenant, key));
	if (err == 0)
		err = journal_read_key(&s->read, tenant, key, on_safe_row, &w, why);
	return err < 0 ? err : w.found;
}

static int sqlite_load_kept(struct journal *j, uint32_t max, journal_row_fn *on_row, void *ctx)
{
	struct journal_sqlite *s = self_of(j);
	int err = sqlite_sync(j);

	return err < 0 ? err : journal_read_kept(&s->read, max, on_row, ctx, &s->why);
}

static int sqlite_load(struct journal *j, journal_row_fn *on_row, void *ctx)
{
	struct journal_sqlite *s = self_of(j);
	int err = sqlite_sync(j);

	return err < 0 ? err : journal_read_load(&s->read, on_row, ctx, &s->why);
}

/* --- opening and closing ------------------------------------------------------------------------------ */

static void stop_writer(struct journal_sqlite *s)
{
	if (!s->writes)
		return;
	s->hurry = true;
	while (s->busy)
		end_job(s, wait_for(&s->from_writer));
	start(s, JOB_STOP);
	(void)wait_for(&s->from_writer);
	CHECK(pthread_join(s->writer, NULL) == 0);
}

static void sqlite_close(struct journal *j)
{
	struct journal_sqlite *s = self_of(j);

	if (s->writes)
		(void)sqlite_sync(j);
	stop_writer(s);
	loop_timer_stop(s->loop, &s->tend);
	if (s->done_fd.on_ready != NULL)
		loop_fd_drop(s->loop, &s->done_fd);
	mailbox_close(&s->to_writer);
	mailbox_close(&s->from_writer);
	journal_read_close(&s->read);
	journal_db_close(&s->db, s->why.code != 0);
	journal_group_done(&s->groups[0]);
	journal_group_done(&s->groups[1]);
	mem_free(s);
}

static int open_files(struct journal_sqlite *s, struct fail *why)
{
	const struct journal_db_conf conf = {
		.path = s->conf.path,
		.vfs = s->conf.vfs,
		.rows_max = s->conf.rows_max,
		.bytes_max = s->conf.bytes_max,
		.log_pages = s->conf.log_pages,
	};
	int err = journal_db_open(&s->db, &conf, why);

	if (err == 0)
		err = journal_read_open(&s->read, s->conf.path, s->conf.vfs, why);
	s->base.next_row = s->db.high + 1;
	s->kept = s->db.kept_rows;
	s->base.room_bytes = journal_file_room(s->conf.path);
	return err;
}

static int open_ways(struct journal_sqlite *s, struct fail *why)
{
	if (mailbox_open(&s->to_writer, 1) < 0 || mailbox_open(&s->from_writer, 1) < 0)
		return fail_set(why, ERR_NO_MEMORY, "journal", 0, NULL);
	s->done_fd = (struct loop_fd){ s->from_writer.fd, EPOLLIN, on_done, s };
	if (loop_fd_add(s->loop, &s->done_fd) < 0) {
		s->done_fd.on_ready = NULL;
		return fail_set(why, ERR_IO, "journal", 0, "no descriptor for the journal");
	}
	return 0;
}

struct journal *journal_sqlite_open(struct loop *l, const struct journal_sqlite_conf *conf,
	struct fail *why)
{
	static const struct journal_ops ops = { "sqlite", sqlite_append, sqlite_commit, sqlite_sync,
		sqlite_load, sqlite_load_kept, sqlite_find, sqlite_find_key, sqlite_close };
	struct journal_sqlite *s = mem_alloc(sizeof *s);
	int err;

	if (s == NULL) {
		fail_set(why, ERR_NO_MEMORY, "journal", 0, NULL);
		return NULL;
	}
	s->base.ops = &ops;
	s->conf = *conf;
	s->loop = l;
	s->tend = (struct loop_timer){ .on_due = on_tend, .ctx = s };
	s->gather = &s->groups[0];
	err = open_ways(s, why);
	if (err == 0)
		err = open_files(s, why);
	for (unsigned i = 0; err == 0 && i < ARRAY_LEN(s->groups); i++)
		journal_group_init(&s->groups[i], s->read.key_seed);
	if (err == 0)
		err = start_writer(s, why);
	if (err < 0) {
		s->why.code = err; /* nothing is written on the way out */
		sqlite_close(&s->base);
		return NULL;
	}
	count(s);
	tend_later(s);
	return &s->base;
}

const struct fail *journal_sqlite_fail(const struct journal *j)
{
	return &self_of(j)->why;
}
