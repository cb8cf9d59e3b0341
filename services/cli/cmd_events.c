/* SPDX-License-Identifier: Apache-2.0
 *
 * spu events.
 */
#include <stdio.h>

#include "services/cli/cli.h"
#include "services/cli/result.h"
#include "services/cli/view.h"

struct watching {
	struct cli *c;
	struct ulid task; /* zero: all */
	int done;
	int exit;
};

static void put_what(struct buf *b, const struct event *e)
{
	char state[VIEW_STATE];

	switch (e->kind) {
	case EVENT_CHANGE:
		buf_str(b, view_state(e->state, e->paused, state));
		if (e->rung != RUNG_NONE)
			buf_fmt(b, " %s", rung_name(e->rung));
		if (e->node.len > 0) {
			buf_str(b, " on ");
			text_safe(b, e->node);
			buf_fmt(b, ", attempt %u", e->attempt);
		}
		if (e->reason.len > 0) {
			buf_str(b, ": ");
			text_safe(b, e->reason);
		}
		return;
	case EVENT_PROGRESS:
		buf_fmt(b, "%u %% ", e->permille / 10);
		text_safe(b, e->note);
		return;
	case EVENT_CHUNK:
		buf_fmt(b, "chunk %llu of attempt %u, %zu bytes", (unsigned long long)e->chunk_seq,
			e->attempt, e->data.len);
		return;
	case EVENT_BEAT:
		buf_fmt(b, "silent since chunk %llu of attempt %u",
			(unsigned long long)e->chunk_seq, e->attempt);
		return;
	case EVENT_END:
		buf_fmt(b, "%s%s%s, %zu bytes", state_name(e->result.state),
			e->result.fail.code != 0 ? " " : "",
			e->result.fail.code != 0 ? err_row(e->result.fail.code)->name : "",
			e->result.body.len);
		return;
	case EVENT_NONE:
		return;
	}
}

static int print_line(const struct event *e)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	char id[ULID_TEXT + 1], at[24];

	ulid_text(e->task, id);
	buf_init(&b, 8192);
	buf_fmt(&b, "%s  %s  ", view_time(clocks_wall() / NS_PER_MS, at), id);
	put_what(&b, e);
	buf_byte(&b, '\n');
	if (buf_err(&b) < 0)
		return buf_err(&b);
	return fwrite(b.at, 1, b.len, stdout) == b.len && fflush(stdout) == 0 ? 0 : ERR_IO;
}

static int print_json(const struct event *e)
{
	static const char *const names[] = { "none", "change", "progress", "chunk", "end", "beat" };
	static const struct body nothing;
	CLEANUP(json_done) struct json j = { 0 };

	json_init(&j);
	json_open(&j, NULL, '{');
	json_id(&j, "task", e->task);
	json_int(&j, "seq", (int64_t)e->seq);
	json_text(&j, "event", span_str(names[e->kind]));
	switch (e->kind) {
	case EVENT_CHANGE:
		json_text(&j, "state", span_str(state_name(e->state)));
		json_bool(&j, "paused", e->paused);
		json_text(&j, "rung", span_str(rung_name(e->rung)));
		json_text(&j, "node", e->node);
		json_int(&j, "attempt", e->attempt);
		json_text(&j, "reason", e->reason);
		break;
	case EVENT_PROGRESS:
		json_int(&j, "permille", e->permille);
		json_text(&j, "note", e->note);
		break;
	case EVENT_BEAT:
		json_int(&j, "attempt", e->attempt);
		json_int(&j, "chunks", (int64_t)e->chunk_seq);
		break;
	case EVENT_CHUNK:
		json_int(&j, "attempt", e->attempt);
		json_int(&j, "chunk", (int64_t)e->chunk_seq);
		json_bytes(&j, "text", e->data);
		break;
	case EVENT_END:
		result_json(&j, &e->result, &nothing, false);
		break;
	case EVENT_NONE:
		break;
	}
	json_shut(&j, '}');
	return json_print(&j);
}

static void on_event(void *ctx, const struct event *e)
{
	struct watching *w = ctx;
	bool one = !ulid_is_zero(w->task);
	int r;

	if (w->done != 0 || (one && !ulid_eq(w->task, e->task)))
		return;
	r = w->c->opts.json ? print_json(e) : print_line(e);
	if (r < 0)
		w->exit = cli_fail_text(r, "the event cannot be written");
	w->done = r < 0 || (one && e->kind == EVENT_END);
}

int cmd_events(struct cli *c)
{
	struct watching w = { .c = c };
	int r = c->opts.args.n == 0 ? 0 : cli_task_arg(c, 0, &w.task);

	if (r == 0)
		r = cli_open(c);
	if (r != 0)
		return r;
	r = client_watch(c->client, on_event, &w);
	if (r < 0)
		return cli_fail_text(r, "the events cannot be subscribed to");
	if (!c->opts.quiet)
		fprintf(stderr, "events of tenant %s; Ctrl-C ends\n", c->tenant);
	r = cli_wait(c, &w.done);
	/* To be ended by the user is how this command ends. */
	return r == EXIT_INTERRUPTED ? 0 : r != 0 ? r : w.exit;
}
