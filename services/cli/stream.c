/* SPDX-License-Identifier: Apache-2.0 */
#include "services/cli/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/cli/json.h"
#include "services/cli/table.h"

/* --- writing ------------------------------------------------------------------------------------------ */

/* Control characters do nothing on a terminal. */
static int write_terminal(struct span data)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, 4 * LIMIT_MESSAGE_BYTES);
	while (data.len > 0) {
		size_t before = data.len;
		struct span line = span_cut(&data, '\n');

		text_safe(&b, line);
		if (line.len < before)
			buf_byte(&b, '\n');
	}
	if (buf_err(&b) < 0)
		return buf_err(&b);
	return fwrite(b.at, 1, b.len, stdout) == b.len ? 0 : ERR_IO;
}

static int write_json(const struct stream_show *s, uint32_t attempt, const struct chunk *c)
{
	CLEANUP(json_done) struct json j = { 0 };

	json_init(&j);
	json_open(&j, NULL, '{');
	json_id(&j, "task", s->reader.task);
	json_int(&j, "attempt", attempt);
	json_int(&j, "chunk", (int64_t)c->seq);
	json_bytes(&j, "text", c->data);
	json_shut(&j, '}');
	return json_print(&j);
}

static int write_chunk(const struct stream_show *s, uint32_t attempt, const struct chunk *c)
{
	int r;

	if (s->c->opts.json)
		return write_json(s, attempt, c);
	if (isatty(STDOUT_FILENO))
		r = write_terminal(c->data);
	else
		r = fwrite(c->data.at, 1, c->data.len, stdout) == c->data.len ? 0 : ERR_IO;
	return r == 0 && fflush(stdout) != 0 ? ERR_IO : r;
}

static void written(struct stream_show *s, int r)
{
	if (r == 0)
		return;
	s->exit = cli_fail_text(ERR_IO, "standard output: %s", strerror(errno));
	s->stopped = true;
}

static void on_chunk(void *ctx, uint32_t attempt, const struct chunk *c)
{
	struct stream_show *s = ctx;

	if (s->stopped)
		return;
	progress_end(s->progress);
	s->shown = true;
	written(s, write_chunk(s, attempt, c));
}

static void on_anew(void *ctx, uint32_t attempt)
{
	struct stream_show *s = ctx;

	s->torn = s->torn || s->shown;
	if (!s->shown || s->stopped || s->c->opts.json)
		return;
	progress_end(s->progress);
	fprintf(stderr, "spu: attempt %u begins anew; what was written so far came of another\n",
		attempt);
}

static int write_lost(const struct stream_show *s, uint32_t attempt, uint64_t first, uint64_t last)
{
	CLEANUP(json_done) struct json j = { 0 };

	json_init(&j);
	json_open(&j, NULL, '{');
	json_id(&j, "task", s->reader.task);
	json_int(&j, "attempt", attempt);
	json_int(&j, "lost_from", (int64_t)first);
	json_int(&j, "lost_to", (int64_t)last);
	json_shut(&j, '}');
	return json_print(&j);
}

static void on_lost(void *ctx, uint32_t attempt, uint64_t first, uint64_t last)
{
	struct stream_show *s = ctx;

	s->torn = true;
	if (s->stopped)
		return;
	progress_end(s->progress);
	if (s->c->opts.json)
		written(s, write_lost(s, attempt, first, last));
	else
		fprintf(stderr,
			"spu: chunks %" PRIu64 " to %" PRIu64
			" of attempt %u are no longer kept; the oldest that may be had is %" PRIu64
			"\n",
			first, last, attempt, last + 1);
}

/* --- asking ------------------------------------------------------------------------------------------- */

static int64_t now_of(const struct stream_show *s)
{
	return clocks_now(&s->c->loop.clocks);
}

static void on_reply(void *ctx, const struct query_reply *r);

static void ask(struct stream_show *s)
{
	struct fail why = { 0 };
	struct query q;
	int r;

	while (!s->stopped && stream_reader_ask(&s->reader, now_of(s), &q)) {
		r = client_query(s->c->client, &q, on_reply, s);
		if (r == 0)
			return;
		fail_set(&why, ERR_BUSY, NULL, 0, NULL);
		stream_reader_reply(&s->reader, now_of(s), &(struct query_reply){ .fail = why });
	}
	/* Without a timer the next event or question of state makes it look again. */
	if (!s->stopped && stream_reader_wake(&s->reader) < INT64_MAX) {
		r = loop_timer_set(&s->c->loop, &s->timer, stream_reader_wake(&s->reader));
		(void)r;
	}
}

static void on_reply(void *ctx, const struct query_reply *r)
{
	struct stream_show *s = ctx;

	stream_reader_reply(&s->reader, now_of(s), r);
	if (s->polls)
		stream_reader_check(&s->reader, now_of(s));
	ask(s);
	s->on_settled(s->ctx);
}

static void on_due(void *ctx, int64_t now_ns)
{
	(void)now_ns;
	ask(ctx);
}

/* --- life --------------------------------------------------------------------------------------------- */

void stream_init(struct stream_show *s, struct cli *c, struct progress *progress)
{
	*s = (struct stream_show){ .c = c, .progress = progress };
	s->reader.on_chunk = on_chunk;
	s->reader.on_anew = on_anew;
	s->reader.on_lost = on_lost;
	s->reader.ctx = s;
	s->timer.on_due = on_due;
	s->timer.ctx = s;
}

void stream_begin(struct stream_show *s, struct ulid task, bool polls)
{
	s->reader.task = task;
	s->polls = polls;
	if (polls)
		stream_check(s);
}

void stream_event(struct stream_show *s, const struct event *e)
{
	s->reader.task = e->task;
	stream_reader_event(&s->reader, now_of(s), e);
	ask(s);
	if (s->exit != 0)
		s->on_settled(s->ctx);
}

void stream_check(struct stream_show *s)
{
	stream_reader_check(&s->reader, now_of(s));
	ask(s);
}

bool stream_end(struct stream_show *s, const struct result *end)
{
	stream_reader_end(&s->reader, end);
	ask(s);
	return s->stopped || stream_reader_is_whole(&s->reader);
}

void stream_stop(struct stream_show *s)
{
	s->stopped = true;
	loop_timer_stop(&s->c->loop, &s->timer);
}
