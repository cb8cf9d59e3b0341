/* SPDX-License-Identifier: Apache-2.0
 *
 * handlers: what people ask of the inbox: list, show, answer, decline. A tenant sees its own questions, an
 * operator all; to everyone else a question does not exist.
 */
#include "base/limits.h"
#include "run/bus.h"
#include "services/inbox/service.h"
#include "wire/query.h"
#include "wire/subject.h"

#define NS_PER_MS INT64_C(1000000)

/* One request. */
struct request {
	struct service *s;
	struct span tenant;
	struct ask ask;
	struct ask_reply reply;
};

static bool is_operator(const struct service *s, struct span tenant)
{
	struct span rest = span_str(s->conf.operators);

	while (rest.len > 0) {
		if (span_eq(span_trim(span_cut(&rest, ',')), tenant))
			return true;
	}
	return false;
}

static bool may_see(const struct request *r, const struct question *q)
{
	return span_eq(q->tenant, r->tenant) || is_operator(r->s, r->tenant);
}

/* The question that the request names, or NULL and the reply says why. */
static const struct question *find(struct request *r)
{
	const struct question *q = inbox_find(r->s->inbox, r->ask.task);

	if (q != NULL && may_see(r, q))
		return q;
	fail_set(&r->reply.fail, ERR_UNKNOWN, "task", 0, "no such question waits here");
	return NULL;
}

/* The codec cuts the prompt to LIMIT_TEXT_BYTES; the whole one is a parameter of the body. */
static struct question_view view_of(const struct question *q)
{
	return (struct question_view){
		.task = q->task,
		.kind = q->kind,
		.tenant = q->tenant,
		.asked_ms = q->asked_ns / NS_PER_MS,
		.deadline_ms = q->deadline_ns == INT64_MAX ? 0 : q->deadline_ns / NS_PER_MS,
		.prompt = q->prompt,
	};
}

static int reply_room(struct request *r, size_t questions)
{
	r->reply.questions = arena_alloc(&r->s->arena, questions * sizeof(*r->reply.questions));
	if (r->reply.questions == NULL)
		return fail_set(&r->reply.fail, ERR_NO_MEMORY, NULL, 0, NULL);
	return 0;
}

static void list(struct request *r)
{
	size_t limit = r->ask.limit == 0 ? LIMIT_LIST_ROWS : r->ask.limit;
	const struct question *q;

	if (reply_room(r, limit) < 0)
		return;
	for (q = inbox_next(r->s->inbox, NULL); q != NULL && r->reply.questions_n < limit;
		q = inbox_next(r->s->inbox, q)) {
		if (may_see(r, q))
			r->reply.questions[r->reply.questions_n++] = view_of(q);
	}
}

static void show(struct request *r)
{
	const struct question *q = find(r);

	if (q == NULL || reply_room(r, 1) < 0)
		return;
	r->reply.questions[0] = view_of(q);
	r->reply.questions[0].body = q->body;
	r->reply.questions_n = 1;
}

/* The answer as the result's body, with who gave it; an error leaves the question where it is. */
static int check_answer(struct request *r)
{
	struct buf *b = &r->s->answer;
	struct body body;
	int err = body_decode(&r->s->arena, r->ask.body, &body, &r->reply.fail);

	if (err < 0)
		return err;
	if (body.items_n == 0)
		return fail_set(&r->reply.fail, ERR_INVALID, "body", 0,
			"an answer has at least one item");
	if (r->ask.person.len > 0 && body.params_n == LIMIT_PARAMS)
		return fail_set(&r->reply.fail, ERR_TOO_BIG, "body", LIMIT_PARAMS - 1,
			"the person's name is a parameter, too");
	buf_reset(b);
	buf_add(b, r->ask.body);
	if (r->ask.person.len > 0)
		body_put_param(b, SPAN_LIT("human.person"), r->ask.person);
	err = buf_err(b);
	if (err < 0)
		return fail_set(&r->reply.fail, err, "body", LIMIT_BODY_BYTES,
			"the answer and its person's name are too big");
	return 0;
}

static void answer(struct request *r)
{
	const struct question *q = find(r);
	struct ulid task = r->ask.task;
	uint32_t attempt;

	if (q == NULL || check_answer(r) < 0)
		return;
	attempt = q->attempt;
	inbox_drop(r->s->inbox, task);
	node_done(r->s->node, task, attempt, buf_span(&r->s->answer));
}

/* The task is not over: the router goes on down its ladder. */
static void decline(struct request *r)
{
	const struct question *q = find(r);
	struct fail why = { 0 };
	uint32_t attempt;

	if (q == NULL)
		return;
	attempt = q->attempt;
	inbox_drop(r->s->inbox, r->ask.task);
	fail_set(&why, ERR_DENIED, NULL, 0, "declined by %.*s", (int)r->tenant.len,
		(const char *)r->tenant.at);
	node_failed(r->s->node, r->ask.task, attempt, &why);
}

static void handle(struct request *r, struct span bytes)
{
	static void (*const handlers[])(struct request * r) = {
		[ASK_LIST] = list,
		[ASK_SHOW] = show,
		[ASK_ANSWER] = answer,
		[ASK_DECLINE] = decline,
	};

	if (ask_decode(&r->s->arena, bytes, &r->ask, &r->reply.fail) < 0)
		return;
	handlers[r->ask.kind](r);
}

static void send_reply(const struct request *r, const char *to)
{
	struct buf *b = &r->s->reply;
	struct ask_reply sorry = { 0 };
	int err;

	buf_reset(b);
	ask_reply_encode(b, &r->reply);
	err = buf_err(b);
	if (err < 0) {
		buf_reset(b);
		fail_set(&sorry.fail, err, "question", LIMIT_MESSAGE_BYTES,
			"the reply does not fit into a message");
		ask_reply_encode(b, &sorry);
	}
	if (buf_err(b) < 0 ||
		bus_publish(node_bus(r->s->node), to, NULL, (struct span){ 0 }, buf_span(b)) < 0)
		r->s->unanswered++;
}

void service_on_question(void *ctx, const struct bus_msg *m)
{
	struct request r = { .s = ctx };
	const char *to = NULL;

	arena_reset(&r.s->arena);
	if (subject_parse(SUBJECT_QUESTION, m->subject, &r.tenant, NULL) == 0 &&
		subject_may_reply(m->reply, r.tenant))
		to = arena_str(&r.s->arena, m->reply);
	if (to == NULL) {
		r.s->unanswered++;
		return;
	}
	handle(&r, m->data);
	send_reply(&r, to);
}
