/* SPDX-License-Identifier: Apache-2.0
 *
 * bus: what is the same for every implementation: checks on the way out, and matching.
 */
#include "run/bus.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"

/* "NATS/1.0", "traceparent: ", the line ends: what a trace adds to a message besides itself. */
#define TRACE_HEADER_BYTES 27u

static bool is_well_formed(const char *s, bool wildcards)
{
	const unsigned char *at = (const unsigned char *)s;
	size_t token = 0; /* characters of this token so far */

	for (;; at++) {
		if (*at == '.' || *at == '\0') {
			if (token == 0)
				return false;
			if (*at == '\0')
				return (size_t)(at - (const unsigned char *)s) <= BUS_SUBJECT_BYTES;
			token = 0;
			continue;
		}
		if (*at <= ' ' || *at == 0x7f)
			return false;
		if (*at == '*' || *at == '>') {
			/* A token of its own, and `>` the last one. */
			if (!wildcards || token != 0 ||
				(at[1] != '\0' && (*at == '>' || at[1] != '.')))
				return false;
		}
		token++;
	}
}

bool bus_is_subject(const char *s)
{
	return is_well_formed(s, false);
}

bool bus_is_pattern(const char *s)
{
	return is_well_formed(s, true);
}

bool bus_matches(const char *pattern, const char *subject)
{
	for (;;) {
		if (*pattern == '>')
			return *subject != '\0';
		if (*pattern == '*') {
			pattern++;
			while (*subject != '.' && *subject != '\0')
				subject++;
			continue;
		}
		if (*pattern != *subject)
			return false;
		if (*pattern == '\0')
			return true;
		pattern++;
		subject++;
	}
}

bool bus_is_trace(struct span trace)
{
	if (trace.len > BUS_TRACE_BYTES)
		return false;
	for (size_t i = 0; i < trace.len; i++) {
		unsigned char c = trace.at[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f') && c != '-')
			return false;
	}
	return true;
}

void bus_servers_text(const char *urls, char *to, size_t room)
{
	struct span rest = span_str(urls);
	size_t len = 0;

	to[0] = '\0';
	while (rest.len > 0 && len < room) {
		struct span url = span_trim(span_cut(&rest, ','));
		const unsigned char *sign = memrchr(url.at, '@', url.len);

		if (sign != NULL)
			url = span_part(url, (size_t)(sign + 1 - url.at), url.len);
		len += (size_t)snprintf(to + len, room - len, "%s%s%.*s", len > 0 ? "," : "",
			sign != NULL ? "nats://" : "", (int)url.len, (const char *)url.at);
	}
}

void bus_set_state(struct bus *b, enum bus_state state)
{
	if (b->state == state)
		return;
	b->state = state;
	if (b->on_state != NULL)
		b->on_state(b->state_ctx, state);
}

int bus_publish(struct bus *b, const char *subject, const char *reply, struct span trace,
	struct span data)
{
	size_t header = trace.len == 0 ? 0 : trace.len + TRACE_HEADER_BYTES;
	int r;

	if (!bus_is_subject(subject) || (reply != NULL && !bus_is_subject(reply)) ||
		!bus_is_trace(trace))
		return ERR_INVALID;
	if (data.len > LIMIT_MESSAGE_BYTES || header > LIMIT_MESSAGE_BYTES - data.len)
		return ERR_TOO_BIG;
	if (b->state == BUS_CLOSED)
		return ERR_CLOSED;
	r = b->ops->publish(b, subject, reply, trace, data);
	if (r == 0) {
		b->sent++;
		b->sent_bytes += data.len;
	}
	return r;
}

struct bus_sub *bus_subscribe(struct bus *b, const char *pattern, const char *group,
	void (*on_msg)(void *ctx, const struct bus_msg *m), void *ctx)
{
	CHECK(on_msg != NULL);
	if (!bus_is_pattern(pattern) || (group != NULL && !bus_is_subject(group)) ||
		b->state == BUS_CLOSED)
		return NULL;
	return b->ops->subscribe(b, pattern, group, on_msg, ctx);
}

void bus_unsubscribe(struct bus *b, struct bus_sub *sub)
{
	if (sub != NULL)
		b->ops->unsubscribe(b, sub);
}

void bus_flush(struct bus *b)
{
	b->ops->flush(b);
}

void bus_close(struct bus *b)
{
	if (b != NULL)
		b->ops->close(b);
}
