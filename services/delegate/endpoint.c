/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint: see endpoint.h.
 */
#include "services/delegate/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/address.h"

static bool cut_prefix(struct span *s, const char *prefix)
{
	struct span with = span_str(prefix);

	if (s->len < with.len || !span_eq(span_part(*s, 0, with.len), with))
		return false;
	*s = span_part(*s, with.len, s->len);
	return true;
}

static bool cut_suffix(struct span *s, const char *suffix)
{
	struct span with = span_str(suffix);

	if (s->len < with.len || !span_eq(span_part(*s, s->len - with.len, with.len), with))
		return false;
	s->len -= with.len;
	return true;
}

static bool is_visible(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '!' || s.at[i] > '~')
			return false;
	}
	return true;
}

static bool has(struct span s, char c)
{
	return s.len > 0 && memchr(s.at, c, s.len) != NULL;
}

/* "[::1]:80" -> "[::1]", "name:80" -> "name" */
static struct span without_port(struct span host)
{
	struct span rest = host;

	if (host.len > 0 && host.at[0] == '[') {
		(void)span_cut(&rest, ']');
		return span_part(host, 0, host.len - rest.len);
	}
	return span_cut(&rest, ':');
}

static int bad_url(struct fail *why, const char *what)
{
	return fail_set(why, ERR_INVALID, "llm_url", 0, "the URL of the API %s", what);
}

int endpoint_parse(struct endpoint *e, struct span base, const char *path, struct fail *why)
{
	struct span rest = base, host, name;

	*e = (struct endpoint){ .url = "" };
	if (base.len == 0)
		return 0;
	if (base.len > URL_BYTES)
		return bad_url(why, "is too long");
	if (!is_visible(base) || has(base, '?') || has(base, '#') || has(base, '"') ||
		has(base, '\\'))
		return bad_url(why, "has a query, a fragment or characters that no URL has");
	e->is_secure = cut_prefix(&rest, "https://");
	if (!e->is_secure && !cut_prefix(&rest, "http://"))
		return bad_url(why, "begins with neither https:// nor http://");
	host = span_cut(&rest, '/');
	name = without_port(host);
	if (name.len == 0 || host.len >= sizeof(e->host))
		return bad_url(why, "has no host");
	if (has(host, '@'))
		return bad_url(why, "has a user; a key belongs into the file of llm_key");
	while (cut_suffix(&base, "/"))
		;
	(void)cut_suffix(&base, path);
	span_copy(host, e->host, sizeof(e->host));
	e->is_private = span_is(name, "localhost") || !address_text_is_public(name);
	span_copy(base, e->url, sizeof(e->url));
	span_copy(span_str(path), e->url + base.len, sizeof(e->url) - base.len);
	return 0;
}

static int bad_key(struct fail *why, int code, const char *what)
{
	return fail_set(why, code, "llm_key", KEY_BYTES, "the file of the key %s", what);
}

int key_read(const char *file, char to[KEY_BYTES + 1], bool *ret_is_open, struct fail *why)
{
	unsigned char bytes[KEY_BYTES + 64];
	struct span key;
	struct stat st;
	ssize_t n;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return bad_key(why, ERR_IO, "cannot be read");
	n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, bytes, sizeof(bytes)) : -1;
	close(fd);
	if (n < 0)
		return bad_key(why, ERR_IO, "cannot be read");
	key = span_trim(span_of(bytes, (size_t)n));
	if (key.len == 0 || key.len > KEY_BYTES || !is_visible(key)) {
		explicit_bzero(bytes, sizeof(bytes));
		return bad_key(why, ERR_INVALID, "does not hold one line of visible characters");
	}
	span_copy(key, to, KEY_BYTES + 1);
	explicit_bzero(bytes, sizeof(bytes));
	*ret_is_open = (st.st_mode & S_IRWXO) != 0;
	return 0;
}
