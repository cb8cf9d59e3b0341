/* SPDX-License-Identifier: Apache-2.0
 *
 * spu inbox: a person's dealings with the questions that wait for people.
 */
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/cli/cli.h"
#include "services/cli/input.h"
#include "services/cli/json.h"
#include "services/cli/result.h"
#include "services/cli/view.h"

#define ARENA_BYTES ((size_t)8 << 20)

static void add_question(struct table *t, const struct question_view *q)
{
	char id[ULID_TEXT + 1], at[24], until[24];

	ulid_text(q->task, id);
	table_text(t, COLOUR_NONE, span_str(id));
	table_text(t, COLOUR_NONE, q->kind);
	table_text(t, COLOUR_NONE, span_str(view_time(q->asked_ms, at)));
	table_text(t, COLOUR_NONE,
		span_str(q->deadline_ms == 0 ? "" : view_time(q->deadline_ms, until)));
	table_text(t, COLOUR_NONE, fmt_clip(q->prompt, 60));
}

static void question_json(struct json *j, const struct question_view *q, const struct body *body)
{
	json_open(j, NULL, '{');
	json_id(j, "task", q->task);
	json_text(j, "kind", q->kind);
	json_text(j, "tenant", q->tenant);
	json_int(j, "asked_ms", q->asked_ms);
	json_int(j, "deadline_ms", q->deadline_ms);
	json_text(j, "prompt", q->prompt);
	if (body != NULL) {
		json_open(j, "items", '[');
		for (size_t i = 0; i < body->items_n; i++)
			result_item_json(j, &body->items[i], true);
		json_shut(j, ']');
	}
	json_shut(j, '}');
}

static int show_list(struct cli *c, const struct ask_reply *r)
{
	CLEANUP(table_done) struct table t = { 0 };
	CLEANUP(json_done) struct json j = { 0 };
	int err = 0;

	json_init(&j);
	table_init(&t, "", "task kind asked until question");
	for (size_t i = 0; err == 0 && i < r->questions_n; i++) {
		if (c->opts.json) {
			question_json(&j, &r->questions[i], NULL);
			err = json_print(&j);
		} else {
			add_question(&t, &r->questions[i]);
		}
	}
	if (!c->opts.json)
		err = table_print(&t);
	if (err == 0 && !c->opts.json && !c->opts.quiet)
		fprintf(stderr, r->questions_n == 0 ? "no question waits\n"
						    : "answer with: spu inbox answer TASK TEXT\n");
	return err < 0 ? cli_fail_text(err, "the list cannot be written") : 0;
}

/* The items below the prompt; what is no text is only named. */
static int print_items(const struct question_view *q, const struct body *body)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	char text[BLOB_HASH_TEXT + 1];

	buf_init(&b, 4 * (size_t)LIMIT_MESSAGE_BYTES);
	for (struct span rest = q->prompt; rest.len > 0;) {
		text_safe(&b, span_cut(&rest, '\n'));
		buf_byte(&b, '\n');
	}
	for (size_t i = 0; i < body->items_n; i++) {
		struct span rest =
			fmt_is_text(body->items[i].data) ? body->items[i].data : (struct span){ 0 };

		buf_str(&b, "--- ");
		text_safe(&b, body->items[i].name.len > 0 ? body->items[i].name : SPAN_LIT("item"));
		if (item_is_blob(&body->items[i]))
			result_blob_text(&body->items[i], text);
		buf_fmt(&b, " (%llu bytes%s%s)\n", (unsigned long long)item_bytes(&body->items[i]),
			item_is_blob(&body->items[i]) ? "; spu blob get " : "",
			item_is_blob(&body->items[i]) ? text : "");
		while (rest.len > 0) {
			text_safe(&b, span_cut(&rest, '\n'));
			buf_byte(&b, '\n');
		}
	}
	if (buf_err(&b) < 0)
		return buf_err(&b);
	return fwrite(b.at, 1, b.len, stdout) == b.len && fflush(stdout) == 0 ? 0 : ERR_IO;
}

static int show_question(struct cli *c, const struct ask_reply *r)
{
	CLEANUP(arena_done) struct arena a = { 0 };
	CLEANUP(json_done) struct json j = { 0 };
	struct body body = { 0 };
	struct fail why = { 0 };
	int err;

	arena_init(&a, ARENA_BYTES);
	json_init(&j);
	if (r->questions_n != 1)
		return cli_fail_text(ERR_MALFORMED, "the inbox gave %zu questions", r->questions_n);
	if (r->questions[0].body.len > 0 && body_decode(&a, r->questions[0].body, &body, &why) < 0)
		return cli_fail(&why);
	if (c->opts.json) {
		question_json(&j, &r->questions[0], &body);
		err = json_print(&j);
	} else {
		err = print_items(&r->questions[0], &body);
	}
	return err < 0 ? cli_fail_text(err, "the question cannot be written") : 0;
}

static int show_taken(struct cli *c, const struct ask_reply *r)
{
	(void)r;
	if (c->opts.json)
		printf("{\"task\":\"%s\",\"taken\":true}\n", c->opts.args.at[1]);
	else if (!c->opts.quiet)
		printf("%s %s\n", c->opts.args.at[1],
			strcmp(c->opts.args.at[0], "answer") == 0 ? "answered" : "declined");
	return 0;
}

/* The answer's body: the text, or the files. */
static int build_answer(const struct cli *c, struct buf *body, struct fail *why)
{
	const struct opts *o = &c->opts;
	int r = 0;

	if (o->args.n > 2)
		body_put_item(body, SPAN_LIT("answer"), SPAN_LIT("text/plain"),
			span_str(o->args.at[2]));
	for (unsigned i = 0; r == 0 && i < o->in.n; i++)
		r = input_item(body, o->in.at[i], NULL, why);
	if (o->args.n <= 2 && o->in.n == 0)
		r = input_item(body, "-", NULL, why);
	if (r == 0 && buf_err(body) < 0)
		r = fail_set(why, ERR_TOO_BIG, NULL, LIMIT_BODY_BYTES, "the answer is too large");
	return r;
}

/* Who answers: --person, else the user's name if it is a token. */
static struct span person(const struct cli *c)
{
	const struct passwd *user = getpwuid(getuid());

	if (c->opts.person != NULL)
		return span_str(c->opts.person);
	if (user != NULL && fmt_is_token(span_str(user->pw_name)))
		return span_str(user->pw_name);
	return SPAN_LIT("person");
}

static int answer(struct cli *c, struct ask *q)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	struct fail why = { 0 };
	int r;

	buf_init(&body, LIMIT_BODY_BYTES);
	if (build_answer(c, &body, &why) < 0)
		return cli_fail(&why);
	q->body = buf_span(&body);
	q->person = person(c);
	r = cli_open(c);
	return r != 0 ? r : cli_ask(c, q, show_taken);
}

int cmd_inbox(struct cli *c)
{
	static const struct {
		const char *name;
		enum ask_kind kind;
		unsigned args;
		cli_show_ask *show;
	} rows[] = {
		{ "list", ASK_LIST, 1, show_list },
		{ "show", ASK_SHOW, 2, show_question },
		{ "answer", ASK_ANSWER, 3, show_taken },
		{ "decline", ASK_DECLINE, 2, show_taken },
	};
	const char *name = c->opts.args.n == 0 ? "list" : c->opts.args.at[0];
	struct ask q = { 0 };
	unsigned i;
	int r = 0;

	for (i = 0; i < ARRAY_LEN(rows) && strcmp(rows[i].name, name) != 0; i++)
		;
	if (i == ARRAY_LEN(rows))
		return cli_usage("inbox %s: it is list, show, answer or decline", name);
	if (c->opts.args.n > rows[i].args)
		return cli_usage("inbox %s: %s: unexpected argument", name,
			c->opts.args.at[rows[i].args]);
	q.kind = rows[i].kind;
	if (q.kind != ASK_LIST && c->opts.args.n < 2)
		return cli_usage("inbox %s needs a task's id", name);
	if (q.kind != ASK_LIST)
		r = cli_task_arg(c, 1, &q.task);
	if (r == 0 && q.kind == ASK_ANSWER)
		return answer(c, &q);
	if (r == 0)
		r = cli_open(c);
	return r != 0 ? r : cli_ask(c, &q, rows[i].show);
}
