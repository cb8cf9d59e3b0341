/* SPDX-License-Identifier: Apache-2.0
 *
 * spu blob: files into the store and out of it. A put of the same file goes on where the last one broke off, and
 * a get goes on with FILE.part.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/keys.h"
#include "run/request.h"
#include "services/cli/blobs.h"
#include "services/cli/json.h"
#include "wire/subject.h"

struct blob_job {
	struct cli *c;
	int done;
	struct blob_reply reply; /* to a single question */
};

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

static int put_source(struct blob_job *j, const struct blobs_source *source)
{
	int64_t until_ns = j->c->opts.keep_ns > 0 ? clocks_wall() + j->c->opts.keep_ns : 0;
	struct blob_end end;
	int exit = blobs_put(j->c, source, until_ns, &end);

	if (exit == 0 && end.fail.code != 0)
		exit = cli_fail(&end.fail);
	return exit != 0 ? exit : show(j, &end.hash, end.size);
}

/* What can be read only once is kept in a file until it is over there. */
static int put(struct blob_job *j, const char *path)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	struct blobs_source source;
	struct fail why = { 0 };
	struct stat st;
	int exit, r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return cli_fail_text(ERR_IO, "%s: %s", path, strerror(errno));
	if (S_ISREG(st.st_mode) && fd != STDIN_FILENO)
		r = blobs_file(&source, fd, path, &st, &why);
	else
		r = blobs_spool(&source, fd, (struct span){ 0 }, path, &why);
	exit = r < 0 ? cli_fail(&why) : put_source(j, &source);
	if (r == 0 && source.fd != fd)
		close(source.fd);
	if (fd != STDIN_FILENO)
		close(fd);
	return exit;
}

static int get_file(struct blob_job *j, const struct blob_hash *hash, const char *path)
{
	struct stat st;
	int exit = blobs_get_file(j->c, hash, path);

	if (exit != 0 || !j->c->opts.json)
		return exit;
	if (stat(path, &st) < 0)
		return cli_fail_text(ERR_IO, "%s: %s", path, strerror(errno));
	return show(j, hash, (uint64_t)st.st_size);
}

static int get(struct blob_job *j, const char *path)
{
	struct blob_hash hash;

	if (blob_hash_parse(span_str(j->c->opts.args.at[1]), &hash) < 0)
		return cli_usage("%s: not a hash (64 hexadecimal digits)", j->c->opts.args.at[1]);
	if (path != NULL && strcmp(path, "-") != 0)
		return get_file(j, &hash, path);
	if (isatty(STDOUT_FILENO))
		return cli_usage("blob get: name a FILE, or - for standard output");
	return blobs_get(j->c, &hash, STDOUT_FILENO);
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
	struct blob_job j = { .c = c };
	const char *what = c->opts.args.at[0];
	const char *third = c->opts.args.n > 2 ? c->opts.args.at[2] : NULL;
	bool is_get = strcmp(what, "get") == 0;
	int exit;

	if (!is_get && strcmp(what, "put") != 0 && strcmp(what, "stat") != 0)
		return cli_usage("blob %s: it is put, get or stat", what);
	if (c->opts.args.n < 2)
		return cli_usage("blob %s needs a %s", what,
			strcmp(what, "put") == 0 ? "FILE" : "HASH");
	if (!is_get && third != NULL)
		return cli_usage("blob %s: %s: unexpected argument", what, third);
	blob_keep_memory();
	exit = cli_open(c);
	if (exit != 0)
		return exit;
	if (is_get)
		exit = get(&j, third);
	else
		exit = strcmp(what, "put") == 0 ? put(&j, c->opts.args.at[1]) : stat_blob(&j);
	return exit;
}
