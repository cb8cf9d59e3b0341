/* SPDX-License-Identifier: Apache-2.0
 *
 * client: tenants who hand over tasks of all sorts, some of them twice, some of them wrong, and cancel some.
 */
#include "sim.h"

#include <stdio.h>

#include "wire/kinds.h"
#include "wire/subject.h"

static void on_reply(void *ctx, const struct bus_msg *m)
{
	struct client *c = ctx;
	struct arena a;
	struct submit_reply *r;
	size_t n;

	arena_init(&a, 1 << 20);
	if (submit_replies_decode(&a, m->data, &r, &n, NULL) == 0) {
		c->answered += n;
		for (size_t i = 0; i < n; i++)
			if (r[i].fail.code == 0) {
				oracle_told(&c->world->oracle, r[i].task);
				if (!r[i].existing)
					follow_begin(c, r[i].task);
			}
	} else if (!m->no_responders)
		oracle_break(&c->world->oracle, "every reply can be decoded", "%s", c->tenant);
	arena_done(&a);
}

static void on_event(void *ctx, const struct bus_msg *m)
{
	struct client *c = ctx;
	struct arena a;
	struct event *e;
	size_t n;

	arena_init(&a, 4 << 20);
	if (events_decode(&a, m->data, &e, &n, NULL) < 0)
		oracle_break(&c->world->oracle, "every event can be decoded", "%s", c->tenant);
	else
		for (size_t i = 0; i < n; i++) {
			follow_event(c, &e[i]);
			if (e[i].kind == EVENT_END) {
				c->ended++;
				oracle_told_end(&c->world->oracle, e[i].task, e[i].result.state);
			}
		}
	arena_done(&a);
}

bool client_open(struct client *c, struct world *w, unsigned i)
{
	char subject[SUBJECT_BYTES];

	c->world = w;
	snprintf(c->tenant, sizeof c->tenant, "tenant%u", i);
	c->greedy = prng_chance(&w->prng, 1, 4);
	c->bus = bus_mem_open(w->net, c->tenant);
	if (c->bus == NULL)
		return false;
	snprintf(subject, sizeof subject, "_INBOX.%s", c->tenant);
	if (bus_subscribe(c->bus, subject, NULL, on_reply, c) == NULL)
		return false;
	if (!follow_open(c))
		return false;
	snprintf(subject, sizeof subject, "spu.event.%s.*", c->tenant);
	return bus_subscribe(c->bus, subject, NULL, on_event, c) != NULL;
}

static void send_submit(struct client *c, const struct submit *s)
{
	char subject[SUBJECT_BYTES], reply[SUBJECT_BYTES];
	struct buf b;

	buf_init(&b, 65536);
	submits_put(&b, s);
	snprintf(reply, sizeof reply, "_INBOX.%s", c->tenant);
	if (subject_build(SUBJECT_SUBMIT, span_str(c->tenant), (struct span){ 0 }, subject) == 0 &&
		bus_publish(c->bus, subject, reply, (struct span){ 0 }, buf_span(&b)) == 0)
		c->submitted++;
	buf_done(&b);
}

/* Parameters without which the kind would be refused by its node. */
static void put_needs(struct buf *b, const struct kind_row *row)
{
	for (unsigned i = 0; row != NULL && i < row->params_n; i++) {
		const struct kind_param *kp = &row->params[i];

		if (kp->type == PARAM_TEXT && kp->low > 0)
			body_put_param(b, span_str(kp->key), SPAN_LIT("what?"));
		else if (kp->type == PARAM_INT && kp->low > 0)
			body_put_int(b, kp->key, kp->low);
	}
}

/* Some tasks are equal; who may share their results differs. */
static void put_facts(struct buf *b, struct prng *p)
{
	static const char *const modes[] = { "own", "own", "shared", "shared", "off", "mine" };

	if (!prng_chance(p, 1, 3))
		body_put_int(b, "sim.n", (int64_t)prng_below(p, 12));
	if (prng_chance(p, 1, 2))
		body_put_param(b, SPAN_LIT(CANON_MODE),
			span_str(modes[prng_below(p, prng_chance(p, 1, 8) ? 6 : 5)]));
	if (prng_chance(p, 1, 3))
		body_put_param(b, SPAN_LIT(CANON_NEAR), SPAN_LIT("yes"));
}

static void put_graph_part(struct buf *body, const char *name, const char *kind, const char *inputs,
	int64_t content)
{
	struct buf b;

	buf_init(&b, LIMIT_BODY_BYTES);
	body_put_param(&b, SPAN_LIT("graph.kind"), span_str(kind));
	body_put_param(&b, SPAN_LIT("graph.inputs"), span_str(inputs));
	if (content >= 0)
		body_put_int(&b, "sleep_ms", content);
	body_put_item(body, span_str(name), SPAN_LIT(BODY_MEDIA), buf_span(&b));
	buf_done(&b);
}

/* A row of echoes, some the same, and one more that takes some of them, under a reduce; now and then a cycle. */
static void put_graph(struct buf *b, struct prng *p)
{
	body_put_int(b, "in_flight", 1 + (int64_t)prng_below(p, 4));
	body_put_int(b, "allow_failures", (int64_t)prng_below(p, 2));
	put_graph_part(b, "a", "util.echo", prng_chance(p, 1, 20) ? "d" : "", 1);
	put_graph_part(b, "b", "util.echo", "", (int64_t)prng_below(p, 3));
	put_graph_part(b, "c", "util.echo", "", (int64_t)prng_below(p, 3));
	put_graph_part(b, "d", "util.echo", "a b", 4);
	put_graph_part(b, "e", "task.reduce", "a b c d", -1);
}

static void submit_one(struct client *c)
{
	static const char *const kinds[] = { "util.echo", "image.filter", "llm.chat", "human.ask",
		"compute.matmul", "no.such", "util.echo", "llm.chat", "task.graph", "task.graph" };
	struct prng *p = &c->world->prng;
	int64_t now_ms = c->world->now_ns / MS;
	char key[32] = "";
	struct buf body;
	struct submit s = {
		.kind = span_str(kinds[prng_below(p, ARRAY_LEN(kinds))]),
		.priority = (uint32_t)prng_below(p, 10),
		.deadline_ms = now_ms + 1000 + (int64_t)prng_below(p, 120000),
		.max_price_ucr = prng_chance(p, 1, 3) ? 0 : 1000,
		.fast = prng_chance(p, 1, 2),
	};

	if (prng_chance(p, 1, 20))
		s.deadline_ms = now_ms - 5;
	if (prng_chance(p, 1, 5))
		s.start_within_ms = 1 + (int64_t)prng_below(p, 5000);
	if (prng_chance(p, 1, 5))
		s.keep_ms = 24 * 3600 * 1000 + (int64_t)prng_below(p, 5 * 24 * 3600 * 1000);
	if (prng_chance(p, 1, 6)) {
		s.allow.n = 1;
		s.allow.rung[0] = (uint8_t)(1 + prng_below(p, 5));
	}
	if (prng_chance(p, 1, 2)) {
		snprintf(key, sizeof key, "k%u", (unsigned)prng_below(p, 50));
		s.key = span_str(key);
	}
	buf_init(&body, LIMIT_BODY_BYTES);
	if (!prng_chance(p, 1, 20))
		put_needs(&body, kind_find(s.kind));
	if (span_is(s.kind, "task.graph"))
		put_graph(&body, p);
	put_facts(&body, p);
	s.body = buf_span(&body);
	send_submit(c, &s);
	if (prng_chance(p, 1, 8))
		send_submit(c, &s);
	buf_done(&body);
}

/* Of those that the oracle has seen, of whatever tenant; to be paused mostly one that is open, to be resumed mostly one
 * that is paused. */
static struct ulid pick(struct client *c, enum query_kind kind)
{
	const struct oracle *o = &c->world->oracle;
	const struct known *k = NULL;

	for (int i = 0; i < 50; i++) {
		k = &o->known[prng_below(&c->world->prng, o->known_n)];
		if (kind == QUERY_PAUSE        ? k->accepted && k->ended == 0
			: kind == QUERY_RESUME ? k->paused
					       : true)
			break;
	}
	return k->task;
}

/* Cancel, pause, resume, replay or forget some task that the oracle has seen, of whatever tenant: only one's own may be hit. */
static void act_on_one(struct client *c)
{
	const struct oracle *o = &c->world->oracle;
	char subject[SUBJECT_BYTES], reply[SUBJECT_BYTES];
	static const enum query_kind kinds[] = { QUERY_CANCEL, QUERY_CANCEL, QUERY_REPLAY,
		QUERY_FORGET, QUERY_PAUSE, QUERY_PAUSE, QUERY_PAUSE, QUERY_RESUME, QUERY_RESUME };
	struct query q = { .kind = kinds[prng_below(&c->world->prng, ARRAY_LEN(kinds))] };
	struct buf b;

	if (o->known_n == 0)
		return;
	q.task = pick(c, q.kind);
	buf_init(&b, 4096);
	query_encode(&b, &q);
	snprintf(reply, sizeof reply, "_INBOX.%s.q", c->tenant);
	if (subject_build(SUBJECT_QUERY, span_str(c->tenant), (struct span){ 0 }, subject) == 0 &&
		bus_publish(c->bus, subject, reply, (struct span){ 0 }, buf_span(&b)) < 0)
		oracle_break(&c->world->oracle, "a query can be sent", "%s", c->tenant);
	buf_done(&b);
}

/* Now and then what is kept is forgotten; tenant0 is an operator. */
static void purge(struct client *c)
{
	char subject[SUBJECT_BYTES], reply[SUBJECT_BYTES];
	struct query q = {
		.kind = QUERY_CACHE,
		.purge = true,
		.all = prng_chance(&c->world->prng, 1, 2),
	};
	struct buf b;

	buf_init(&b, 64);
	query_encode(&b, &q);
	snprintf(reply, sizeof reply, "_INBOX.%s.q", c->tenant);
	if (subject_build(SUBJECT_QUERY, span_str(c->tenant), (struct span){ 0 }, subject) == 0 &&
		bus_publish(c->bus, subject, reply, (struct span){ 0 }, buf_span(&b)) < 0)
		oracle_break(&c->world->oracle, "a query can be sent", "%s", c->tenant);
	buf_done(&b);
}

void client_turn(struct client *c)
{
	struct prng *p = &c->world->prng;

	follow_turn(c);
	if (c->left == 0 || c->world->now_ns < c->next_ns)
		return;
	c->left--;
	c->next_ns = c->world->now_ns + (int64_t)prng_below(p, c->greedy ? 20 * MS : 800 * MS);
	if (prng_chance(p, 1, 4))
		act_on_one(c);
	if (prng_chance(p, 1, 100))
		purge(c);
	submit_one(c);
}
