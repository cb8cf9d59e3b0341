/* SPDX-License-Identifier: Apache-2.0
 *
 * query: codecs of Query, Ask and AskReply. QueryReply is in query_reply.c.
 */
#include "wire/query.h"

#include "base/pure.h"
#include "spu/v1/query.pb-c.h"
#include "wire/pbshared.h"

enum { QUERY_EXPECT = 40, QUESTION_EXPECT = 100 }; /* guesses; see pb_open */

static int refuse_what(struct pb_in *in, const char *detail)
{
	return pb_refuse(in, ERR_UNSUPPORTED, "what", 0, detail);
}

static enum query_kind task_query_read(struct pb_in *in, const Spu__V1__TaskQuery *m,
	enum query_kind kind, struct query *q)
{
	q->task = pb_take_ulid(in, "task", m->task);
	return kind;
}

static enum query_kind list_query_read(struct pb_in *in, const Spu__V1__ListQuery *m,
	enum query_kind kind, struct query *q)
{
	q->limit = pb_take_max(in, "limit", m->limit, LIMIT_LIST_ROWS);
	q->state = (enum state)pb_take_enum(in, "state", (int)m->state, STATE_NONE, STATES);
	q->paused = m->paused != 0;
	return kind;
}

static enum query_kind query_read(struct pb_in *in, const Spu__V1__Query *m, struct query *q)
{
	switch (m->what_case) {
	case SPU__V1__QUERY__WHAT_STATUS:
		return task_query_read(in, m->status, QUERY_STATUS, q);
	case SPU__V1__QUERY__WHAT_RESULT:
		return task_query_read(in, m->result, QUERY_RESULT, q);
	case SPU__V1__QUERY__WHAT_EXPLAIN:
		return task_query_read(in, m->explain, QUERY_EXPLAIN, q);
	case SPU__V1__QUERY__WHAT_CANCEL:
		return task_query_read(in, m->cancel, QUERY_CANCEL, q);
	case SPU__V1__QUERY__WHAT_TASKS:
		return list_query_read(in, m->tasks, QUERY_TASKS, q);
	case SPU__V1__QUERY__WHAT_NODES:
		return list_query_read(in, m->nodes, QUERY_NODES, q);
	case SPU__V1__QUERY__WHAT_DRAIN:
		q->node = pb_take_token(in, "node", m->drain->node);
		q->on = m->drain->on != 0;
		return QUERY_DRAIN;
	case SPU__V1__QUERY__WHAT_MESH:
		return QUERY_MESH;
	case SPU__V1__QUERY__WHAT_REPLAY:
		return task_query_read(in, m->replay, QUERY_REPLAY, q);
	case SPU__V1__QUERY__WHAT_FORGET:
		return task_query_read(in, m->forget, QUERY_FORGET, q);
	case SPU__V1__QUERY__WHAT_PAUSE:
		return task_query_read(in, m->pause, QUERY_PAUSE, q);
	case SPU__V1__QUERY__WHAT_RESUME:
		return task_query_read(in, m->resume, QUERY_RESUME, q);
	case SPU__V1__QUERY__WHAT_STREAM:
		q->task = pb_take_ulid(in, "task", m->stream->task);
		q->chunk_seq = m->stream->from_seq;
		q->attempt = m->stream->attempt;
		return QUERY_STREAM;
	case SPU__V1__QUERY__WHAT_CACHE:
		q->purge = m->cache->purge != 0;
		q->all = m->cache->all != 0;
		return QUERY_CACHE;
	default:
		refuse_what(in, "a query of a sort that is not known here, or none");
		return QUERY_NONE;
	}
}

int query_decode(struct arena *a, struct span bytes, struct query *ret, struct fail *why)
{
	struct query q = { 0 };
	struct pb_in in;
	const Spu__V1__Query *m;

	pb_in_init(&in, a, why);
	m = pb_unpack(&in, &spu__v1__query__descriptor, bytes);
	if (m != NULL)
		q.kind = query_read(&in, m, &q);
	if (in.err == 0)
		*ret = q;
	return in.err;
}

static const unsigned query_fields[] = {
	[QUERY_STATUS] = 1,
	[QUERY_RESULT] = 2,
	[QUERY_EXPLAIN] = 3,
	[QUERY_CANCEL] = 4,
	[QUERY_TASKS] = 5,
	[QUERY_NODES] = 6,
	[QUERY_DRAIN] = 7,
	[QUERY_MESH] = 8,
	[QUERY_REPLAY] = 9,
	[QUERY_FORGET] = 10,
	[QUERY_PAUSE] = 11,
	[QUERY_RESUME] = 12,
	[QUERY_STREAM] = 13,
	[QUERY_CACHE] = 14,
};

void query_encode(struct buf *b, const struct query *q)
{
	struct pb_mark m;

	if (q->kind == QUERY_NONE)
		return;
	m = pb_open(b, query_fields[q->kind], QUERY_EXPECT);
	if (q->kind == QUERY_TASKS || q->kind == QUERY_NODES) {
		pb_int(b, 1, q->limit);
		pb_int(b, 2, (uint64_t)q->state);
		pb_int(b, 3, q->paused);
	} else if (q->kind == QUERY_DRAIN) {
		pb_bytes(b, 1, q->node);
		pb_int(b, 2, q->on);
	} else if (q->kind == QUERY_CACHE) {
		pb_int(b, 1, q->purge);
		pb_int(b, 2, q->all);
	} else if (q->kind != QUERY_MESH) {
		pb_ulid(b, 1, q->task);
	}
	if (q->kind == QUERY_STREAM) {
		pb_int(b, 2, q->chunk_seq);
		pb_int(b, 3, q->attempt);
	}
	pb_close(b, m);
}

static enum ask_kind ask_read(struct pb_in *in, const Spu__V1__Ask *m, struct ask *q)
{
	switch (m->what_case) {
	case SPU__V1__ASK__WHAT_LIST:
		q->limit = pb_take_max(in, "limit", m->list->limit, LIMIT_LIST_ROWS);
		return ASK_LIST;
	case SPU__V1__ASK__WHAT_SHOW:
		q->task = pb_take_ulid(in, "task", m->show->task);
		return ASK_SHOW;
	case SPU__V1__ASK__WHAT_ANSWER:
		q->task = pb_take_ulid(in, "task", m->answer->task);
		q->body = pb_take_bytes(in, "body", m->answer->body, LIMIT_BODY_BYTES);
		q->person = pb_take_text(in, "person", m->answer->person);
		return ASK_ANSWER;
	case SPU__V1__ASK__WHAT_DECLINE:
		q->task = pb_take_ulid(in, "task", m->decline->task);
		return ASK_DECLINE;
	default:
		refuse_what(in, "a request of a sort that is not known here, or none");
		return ASK_NONE;
	}
}

int ask_decode(struct arena *a, struct span bytes, struct ask *ret, struct fail *why)
{
	struct ask q = { 0 };
	struct pb_in in;
	const Spu__V1__Ask *m;

	pb_in_init(&in, a, why);
	m = pb_unpack(&in, &spu__v1__ask__descriptor, bytes);
	if (m != NULL)
		q.kind = ask_read(&in, m, &q);
	if (in.err == 0)
		*ret = q;
	return in.err;
}

static const unsigned ask_fields[] = {
	[ASK_LIST] = 1,
	[ASK_SHOW] = 2,
	[ASK_ANSWER] = 3,
	[ASK_DECLINE] = 4,
};

void ask_encode(struct buf *b, const struct ask *q)
{
	struct pb_mark m;

	if (q->kind == ASK_NONE)
		return;
	m = pb_open(b, ask_fields[q->kind], q->body.len + QUERY_EXPECT);
	if (q->kind == ASK_LIST)
		pb_int(b, 1, q->limit);
	else
		pb_ulid(b, 1, q->task);
	if (q->kind == ASK_ANSWER) {
		pb_bytes(b, 2, q->body);
		pb_text(b, 3, q->person);
	}
	pb_close(b, m);
}

static void question_read(struct pb_in *in, const Spu__V1__Question *m, struct question_view *q)
{
	q->task = pb_take_ulid(in, "task", m->task);
	q->kind = pb_take_kind(in, "kind", m->kind);
	q->tenant = pb_take_token(in, "tenant", m->tenant);
	q->asked_ms = pb_take_count(in, "asked_ms", m->asked_ms);
	q->deadline_ms = pb_take_count(in, "deadline_ms", m->deadline_ms);
	q->prompt = pb_take_text(in, "prompt", m->prompt);
	q->body = pb_take_bytes(in, "body", m->body, LIMIT_BODY_BYTES);
}

int ask_reply_decode(struct arena *a, struct span bytes, struct ask_reply *ret, struct fail *why)
{
	struct ask_reply reply = { 0 };
	struct pb_in in;
	const Spu__V1__AskReply *m;

	pb_in_init(&in, a, why);
	m = pb_unpack(&in, &spu__v1__ask_reply__descriptor, bytes);
	if (m == NULL)
		return in.err;
	fail_read(&in, m->error, &reply.fail);
	reply.questions = pb_alloc(&in, m->n_question, sizeof(*reply.questions));
	if (reply.questions == NULL)
		return in.err;
	reply.questions_n = m->n_question;
	for (size_t i = 0; i < m->n_question; i++)
		question_read(&in, m->question[i], &reply.questions[i]);
	if (in.err == 0)
		*ret = reply;
	return in.err;
}

static void question_put(struct buf *b, const struct question_view *q)
{
	struct pb_mark m = pb_open(b, 2, q->body.len + q->prompt.len + QUESTION_EXPECT);

	pb_ulid(b, 1, q->task);
	pb_bytes(b, 2, q->kind);
	pb_bytes(b, 3, q->tenant);
	pb_int(b, 4, (uint64_t)q->asked_ms);
	pb_int(b, 5, (uint64_t)q->deadline_ms);
	pb_text(b, 6, q->prompt);
	pb_bytes(b, 7, q->body);
	pb_close(b, m);
}

void ask_reply_encode(struct buf *b, const struct ask_reply *r)
{
	fail_put(b, 1, &r->fail);
	for (size_t i = 0; i < r->questions_n; i++)
		question_put(b, &r->questions[i]);
}
