/* SPDX-License-Identifier: Apache-2.0
 *
 * graph_body: each item is a part: its name, and as data its Body, in which parameters that begin with "graph."
 * say how it stands in the graph. The rest is what the part gets, held against its kind's row here already.
 */
#include "router/graph_body.h"

#include "base/fmt.h"
#include "base/limits.h"
#include "wire/kinds.h"

#include "base/pure.h"

#define FAN_IN_LOW 2
#define FAN_IN_HIGH 64
#define PREFIX "graph."

/* Say which part is meant; the code, field and limit stay. */
static int in_part(struct fail *why, struct span name)
{
	struct fail of = *why;

	return fail_set(why, of.code, of.field, of.limit, "part %.*s: %s",
		(int)(name.len < LIMIT_TOKEN_BYTES ? name.len : LIMIT_TOKEN_BYTES),
		(const char *)name.at, of.detail);
}

static int read_fan_in(struct span value, struct graph_part *part, struct fail *why)
{
	int64_t n;

	if (fmt_int(value, &n) < 0 || n < FAN_IN_LOW || n > FAN_IN_HIGH)
		return fail_set(why, ERR_INVALID, "graph.fan_in", FAN_IN_HIGH,
			"%d to %d results of other parts", FAN_IN_LOW, FAN_IN_HIGH);
	part->fan_in = (uint32_t)n;
	return 0;
}

/* One parameter that says how the part stands in the graph. */
static int read_place(const struct param *p, struct graph_part *part, struct fail *why)
{
	if (span_is(p->key, "graph.kind"))
		part->kind = p->value;
	else if (span_is(p->key, "graph.inputs"))
		part->inputs = p->value;
	else if (span_is(p->key, "graph.after"))
		part->after = p->value;
	else if (span_is(p->key, "graph.fan_in"))
		return read_fan_in(p->value, part, why);
	else if (!span_is(p->key, "graph.output"))
		return fail_set(why, ERR_INVALID, "graph.", 0,
			"no parameter of a graph's part is named so: %.*s", (int)p->key.len,
			(const char *)p->key.at);
	else if (!span_is(p->value, "yes") && !span_is(p->value, "no"))
		return fail_set(why, ERR_INVALID, "graph.output", 0, "yes or no");
	else
		part->output = span_is(p->value, "yes");
	return 0;
}

static bool is_place(const struct param *p)
{
	return span_is(span_part(p->key, 0, sizeof PREFIX - 1), PREFIX);
}

/* Take those parameters out of the body: the part does not get them. */
static int read_places(struct body *b, struct graph_part *part, struct fail *why)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->params_n; i++) {
		int err = is_place(&b->params[i]) ? read_place(&b->params[i], part, why) : 0;

		if (err < 0)
			return err;
		if (!is_place(&b->params[i]))
			b->params[kept++] = b->params[i];
	}
	b->params_n = kept;
	return 0;
}

static int check_part(const struct graph_part *part, const struct body *b, struct fail *why)
{
	const struct kind_row *row = kind_find(part->kind);

	if (!fmt_is_kind(part->kind))
		return fail_set(why, ERR_INVALID, "graph.kind", LIMIT_KIND_BYTES,
			"not the name of a kind");
	if (part->fan_in > 0 && b->items_n > 0)
		return fail_set(why, ERR_INVALID, "graph.fan_in", 0,
			"a part that is a tree has no items of its own");
	return row == NULL ? 0 : kind_check(row, b, why);
}

/* The part's own body as bytes. */
static int put_content(struct arena *a, const struct body *b, struct span *ret, struct fail *why)
{
	CLEANUP(buf_done) struct buf bytes = { 0 };
	char *copy;

	buf_init(&bytes, LIMIT_BODY_BYTES);
	body_encode(&bytes, b);
	copy = buf_err(&bytes) < 0 ? NULL : arena_str(a, buf_span(&bytes));
	if (copy == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, "no room for the graph");
	*ret = span_of(copy, bytes.len);
	return 0;
}

static int read_part(struct arena *a, const struct item *item, struct graph_part *part,
	struct body *b, struct fail *why)
{
	int err;

	if (!fmt_is_token(item->name))
		return fail_set(why, ERR_INVALID, "name", LIMIT_TOKEN_BYTES,
			"a part's name has 1 to 64 of A-Z a-z 0-9 _ -");
	part->name = item->name;
	if (!span_is(item->media, BODY_MEDIA))
		fail_set(why, err = ERR_INVALID, "media", 0, "it is not a Body");
	else
		err = body_decode(a, item->data, b, why);
	if (err == 0)
		err = read_places(b, part, why);
	if (err == 0)
		err = check_part(part, b, why);
	if (err == 0)
		err = put_content(a, b, &part->content, why);
	return err < 0 ? in_part(why, item->name) : 0;
}

int graph_body_read(struct arena *a, struct span bytes, struct graph_order *ret, struct fail *why)
{
	const struct kind_row *row = kind_find(SPAN_LIT(GRAPH_KIND));
	struct graph_part *parts;
	struct body body;
	int err = body_decode(a, bytes, &body, why);

	CHECK(row != NULL);
	if (err == 0)
		err = kind_check(row, &body, why);
	if (err < 0)
		return err;
	ret->allow_failures = (uint32_t)kind_int(row, &body, "allow_failures");
	ret->in_flight = (uint32_t)kind_int(row, &body, "in_flight");
	parts = arena_alloc(a, body.items_n * sizeof *parts);
	ret->bodies = arena_alloc(a, body.items_n * sizeof *ret->bodies);
	if (parts == NULL || ret->bodies == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, "no room for the graph");
	for (size_t i = 0; i < body.items_n && err == 0; i++)
		err = read_part(a, &body.items[i], &parts[i], &ret->bodies[i], why);
	return err < 0 ? err : graph_plan(a, parts, body.items_n, LIMIT_PARTS, &ret->plan, why);
}
