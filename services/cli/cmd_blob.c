/* SPDX-License-Identifier: Apache-2.0
 *
 * spu blob: files into the store and out of it. A put of the same file goes on where the last one broke off, and
 * a get goes on with FILE.part.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/blob.h"
#include "run/keys.h"
#include "run/request.h"
#include "services/cli/cli.h"
#include "services/cli/json.h"
#include "wire/subject.h"

struct blob_job {
	struct cli *c;
	int fd;
	int done;
	struct blob_end end;
	/* of a single question */
	int err;
	struct blob_reply reply;
};

static int read_file(void *ctx, uint64_t offset, unsigned char *to, size_t n)
{
	const struct blob_job *j = ctx;

	while (n > 0) {
		ssize_t got = pread(j->fd, to, n, (off_t)offset);

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

static int write_file(void *ctx, uint64_t offset, struct span data)
{
	const struct blob_job *j = ctx;

	(void)offset;
	while (data.len > 0) {
		ssize_t put = write(j->fd, data.at, data.len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return ERR_IO;
		data = span_part(data, (size_t)put, data.len);
	}
	return 0;
}

static void on_end(void *ctx, const struct blob_end *e)
{
	struct blob_job *j = ctx;

	j->end = *e;
	j->done = 1;
}

/* Wait for the end of a transfer and free it. An exit status. */
static int await(struct blob_job *j, struct blob_transfer *t)
{
	int exit;

	if (t == NULL)
		return cli_fail_text(ERR_NO_MEMORY, "the transfer cannot be started");
	exit = cli_wait(j->c, &j->done);
	blob_transfer_free(t);
	if (exit != 0)
		return exit;
	return j->end.fail.code != 0 ? cli_fail(&j->end.fail) : 0;
}

static struct blob_conf conf_of(struct blob_job *j)
{
	return (struct blob_conf){
		.loop = &j->c->loop,
		.bus = j->c->bus,
		.tenant = span_str(j->c->tenant),
		.patience_ns = j->c->opts.timeout_ns > 0 ? j->c->opts.timeout_ns : CLI_TIMEOUT_NS,
		.read = read_file,
		.write = write_file,
		.on_end = on_end,
		.ctx = j,
	};
}

/* --- one question ------------------------------------------------------------------------------------- */

static void on_reply(void *ctx, int err, const struct bus_msg *m)
{
	CLEANUP(arena_done) struct arena a = { 0 };
	struct blob_job *j = ctx;
	struct blob_reply *replies = NULL;
	size_t n = 0;

	j->done = 1;
	if (err < 0) {
		fail_set(&j->reply.fail, err, NULL, 0, "%s",
			err == ERR_NO_NODE ? "no store listens" : "the store does not answer");
		return;
	}
	arena_init(&a, 1 << 20);
	if (blob_replies_decode(&a, m->data, &replies, &n, &j->reply.fail) < 0)
		return;
	if (n == 1)
		j->reply = replies[0];
	else
		fail_set(&j->reply.fail, ERR_MALFORMED, NULL, 0, "one answer is expected");
	j->reply.data = (struct span){ 0 };
}

/* The answer is in j->reply. An exit status. */
static int ask(struct blob_job *j, const struct blob_ask *q)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	char subject[SUBJECT_BYTES], prefix[40];
	struct requests *requests;
	int r, exit = 0;

	buf_init(&b, LIMIT_MESSAGE_BYTES);
	blob_asks_put(&b, q);
	snprintf(prefix, sizeof(prefix), "_INBOX.%016" PRIx64, keys_random());
	requests = requests_new(&j->c->loop, j->c->bus, prefix, 1);
	r = requests == NULL ? ERR_NO_MEMORY
			     : subject_build(SUBJECT_BLOB, span_str(j->c->tenant),
				       (struct span){ 0 }, subject);
	if (r == 0)
		r = requests_send(requests, subject, buf_span(&b),
			j->c->opts.timeout_ns > 0 ? j->c->opts.timeout_ns : CLI_TIMEOUT_NS,
			on_reply, j);
	j->done = 0;
	if (r < 0)
		exit = cli_fail_text(r, "the question could not be sent");
	else
		exit = cli_wait(j->c, &j->done);
	requests_free(requests);
	if (exit == 0 && j->reply.fail.code != 0)
		exit = cli_fail(&j->reply.fail);
	return exit;
}

/* --- commands ----------------------------------------------------------------------------------------- */

static int show(const struct blob_job *j, const struct blob_hash *hash, uint64_t size)
{
	char text[BLOB_HASH_TEXT + 1];

	blob_hash_text(hash, text);
	if (j->c->opts.json)
		printf("{\"hash\":\"%s\",\"bytes\":%" PRIu64 "}\n", text, size);
	else
		printf("%s\n", text);
	return fflush(stdout) == 0 ? 0 : cli_fail_text(ERR_IO, "standard output");
}

static int keep(struct blob_job *j)
{
	const struct blob_ask q = {
		.op = BLOB_LINK,
		.hash = j->end.hash,
		.by = SPAN_LIT("cli"),
		.expire_ms = (clocks_wall() + j->c->opts.keep_ns) / NS_PER_MS,
	};

	return j->c->opts.keep_ns > 0 ? ask(j, &q) : 0;
}

static int put(struct blob_job *j, const char *path)
{
	struct blob_conf conf = conf_of(j);
	char upload[LIMIT_TOKEN_BYTES + 1];
	struct stat st;
	int exit;

	j->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (j->fd < 0 || fstat(j->fd, &st) < 0)
		return cli_fail_text(ERR_IO, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return cli_fail_text(ERR_UNSUPPORTED, "%s: only a regular file goes", path);
	if ((uint64_t)st.st_size > BLOB_BYTES_MAX)
		return cli_fail_text(ERR_TOO_BIG, "%s: larger than %d MiB", path, LIMIT_BLOB_MIB);
	/* The file as it is now: another content must not go on with what came of this one. */
	snprintf(upload, sizeof(upload), "%lx-%lx-%lx-%lx", (unsigned long)st.st_dev,
		(unsigned long)st.st_ino, (unsigned long)st.st_mtim.tv_sec,
		(unsigned long)st.st_mtim.tv_nsec);
	conf.size = (uint64_t)st.st_size;
	conf.upload = span_str(upload);
	exit = await(j, blob_put(&conf));
	if (exit == 0)
		exit = keep(j);
	return exit != 0 ? exit : show(j, &j->end.hash, j->end.size);
}

/* Into FILE.part, which becomes FILE when all is there and right. */
static int get_file(struct blob_job *j, struct blob_conf *conf, const char *path)
{
	char part[PATH_MAX];
	struct stat st;
	int exit;

	if (snprintf(part, sizeof(part), "%s.part", path) >= (int)sizeof(part))
		return cli_fail_text(ERR_INVALID, "%s: too long", path);
	j->fd = open(part, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (j->fd < 0 || fstat(j->fd, &st) < 0)
		return cli_fail_text(ERR_IO, "%s: %s", part, strerror(errno));
	conf->have = (uint64_t)st.st_size;
	exit = await(j, blob_get(conf));
	/* What is there is not what was asked for: it would never be. */
	if (exit != 0 && j->done != 0 && j->end.fail.field[0] != '\0' && conf->have > 0)
		(void)unlink(part);
	if (exit != 0 && j->done != 0 && fstat(j->fd, &st) == 0 && st.st_size == 0)
		(void)unlink(part);
	if (exit == 0 && rename(part, path) < 0)
		exit = cli_fail_text(ERR_IO, "%s: %s", path, strerror(errno));
	return exit;
}

static int get(struct blob_job *j, const char *path)
{
	struct blob_conf conf = conf_of(j);

	if (blob_hash_parse(span_str(j->c->opts.args.at[1]), &conf.hash) < 0)
		return cli_usage("%s: not a hash (64 hexadecimal digits)", j->c->opts.args.at[1]);
	if (path != NULL && strcmp(path, "-") != 0)
		return get_file(j, &conf, path);
	if (isatty(STDOUT_FILENO))
		return cli_usage("blob get: name a FILE, or - for standard output");
	j->fd = STDOUT_FILENO;
	return await(j, blob_get(&conf));
}

static int show_stat(struct blob_job *j)
{
	CLEANUP(json_done) struct json out = { 0 };
	const struct blob_reply *r = &j->reply;
	char text[BLOB_HASH_TEXT + 1];

	blob_hash_text(&r->hash, text);
	if (!j->c->opts.json) {
		printf("%s %" PRIu64 " bytes, %u references\n", text, r->size, r->references);
		return 0;
	}
	json_init(&out);
	json_open(&out, NULL, '{');
	json_text(&out, "hash", span_str(text));
	json_int(&out, "bytes", (int64_t)r->size);
	json_int(&out, "stored_ms", r->stored_ms);
	json_int(&out, "references", r->references);
	json_shut(&out, '}');
	return json_print(&out) < 0 ? cli_fail_text(ERR_IO, "standard output") : 0;
}

static int stat_blob(struct blob_job *j)
{
	struct blob_ask q = { .op = BLOB_STAT };
	int exit;

	if (blob_hash_parse(span_str(j->c->opts.args.at[1]), &q.hash) < 0)
		return cli_usage("%s: not a hash (64 hexadecimal digits)", j->c->opts.args.at[1]);
	exit = ask(j, &q);
	return exit != 0 ? exit : show_stat(j);
}

int cmd_blob(struct cli *c)
{
	struct blob_job j = { .c = c, .fd = -1 };
	const char *what = c->opts.args.at[0];
	const char *third = c->opts.args.n > 2 ? c->opts.args.at[2] : NULL;
	bool is_get = strcmp(what, "get") == 0;
	int exit;

	if (!is_get && strcmp(what, "put") != 0 && strcmp(what, "stat") != 0)
		return cli_usage("blob %s: it is put, get or stat", what);
	if (!is_get && third != NULL)
		return cli_usage("blob %s: %s: unexpected argument", what, third);
	exit = cli_open(c);
	if (exit != 0)
		return exit;
	if (is_get)
		exit = get(&j, third);
	else
		exit = strcmp(what, "put") == 0 ? put(&j, c->opts.args.at[1]) : stat_blob(&j);
	if (j.fd > STDERR_FILENO)
		close(j.fd);
	return exit;
}
