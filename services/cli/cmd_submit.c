/* SPDX-License-Identifier: Apache-2.0
 *
 * spu submit, wait, cancel.
 */
#include <stdio.h>
#include <string.h>

#include "run/insist.h"
#include "run/keys.h"
#include "services/cli/cli.h"
#include "services/cli/explain.h"
#include "services/cli/follow.h"
#include "services/cli/graph_file.h"
#include "services/cli/input.h"
#include "services/cli/json.h"
#include "services/cli/result.h"
#include "services/cli/view.h"

struct submission {
	struct cli *c;
	struct follow follow;
	struct insist insist;
	struct buf body;
	const char *kind;
	char key[40]; /* of our own, where the user gave none */
	int exit;     /* of what was told already */
};

/* What a task's inputs are kept for beyond its deadline: it may be replayed. */
#define KEEP_NS (24 * INT64_C(3600) * NS_PER_S) /* the router's default */
#define KEEP_MORE_NS (INT64_C(3600) * NS_PER_S)
#define DEADLINE_NS (24 * INT64_C(3600) * NS_PER_S) /* the router's default, at most */
#define REFERENCE_BYTES 512u /* of an item that is in the store, usually much less */
#define GRAPH_BYTES 65536u   /* of a graph besides its files */

/* An input goes to the store: only then is the mesh needed before all of the task is read. */
static int put_blob(void *ctx, const struct blobs_source *source, struct blob_hash *ret,
	struct fail *why)
{
	struct submission *s = ctx;
	int64_t deadline_ns = s->c->opts.deadline_ns >= 0 ? s->c->opts.deadline_ns : DEADLINE_NS;
	int64_t keep_ns = s->c->opts.keep_ns > 0 ? s->c->opts.keep_ns : KEEP_NS;
	struct blob_end end;

	if (s->c->client == NULL)
		s->exit = cli_open(s->c);
	if (s->exit == 0)
		s->exit = blobs_put(s->c, source,
			clocks_wall() + deadline_ns + keep_ns + KEEP_MORE_NS, &end);
	if (s->exit != 0)
		return fail_set(why, ERR_CLOSED, NULL, 0, NULL);
	*ret = end.hash;
	if (end.fail.code == 0)
		return 0;
	fail_set(why, end.fail.code, end.fail.field[0] != '\0' ? end.fail.field : "in",
		end.fail.field[0] != '\0' ? end.fail.limit : LIMIT_BODY_BYTES,
		"%s: more than %d bytes of input go through the store: %s", source->name,
		LIMIT_BODY_BYTES, end.fail.detail);
	why->retry_after_ms = end.fail.retry_after_ms;
	return why->code;
}

static int build_inputs(struct submission *s, struct fail *why)
{
	const struct opts *o = &s->c->opts;
	struct input_store store = { .put = put_blob, .ctx = s };
	size_t used = s->body.len + (o->graph != NULL ? GRAPH_BYTES : o->in.n * REFERENCE_BYTES);
	int r = 0;

	store.room = used < LIMIT_BODY_BYTES ? LIMIT_BODY_BYTES - used : 0;
	if (o->graph != NULL)
		r = graph_file_read(&s->body, o->graph, &store, why);
	for (unsigned i = 0; r == 0 && i < o->in.n; i++)
		r = input_item(&s->body, o->in.at[i], &store, why);
	return r;
}

/* The parameters are checked before anything is put into the store. */
static int build_body(struct submission *s, struct fail *why)
{
	const struct opts *o = &s->c->opts;
	int r;

	buf_init(&s->body, LIMIT_BODY_BYTES);
	r = o->graph == NULL ? input_params(&s->body, &o->args, 1, why) : 0;
	if (r == 0 && o->graph == NULL)
		r = input_check(span_str(s->kind), buf_span(&s->body), why);
	if (r == 0)
		r = build_inputs(s, why);
	if (r == 0 && o->graph != NULL) /* what is said here counts more than what the file says */
		r = input_params(&s->body, &o->args, 0, why);
	return r == 0 ? input_check(span_str(s->kind), buf_span(&s->body), why) : r;
}

static int build_submit(const struct submission *s, struct submit *ret)
{
	const struct opts *o = &s->c->opts;

	*ret = (struct submit){
		.key = span_str(o->key),
		.kind = span_str(s->kind),
		.body = buf_span(&s->body),
		.max_price_ucr = o->price_ucr < 0 ? 0 : o->price_ucr,
		.priority = o->priority < 0 ? 0 : (uint32_t)o->priority,
		.fast = o->fast,
	};
	if (o->deadline_ns >= 0)
		ret->deadline_ms = (clocks_wall() + o->deadline_ns) / NS_PER_MS;
	if (o->start_within_ns >= 0)
		ret->start_within_ms = o->start_within_ns / NS_PER_MS;
	if (o->keep_ns > 0)
		ret->keep_ms = o->keep_ns / NS_PER_MS;
	if (o->allow != NULL)
		return ladder_parse(span_str(o->allow), &ret->allow);
	return 0;
}

static void say_accepted(const struct submission *s, const struct submit_reply *r)
{
	bool existing = r->existing && s->c->opts.key != NULL;
	char id[ULID_TEXT + 1];

	ulid_text(r->task, id);
	if (s->c->opts.no_wait && s->c->opts.json)
		printf("{\"task\":\"%s\",\"state\":\"%s\",\"existing\":%s}\n", id,
			state_name(r->state), existing ? "true" : "false");
	else if (s->c->opts.no_wait)
		printf("%s\n", id);
	else if (!s->c->opts.quiet)
		fprintf(stderr, "%s accepted%s\n", id, existing ? " before, with this key" : "");
}

/* A kind that no table and no node knows was perhaps mistyped. */
static void say_near_kind(const char *kind)
{
	const char *near = input_near_kind(kind);

	if (near == NULL)
		fputs("spu: spu kinds lists those that every mesh knows\n", stderr);
	else if (strcmp(near, kind) != 0)
		fprintf(stderr, "spu: did you mean %s?\n", near);
}

static void on_reply(void *ctx, const struct submit_reply *r)
{
	struct submission *s = CONTAINER(ctx, struct submission, follow);
	const struct opts *o = &s->c->opts;
	int err;

	if (s->follow.has_ended)
		return;
	if (r->fail.code != 0) {
		follow_give_up(&s->follow, cli_fail(&r->fail));
		if (r->fail.code == ERR_UNKNOWN)
			say_near_kind(s->kind);
		return;
	}
	say_accepted(s, r);
	s->follow.task = r->task;
	if (o->no_wait) {
		follow_give_up(&s->follow, 0);
		return;
	}
	if (r->existing)
		err = follow_ask(&s->follow, r->task, FOLLOW_EVERY_NS, FOLLOW_MOST_NS);
	else
		err = follow_ask(&s->follow, r->task, FOLLOW_CHECK_NS, FOLLOW_CHECK_NS);
	if (err < 0)
		follow_give_up(&s->follow, cli_fail_text(err, "no timer is left"));
}

static void on_pause(void *ctx, const struct fail *why)
{
	struct follow *f = ctx;

	progress_say(&f->progress, "the router does not take it (%s); trying again",
		why->detail[0] != 0 ? why->detail : err_row(why->code)->text);
}

/* What is not `fast` gets a key if it has none, so that it can be sent again without running twice. */
static void give_key(struct submission *s, struct submit *submit)
{
	if (submit->key.len > 0 || submit->fast)
		return;
	snprintf(s->key, sizeof s->key, "cli-%016llx%016llx", (unsigned long long)keys_random(),
		(unsigned long long)keys_random());
	submit->key = span_str(s->key);
}

static int run_submission(struct submission *s)
{
	struct insist *i = &s->insist;
	struct fail why = { 0 };
	int exit, r;

	r = build_body(s, &why);
	if (r == 0)
		r = build_submit(s, &i->submit);
	if (r < 0)
		return s->exit != 0 ? s->exit : cli_fail(&why);
	exit = s->c->client == NULL ? cli_open(s->c) : 0;
	if (exit != 0)
		return exit;
	give_key(s, &i->submit);
	follow_init(&s->follow, s->c);
	i->loop = &s->c->loop;
	i->client = s->c->client;
	i->patience_ns = s->c->patience_ns;
	i->on_reply = on_reply;
	i->on_event = s->c->opts.no_wait ? NULL : follow_event;
	i->on_pause = on_pause;
	i->ctx = &s->follow;
	r = insist_submit(i);
	if (r < 0)
		return cli_fail_text(r, "the task could not be sent");
	exit = follow_wait(&s->follow);
	insist_stop(i);
	if (s->c->opts.explain && s->c->client != NULL && !ulid_is_zero(s->follow.task))
		explain_print(s->c, s->follow.task);
	return exit;
}

/* 0, or an exit status after a message. */
static int check_line(const struct opts *o)
{
	struct ladder ladder;

	if (o->graph == NULL && o->args.n == 0)
		return cli_usage("what to submit: KIND, or --graph FILE");
	if (o->graph != NULL && o->args.n > 0 && strchr(o->args.at[0], '=') == NULL)
		return cli_usage("%s: either KIND or --graph FILE", o->args.at[0]);
	if (o->graph != NULL && o->in.n > 0)
		return cli_usage("--in: the parts of a graph name their own inputs");
	if (o->no_wait && (o->follow || o->explain || o->out != NULL))
		return cli_usage("--%s waits for the task: not together with --no-wait",
			o->follow    ? "follow"
			: o->explain ? "explain"
				     : "out");
	if (o->allow != NULL && ladder_parse(span_str(o->allow), &ladder) < 0)
		return cli_usage("--allow %s: rungs are cpu, gpu, api, split, human", o->allow);
	return input_check_words(&o->args, o->graph == NULL ? 1 : 0);
}

int cmd_submit(struct cli *c)
{
	struct submission s = { .c = c, .kind = "task.graph" };
	int exit;

	exit = check_line(&c->opts);
	if (exit == 0)
		exit = result_check_out(c);
	if (exit != 0)
		return exit;
	if (c->opts.graph == NULL)
		s.kind = c->opts.args.at[0];
	exit = run_submission(&s);
	buf_done(&s.body);
	return exit;
}

int cmd_wait(struct cli *c)
{
	struct follow f;
	struct ulid task;
	int r = cli_task_arg(c, 0, &task);

	if (r == 0)
		r = result_check_out(c);
	if (r == 0)
		r = cli_open(c);
	if (r != 0)
		return r;
	follow_init(&f, c);
	r = follow_ask(&f, task, FOLLOW_EVERY_NS, FOLLOW_MOST_NS);
	return r < 0 ? cli_fail_text(r, "no timer is left") : follow_wait(&f);
}

static int show_acted(struct cli *c, const struct query_reply *r)
{
	const struct task_view *t = &r->task;
	char id[ULID_TEXT + 1], state[VIEW_STATE];

	ulid_text(t->task, id);
	if (c->opts.json)
		printf("{\"task\":\"%s\",\"state\":\"%s\",\"paused\":%s}\n", id,
			state_name(t->state), t->paused ? "true" : "false");
	else
		printf("%s %s\n", id, view_state(t->state, t->paused, state));
	return 0;
}

/* The same question about each task that is named. */
static int act_on_each(struct cli *c, enum query_kind kind)
{
	int exit = 0;

	for (unsigned i = 0; i < c->opts.args.n; i++) {
		struct query q = { .kind = kind };
		int r = cli_task_arg(c, i, &q.task);

		if (r == 0 && c->client == NULL)
			r = cli_open(c);
		c->about = c->opts.args.n > 1 ? c->opts.args.at[i] : NULL;
		if (r == 0)
			r = cli_query(c, &q, show_acted);
		if (c->client == NULL)
			return r;
		exit = r != 0 ? r : exit;
	}
	return exit;
}

int cmd_cancel(struct cli *c)
{
	return act_on_each(c, QUERY_CANCEL);
}

int cmd_pause(struct cli *c)
{
	return act_on_each(c, QUERY_PAUSE);
}

int cmd_resume(struct cli *c)
{
	return act_on_each(c, QUERY_RESUME);
}

int cmd_replay(struct cli *c)
{
	return act_on_each(c, QUERY_REPLAY);
}

int cmd_forget(struct cli *c)
{
	return act_on_each(c, QUERY_FORGET);
}
