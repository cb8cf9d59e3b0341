/* SPDX-License-Identifier: Apache-2.0
 *
 * core_query: questions, and what they change before the answer shows it.
 */
#include "router/core_inside.h"
#include "router/recall.h"
#include "router/view.h"

static bool is_operator(const struct router_core *c, struct span tenant)
{
	struct span names = span_str(c->conf.operators);

	while (names.len > 0)
		if (span_eq(span_trim(span_cut(&names, ',')), tenant))
			return true;
	return false;
}

static const char *why_invalid(enum query_kind kind)
{
	if (kind == QUERY_FORGET)
		return "it has not ended: cancel it first";
	return kind == QUERY_REPLAY ? "only a task that ended without success is replayed"
				    : "a part is paused and resumed with its task";
}

static int act_on_task(struct router_core *c, struct span tenant, bool is_op, const struct query *q,
	struct ulid *ret_task, struct fail *why)
{
	static const enum router_event_kind kinds[] = { [QUERY_CANCEL] = ROUTER_CANCEL,
		[QUERY_REPLAY] = ROUTER_REPLAY,
		[QUERY_FORGET] = ROUTER_FORGET,
		[QUERY_PAUSE] = ROUTER_PAUSE,
		[QUERY_RESUME] = ROUTER_RESUME };
	const struct task *t = router_task(c->machine, tenant, is_op, q->task);
	struct router_event e = { .kind = kinds[q->kind],
		.who = tenant,
		.task = q->task,
		.ret_task = ret_task,
		.why = why };
	int err;

	if (q->kind == QUERY_REPLAY && router_core_admit(c, why) < 0)
		return why->code;
	if (is_op && t != NULL) /* on behalf of whom it belongs to */
		e.who = router_tenant(c->machine, t->tenant);
	err = router_core_step(c, &e);
	if (err == ERR_INVALID)
		return fail_set(why, err, "task", 0, "%s", why_invalid(q->kind));
	if (err == ERR_UNKNOWN)
		return fail_set(why, err, "task", 0, "%s", VIEW_NO_TASK);
	return err < 0 && why->code == 0 ? fail_set(why, err, "task", 0, NULL) : err;
}

static int act_on_node(struct router_core *c, bool is_op, const struct query *q, struct fail *why)
{
	struct router_event e = { .kind = ROUTER_DRAIN, .node = q->node, .on = q->on };
	int err;

	if (!is_op)
		return fail_set(why, ERR_DENIED, "tenant", 0, "only an operator may drain nodes");
	err = router_core_step(c, &e);
	if (err == ERR_UNKNOWN)
		return fail_set(why, err, "node", 0, "no node of this name is known");
	return err < 0 ? fail_set(why, err, "node", 0, NULL) : 0;
}

static int purge(struct router_core *c, struct span tenant, bool is_op, const struct query *q,
	struct fail *why)
{
	struct router_event e = { .kind = ROUTER_PURGE, .who = tenant };

	if (q->all && !is_op)
		return fail_set(why, ERR_DENIED, "all", 0,
			"only an operator may purge what others have");
	if (q->all)
		e.who = (struct span){ 0 };
	return router_core_step(c, &e);
}

/* Some questions change something before the answer shows it. *ret_task: which task is to be shown. */
static int act(struct router_core *c, struct span tenant, bool is_op, const struct query *q,
	struct ulid *ret_task, struct fail *why)
{
	*ret_task = q->task;
	if (q->kind == QUERY_DRAIN)
		return act_on_node(c, is_op, q, why);
	if (q->kind == QUERY_CACHE && q->purge)
		return purge(c, tenant, is_op, q, why);
	if (q->kind == QUERY_CANCEL || q->kind == QUERY_REPLAY || q->kind == QUERY_PAUSE ||
		q->kind == QUERY_RESUME)
		return act_on_task(c, tenant, is_op, q, ret_task, why);
	return 0;
}

static void answer(struct router_core *c, struct span tenant, const struct query *q,
	struct query_reply *ret)
{
	struct view v = {
		.router = c->machine,
		.arena = &c->arena,
		.tenant = tenant,
		.is_operator = is_operator(c, tenant),
		.now_ns = router_core_now(c),
		.name = span_str(c->conf.name),
		.jitter_p99_us =
			c->conf.jitter_us == NULL ? 0 : (int64_t)hist_at(c->conf.jitter_us, 990),
	};

	struct query shown = *q;

	*ret = (struct query_reply){ .kind = REPLY_NONE };
	if (act(c, tenant, v.is_operator, q, &shown.task, &ret->fail) == 0)
		view_answer(&v, &shown, ret);
}

/* The encoded answer; one that is too large becomes an error that says so. */
static void encode(struct router_core *c, struct query_reply *r)
{
	buf_reset(&c->reply);
	query_reply_encode(&c->reply, r);
	int err = buf_err(&c->reply);

	if (err == 0)
		return;
	*r = (struct query_reply){ .kind = REPLY_NONE };
	fail_set(&r->fail, err, "limit", LIMIT_MESSAGE_BYTES,
		"the answer is too large: ask for fewer rows");
	buf_reset(&c->reply);
	query_reply_encode(&c->reply, r);
}

/* Held like all that is said of tasks in the journal: what was done, or seen, must be safe. at_once: nothing was. */
static void send_answer(struct router_core *c, const struct bus_msg *m, bool at_once)
{
	struct outbox *o = router_core_outbox(c, at_once);
	struct buf *b = outbox_put(o, (const char *)m->reply.at, c->reply.len);

	buf_add(b, buf_span(&c->reply));
	router_core_put_end(c, o, b);
}

/* The answer shows the task as it was, so that is encoded first. */
static void forget(struct router_core *c, struct span tenant, const struct query *q,
	struct query_reply *r)
{
	struct ulid task;

	if (act_on_task(c, tenant, is_operator(c, tenant), q, &task, &r->fail) == 0)
		return;
	r->kind = REPLY_NONE;
	encode(c, r);
}

void router_core_on_query(void *ctx, const struct bus_msg *m)
{
	struct router_core *c = ctx;
	struct query_reply r = { .kind = REPLY_NONE };
	struct query q = { .kind = QUERY_NONE };
	struct span tenant;
	bool full;

	c->metrics.queries++;
	if (m->reply.len == 0 || subject_parse(SUBJECT_QUERY, m->subject, &tenant, NULL) < 0 ||
		!router_core_is_honest(m, tenant)) {
		c->metrics.query_errors++;
		return;
	}
	arena_reset(&c->arena);
	full = held_may_say(&c->held, router_core_now(c), &r.fail) < 0;
	if (!full && query_decode(&c->arena, m->data, &q, &r.fail) == 0) {
		if (recall_task(c->conf.journal, c->machine, q.task, &r.fail) == 0)
			answer(c, tenant, &q, &r);
		else
			c->metrics.unread++;
	}
	if (r.fail.code != 0)
		c->metrics.query_errors++;
	encode(c, &r);
	if (q.kind == QUERY_FORGET && r.fail.code == 0)
		forget(c, tenant, &q, &r);
	send_answer(c, m, full);
}
