/* SPDX-License-Identifier: Apache-2.0 */
#include "services/cli/blobs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/keys.h"
#include "services/cli/progress.h"

#define BEAT_NS (500 * NS_PER_MS)
#define SPOOL_BYTES 65536u

struct moving {
	struct cli *c;
	int fd;
	bool is_put;
	const char *name;
	uint64_t have; /* get: at the start */
	struct blob_transfer *transfer;
	struct loop_timer beat;
	struct progress progress;
	int done;
	struct blob_end *end;
};

/* --- files -------------------------------------------------------------------------------------------- */

static int too_big(const char *name, struct fail *why)
{
	return fail_set(why, ERR_TOO_BIG, "in", (int64_t)BLOB_BYTES_MAX, "%s: larger than %d MiB",
		name, LIMIT_BLOB_MIB);
}

int blobs_file(struct blobs_source *s, int fd, const char *name, const struct stat *st,
	struct fail *why)
{
	*s = (struct blobs_source){ .fd = fd, .size = (uint64_t)st->st_size, .name = name };
	if (s->size > BLOB_BYTES_MAX)
		return too_big(name, why);
	snprintf(s->upload, sizeof(s->upload), "%lx-%lx-%lx-%lx", (unsigned long)st->st_dev,
		(unsigned long)st->st_ino, (unsigned long)st->st_mtim.tv_sec,
		(unsigned long)st->st_mtim.tv_nsec);
	return 0;
}

static int write_all(int fd, struct span data)
{
	while (data.len > 0) {
		ssize_t put = write(fd, data.at, data.len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return ERR_IO;
		data = span_part(data, (size_t)put, data.len);
	}
	return 0;
}

static int open_spool(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/spu.XXXXXX",
		    tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp) >= (int)sizeof(path))
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(path);
	return fd;
}

static int copy_all(struct blobs_source *s, int from, struct fail *why)
{
	unsigned char room[SPOOL_BYTES];

	while (s->size <= BLOB_BYTES_MAX) {
		ssize_t n = read(from, room, sizeof(room));

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return 0;
		if (n < 0 || write_all(s->fd, span_of(room, (size_t)n)) < 0)
			return fail_set(why, ERR_IO, "in", 0, "%s: %s", s->name, strerror(errno));
		s->size += (uint64_t)n;
	}
	return too_big(s->name, why);
}

int blobs_spool(struct blobs_source *s, int fd, struct span begun, const char *name,
	struct fail *why)
{
	int r;

	*s = (struct blobs_source){ .fd = open_spool(), .size = begun.len, .name = name };
	if (s->fd < 0)
		return fail_set(why, ERR_IO, "in", 0, "a file to keep %s in: %s", name,
			strerror(errno));
	snprintf(s->upload, sizeof(s->upload), "%016" PRIx64, keys_random());
	r = write_all(s->fd, begun) < 0
		    ? fail_set(why, ERR_IO, "in", 0, "%s: %s", name, strerror(errno))
		    : copy_all(s, fd, why);
	if (r < 0)
		close(s->fd);
	return r;
}

/* --- transfers ---------------------------------------------------------------------------------------- */

static int on_read(void *ctx, uint64_t offset, unsigned char *to, size_t n)
{
	const struct moving *m = ctx;

	while (n > 0) {
		ssize_t got = pread(m->fd, to, n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) /* the file became shorter, or cannot be read */
			return ERR_IO;
		to += got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int on_write(void *ctx, uint64_t offset, struct span data)
{
	const struct moving *m = ctx;

	(void)offset;
	return write_all(m->fd, data);
}

static void on_end(void *ctx, const struct blob_end *e)
{
	struct moving *m = ctx;

	*m->end = *e;
	m->done = 1;
}

/* Without a timer there is no progress to be seen; the bytes come all the same. */
static void set_beat(struct moving *m, int64_t due_ns)
{
	int r = loop_timer_set(&m->c->loop, &m->beat, due_ns);

	(void)r;
}

static void on_beat(void *ctx, int64_t now_ns)
{
	struct moving *m = ctx;
	uint64_t size = blob_transfer_size(m->transfer);
	char text[24];

	if (size > 0)
		progress_say(&m->progress, "%s%s%" PRIu64 " %% of %s %s the store", m->name,
			m->name[0] != '\0' ? ": " : "",
			blob_transfer_done(m->transfer) * 100 / size,
			fmt_bytes_text((int64_t)size, text), m->is_put ? "to" : "from");
	set_beat(m, now_ns + BEAT_NS);
}

static int move(struct moving *m, struct blob_conf *conf)
{
	int exit;

	conf->loop = &m->c->loop;
	conf->bus = m->c->bus;
	conf->tenant = span_str(m->c->tenant);
	conf->patience_ns = m->c->opts.timeout_ns > 0 ? m->c->opts.timeout_ns : CLI_TIMEOUT_NS;
	conf->read = on_read;
	conf->write = on_write;
	conf->on_end = on_end;
	conf->ctx = m;
	progress_init(&m->progress, !m->c->opts.quiet);
	m->beat = (struct loop_timer){ .on_due = on_beat, .ctx = m };
	m->transfer = m->is_put ? blob_put(conf) : blob_get(conf);
	if (m->transfer == NULL)
		return cli_fail_text(ERR_NO_MEMORY, "the transfer cannot be started");
	set_beat(m, clocks_now(&m->c->loop.clocks) + 2 * BEAT_NS);
	exit = cli_wait(m->c, &m->done);
	loop_timer_stop(&m->c->loop, &m->beat);
	progress_end(&m->progress);
	blob_transfer_free(m->transfer);
	return exit;
}

int blobs_put(struct cli *c, const struct blobs_source *s, int64_t keep_until_ns,
	struct blob_end *ret)
{
	struct moving m = { .c = c, .fd = s->fd, .name = s->name, .is_put = true, .end = ret };
	struct blob_conf conf = {
		.size = s->size,
		.upload = span_str(s->upload),
		.keep_until_ns = keep_until_ns,
	};

	*ret = (struct blob_end){ 0 };
	return move(&m, &conf);
}

static int get(struct cli *c, const struct blob_hash *hash, int fd, uint64_t have,
	struct blob_end *ret)
{
	struct moving m = { .c = c, .fd = fd, .name = "", .end = ret };
	struct blob_conf conf = { .hash = *hash, .have = have };

	*ret = (struct blob_end){ 0 };
	return move(&m, &conf);
}

int blobs_get(struct cli *c, const struct blob_hash *hash, int fd)
{
	struct blob_end end;
	int exit = get(c, hash, fd, 0, &end);

	return exit == 0 && end.fail.code != 0 ? cli_fail(&end.fail) : exit;
}

static int get_part(struct cli *c, const struct blob_hash *hash, const char *part, int fd)
{
	struct blob_end end;
	struct stat st;
	int exit;

	if (fd < 0 || fstat(fd, &st) < 0)
		return cli_fail_text(ERR_IO, "%s: %s", part, strerror(errno));
	exit = get(c, hash, fd, (uint64_t)st.st_size, &end);
	if (exit != 0 || end.fail.code == 0)
		return exit;
	/* What is there is not what was asked for, and never will be; or nothing came. */
	if ((end.fail.field[0] != '\0' && st.st_size > 0) ||
		(fstat(fd, &st) == 0 && st.st_size == 0))
		(void)unlink(part);
	return cli_fail(&end.fail);
}

int blobs_get_file(struct cli *c, const struct blob_hash *hash, const char *path)
{
	char part[PATH_MAX];
	int fd, exit;

	if (snprintf(part, sizeof(part), "%s.part", path) >= (int)sizeof(part))
		return cli_fail_text(ERR_INVALID, "%s: too long", path);
	fd = open(part, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	exit = get_part(c, hash, part, fd);
	if (fd >= 0)
		close(fd);
	if (exit == 0 && rename(part, path) < 0)
		exit = cli_fail_text(ERR_IO, "%s: %s", path, strerror(errno));
	return exit;
}
