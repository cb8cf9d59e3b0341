/* SPDX-License-Identifier: Apache-2.0
 *
 * conf_file: the settings' file: `key = value` lines, comments, quotes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "run/conf_opt.h"

#define FILE_BYTES_MAX 65536u

static int read_file(const char *path, char *to, size_t room, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = -1;
	int saved;

	if (fd < 0)
		return -1;
	while (len < room &&
		((n = read(fd, to + len, room - len)) > 0 || (n < 0 && errno == EINTR)))
		len += n > 0 ? (size_t)n : 0;
	saved = errno;
	close(fd);
	errno = saved;
	*ret_len = len;
	return n < 0 ? -1 : 0;
}

static int load_file(struct conf_opts *o, size_t *ret_len)
{
	o->file = mem_alloc(FILE_BYTES_MAX + 1);
	if (o->file == NULL) {
		fprintf(stderr, "%s: no memory\n", o->program);
		return ERR_NO_MEMORY;
	}
	if (read_file(o->path, o->file, FILE_BYTES_MAX + 1, ret_len) < 0) {
		fprintf(stderr, "%s: cannot read %s: %s\n", o->program, o->path, strerror(errno));
		return ERR_IO;
	}
	if (*ret_len > FILE_BYTES_MAX) {
		fprintf(stderr, "%s: %s is larger than %u bytes\n", o->program, o->path,
			FILE_BYTES_MAX);
		return ERR_TOO_BIG;
	}
	o->file[*ret_len] = '\0';
	return 0;
}

/* Take a value in quotes apart in place. False if it does not end well. */
static bool unquote(char *at)
{
	char *to = at;
	const char *from = at + 1;

	for (; *from != '"'; from++) {
		if (from[0] == '\\' && (from[1] == '"' || from[1] == '\\'))
			from++;
		if (*from == '\0')
			return false;
		*to++ = *from;
	}
	from += 1 + strspn(from + 1, " \t\r");
	*to = '\0';
	return *from == '\0' || *from == '#';
}

/* End a bare value at the comment and without blanks. */
static void strip(char *at)
{
	size_t len = strlen(at);

	for (size_t i = 0; i < len; i++)
		if (at[i] == '#' && (i == 0 || at[i - 1] == ' ' || at[i - 1] == '\t'))
			len = i;
	while (len > 0 && strchr(" \t\r", at[len - 1]) != NULL)
		len--;
	at[len] = '\0';
}

static int bad_line(const struct conf_opts *o, int number, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", o->path, number, what);
	return ERR_INVALID;
}

static int unknown_key(const struct conf_opts *o, int number, struct span key)
{
	const char *near = conf_nearest(o, o->own, key);
	char what[256] = "";
	struct fail why;

	if (near != NULL)
		snprintf(what, sizeof(what), "; did you mean '%s'?", near);
	fail_set(&why, ERR_INVALID, NULL, 0, "unknown key '%.*s'%s",
		(int)(key.len > 64 ? 64 : key.len), (const char *)key.at, what);
	return bad_line(o, number, why.detail);
}

static int set_from_line(struct conf_opts *o, int number, struct span key, char *value)
{
	struct conf_opt *opt = conf_find(o, key);
	struct fail why;
	char text[320];

	if (opt == NULL || opt < o->at + o->own)
		return unknown_key(o, number, key);
	if (opt->origin == CONF_FILE) {
		snprintf(text, sizeof(text), "%s: already set in line %d", opt->row->key,
			opt->line);
		return bad_line(o, number, text);
	}
	if (value[0] != '"')
		strip(value);
	else if (!unquote(value))
		return bad_line(o, number, "the quotes do not end well");
	if (conf_value_set(opt->row, opt->to, value, &why) < 0) {
		snprintf(text, sizeof(text), "%s: %s", opt->row->key, why.detail);
		return bad_line(o, number, text);
	}
	opt->text = value;
	opt->origin = CONF_FILE;
	opt->line = number;
	return 0;
}

static int apply_line(struct conf_opts *o, int number, char *line)
{
	struct span rest = span_trim(span_str(line));
	char *equals = strchr(line, '=');

	if (rest.len == 0 || rest.at[0] == '#')
		return 0;
	if (equals == NULL)
		return bad_line(o, number, "expected: key = value");
	return set_from_line(o, number, span_trim(span_of(line, (size_t)(equals - line))),
		equals + 1 + strspn(equals + 1, " \t"));
}

int conf_file_apply(struct conf_opts *o)
{
	char *line;
	size_t len;
	int r = load_file(o, &len);

	line = o->file;
	if (r < 0)
		return r;
	if (strlen(line) != len)
		return bad_line(o, 1, "the file holds a zero byte: it is not text");
	for (int number = 1; line != NULL; number++) {
		char *end = strchr(line, '\n');

		if (end != NULL)
			*end++ = '\0';
		r = apply_line(o, number, line);
		if (r < 0)
			return r;
		line = end;
	}
	return 0;
}
