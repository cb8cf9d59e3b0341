/* SPDX-License-Identifier: Apache-2.0 */
#include "services/cli/input.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "base/near.h"
#include "services/cli/cli.h"

#define ARENA_BYTES ((size_t)8 << 20)
#define READ_BYTES 65536u
#define HEAD_BYTES 32768u /* that tell whether a large file is text */

static int too_big(const char *path, struct fail *why)
{
	return fail_set(why, ERR_TOO_BIG, "in", LIMIT_BODY_BYTES,
		"%s: the inputs are larger than %u bytes together", path,
		(unsigned)LIMIT_BODY_BYTES);
}

static int read_all(struct buf *b, int fd, const char *path, struct fail *why)
{
	for (;;) {
		unsigned char *room = buf_room(b, READ_BYTES);
		ssize_t n;

		if (room == NULL)
			return buf_err(b) == ERR_TOO_BIG
				       ? too_big(path, why)
				       : fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
		n = read(fd, room, READ_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_set(why, ERR_IO, "in", 0, "%s: %s", path, strerror(errno));
		if (n == 0)
			return 0;
		buf_took(b, (size_t)n);
	}
}

int input_read(struct buf *b, const char *path, struct fail *why)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return fail_set(why, ERR_IO, "in", 0, "%s: %s", path, strerror(errno));
	r = read_all(b, fd, path, why);
	if (fd != STDIN_FILENO)
		close(fd);
	return r;
}

/* By the name's ending, else by whether it is text. */
static const char *media_of(const char *name, struct span data)
{
	static const struct {
		const char *ending, *media;
	} rows[] = {
		{ ".png", "image/png" },
		{ ".jpg", "image/jpeg" },
		{ ".jpeg", "image/jpeg" },
		{ ".md", "text/markdown" },
		{ ".json", "application/json" },
		{ ".html", "text/html" },
		{ ".csv", "text/csv" },
		{ ".zst", "application/zstd" },
		{ ".gz", "application/gzip" },
		{ ".pdf", "application/pdf" },
		{ ".zdict", "application/vnd.spu.dictionary" },
	};
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot != NULL && i < ARRAY_LEN(rows); i++)
		if (strcasecmp(dot, rows[i].ending) == 0)
			return rows[i].media;
	return fmt_is_text(data) ? "text/plain" : "application/octet-stream";
}

/* One input file while it becomes an item. */
struct input {
	const char *path;
	int fd;
	struct stat st;
	struct span name;
	struct buf data; /* the whole, or the beginning of what goes to the store */
	bool is_whole;
};

static int open_input(struct input *in, const char *path, struct fail *why)
{
	const char *slash = strrchr(path, '/');
	bool is_stdin = strcmp(path, "-") == 0;

	*in = (struct input){ .path = path };
	in->name = span_str(is_stdin ? "stdin" : slash == NULL ? path : slash + 1);
	if (!fmt_is_text(in->name))
		in->name = (struct span){ 0 };
	buf_init(&in->data, LIMIT_BODY_BYTES + READ_BYTES);
	in->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0 || fstat(in->fd, &in->st) < 0)
		return fail_set(why, ERR_IO, "in", 0, "%s: %s", path, strerror(errno));
	return 0;
}

static void close_input(struct input *in)
{
	if (in->fd > STDERR_FILENO)
		close(in->fd);
	buf_done(&in->data);
}

/* Up to limit bytes and a little more. */
static int read_input(struct input *in, size_t limit, struct fail *why)
{
	while (in->data.len <= limit) {
		unsigned char *room = buf_room(&in->data, READ_BYTES);
		ssize_t n;

		if (room == NULL)
			return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
		n = read(in->fd, room, READ_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_set(why, ERR_IO, "in", 0, "%s: %s", in->path, strerror(errno));
		in->is_whole = n == 0;
		if (n == 0)
			return 0;
		buf_took(&in->data, (size_t)n);
	}
	return 0;
}

static const char *media_of_input(const struct input *in)
{
	char name[256];

	span_copy(in->name, name, sizeof(name));
	return media_of(name,
		in->is_whole ? buf_span(&in->data) : fmt_clip(buf_span(&in->data), HEAD_BYTES));
}

static int put_reference(struct buf *body, struct input *in, struct input_store *store,
	struct fail *why)
{
	bool can_seek = S_ISREG(in->st.st_mode) && in->fd != STDIN_FILENO;
	struct blobs_source source;
	struct blob_hash hash;
	struct item item = {
		.name = in->name,
		.media = span_str(media_of_input(in)),
	};
	int r;

	if (can_seek)
		r = blobs_file(&source, in->fd, in->path, &in->st, why);
	else
		r = blobs_spool(&source, in->fd, buf_span(&in->data), in->path, why);
	if (r < 0)
		return r;
	r = store->put(store->ctx, &source, &hash, why);
	if (!can_seek)
		close(source.fd);
	item.blob = span_of(hash.at, BLOB_HASH);
	item.size = source.size;
	if (r == 0)
		body_put(body, &item);
	return r;
}

static int put_item(struct buf *body, struct input *in, struct input_store *store, struct fail *why)
{
	size_t room = store != NULL ? store->room : LIMIT_BODY_BYTES;
	size_t before = body->len;
	int r = read_input(in, room, why);

	if (r < 0)
		return r;
	if (in->is_whole && in->data.len <= room)
		body_put_item(body, in->name, span_str(media_of_input(in)), buf_span(&in->data));
	else if (store == NULL)
		return too_big(in->path, why);
	else
		r = put_reference(body, in, store, why);
	if (store != NULL)
		store->room -= body->len - before < room ? body->len - before : room;
	return r == 0 && buf_err(body) < 0 ? too_big(in->path, why) : r;
}

int input_item(struct buf *body, const char *path, struct input_store *store, struct fail *why)
{
	struct input in;
	int r = open_input(&in, path, why);

	if (r == 0)
		r = put_item(body, &in, store, why);
	close_input(&in);
	return r;
}

int input_check_words(const struct opts_list *args, unsigned from)
{
	for (unsigned i = from; i < args->n; i++)
		if (strchr(args->at[i], '=') == NULL)
			return cli_usage("%s: a parameter is KEY=VALUE (a file: --in FILE)",
				args->at[i]);
	return 0;
}

int input_params(struct buf *body, const struct opts_list *args, unsigned from, struct fail *why)
{
	for (unsigned i = from; i < args->n; i++) {
		struct span value = span_str(args->at[i]);
		struct span key = span_cut(&value, '=');

		body_put_param(body, key, value);
	}
	return buf_err(body) < 0 ? fail_set(why, ERR_TOO_BIG, NULL, LIMIT_BODY_BYTES,
					   "the parameters are too large")
				 : 0;
}

/* Name the parameter that was perhaps meant. */
static int hint(const struct kind_row *row, int r, struct fail *why)
{
	const struct span field = span_str(why->field);
	struct near near;

	near_init(&near, field);
	for (unsigned i = 0; i < row->params_n; i++) {
		if (span_is(field, row->params[i].key))
			return r;
		near_try(&near, row->params[i].key);
	}
	if (near.best != NULL)
		fail_set(why, r, why->field, 0, "%s; did you mean %s?", why->detail, near.best);
	return r;
}

/* By the last part of a name: "echo" for "util.echo". */
static const char *kind_ending(const char *word)
{
	const struct kind_row *row;

	for (unsigned i = 0; (row = kind_at(i)) != NULL; i++)
		if (strcmp(strrchr(row->name, '.') + 1, word) == 0)
			return row->name;
	return NULL;
}

const char *input_near_kind(const char *name)
{
	char word[LIMIT_KIND_BYTES + 1];
	const struct kind_row *row;
	struct near near;
	size_t len = span_copy(span_str(name), word, sizeof(word));

	for (size_t i = 0; i < len; i++)
		word[i] = word[i] == ' ' || word[i] == '/' ? '.'
							   : (char)tolower((unsigned char)word[i]);
	near_init(&near, span_str(word));
	for (unsigned i = 0; (row = kind_at(i)) != NULL; i++)
		near_try(&near, row->name);
	return near.best != NULL ? near.best : kind_ending(word);
}

static int bad_kind(struct span kind, struct fail *why)
{
	char name[LIMIT_KIND_BYTES + 1];
	const char *near;

	if (kind.len > LIMIT_KIND_BYTES)
		return fail_set(why, ERR_INVALID, "kind", LIMIT_KIND_BYTES,
			"a kind's name is shorter");
	span_copy(kind, name, sizeof(name));
	near = input_near_kind(name);
	if (near != NULL)
		return fail_set(why, ERR_INVALID, "kind", 0,
			"%s: not a kind's name; did you mean %s?", name, near);
	return fail_set(why, ERR_INVALID, "kind", 0, "%s: not a kind's name; spu kinds lists them",
		name);
}

int input_check(struct span kind, struct span body, struct fail *why)
{
	CLEANUP(arena_done) struct arena a = { 0 };
	const struct kind_row *row = kind_find(kind);
	struct body decoded = { 0 };
	int r;

	arena_init(&a, ARENA_BYTES);
	if (!fmt_is_kind(kind))
		return bad_kind(kind, why);
	r = body_decode(&a, body, &decoded, why);
	if (r == 0 && row != NULL)
		r = kind_check(row, &decoded, why);
	return r < 0 && row != NULL ? hint(row, r, why) : r;
}
