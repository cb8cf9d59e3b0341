/* SPDX-License-Identifier: Apache-2.0
 *
 * log: lines are made on the stack, never longer than PIPE_BUF, and leave in one write, so that lines of
 * several threads and processes do not mix and logging needs no memory. A value that is too long is cut off
 * with "...", a field without room is left out; the line stays valid JSON.
 */
#include "run/log.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fmt.h"
#include "base/utf8.h"
#include "run/clocks.h"

#define LINE_BYTES 4096u
#define TAIL_BYTES 64u    /* kept free for what ends the line */
#define VALUE_BYTES 1024u /* of one text, escaped */
#define SITE_LINES 10u    /* a second */
_Static_assert(LINE_BYTES <= PIPE_BUF, "a line must leave in one piece");

/* Set once, before other threads. */
static struct {
	const char *program;
	enum log_level least;
	bool json;
} log_state = { "spu", LOG_INFO, false };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

struct line {
	char at[LINE_BYTES];
	size_t len;
	bool cut; /* something did not fit */
};

void log_open(const char *program, enum log_level least, bool json)
{
	log_state.program = program;
	log_state.least = least;
	log_state.json = json;
}

/* Parts of a line */

static bool add(struct line *l, const char *at, size_t len)
{
	if (len > LINE_BYTES - TAIL_BYTES - l->len) {
		l->cut = true;
		return false;
	}
	memcpy(l->at + l->len, at, len);
	l->len += len;
	return true;
}

static bool add_str(struct line *l, const char *s)
{
	return add(l, s, strlen(s));
}

/* Characters that steer a terminal or a reader's eye: C0, DEL, C1, line separators, and those that turn the
 * direction of writing. */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x200E || c == 0x200F ||
	       (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

/* The code point of a valid sequence of n bytes. */
static uint32_t code_point(const unsigned char *at, int n)
{
	uint32_t c = n == 1 ? at[0] : at[0] & (0xFFu >> (n + 1));

	for (int i = 1; i < n; i++)
		c = c << 6 | (at[i] & 0x3F);
	return c;
}

/* One character, escaped as JSON does where needed: the text form uses the same escapes. */
static size_t escape(struct span s, int step, char out[16])
{
	uint32_t c;

	if (step < 0) {
		memcpy(out, "\xEF\xBF\xBD", 3); /* U+FFFD */
		return 3;
	}
	c = code_point(s.at, step);
	if (c == '"' || c == '\\')
		return (size_t)snprintf(out, 16, "\\%c", (char)c);
	if (c == '\n' || c == '\t')
		return (size_t)snprintf(out, 16, "\\%c", c == '\n' ? 'n' : 't');
	if (is_control(c))
		return (size_t)snprintf(out, 16, "\\u%04" PRIx32, c);
	memcpy(out, s.at, (size_t)step);
	return (size_t)step;
}

static bool add_escaped(struct line *l, struct span s)
{
	size_t end = l->len + VALUE_BYTES;

	while (s.len > 0) {
		int step = utf8_step(s);
		char out[16];
		size_t n = escape(s, step, out);

		if (l->len + n > end)
			return add_str(l, "...");
		if (!add(l, out, n))
			return false;
		s = span_part(s, (size_t)(step < 0 ? -step : step), s.len);
	}
	return true;
}

/* Text that needs quotes to be read as one value. */
static bool needs_quotes(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] <= ' ' || s.at[i] == '"' || s.at[i] == '=' || s.at[i] == '\\' ||
			s.at[i] >= 0x7F)
			return true;
	return s.len == 0;
}

static bool add_text(struct line *l, struct span s)
{
	bool quotes = log_state.json || needs_quotes(s);

	return (!quotes || add_str(l, "\"")) && add_escaped(l, s) && (!quotes || add_str(l, "\""));
}

static bool add_value(struct line *l, struct log_value v)
{
	char number[24];

	if (v.type == LOG_V_TEXT)
		return add_text(l, v.text);
	snprintf(number, sizeof(number), "%" PRId64, v.number);
	return add_str(l, number);
}

/* All of a field or nothing. */
static void add_field(struct line *l, const char *key, struct log_value v)
{
	size_t before = l->len;
	bool ok;

	if (log_state.json)
		ok = add_str(l, ",\"") && add_str(l, key) && add_str(l, "\":");
	else
		ok = add_str(l, " ") && add_str(l, key) && add_str(l, "=");
	if (!ok || !add_value(l, v))
		l->len = before;
}

/* Whole lines */

static void begin_line(struct line *l, enum log_level level, const char *message)
{
	char time[CLOCKS_TEXT_BYTES];

	clocks_text(clocks_wall(), time);
	if (log_state.json)
		l->len = (size_t)snprintf(l->at, LINE_BYTES,
			"{\"time\":\"%s\",\"level\":\"%s\",\"program\":\"%.64s\",\"message\":\"",
			time, level_names[level], log_state.program);
	else
		l->len = (size_t)snprintf(l->at, LINE_BYTES, "%s %-5s %.64s: ", time,
			level_names[level], log_state.program);
	add_escaped(l, span_str(message));
	add_str(l, log_state.json ? "\"" : " ");
}

static void end_line(struct line *l, uint32_t dropped)
{
	/* TAIL_BYTES are free for this. */
	if (dropped > 0)
		l->len += (size_t)snprintf(l->at + l->len, LINE_BYTES - l->len,
			log_state.json ? ",\"dropped\":%" PRIu32 : " dropped=%" PRIu32, dropped);
	if (l->cut)
		l->len += (size_t)snprintf(l->at + l->len, LINE_BYTES - l->len,
			log_state.json ? ",\"cut\":true" : " cut=true");
	if (!log_state.json && l->at[l->len - 1] == ' ')
		l->len--;
	if (log_state.json)
		l->at[l->len++] = '}';
	l->at[l->len++] = '\n';
}

/* *site: high half the second plus one, low half the lines asked for in it. True if one more may be written;
 * *ret_dropped then counts what was not since the last one. */
static bool may_write(uint64_t *site, uint32_t *ret_dropped)
{
	uint64_t second = (uint64_t)(clocks_mono() / NS_PER_S) + 1;
	uint32_t lines = (uint32_t)*site;

	*ret_dropped = 0;
	if (*site >> 32 != (second & UINT32_MAX)) {
		*ret_dropped = lines > SITE_LINES ? lines - SITE_LINES : 0;
		lines = 0;
	}
	lines += lines < UINT32_MAX;
	*site = second << 32 | lines;
	return lines <= SITE_LINES;
}

void log_write(enum log_level level, uint64_t *site, const char *message, ...)
{
	struct line l;
	uint32_t dropped;
	const char *key;
	va_list args;
	ssize_t n;

	if (level > log_state.least || !may_write(site, &dropped))
		return;
	l.cut = false;
	begin_line(&l, level, message);
	va_start(args, message);
	while ((key = va_arg(args, const char *)) != NULL)
		add_field(&l, key, va_arg(args, struct log_value));
	va_end(args);
	end_line(&l, dropped);
	do
		n = write(STDERR_FILENO, l.at, l.len);
	while (n < 0 && errno == EINTR);
}
