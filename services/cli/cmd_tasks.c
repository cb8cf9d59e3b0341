/* SPDX-License-Identifier: Apache-2.0
 *
 * spu tasks.
 */
#include <stdio.h>
#include <strings.h>

#include "services/cli/cli.h"
#include "services/cli/view.h"

static void add_task(struct table *t, const struct task_view *v)
{
	char id[ULID_TEXT + 1], at[24], time[24], state[VIEW_STATE];
	int64_t until_ms = v->ended_ms != 0 ? v->ended_ms : clocks_wall() / NS_PER_MS;

	ulid_text(v->task, id);
	table_text(t, COLOUR_NONE, span_str(id));
	table_text(t, COLOUR_NONE, v->kind);
	table_text(t, v->paused ? COLOUR_WARN : view_state_colour(v->state),
		span_str(view_state(v->state, v->paused, state)));
	table_text(t, COLOUR_NONE, span_str(v->rung == RUNG_NONE ? "" : rung_name(v->rung)));
	table_text(t, COLOUR_NONE, v->node);
	table_fmt(t, COLOUR_NONE, "%u", v->attempt);
	table_text(t, COLOUR_NONE, span_str(view_time(v->accepted_ms, at)));
	table_text(t, COLOUR_NONE,
		span_str(fmt_duration_text((until_ms - v->accepted_ms) * NS_PER_MS, time)));
	if (v->parts > 0)
		table_fmt(t, COLOUR_NONE, "%u of %u parts", v->parts_done, v->parts);
	else if (!state_is_final(v->state) && v->permille > 0)
		table_fmt(t, COLOUR_NONE, "%u %%%s%.*s", v->permille / 10,
			v->note.len > 0 ? " " : "", (int)v->note.len, (const char *)v->note.at);
	else
		table_text(t, COLOUR_NONE, v->note);
}

static int show_table(const struct query_reply *r)
{
	CLEANUP(table_done) struct table t = { 0 };
	int err;

	table_init(&t, "", "task kind state rung node >attempt accepted >time note");
	for (size_t i = 0; i < r->tasks_n; i++)
		add_task(&t, &r->tasks[i]);
	err = table_print(&t);
	if (err == 0 && r->tasks_total > r->tasks_n)
		printf("%zu of %llu; --state and --limit choose\n", r->tasks_n,
			(unsigned long long)r->tasks_total);
	return err;
}

static int show_lines(const struct query_reply *r)
{
	CLEANUP(json_done) struct json j = { 0 };
	int err = 0;

	json_init(&j);
	for (size_t i = 0; err == 0 && i < r->tasks_n; i++) {
		view_task_json(&j, NULL, &r->tasks[i]);
		err = json_print(&j);
	}
	return err;
}

static int show(struct cli *c, const struct query_reply *r)
{
	int err = c->opts.json ? show_lines(r) : show_table(r);

	return err < 0 ? cli_fail_text(err, "the list cannot be written") : 0;
}

int cmd_tasks(struct cli *c)
{
	struct query q = {
		.kind = QUERY_TASKS,
		.limit = c->opts.limit < 0 ? 0 : (uint32_t)c->opts.limit,
	};
	int r;

	for (unsigned s = STATE_QUEUED; c->opts.state != NULL && s < STATES; s++)
		if (strcasecmp(c->opts.state, state_name((enum state)s)) == 0)
			q.state = (enum state)s;
	q.paused = c->opts.state != NULL && strcasecmp(c->opts.state, "PAUSED") == 0;
	if (c->opts.state != NULL && q.state == STATE_NONE && !q.paused)
		return cli_usage("--state %s: states are QUEUED ASSIGNED RUNNING SPLIT SUCCEEDED "
				 "FAILED CANCELLED EXPIRED DEAD, and PAUSED",
			c->opts.state);
	r = cli_open(c);
	return r != 0 ? r : cli_query(c, &q, show);
}

int cmd_dead(struct cli *c)
{
	const struct query q = {
		.kind = QUERY_TASKS,
		.state = STATE_DEAD,
		.limit = c->opts.limit < 0 ? 0 : (uint32_t)c->opts.limit,
	};
	int r = cli_open(c);

	return r != 0 ? r : cli_query(c, &q, show);
}
