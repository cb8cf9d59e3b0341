/* SPDX-License-Identifier: Apache-2.0 */
#include "services/cli/explain.h"

#include <stdio.h>
#include <string.h>

#include "services/cli/json.h"
#include "services/cli/table.h"
#include "services/cli/view.h"

/* "how": what a step is to people. */
static const char *step_text(enum step_kind kind)
{
	static const char *const texts[STEPS] = {
		[STEP_NONE] = "",
		[STEP_ACCEPTED] = "accepted",
		[STEP_PLACED] = "placed",
		[STEP_REFUSED] = "refused",
		[STEP_LOST] = "lost",
		[STEP_FAILED] = "failed",
		[STEP_RETRY] = "tries again",
		[STEP_HOP] = "steps down",
		[STEP_SPLIT] = "split",
		[STEP_JOIN] = "joined",
		[STEP_END] = "ended",
		[STEP_TWIN] = "a second attempt",
		[STEP_OUTRUN] = "outrun",
		[STEP_PAUSE] = "paused",
		[STEP_RESUME] = "resumed",
		[STEP_DONE] = "done",
		[STEP_CACHE] = "cache",
	};

	return texts[kind];
}

static int64_t total_us(const struct cost *c)
{
	return c->wait_us + c->run_us + c->move_us + c->price_us + c->risk_us;
}

static enum colour step_colour(enum step_kind kind)
{
	switch (kind) {
	case STEP_REFUSED:
	case STEP_LOST:
	case STEP_FAILED:
		return COLOUR_BAD;
	case STEP_RETRY:
	case STEP_HOP:
	case STEP_TWIN:
	case STEP_OUTRUN:
	case STEP_PAUSE:
		return COLOUR_WARN;
	case STEP_PLACED:
	case STEP_CACHE:
		return COLOUR_GOOD;
	default:
		return COLOUR_BOLD;
	}
}

static const char *hop_text(const struct step_view *s)
{
	if (s->to != RUNG_NONE)
		return rung_name(s->to);
	return s->code != 0 && err_row(s->code)->blame == BLAME_REQUEST
		       ? "nothing"
		       : "nothing: no rung is left";
}

static void put_step(struct buf *b, const struct step_view *s)
{
	if (s->kind == STEP_HOP)
		buf_fmt(b, " from %s to %s", rung_name(s->rung), hop_text(s));
	else if (s->rung != RUNG_NONE)
		buf_fmt(b, " at rung %s", rung_name(s->rung));
	if (s->node.len > 0) {
		buf_str(b, s->kind == STEP_REFUSED || s->kind == STEP_LOST ? " by " : " on ");
		text_safe(b, s->node);
	}
	if (s->attempt > 0)
		buf_fmt(b, ", attempt %u", s->attempt);
	if (s->policy.len > 0) {
		buf_str(b, ", policy ");
		text_safe(b, s->policy);
	}
	if (s->considered > 0 && (s->kind == STEP_SPLIT || s->kind == STEP_JOIN))
		buf_fmt(b, ", %u parts", s->considered);
	else if (s->considered > 0)
		buf_fmt(b, ", %u node%s looked at", s->considered, s->considered == 1 ? "" : "s");
	if (s->code != 0)
		buf_fmt(b, " [%s]", err_row(s->code)->name);
	if (s->reason.len > 0) {
		buf_str(b, ": ");
		text_safe(b, s->reason);
	}
	buf_byte(b, 0);
}

static void add_cost(struct table *t, int64_t us)
{
	char text[24];

	table_text(t, COLOUR_NONE,
		us == 0 ? SPAN_LIT("0") : span_str(fmt_duration_text(us * NS_PER_US, text)));
}

static bool is_costed(enum verdict v)
{
	return v == VERDICT_CHOSEN || v == VERDICT_DEARER;
}

static int print_candidates(const struct step_view *s)
{
	CLEANUP(table_done) struct table t = { 0 };

	table_init(&t, "                ", "node verdict >cost >wait >run >move >price >risk note");
	for (size_t i = 0; i < s->candidates_n; i++) {
		const struct candidate_view *v = &s->candidates[i];

		table_text(&t, COLOUR_NONE, v->node);
		table_text(&t, v->verdict == VERDICT_CHOSEN ? COLOUR_GOOD : COLOUR_NONE,
			span_str(verdict_name(v->verdict)));
		if (is_costed(v->verdict)) {
			add_cost(&t, total_us(&v->cost));
			add_cost(&t, v->cost.wait_us);
			add_cost(&t, v->cost.run_us);
			add_cost(&t, v->cost.move_us);
			add_cost(&t, v->cost.price_us);
			add_cost(&t, v->cost.risk_us);
		} else {
			for (unsigned k = 0; k < 6; k++)
				table_text(&t, COLOUR_NONE, (struct span){ 0 });
		}
		table_text(&t, COLOUR_NONE, v->note);
	}
	return table_print(&t);
}

static int print_step(const struct step_view *s)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	char at[24];

	buf_init(&b, 16384);
	put_step(&b, s);
	if (buf_err(&b) < 0)
		return buf_err(&b);
	printf("  %12s  %s%s%s%s\n",
		s->at_us == 0 ? "0" : fmt_duration_text(s->at_us * NS_PER_US, at),
		colour_on(step_colour(s->kind)), step_text(s->kind), colour_off(),
		(const char *)b.at);
	return s->candidates_n > 0 ? print_candidates(s) : 0;
}

static void print_ladder(const struct ladder *l)
{
	for (unsigned i = 0; i < l->n; i++)
		printf("%s%s", i == 0 ? "" : " > ", rung_name((enum rung)l->rung[i]));
}

static void print_parts(const struct explain_view *e)
{
	char id[ULID_TEXT + 1];

	if (e->parts_n == 0)
		return;
	printf("parts (spu explain ID says more of each):\n");
	for (size_t i = 0; i < e->parts_n; i++) {
		ulid_text(e->parts[i], id);
		printf("  %s\n", id);
	}
}

static int print_story(const struct explain_view *e)
{
	char id[ULID_TEXT + 1], state[VIEW_STATE];
	int r = 0;

	ulid_text(e->task.task, id);
	printf("%s%s%s  %.*s  %s%s%s\nladder: ", colour_on(COLOUR_BOLD), id, colour_off(),
		(int)e->task.kind.len, (const char *)e->task.kind.at,
		colour_on(view_state_colour(e->task.state)),
		view_state(e->task.state, e->task.paused, state), colour_off());
	print_ladder(&e->ladder);
	printf("\n");
	for (size_t i = 0; r == 0 && i < e->steps_n; i++)
		r = print_step(&e->steps[i]);
	if (e->dropped > 0)
		printf("  (%u more steps were not recorded)\n", e->dropped);
	print_parts(e);
	return fflush(stdout) == 0 ? r : ERR_IO;
}

static void candidate_json(struct json *j, const struct candidate_view *v)
{
	json_open(j, NULL, '{');
	json_text(j, "node", v->node);
	json_text(j, "verdict", span_str(verdict_name(v->verdict)));
	json_text(j, "note", v->note);
	if (is_costed(v->verdict)) {
		json_int(j, "cost_us", total_us(&v->cost));
		json_int(j, "wait_us", v->cost.wait_us);
		json_int(j, "run_us", v->cost.run_us);
		json_int(j, "move_us", v->cost.move_us);
		json_int(j, "price_us", v->cost.price_us);
		json_int(j, "risk_us", v->cost.risk_us);
	}
	json_shut(j, '}');
}

static void step_json(struct json *j, const struct step_view *s)
{
	json_open(j, NULL, '{');
	json_int(j, "at_us", s->at_us);
	json_text(j, "step", span_str(step_name(s->kind)));
	json_text(j, "rung", span_str(rung_name(s->rung)));
	if (s->kind == STEP_HOP)
		json_text(j, "to", span_str(rung_name(s->to)));
	json_text(j, "node", s->node);
	json_int(j, "attempt", s->attempt);
	if (s->code != 0)
		json_text(j, "code", span_str(err_row(s->code)->name));
	json_text(j, "reason", s->reason);
	json_text(j, "policy", s->policy);
	json_int(j, "considered", s->considered);
	json_open(j, "candidates", '[');
	for (size_t i = 0; i < s->candidates_n; i++)
		candidate_json(j, &s->candidates[i]);
	json_shut(j, ']');
	json_shut(j, '}');
}

static int print_json(const struct explain_view *e)
{
	CLEANUP(json_done) struct json j = { 0 };

	json_init(&j);
	json_open(&j, NULL, '{');
	view_task_json(&j, "task", &e->task);
	json_open(&j, "ladder", '[');
	for (unsigned i = 0; i < e->ladder.n; i++)
		json_text(&j, NULL, span_str(rung_name((enum rung)e->ladder.rung[i])));
	json_shut(&j, ']');
	json_open(&j, "steps", '[');
	for (size_t i = 0; i < e->steps_n; i++)
		step_json(&j, &e->steps[i]);
	json_shut(&j, ']');
	json_int(&j, "dropped", e->dropped);
	json_open(&j, "parts", '[');
	for (size_t i = 0; i < e->parts_n; i++)
		json_id(&j, NULL, e->parts[i]);
	json_shut(&j, ']');
	json_shut(&j, '}');
	return json_print(&j);
}

static int show(struct cli *c, const struct query_reply *r)
{
	int err = c->opts.json ? print_json(&r->explain) : print_story(&r->explain);

	return err < 0 ? cli_fail_text(err, "the record cannot be written") : 0;
}

int explain_print(struct cli *c, struct ulid task)
{
	struct query q = { .kind = QUERY_EXPLAIN, .task = task };

	return cli_query(c, &q, show);
}

int cmd_explain(struct cli *c)
{
	struct ulid task;
	int r = cli_task_arg(c, 0, &task);

	if (r == 0)
		r = cli_open(c);
	return r != 0 ? r : explain_print(c, task);
}
