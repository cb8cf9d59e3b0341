/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_sqlite: two groups, one thread. The writer owns the group that it was given until it says that it is
 * done, through an eventfd; before that the owner thread only reads it.
 */
#include "router/journal_sqlite.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "router/journal_db.h"
#include "router/journal_group.h"
#include "run/log.h"

#define RETAIN_NS (1 * NS_PER_S) /* between two looks for rows whose time has come */
#define RETAIN_BATCH 500         /* db_retain dropped that many: there may be more */

struct journal_sqlite {
	struct journal base;
	struct journal_sqlite_conf conf;
	struct loop *loop;
	struct journal_db *db;
	struct group groups[2];
	struct group *filling, *writing;
	uint64_t writing_n; /* images in the group that is written */
	int err;            /* stands for ever */
	struct loop_fd done;
	struct loop_timer retain;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, idle;
	/* Under the lock. */
	bool busy;     /* the writer has a group, or is to look for old rows */
	bool may_drop; /* it is to look */
	bool finished; /* it is done and the owner has not seen it */
	bool stop;
	int64_t now_ns; /* for old rows */
	int write_err;
	int dropped;
};

static struct journal_sqlite *self_of(struct journal *j)
{
	return CONTAINER(j, struct journal_sqlite, base);
}

/* --- the writer's thread ------------------------------------------------------------------------------ */

static int write_group(struct journal_sqlite *s)
{
	const struct group *g = s->writing;

	if (g->n == 0)
		return 0;
	if (db_begin(s->db) < 0)
		return ERR_IO;
	for (uint32_t i = 0; i < g->n; i++) {
		struct journal_image image = group_image(g, i);

		if (!g->rows[i].replaced && db_put(s->db, &image) < 0)
			return ERR_IO;
	}
	return db_commit(s->db);
}

static void *write_groups(void *arg)
{
	struct journal_sqlite *s = arg;
	const uint64_t one = 1;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->stop && (!s->busy || s->finished))
			pthread_cond_wait(&s->wake, &s->lock);
		if (s->stop)
			break;
		bool may_drop = s->may_drop;
		int64_t now_ns = s->now_ns;

		pthread_mutex_unlock(&s->lock);
		int err = write_group(s);
		int dropped = err == 0 && may_drop ? db_retain(s->db, now_ns, s->conf.rows_max,
							     s->conf.bytes_max)
						   : 0;

		pthread_mutex_lock(&s->lock);
		s->write_err = dropped < 0 ? dropped : err;
		s->dropped = dropped;
		s->finished = true;
		pthread_cond_signal(&s->idle);
		while (write(s->done.fd, &one, sizeof one) < 0 && errno == EINTR)
			;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* --- the owner's side --------------------------------------------------------------------------------- */

static void give(struct journal_sqlite *s, bool may_drop)
{
	struct group *g = s->filling;

	s->filling = s->writing;
	s->writing = g;
	s->writing_n = g->appended;
	s->base.groups += g->n > 0;
	pthread_mutex_lock(&s->lock);
	s->busy = true;
	s->may_drop = may_drop;
	s->now_ns = s->loop->now_ns;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

/* Take back what the writer has finished; with `wait`, wait for it. False: it is still at it, or has nothing. */
static bool take_back(struct journal_sqlite *s, bool wait)
{
	bool done;

	pthread_mutex_lock(&s->lock);
	while (wait && s->busy && !s->finished)
		pthread_cond_wait(&s->idle, &s->lock);
	done = s->busy && s->finished;
	if (done) {
		s->busy = s->finished = false;
		s->err = s->write_err;
	}
	pthread_mutex_unlock(&s->lock);
	if (!done)
		return false;
	if (s->err < 0) {
		log_error("the journal cannot be written", "path", LOG_STR(s->conf.path), "said",
			LOG_STR(db_said(s->db)));
		return true;
	}
	s->base.safe += s->writing_n;
	s->base.kept -= (uint64_t)s->dropped < s->base.kept ? (uint64_t)s->dropped : s->base.kept;
	s->writing_n = 0;
	group_reset(s->writing);
	return true;
}

static void set_retain(struct journal_sqlite *s, int64_t delay_ns)
{
	if (loop_timer_set(s->loop, &s->retain, s->loop->now_ns + delay_ns) < 0)
		s->err = ERR_BUSY;
}

static void on_done(void *ctx, uint32_t events)
{
	struct journal_sqlite *s = ctx;
	bool more;
	uint64_t n;

	(void)events;
	if (read(s->done.fd, &n, sizeof n) < 0 || !take_back(s, false))
		return;
	more = s->dropped >= RETAIN_BATCH;
	if (more && s->err == 0)
		set_retain(s, 0);
	if (s->base.on_safe != NULL)
		s->base.on_safe(s->base.safe_ctx);
}

static void on_retain(void *ctx, int64_t now_ns)
{
	struct journal_sqlite *s = ctx;
	bool busy;

	(void)now_ns;
	pthread_mutex_lock(&s->lock);
	busy = s->busy;
	pthread_mutex_unlock(&s->lock);
	set_retain(s, busy ? 10 * NS_PER_MS : RETAIN_NS);
	if (!busy && s->err == 0)
		give(s, true);
}

static int append(struct journal *j, const struct journal_image *image)
{
	struct journal_sqlite *s = self_of(j);
	int err = s->err < 0 ? s->err : group_add(s->filling, image);

	if (err < 0)
		return err;
	j->appended++;
	j->kept += image->life == JOURNAL_KEPT;
	if (image->row >= j->next_row)
		j->next_row = image->row + 1;
	return 0;
}

static int commit(struct journal *j)
{
	struct journal_sqlite *s = self_of(j);
	bool busy;

	pthread_mutex_lock(&s->lock);
	busy = s->busy;
	pthread_mutex_unlock(&s->lock);
	if (s->err == 0 && !busy && s->filling->n > 0)
		give(s, false);
	return s->err;
}

static int sync_all(struct journal *j)
{
	struct journal_sqlite *s = self_of(j);

	(void)take_back(s, true);
	if (s->err == 0 && s->filling->n > 0) {
		give(s, false);
		(void)take_back(s, true);
	}
	return s->err;
}

static int load(struct journal *j, journal_row_fn *on_row, void *ctx)
{
	int err = sync_all(j);

	return err < 0 ? err : db_load(self_of(j)->db, on_row, ctx);
}

/* A row of the database, unless a group has something newer of it. */
struct newest {
	const struct journal_sqlite *s;
	journal_row_fn *on_row;
	void *ctx;
	bool stale;
};

static bool on_newest(void *ctx, const struct journal_image *image)
{
	struct newest *n = ctx;
	struct journal_image newer;

	n->stale = group_find_row(n->s->filling, image->row, &newer) ||
		   group_find_row(n->s->writing, image->row, &newer);
	if (!n->stale)
		(void)n->on_row(n->ctx, image);
	return false;
}

static int find(struct journal *j, struct ulid task, journal_row_fn *on_row, void *ctx)
{
	struct journal_sqlite *s = self_of(j);
	struct newest n = { s, on_row, ctx, false };
	struct journal_image image;
	int r;

	if (group_find_task(s->filling, task, &image) ||
		group_find_task(s->writing, task, &image)) {
		if (image.life == JOURNAL_KEPT)
			(void)on_row(ctx, &image);
		return image.life == JOURNAL_KEPT;
	}
	r = db_find(s->db, task, on_newest, &n);
	return r == 1 && n.stale ? 0 : r;
}

static int find_key(struct journal *j, struct span tenant, struct span key, journal_row_fn *on_row,
	void *ctx)
{
	struct journal_sqlite *s = self_of(j);
	struct newest n = { s, on_row, ctx, false };
	struct journal_image image;
	int r;

	if (group_find_key(s->filling, tenant, key, &image) ||
		group_find_key(s->writing, tenant, key, &image)) {
		if (image.life == JOURNAL_KEPT)
			(void)on_row(ctx, &image);
		return image.life == JOURNAL_KEPT;
	}
	r = db_find_key(s->db, tenant, key, on_newest, &n);
	return r == 1 && n.stale ? 0 : r;
}

/* --- life --------------------------------------------------------------------------------------------- */

static void stop_thread(struct journal_sqlite *s)
{
	if (!s->has_thread)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	(void)pthread_join(s->thread, NULL);
}

static void close_all(struct journal *j)
{
	struct journal_sqlite *s = self_of(j);

	if (s->has_thread)
		(void)sync_all(j);
	stop_thread(s);
	if (s->done.fd >= 0) {
		loop_fd_drop(s->loop, &s->done);
		close(s->done.fd);
	}
	loop_timer_stop(s->loop, &s->retain);
	db_close(s->db);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
	pthread_cond_destroy(&s->idle);
	group_done(&s->groups[0]);
	group_done(&s->groups[1]);
	mem_free(s);
}

static int start(struct journal_sqlite *s, struct fail *why)
{
	int err;

	s->db = db_open(s->conf.path, s->conf.vfs, true, why);
	if (s->db == NULL)
		return why->code;
	err = db_counts(s->db, &s->base.kept, &s->base.next_row);
	if (err < 0)
		return fail_set(why, err, "journal", 0, "%s: the journal is damaged", s->conf.path);
	s->done.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->done.fd < 0 || loop_fd_add(s->loop, &s->done) < 0)
		return fail_set(why, ERR_IO, NULL, 0, "no descriptor for the journal");
	if (loop_timer_set(s->loop, &s->retain, s->loop->now_ns + RETAIN_NS) < 0)
		return fail_set(why, ERR_BUSY, NULL, 0, "no timer for the journal");
	if (pthread_create(&s->thread, NULL, write_groups, s) != 0)
		return fail_set(why, ERR_IO, NULL, 0, "no thread for the journal");
	s->has_thread = true;
	return 0;
}

struct journal *journal_sqlite_open(struct loop *l, const struct journal_sqlite_conf *conf,
	struct fail *why)
{
	static const struct journal_ops ops = { "sqlite", append, commit, sync_all, load, find,
		find_key, close_all };
	struct journal_sqlite *s = mem_alloc(sizeof *s);

	if (s == NULL) {
		fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
		return NULL;
	}
	s->base.ops = &ops;
	s->conf = *conf;
	s->loop = l;
	s->done = (struct loop_fd){ .fd = -1, .events = EPOLLIN, .on_ready = on_done, .ctx = s };
	s->retain = (struct loop_timer){ .on_due = on_retain, .ctx = s };
	group_init(&s->groups[0]);
	group_init(&s->groups[1]);
	s->filling = &s->groups[0];
	s->writing = &s->groups[1];
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	pthread_cond_init(&s->idle, NULL);
	if (start(s, why) == 0)
		return &s->base;
	close_all(&s->base);
	return NULL;
}
