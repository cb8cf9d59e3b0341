/* SPDX-License-Identifier: Apache-2.0
 *
 * spu kinds: the table of kinds, which needs no mesh.
 */
#include <stdio.h>
#include <string.h>

#include "services/cli/cli.h"
#include "services/cli/input.h"
#include "services/cli/json.h"
#include "services/cli/table.h"
#include "wire/kinds.h"

static const char *type_name(enum param_type type)
{
	return type == PARAM_TEXT ? "text" : type == PARAM_INT ? "number" : "choice";
}

static void range_text(const struct kind_param *p, char *to, size_t room)
{
	switch (p->type) {
	case PARAM_CHOICE:
		snprintf(to, room, "%s", p->value);
		return;
	case PARAM_INT:
		snprintf(to, room, "%lld to %lld", (long long)p->low, (long long)p->high);
		return;
	case PARAM_TEXT:
		snprintf(to, room, "%lld to %lld bytes", (long long)p->low, (long long)p->high);
		return;
	}
}

/* The value when it is not given; "required" if it must be. */
static void default_text(const struct kind_param *p, char *to, size_t room)
{
	int64_t n = 0;

	if (p->type == PARAM_CHOICE)
		snprintf(to, room, "%.*s", (int)strcspn(p->value, ","), p->value);
	else if (p->type == PARAM_TEXT)
		snprintf(to, room, "%s",
			(int64_t)strlen(p->value) < p->low ? "required" : p->value);
	else if (fmt_int(span_str(p->value), &n) < 0 || n < p->low || n > p->high)
		snprintf(to, room, "required");
	else
		snprintf(to, room, "%s", p->value);
}

static int print_kind(const struct kind_row *row)
{
	CLEANUP(table_done) struct table t = { 0 };

	printf("%s%s%s: %s\nladder: %s\n", colour_on(COLOUR_BOLD), row->name, colour_off(),
		row->text, row->ladder_text);
	if (row->params_n == 0)
		return 0;
	printf("parameters (KEY=VALUE):\n");
	table_init(&t, "  ", "key type default values meaning");
	for (unsigned i = 0; i < row->params_n; i++) {
		const struct kind_param *p = &row->params[i];
		char text[128];

		table_text(&t, COLOUR_NONE, span_str(p->key));
		table_text(&t, COLOUR_NONE, span_str(type_name(p->type)));
		default_text(p, text, sizeof(text));
		table_text(&t, COLOUR_NONE, span_str(text));
		range_text(p, text, sizeof(text));
		table_text(&t, COLOUR_NONE, span_str(text));
		table_text(&t, COLOUR_NONE, span_str(p->text));
	}
	return table_print(&t);
}

static int print_kinds(void)
{
	CLEANUP(table_done) struct table t = { 0 };
	const struct kind_row *row;
	int r;

	table_init(&t, "", "kind ladder meaning");
	for (unsigned i = 0; (row = kind_at(i)) != NULL; i++) {
		table_text(&t, COLOUR_NONE, span_str(row->name));
		table_text(&t, COLOUR_NONE, span_str(row->ladder_text));
		table_text(&t, COLOUR_NONE, span_str(row->text));
	}
	r = table_print(&t);
	printf("spu kinds KIND lists its parameters.\n");
	return r;
}

static void param_json(struct json *j, const struct kind_param *p)
{
	char text[128];

	json_open(j, NULL, '{');
	json_text(j, "key", span_str(p->key));
	json_text(j, "type", span_str(type_name(p->type)));
	default_text(p, text, sizeof(text));
	json_bool(j, "required", strcmp(text, "required") == 0);
	json_text(j, "default",
		strcmp(text, "required") == 0 ? (struct span){ 0 } : span_str(text));
	if (p->type == PARAM_CHOICE) {
		json_text(j, "values", span_str(p->value));
	} else {
		json_int(j, "low", p->low);
		json_int(j, "high", p->high);
	}
	json_text(j, "text", span_str(p->text));
	json_shut(j, '}');
}

static int kind_json(const struct kind_row *row)
{
	CLEANUP(json_done) struct json j = { 0 };

	json_init(&j);
	json_open(&j, NULL, '{');
	json_text(&j, "kind", span_str(row->name));
	json_open(&j, "ladder", '[');
	for (unsigned i = 0; i < row->ladder.n; i++)
		json_text(&j, NULL, span_str(rung_name((enum rung)row->ladder.rung[i])));
	json_shut(&j, ']');
	json_text(&j, "text", span_str(row->text));
	json_open(&j, "params", '[');
	for (unsigned i = 0; i < row->params_n; i++)
		param_json(&j, &row->params[i]);
	json_shut(&j, ']');
	json_shut(&j, '}');
	return json_print(&j);
}

static int unknown_kind(const char *name)
{
	const char *near = input_near_kind(name);

	if (near != NULL)
		return cli_fail_text(ERR_UNKNOWN, "%s: no such kind; did you mean %s?", name, near);
	return cli_fail_text(ERR_UNKNOWN, "%s: no such kind; spu kinds lists them", name);
}

int cmd_kinds(struct cli *c)
{
	const struct kind_row *row = NULL;
	int r = 0;

	if (c->opts.args.n > 0) {
		row = kind_find(span_str(c->opts.args.at[0]));
		if (row == NULL)
			return unknown_kind(c->opts.args.at[0]);
		r = c->opts.json ? kind_json(row) : print_kind(row);
	} else if (!c->opts.json) {
		r = print_kinds();
	}
	for (unsigned i = 0; row == NULL && c->opts.json && r == 0 && kind_at(i) != NULL; i++)
		r = kind_json(kind_at(i));
	return r < 0 ? cli_fail_text(r, "the table cannot be written") : 0;
}
