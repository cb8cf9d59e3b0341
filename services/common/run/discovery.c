/* SPDX-License-Identifier: Apache-2.0
 *
 * discovery: answers are built from the daemon's fields at each question. Questions whose reply subject is no
 * inbox are not answered: the reply subject is the asker's choice and could name one of ours.
 */
#include "run/discovery.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/limits.h"
#include "version.h"
#include "wire/subject.h"

static const struct metric_row daemon_rows[] = {
	{ "control_late_us", METRIC_HIST, offsetof(struct daemon, loop.jitter_us), "us",
		"how late the 10 Hz control loop ran" },
	{ 0 },
};

#define AT(member) offsetof(struct bus, member)
static const struct metric_row bus_rows[] = {
	{ "bus_sent", METRIC_COUNTER, AT(sent), "", "messages sent" },
	{ "bus_sent_bytes", METRIC_COUNTER, AT(sent_bytes), "bytes", "bytes sent in messages" },
	{ "bus_received", METRIC_COUNTER, AT(received), "", "messages received" },
	{ "bus_received_bytes", METRIC_COUNTER, AT(received_bytes), "bytes",
		"bytes received in messages" },
	{ "bus_dropped", METRIC_COUNTER, AT(dropped), "",
		"messages lost because they came too fast" },
	{ 0 },
};
#undef AT

/* "key":"text" */
static void add_text(struct buf *b, const char *key, const char *text)
{
	buf_fmt(b, "\"%s\":", key);
	buf_json(b, span_str(text));
}

/* What all three answers begin with. */
static void add_head(struct buf *b, const struct daemon *d, const char *type)
{
	buf_fmt(b, "{\"type\":\"io.nats.micro.v1.%s_response\",\"name\":\"spu-%s\",", type,
		d->program);
	add_text(b, "id", d->name);
	buf_str(b, ",\"version\":\"" SPU_BUILD "\",\"metadata\":{");
	add_text(b, "program", d->program);
	buf_byte(b, ',');
	add_text(b, "node", d->name);
	buf_fmt(b, ",\"incarnation\":\"%" PRIu64 "\"}", d->incarnation);
}

static void add_endpoints(struct buf *b, const struct daemon *d, bool counters)
{
	const struct daemon_endpoint *e = d->endpoints;

	buf_str(b, ",\"endpoints\":[");
	for (; e != NULL && e->name != NULL; e++) {
		buf_str(b, e == d->endpoints ? "{" : ",{");
		add_text(b, "name", e->name);
		buf_byte(b, ',');
		add_text(b, "subject", e->subject);
		buf_byte(b, ',');
		add_text(b, "queue_group", e->group);
		if (counters)
			buf_fmt(b,
				",\"num_requests\":%" PRIu64 ",\"num_errors\":%" PRIu64
				",\"last_error\":\"\","
				"\"processing_time\":0,\"average_processing_time\":0}",
				e->requests == NULL ? 0 : *e->requests,
				e->errors == NULL ? 0 : *e->errors);
		else
			buf_str(b, ",\"metadata\":{}}");
	}
	buf_byte(b, ']');
}

static void add_stats(struct buf *b, const struct daemon *d)
{
	const struct metric_set sets[] = { d->metrics, { d->program, daemon_rows, d },
		{ d->program, bus_rows, d->bus } };
	char started[CLOCKS_TEXT_BYTES];

	buf_byte(b, ',');
	add_text(b, "started", clocks_text(d->started_ns, started));
	add_endpoints(b, d, true);
	buf_str(b, ",\"data\":");
	metric_json_all(b, sets, ARRAY_LEN(sets));
}

static void answer(const struct daemon *d, const struct bus_msg *m, const struct buf *b)
{
	char to[SUBJECT_BYTES];

	span_copy(m->reply, to, sizeof(to));
	/* Whoever misses the answer asks again. */
	if (buf_err(b) == 0)
		(void)!bus_publish(d->bus, to, NULL, m->trace, buf_span(b));
}

static bool may_answer(const struct bus_msg *m)
{
	return subject_may_reply(m->reply, span_of(NULL, 0));
}

static void on_ping(void *ctx, const struct bus_msg *m)
{
	struct daemon *d = ctx;
	CLEANUP(buf_done) struct buf b = { .max = LIMIT_MESSAGE_BYTES };

	if (!may_answer(m))
		return;
	add_head(&b, d, "ping");
	buf_byte(&b, '}');
	answer(d, m, &b);
}

static void on_info(void *ctx, const struct bus_msg *m)
{
	struct daemon *d = ctx;
	CLEANUP(buf_done) struct buf b = { .max = LIMIT_MESSAGE_BYTES };

	if (!may_answer(m))
		return;
	add_head(&b, d, "info");
	buf_str(&b, ",\"description\":\"SPU Mesh\"");
	add_endpoints(&b, d, false);
	buf_byte(&b, '}');
	answer(d, m, &b);
}

static void on_stats(void *ctx, const struct bus_msg *m)
{
	struct daemon *d = ctx;
	CLEANUP(buf_done) struct buf b = { .max = LIMIT_MESSAGE_BYTES };

	if (!may_answer(m))
		return;
	add_head(&b, d, "stats");
	add_stats(&b, d);
	buf_byte(&b, '}');
	answer(d, m, &b);
}

int discovery_open(struct daemon *d)
{
	static const struct {
		const char *verb;
		void (*on_msg)(void *ctx, const struct bus_msg *m);
	} verbs[] = { { "PING", on_ping }, { "INFO", on_info }, { "STATS", on_stats } };

	for (unsigned i = 0; i < DAEMON_SUBS; i++) {
		char pattern[SUBJECT_BYTES], tail[SUBJECT_BYTES] = "";

		if (i % 3 > 0)
			snprintf(tail, sizeof(tail), ".spu-%s%s%s", d->program,
				i % 3 == 2 ? "." : "", i % 3 == 2 ? d->name : "");
		snprintf(pattern, sizeof(pattern), "$SRV.%s%.140s", verbs[i / 3].verb, tail);
		d->srv[i] = bus_subscribe(d->bus, pattern, NULL, verbs[i / 3].on_msg, d);
		if (d->srv[i] == NULL)
			return ERR_NO_MEMORY;
	}
	return 0;
}
