/* SPDX-License-Identifier: Apache-2.0
 *
 * result: items are foreign bytes, and so are their names: a name is used as a file's only after all but
 * harmless characters are replaced, and bytes that are no text do not reach a terminal.
 */
#include "services/cli/result.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/cli/blobs.h"
#include "services/cli/table.h"

#define ARENA_BYTES ((size_t)8 << 20)
#define NAME_BYTES 200u
#define FILE_BYTES 255u /* with numbers before it */

static bool is_folder(const char *path)
{
	struct stat st;
	size_t len = strlen(path);

	return (len > 0 && path[len - 1] == '/') || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

int result_check_out(const struct cli *c)
{
	const char *out = c->opts.out;
	const char *slash = out == NULL ? NULL : strrchr(out, '/');
	char folder[PATH_MAX] = ".";
	struct stat st;

	if (out == NULL || strcmp(out, "-") == 0 || is_folder(out))
		return 0;
	if (slash != NULL && (size_t)snprintf(folder, sizeof(folder), "%.*s",
				     slash == out ? 1 : (int)(slash - out), out) >= sizeof(folder))
		return cli_fail_text(ERR_INVALID, "%s: too long", out);
	if (stat(out, &st) == 0 ? access(out, W_OK) == 0 : access(folder, W_OK | X_OK) == 0)
		return 0;
	return cli_fail_text(ERR_IO, "%s: %s", out, strerror(errno));
}

static struct blob_hash hash_of(const struct item *item)
{
	struct blob_hash h;

	memcpy(h.at, item->blob.at, BLOB_HASH);
	return h;
}

static int write_file(struct cli *c, const char *path, const struct item *item)
{
	const struct span data = item->data;
	const struct blob_hash hash = item_is_blob(item) ? hash_of(item) : (struct blob_hash){ 0 };
	FILE *f;
	int r;

	if (item_is_blob(item))
		return blobs_get_file(c, &hash, path);
	f = fopen(path, "we");
	if (f == NULL)
		return cli_fail_text(ERR_IO, "%s: %s", path, strerror(errno));
	r = fwrite(data.at, 1, data.len, f) == data.len ? 0 : -1;
	if (fclose(f) != 0 || r < 0)
		return cli_fail_text(ERR_IO, "%s: %s", path, strerror(errno));
	return 0;
}

/* A file's name of an item's: its last part, without characters that mean something elsewhere. */
static void plain_name(const struct item *item, size_t i, char to[NAME_BYTES])
{
	struct span name = item->name;
	size_t len;

	while (name.len > 0 && memchr(name.at, '/', name.len) != NULL)
		(void)span_cut(&name, '/');
	len = span_copy(fmt_clip(name, NAME_BYTES - 1), to, NAME_BYTES);
	for (size_t k = 0; k < len; k++)
		if ((unsigned char)to[k] < ' ' || to[k] == 0x7f || to[k] == '\\' ||
			(k == 0 && to[k] == '.'))
			to[k] = '_';
	if (len == 0)
		(void)snprintf(to, NAME_BYTES, "item-%zu", i + 1);
}

/* Has another item than the i-th this plain name? */
static bool is_taken(const struct body *body, size_t i, const char *name)
{
	char other[NAME_BYTES];

	for (size_t k = 0; k < body->items_n; k++) {
		plain_name(&body->items[k], k, other);
		if (k != i && strcmp(other, name) == 0)
			return true;
	}
	return false;
}

/* Items of one name must not overwrite each other: each of them begins with its number. */
static int file_name(const struct body *body, size_t i, char to[FILE_BYTES])
{
	size_t len;

	plain_name(&body->items[i], i, to);
	while (is_taken(body, i, to)) {
		char number[24];
		size_t more = (size_t)snprintf(number, sizeof(number), "%zu-", i + 1);

		len = strlen(to);
		if (len + more >= FILE_BYTES)
			return ERR_INVALID;
		memmove(to + more, to, len + 1);
		memcpy(to, number, more);
	}
	return 0;
}

static int write_to_folder(struct cli *c, const char *folder, const struct body *body)
{
	char path[PATH_MAX], name[FILE_BYTES];

	if (mkdir(folder, 0777) < 0 && errno != EEXIST)
		return cli_fail_text(ERR_IO, "%s: %s", folder, strerror(errno));
	for (size_t i = 0; i < body->items_n; i++) {
		int r;

		if (file_name(body, i, name) < 0 ||
			snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
			return cli_fail_text(ERR_INVALID, "%s: too long", folder);
		r = write_file(c, path, &body->items[i]);
		if (r != 0)
			return r;
	}
	return 0;
}

/* On a terminal text ends with a line's end, and its control characters do nothing. */
static int write_terminal(const struct body *body, struct ulid task)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	char id[ULID_TEXT + 1];

	ulid_text(task, id);
	buf_init(&b, 2 * LIMIT_MESSAGE_BYTES);
	for (size_t i = 0; i < body->items_n; i++) {
		struct span rest = body->items[i].data;

		if (item_is_blob(&body->items[i]))
			return cli_fail_text(ERR_UNSUPPORTED,
				"the result has %" PRIu64
				" bytes; get it with: spu wait %s --out FILE",
				body->items[i].size, id);
		if (!fmt_is_text(rest))
			return cli_fail_text(ERR_UNSUPPORTED,
				"the result is not text; get it with: spu wait %s --out FILE", id);
		while (rest.len > 0) {
			struct span line = span_cut(&rest, '\n');

			text_safe(&b, line);
			buf_byte(&b, '\n');
		}
	}
	if (buf_err(&b) < 0)
		return cli_fail_text(buf_err(&b), "the result cannot be shown");
	return fwrite(b.at, 1, b.len, stdout) == b.len && fflush(stdout) == 0
		       ? 0
		       : cli_fail_text(ERR_IO, "stdout");
}

static int stdout_failed(void)
{
	return cli_fail_text(ERR_IO, "standard output: %s", strerror(errno));
}

static int write_stdout(struct cli *c, const struct body *body)
{
	for (size_t i = 0; i < body->items_n; i++) {
		const struct item *item = &body->items[i];
		struct blob_hash hash;
		int exit;

		if (!item_is_blob(item)) {
			if (fwrite(item->data.at, 1, item->data.len, stdout) != item->data.len)
				return stdout_failed();
			continue;
		}
		hash = hash_of(item);
		exit = fflush(stdout) == 0 ? blobs_get(c, &hash, STDOUT_FILENO) : stdout_failed();
		if (exit != 0)
			return exit;
	}
	return fflush(stdout) == 0 ? 0 : stdout_failed();
}

static int write_items(struct cli *c, struct ulid task, const struct body *body)
{
	const char *out = c->opts.out;
	char id[ULID_TEXT + 1];

	if (out == NULL || strcmp(out, "-") == 0)
		return isatty(STDOUT_FILENO) ? write_terminal(body, task) : write_stdout(c, body);
	if (is_folder(out))
		return write_to_folder(c, out, body);
	ulid_text(task, id);
	if (body->items_n != 1)
		return cli_fail_text(ERR_INVALID,
			"the result has %zu items; get them with: spu wait %s --out FOLDER/",
			body->items_n, id);
	return write_file(c, out, &body->items[0]);
}

static void say_facts(const struct body *body)
{
	for (size_t i = 0; i < body->params_n; i++) {
		CLEANUP(buf_done) struct buf b = { 0 };

		buf_init(&b, LIMIT_PARAM_BYTES * 2);
		text_safe(&b, body->params[i].key);
		buf_byte(&b, ' ');
		text_safe(&b, body->params[i].value);
		buf_byte(&b, '\n');
		if (buf_err(&b) == 0)
			(void)fwrite(b.at, 1, b.len, stderr);
	}
}

static void say_end(const struct result *r, struct ulid task)
{
	char id[ULID_TEXT + 1], total[24], run[24];

	ulid_text(task, id);
	fprintf(stderr, "%s %s", id, state_name(r->state));
	if (r->rung != RUNG_NONE)
		fprintf(stderr, " %s %s", r->state == STATE_SUCCEEDED ? "by" : "at rung",
			rung_name(r->rung));
	if (r->node.len > 0)
		fprintf(stderr, " on %.*s", (int)r->node.len, (const char *)r->node.at);
	fprintf(stderr, " in %s (run %s%s", fmt_duration_text(r->total_us * NS_PER_US, total),
		fmt_duration_text(r->run_us * NS_PER_US, run), "");
	if (r->cache_hit)
		fprintf(stderr, ", from a cache, %s old",
			fmt_duration_text(r->cache_age_ms * NS_PER_MS, run));
	if (r->cache_near > 0)
		fprintf(stderr, ", of a task with nearly the same words (%u of 1000)",
			r->cache_near);
	if (r->attempts > 1)
		fprintf(stderr, ", %u attempts", r->attempts);
	if (r->price_ucr > 0)
		fprintf(stderr, ", %lld ucr", (long long)r->price_ucr);
	fputs(")\n", stderr);
}

void result_blob_text(const struct item *item, char to[BLOB_HASH_TEXT + 1])
{
	const struct blob_hash hash = hash_of(item);

	blob_hash_text(&hash, to);
}

void result_item_json(struct json *j, const struct item *item, bool with_data)
{
	json_open(j, NULL, '{');
	json_text(j, "name", item->name);
	json_text(j, "media", item->media);
	json_int(j, "bytes", (int64_t)item_bytes(item));
	if (item_is_blob(item)) {
		char text[BLOB_HASH_TEXT + 1];

		result_blob_text(item, text);
		json_text(j, "blob", span_str(text));
	} else if (with_data)
		json_bytes(j, "text", item->data);
	json_shut(j, '}');
}

void result_json(struct json *j, const struct result *r, const struct body *body, bool with_data)
{
	json_text(j, "state", span_str(state_name(r->state)));
	json_text(j, "rung", span_str(rung_name(r->rung)));
	json_text(j, "node", r->node);
	json_int(j, "attempts", r->attempts);
	json_int(j, "price_ucr", r->price_ucr);
	json_int(j, "run_us", r->run_us);
	json_int(j, "total_us", r->total_us);
	json_bool(j, "cache_hit", r->cache_hit);
	json_int(j, "cache_age_ms", r->cache_age_ms);
	json_int(j, "cache_near", r->cache_near);
	if (r->fail.code != 0) {
		json_open(j, "error", '{');
		json_text(j, "code", span_str(err_row(r->fail.code)->name));
		json_text(j, "field", span_str(r->fail.field));
		json_int(j, "limit", r->fail.limit);
		json_text(j, "detail", span_str(r->fail.detail));
		json_shut(j, '}');
	}
	json_open(j, "params", '{');
	for (size_t i = 0; i < body->params_n; i++) {
		char key[LIMIT_TOKEN_BYTES * 2];

		span_copy(body->params[i].key, key, sizeof(key));
		json_text(j, key, body->params[i].value);
	}
	json_shut(j, '}');
	json_open(j, "items", '[');
	for (size_t i = 0; i < body->items_n; i++)
		result_item_json(j, &body->items[i], with_data);
	json_shut(j, ']');
}

static int show_json(struct cli *c, struct ulid task, const struct result *r,
	const struct body *body)
{
	CLEANUP(json_done) struct json j = { 0 };
	bool is_file = c->opts.out != NULL && strcmp(c->opts.out, "-") != 0;
	int exit = 0, err;

	if (is_file && body->items_n > 0)
		exit = write_items(c, task, body);
	json_init(&j);
	json_open(&j, NULL, '{');
	json_id(&j, "task", task);
	result_json(&j, r, body, !is_file);
	if (is_file)
		json_text(&j, "out", span_str(c->opts.out));
	json_shut(&j, '}');
	err = json_print(&j);
	return err < 0 ? cli_fail_text(err, "the result cannot be written") : exit;
}

int result_show(struct cli *c, struct ulid task, const struct result *r)
{
	CLEANUP(arena_done) struct arena a = { 0 };
	struct body body = { 0 };
	struct fail why = { 0 };
	int exit = 0;

	arena_init(&a, ARENA_BYTES);
	if (r->body.len > 0 && body_decode(&a, r->body, &body, &why) < 0)
		return cli_fail(&why);
	if (c->opts.json) {
		exit = show_json(c, task, r, &body);
		return r->fail.code != 0 ? err_row(r->fail.code)->exit : exit;
	}
	if (!c->opts.quiet) {
		say_facts(&body);
		say_end(r, task);
	}
	if (r->state == STATE_SUCCEEDED)
		return write_items(c, task, &body);
	if (r->fail.code != 0)
		return cli_fail(&r->fail);
	return r->state == STATE_CANCELLED
		       ? cli_fail_text(ERR_CANCELLED, "the task was cancelled")
		       : cli_fail_text(ERR_LOST, "the task ended as %s", state_name(r->state));
}
