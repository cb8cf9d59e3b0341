/* SPDX-License-Identifier: Apache-2.0
 *
 * bus_unsent: one buffer of records; strings are kept with their zeros, so that they are handed out in place.
 */
#include "run/bus_unsent.h"

#include <string.h>

#define UNSENT_BYTES_MAX (8u << 20)

/* Before each message: the lengths of what follows. Reply 0: none. */
struct head {
	uint32_t subject, reply, trace, data;
};

void bus_unsent_init(struct bus_unsent *u)
{
	buf_init(&u->records, UNSENT_BYTES_MAX);
}

void bus_unsent_done(struct bus_unsent *u)
{
	buf_done(&u->records);
}

int bus_unsent_add(struct bus_unsent *u, const struct bus_unsent_msg *m)
{
	struct head h = {
		.subject = (uint32_t)strlen(m->subject) + 1,
		.reply = m->reply == NULL ? 0 : (uint32_t)strlen(m->reply) + 1,
		.trace = (uint32_t)m->trace.len,
		.data = (uint32_t)m->data.len,
	};
	size_t len = u->records.len;
	int r;

	buf_add(&u->records, span_of(&h, sizeof(h)));
	buf_add(&u->records, span_of(m->subject, h.subject));
	buf_add(&u->records, span_of(m->reply, h.reply));
	buf_add(&u->records, m->trace);
	buf_add(&u->records, m->data);
	r = buf_err(&u->records);
	if (r == 0)
		return 0;
	u->records.len = len;
	u->records.err = 0;
	return r == ERR_TOO_BIG ? ERR_BUSY : r;
}

bool bus_unsent_next(const struct bus_unsent *u, size_t *at, struct bus_unsent_msg *ret)
{
	struct span left = span_part(buf_span(&u->records), *at, SIZE_MAX);
	const char *subject, *reply;
	struct head h;

	if (left.len == 0)
		return false;
	memcpy(&h, left.at, sizeof(h));
	subject = (const char *)left.at + sizeof(h);
	reply = subject + h.subject;
	ret->subject = subject;
	ret->reply = h.reply == 0 ? NULL : reply;
	ret->trace = span_of(reply + h.reply, h.trace);
	ret->data = span_of(reply + h.reply + h.trace, h.data);
	*at += sizeof(h) + h.subject + h.reply + h.trace + h.data;
	return true;
}
