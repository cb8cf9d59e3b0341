/* SPDX-License-Identifier: Apache-2.0 */
#include "services/cli/follow.h"

#include <stdio.h>

#include "services/cli/result.h"
#include "services/cli/view.h"

static void on_settled(void *ctx);

void follow_init(struct follow *f, struct cli *c)
{
	*f = (struct follow){ .c = c };
	progress_init(&f->progress, !c->opts.quiet);
	stream_init(&f->stream, c, &f->progress);
	f->stream.on_settled = on_settled;
	f->stream.ctx = f;
}

static void settle(struct follow *f)
{
	f->done = f->has_ended && !f->is_asking && !f->stream.reader.is_asking;
}

void follow_give_up(struct follow *f, int exit)
{
	progress_end(&f->progress);
	loop_timer_stop(&f->c->loop, &f->timer);
	stream_stop(&f->stream);
	f->exit = exit;
	f->has_ended = true;
	settle(f);
}

static void end(struct follow *f, const struct result *r)
{
	size_t node = r->node.len;

	if (f->has_ended || f->has_result)
		return;
	/* It is shown when the waiting is over: parts of it may still have to be fetched. */
	buf_init(&f->kept, LIMIT_BODY_BYTES + LIMIT_TEXT_BYTES);
	buf_add(&f->kept, r->node);
	buf_add(&f->kept, r->body);
	if (buf_err(&f->kept) < 0) {
		follow_give_up(f, cli_fail_text(buf_err(&f->kept), "the result"));
		return;
	}
	f->result = *r;
	f->result.node = span_part(buf_span(&f->kept), 0, node);
	f->result.body = span_part(buf_span(&f->kept), node, f->kept.len);
	f->has_result = true;
	if (!f->c->opts.follow || stream_end(&f->stream, r))
		follow_give_up(f, 0);
}

/* The stream had an answer, or cannot be written. */
static void on_settled(void *ctx)
{
	struct follow *f = ctx;

	if (f->stream.exit != 0 && !f->has_ended)
		follow_give_up(f, f->stream.exit);
	else if (f->has_result && !f->has_ended && stream_reader_is_whole(&f->stream.reader))
		follow_give_up(f, 0);
	settle(f);
}

/* " on cpu-1 (cpu)", or nothing; to has 100 bytes. */
static const char *place_text(char to[100], struct span node, enum rung rung)
{
	to[0] = '\0';
	if (node.len > 0)
		(void)snprintf(to, 100, " on %.*s (%s)", (int)node.len, (const char *)node.at,
			rung_name(rung));
	else if (rung != RUNG_NONE)
		(void)snprintf(to, 100, " (%s)", rung_name(rung));
	return to;
}

void follow_event(void *ctx, const struct event *e)
{
	struct follow *f = ctx;
	char place[100], state[VIEW_STATE];

	f->task = e->task;
	if (f->c->opts.follow && !f->has_ended && e->kind != EVENT_END)
		stream_event(&f->stream, e);
	switch (e->kind) {
	case EVENT_CHANGE:
		progress_say(&f->progress, "%s%s%s%.*s", view_state(e->state, e->paused, state),
			place_text(place, e->node, e->rung), e->reason.len > 0 ? ": " : "",
			(int)e->reason.len, (const char *)e->reason.at);
		return;
	case EVENT_PROGRESS:
		progress_say(&f->progress, "%u %%%s%.*s", e->permille / 10,
			e->note.len > 0 ? " " : "", (int)e->note.len, (const char *)e->note.at);
		return;
	case EVENT_END:
		end(f, &e->result);
		return;
	case EVENT_CHUNK:
	case EVENT_BEAT:
	case EVENT_NONE:
		return;
	}
}

static void ask_again(struct follow *f)
{
	struct loop *l = &f->c->loop;

	f->every_ns = f->every_ns * 2 < f->most_ns ? f->every_ns * 2 : f->most_ns;
	if (loop_timer_set(l, &f->timer, clocks_now(&l->clocks) + f->every_ns) < 0)
		follow_give_up(f, cli_fail_text(ERR_BUG, "no timer is left"));
}

/* True if the answer is a refusal; what may pass is only noted. */
static bool is_refused(struct follow *f, const struct query_reply *r)
{
	f->is_asking = false;
	settle(f);
	if (f->has_ended)
		return true;
	if (r->fail.code == 0)
		return false;
	if (err_row(r->fail.code)->retry && r->fail.code != ERR_CLOSED) {
		progress_say(&f->progress, "the router does not answer (%s); asking again",
			r->fail.detail[0] != 0 ? r->fail.detail : err_row(r->fail.code)->text);
		ask_again(f);
	} else {
		follow_give_up(f, cli_fail(&r->fail));
	}
	return true;
}

static void on_result(void *ctx, const struct query_reply *r)
{
	struct follow *f = ctx;

	if (is_refused(f, r))
		return;
	if (r->kind == REPLY_RESULT && state_is_final(r->result.state))
		end(f, &r->result);
	else
		ask_again(f);
}

static void ask(struct follow *f, enum query_kind kind, client_query_fn *on_reply)
{
	struct query q = { .kind = kind, .task = f->task };
	int r = client_query(f->c->client, &q, on_reply, f);

	if (r < 0) {
		follow_give_up(f, cli_fail_text(r, "the question could not be sent"));
		return;
	}
	f->is_asking = true;
}

static void on_status(void *ctx, const struct query_reply *r)
{
	struct follow *f = ctx;
	const struct task_view *t = &r->task;
	char place[100], state[VIEW_STATE];

	if (is_refused(f, r))
		return;
	if (r->kind == REPLY_TASK && state_is_final(t->state)) {
		ask(f, QUERY_RESULT, on_result);
		return;
	}
	view_state(t->state, t->paused, state);
	if (f->c->opts.follow)
		stream_check(&f->stream);
	if (t->parts > 0)
		progress_say(&f->progress, "%s%s %u of %u parts", state,
			place_text(place, t->node, t->rung), t->parts_done, t->parts);
	else if (t->permille > 0)
		progress_say(&f->progress, "%u %%%s%s%.*s", t->permille / 10,
			t->paused ? ", paused" : "", t->note.len > 0 ? " " : "", (int)t->note.len,
			(const char *)t->note.at);
	else
		progress_say(&f->progress, "%s%s", state, place_text(place, t->node, t->rung));
	ask_again(f);
}

static void on_due(void *ctx, int64_t now_ns)
{
	struct follow *f = ctx;

	(void)now_ns;
	if (!f->has_result)
		ask(f, QUERY_STATUS, on_status);
}

int follow_ask(struct follow *f, struct ulid task, int64_t every_ns, int64_t most_ns)
{
	struct loop *l = &f->c->loop;

	f->task = task;
	f->every_ns = every_ns;
	f->most_ns = most_ns;
	f->timer.on_due = on_due;
	f->timer.ctx = f;
	if (f->c->opts.follow)
		stream_begin(&f->stream, task, every_ns != most_ns);
	/* Without events the first answer is wanted at once. */
	return loop_timer_set(l, &f->timer,
		clocks_now(&l->clocks) + (every_ns == most_ns ? every_ns : 0));
}

/* The chunks were the result, if all of them were written. */
static int show(struct follow *f)
{
	struct result rest = f->result;
	char id[ULID_TEXT + 1];
	int exit;

	if (f->stream.exit != 0)
		return f->stream.exit;
	if (!f->stream.shown || f->c->opts.json || f->c->opts.out != NULL ||
		rest.state != STATE_SUCCEEDED)
		return result_show(f->c, f->task, &f->result);
	rest.body = (struct span){ NULL, 0 };
	exit = result_show(f->c, f->task, &rest);
	if (exit != 0 || !f->stream.torn)
		return exit;
	ulid_text(f->task, id);
	return cli_fail_text(ERR_LOST,
		"what was written is not the result; get it with: spu wait %s --out FILE", id);
}

int follow_wait(struct follow *f)
{
	char id[ULID_TEXT + 1];
	int r = cli_wait(f->c, &f->done);

	if (r == 0 && f->has_result)
		f->exit = show(f);
	buf_done(&f->kept);
	if (r == 0)
		return f->exit;
	progress_end(&f->progress);
	loop_timer_stop(&f->c->loop, &f->timer);
	/* Its callbacks must not come later, when the follow is gone, and have nothing to say. */
	stream_stop(&f->stream);
	f->has_ended = true;
	client_close(f->c->client);
	f->c->client = NULL;
	if (r == EXIT_INTERRUPTED && !ulid_is_zero(f->task)) {
		ulid_text(f->task, id);
		fprintf(stderr, "spu: the task goes on; spu wait %s, or spu cancel %s\n", id, id);
	}
	return r;
}
