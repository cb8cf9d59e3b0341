/* SPDX-License-Identifier: Apache-2.0
 *
 * buf: growing by doubling up to the ceiling; the first failure sticks.
 */
#include "base/buf.h"

#include <stdarg.h>

#include "base/mem.h"
#include "base/utf8.h"

#include "base/pure.h"

#define FIRST_CAP 64u

void buf_init(struct buf *b, size_t max)
{
	/* vsnprintf's zero may stand one byte past the ceiling. */
	CHECK(max < SIZE_MAX);
	*b = (struct buf){ .max = max };
}

void buf_done(struct buf *b)
{
	mem_free(b->at);
	*b = (struct buf){ .max = b->max };
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->err = 0;
}

int buf_err(const struct buf *b)
{
	return b->err;
}

/* Room for n bytes of content and `extra` bytes that do not count. */
static unsigned char *make_room(struct buf *b, size_t n, size_t extra)
{
	size_t need, cap;
	unsigned char *at;

	if (b->err != 0)
		return NULL;
	if (n > b->max - b->len) {
		b->err = ERR_TOO_BIG;
		return NULL;
	}
	need = b->len + n + extra;
	if (need <= b->cap && b->at != NULL)
		return b->at + b->len;
	cap = b->cap < FIRST_CAP ? FIRST_CAP : b->cap;
	while (cap < need && cap <= b->max / 2)
		cap *= 2;
	if (cap < need || cap > b->max)
		cap = need > b->max ? need : b->max;
	at = mem_grow(b->at, cap);
	if (at == NULL) {
		b->err = ERR_NO_MEMORY;
		return NULL;
	}
	b->at = at;
	b->cap = cap;
	return b->at + b->len;
}

unsigned char *buf_room(struct buf *b, size_t n)
{
	return make_room(b, n, 0);
}

void buf_took(struct buf *b, size_t n)
{
	CHECK(n <= b->cap - b->len && n <= b->max - b->len);
	b->len += n;
}

void buf_add(struct buf *b, struct span s)
{
	unsigned char *to = make_room(b, s.len, 0);

	if (to == NULL || s.len == 0)
		return;
	memcpy(to, s.at, s.len);
	b->len += s.len;
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, span_str(s));
}

void buf_byte(struct buf *b, unsigned char c)
{
	buf_add(b, span_of(&c, 1));
}

void buf_fmt(struct buf *b, const char *format, ...)
{
	size_t room = b->cap - b->len;
	unsigned char *to = b->at == NULL ? NULL : b->at + b->len;
	va_list args;
	int n;

	if (b->err != 0)
		return;
	va_start(args, format);
	n = vsnprintf((char *)to, to == NULL ? 0 : room, format, args);
	va_end(args);
	if (n < 0) {
		b->err = ERR_INVALID;
		return;
	}
	to = make_room(b, (size_t)n, 1);
	if (to == NULL)
		return;
	if ((size_t)n >= room) {
		va_start(args, format);
		vsnprintf((char *)to, (size_t)n + 1, format, args);
		va_end(args);
	}
	b->len += (size_t)n;
}

static void add_escape(struct buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: byte, letter */

	for (size_t i = 0; i < sizeof(letters) - 1; i += 2) {
		if ((unsigned char)letters[i] == c) {
			buf_add(b, span_of((char[]){ '\\', letters[i + 1] }, 2));
			return;
		}
	}
	buf_add(b, span_of((char[]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6));
}

/* Bytes at the start of s that a JSON string takes as they are. */
static size_t plain_run(struct span s)
{
	size_t n = 0;

	while (n < s.len) {
		unsigned char c = s.at[n];
		int step;

		if (c < 0x20 || c == '"' || c == '\\')
			break;
		step = c < 0x80 ? 1 : utf8_step(span_part(s, n, s.len));
		if (step < 0)
			break;
		n += (size_t)step;
	}
	return n;
}

void buf_json(struct buf *b, struct span s)
{
	buf_byte(b, '"');
	while (s.len > 0) {
		size_t n = plain_run(s);

		buf_add(b, span_part(s, 0, n));
		s = span_part(s, n, s.len);
		if (s.len == 0 || b->err != 0)
			break;
		if (s.at[0] < 0x80) {
			add_escape(b, s.at[0]);
			n = 1;
		} else {
			buf_str(b, "\xEF\xBF\xBD"); /* U+FFFD */
			n = (size_t)-utf8_step(s);
		}
		s = span_part(s, n, s.len);
	}
	buf_byte(b, '"');
}

void buf_eat(struct buf *b, size_t n)
{
	CHECK(n <= b->len);
	b->len -= n;
	if (n > 0 && b->len > 0)
		memmove(b->at, b->at + n, b->len);
}

unsigned char *buf_take(struct buf *b, size_t *ret_len)
{
	unsigned char *at = b->at;

	*ret_len = b->len;
	if (b->len == 0)
		return NULL;
	*b = (struct buf){ .max = b->max };
	return at;
}
