/* SPDX-License-Identifier: Apache-2.0
 *
 * spu nodes, drain.
 */
#include <stdio.h>

#include "services/cli/cli.h"
#include "services/cli/view.h"

static enum colour node_colour(const struct node_view *n)
{
	if (n->state == NODE_UP)
		return n->drain_asked || n->offer.draining ? COLOUR_WARN : COLOUR_GOOD;
	return n->state == NODE_SUSPECT ? COLOUR_WARN : COLOUR_BAD;
}

/* The kinds by name; those not to be had in brackets. */
static void add_kinds(struct table *t, const struct offer *o)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, 32768);
	for (size_t i = 0; i < o->kinds_n; i++) {
		const struct kind_offer *k = &o->kinds[i];

		if (i > 0)
			buf_byte(&b, ' ');
		if (!k->ready)
			buf_byte(&b, '(');
		buf_add(&b, k->kind);
		if (!k->ready)
			buf_byte(&b, ')');
	}
	table_text(t, COLOUR_NONE, buf_span(&b));
}

static void add_node(struct table *t, const struct node_view *n)
{
	const struct offer *o = &n->offer;
	char silent[24];

	table_text(t, COLOUR_NONE, n->node);
	table_text(t, COLOUR_NONE, span_str(rung_name(o->rung)));
	table_fmt(t, node_colour(n), "%s%s", node_state_name(n->state),
		n->drain_asked || o->draining ? ", draining" : "");
	table_fmt(t, COLOUR_NONE, "%u/%u", n->busy, o->slots);
	table_fmt(t, COLOUR_NONE, "%u.%u %%", o->load / 10, o->load % 10);
	table_text(t, COLOUR_NONE, span_str(fmt_duration_text(n->silent_ms * NS_PER_MS, silent)));
	table_fmt(t, COLOUR_NONE, "%llu", (unsigned long long)n->done);
	table_fmt(t, COLOUR_NONE, "%llu", (unsigned long long)n->failed + n->lost);
	table_text(t, COLOUR_NONE, o->device);
	add_kinds(t, o);
}

static int show_table(const struct query_reply *r)
{
	CLEANUP(table_done) struct table t = { 0 };

	table_init(&t, "", "node class state >busy >load >silent >done >failed device kinds");
	for (size_t i = 0; i < r->nodes_n; i++)
		add_node(&t, &r->nodes[i]);
	return table_print(&t);
}

/* Why a kind cannot be had. */
static void print_reasons(const struct query_reply *r)
{
	for (size_t i = 0; i < r->nodes_n; i++) {
		const struct node_view *n = &r->nodes[i];

		for (size_t k = 0; k < n->offer.kinds_n; k++) {
			const struct kind_offer *o = &n->offer.kinds[k];

			if (o->ready || o->why.len == 0)
				continue;
			text_print(stdout, "%.*s: no %.*s: %.*s", (int)n->node.len,
				(const char *)n->node.at, (int)o->kind.len,
				(const char *)o->kind.at, (int)o->why.len, (const char *)o->why.at);
			putchar('\n');
		}
	}
}

static int show_lines(const struct query_reply *r)
{
	CLEANUP(json_done) struct json j = { 0 };
	int err = 0;

	json_init(&j);
	for (size_t i = 0; err == 0 && i < r->nodes_n; i++) {
		view_node_json(&j, NULL, &r->nodes[i]);
		err = json_print(&j);
	}
	return err;
}

static int show(struct cli *c, const struct query_reply *r)
{
	int err = c->opts.json ? show_lines(r) : show_table(r);

	if (err < 0)
		return cli_fail_text(err, "the list cannot be written");
	if (!c->opts.json)
		print_reasons(r);
	return 0;
}

int cmd_nodes(struct cli *c)
{
	struct query q = { .kind = QUERY_NODES };
	int r = cli_open(c);

	return r != 0 ? r : cli_query(c, &q, show);
}

static int show_drained(struct cli *c, const struct query_reply *r)
{
	if (c->opts.json)
		return show(c, r);
	printf("%s %s\n", c->opts.args.at[0],
		c->opts.off ? "gets tasks again" : "gets no more tasks; it finishes what it has");
	return 0;
}

int cmd_drain(struct cli *c)
{
	struct query q = {
		.kind = QUERY_DRAIN,
		.node = span_str(c->opts.args.at[0]),
		.on = !c->opts.off,
	};
	int r;

	if (!fmt_is_token(q.node))
		return cli_usage("%s: not a node's name", c->opts.args.at[0]);
	r = cli_open(c);
	return r != 0 ? r : cli_query(c, &q, show_drained);
}
