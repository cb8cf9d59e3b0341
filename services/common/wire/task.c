/* SPDX-License-Identifier: Apache-2.0
 *
 * task: codecs of Submits, SubmitReplies and Events, and of what they share with other messages.
 */
#include "wire/task.h"

#include "base/fmt.h"
#include "base/pure.h"
#include "wire/pbshared.h"

/* A guess at the encoded size of an item without its body; see pb_open. */
enum { ITEM_EXPECT = 100 };

static const char *const rung_names[RUNGS] = { "none", "cpu", "gpu", "api", "split", "human" };

static const char *const state_names[STATES] = {
	"none",
	"QUEUED",
	"ASSIGNED",
	"RUNNING",
	"SPLIT",
	"SUCCEEDED",
	"FAILED",
	"CANCELLED",
	"EXPIRED",
	"DEAD",
};

const char *rung_name(enum rung r)
{
	CHECK((unsigned)r < RUNGS);
	return rung_names[r];
}

const char *state_name(enum state s)
{
	CHECK((unsigned)s < STATES);
	return state_names[s];
}

enum rung rung_parse(struct span name)
{
	for (unsigned i = RUNG_CPU; i < RUNGS; i++)
		if (span_is(name, rung_names[i]))
			return (enum rung)i;
	return RUNG_NONE;
}

/* Put r at the end; false if it is no rung or already there. */
static bool ladder_push(struct ladder *l, int r)
{
	if (r <= RUNG_NONE || r >= RUNGS || memchr(l->rung, r, l->n) != NULL)
		return false;
	l->rung[l->n++] = (uint8_t)r;
	return true;
}

int ladder_parse(struct span text, struct ladder *ret)
{
	struct ladder l = { 0 };
	bool more = true;

	while (more) {
		more = text.len > 0 && memchr(text.at, ',', text.len) != NULL;
		if (!ladder_push(&l, rung_parse(span_cut(&text, ','))))
			return ERR_INVALID;
	}
	*ret = l;
	return 0;
}

void ladder_read(struct pb_in *in, const char *field, const Spu__V1__Rung *rungs, size_t n,
	struct ladder *ret)
{
	*ret = (struct ladder){ 0 };
	for (size_t i = 0; i < n; i++)
		if (!ladder_push(ret, (int)rungs[i])) {
			pb_refuse(in, ERR_INVALID, field, 0, "an unknown rung, or one twice");
			return;
		}
}

void ladder_put(struct buf *b, unsigned field, const struct ladder *l)
{
	pb_bytes(b, field, span_of(l->rung, l->n)); /* packed: each number fits one byte */
}

void fail_read(struct pb_in *in, const Spu__V1__Error *m, struct fail *ret)
{
	struct span field;
	struct span detail;

	if (m == NULL)
		return;
	field = pb_take_text(in, "field", m->field);
	detail = pb_take_text(in, "detail", m->detail);
	*ret = (struct fail){ 0 };
	ret->code = err_from_wire(m->code);
	ret->limit = m->limit;
	ret->retry_after_ms = pb_take_count(in, "retry_after_ms", m->retry_after_ms);
	span_copy(fmt_clip(field, sizeof(ret->field) - 1), ret->field, sizeof(ret->field));
	span_copy(fmt_clip(detail, sizeof(ret->detail) - 1), ret->detail, sizeof(ret->detail));
}

void fail_put(struct buf *b, unsigned field, const struct fail *f)
{
	struct pb_mark m;

	if (f->code == 0)
		return;
	m = pb_open(b, field, ITEM_EXPECT);
	pb_int(b, 1, (uint64_t)err_row(f->code)->wire);
	pb_text(b, 2, span_str(f->field));
	pb_int(b, 3, (uint64_t)f->limit);
	pb_text(b, 4, span_str(f->detail));
	pb_int(b, 5, (uint64_t)f->retry_after_ms);
	pb_close(b, m);
}

static void submit_fields(struct pb_in *in, const Spu__V1__Submit *m, struct submit *s)
{
	s->key = pb_take_token_or_none(in, "key", m->key);
	s->stream = pb_take_token_or_none(in, "stream", m->stream);
	s->kind = pb_take_kind(in, "kind", m->kind);
	s->body = pb_take_bytes(in, "body", m->body, LIMIT_BODY_BYTES);
	s->deadline_ms = pb_take_count(in, "deadline_ms", m->deadline_ms);
	s->max_price_ucr = pb_take_count(in, "max_price_ucr", m->max_price_ucr);
	s->start_within_ms = pb_take_count(in, "start_within_ms", m->start_within_ms);
	s->keep_ms = pb_take_count(in, "keep_ms", m->keep_ms);
	s->priority = pb_take_max(in, "priority", m->priority, LIMIT_PRIORITY);
	ladder_read(in, "allow", m->allow, m->n_allow, &s->allow);
	s->fast = m->fast != 0;
	s->packed = m->packed != 0;
}

static void submit_read(struct pb_in *in, struct span item, void *row)
{
	struct submit *s = row;
	const Spu__V1__Submit *m;

	in->why = &s->fail;
	m = pb_unpack(in, &spu__v1__submit__descriptor, item);
	if (m != NULL)
		submit_fields(in, m, s);
}

int submits_decode(struct arena *a, struct span bytes, struct submit **ret, size_t *ret_n,
	struct fail *why)
{
	void *rows = NULL;
	int r = pb_batch(a, bytes, "submit", sizeof(struct submit), submit_read, &rows, ret_n, why);

	if (r == 0)
		*ret = rows;
	return r;
}

void submits_put(struct buf *b, const struct submit *s)
{
	struct pb_mark m = pb_open(b, 1, s->body.len + ITEM_EXPECT);

	pb_bytes(b, 1, s->key);
	pb_bytes(b, 2, s->stream);
	pb_bytes(b, 3, s->kind);
	pb_int(b, 4, s->priority);
	pb_int(b, 5, (uint64_t)s->deadline_ms);
	pb_int(b, 6, (uint64_t)s->max_price_ucr);
	ladder_put(b, 7, &s->allow);
	pb_int(b, 8, s->fast);
	pb_int(b, 9, (uint64_t)s->start_within_ms);
	pb_bytes(b, 10, s->body);
	pb_int(b, 11, (uint64_t)s->keep_ms);
	pb_int(b, 40, s->packed);
	pb_close(b, m);
}

static void reply_read(struct pb_in *in, struct span item, void *row)
{
	struct submit_reply *r = row;
	const Spu__V1__SubmitReply *m;
	struct fail broken = { 0 };

	in->why = &broken;
	m = pb_unpack(in, &spu__v1__submit_reply__descriptor, item);
	if (m != NULL) {
		r->key = pb_take_token_or_none(in, "key", m->key);
		r->task = pb_take_ulid_or_none(in, "task", m->task);
		r->existing = m->existing != 0;
		r->state = (enum state)pb_take_enum(in, "state", (int)m->state, STATE_NONE, STATES);
		r->packs = m->packs != 0;
		fail_read(in, m->error, &r->fail);
		if (r->fail.code == 0 && ulid_is_zero(r->task))
			pb_refuse(in, ERR_INVALID, "task", 0, "neither accepted nor refused");
	}
	if (in->err != 0)
		r->fail = broken;
}

int submit_replies_decode(struct arena *a, struct span bytes, struct submit_reply **ret,
	size_t *ret_n, struct fail *why)
{
	void *rows = NULL;
	int r = pb_batch(a, bytes, "reply", sizeof(struct submit_reply), reply_read, &rows, ret_n,
		why);

	if (r == 0)
		*ret = rows;
	return r;
}

void submit_replies_put(struct buf *b, const struct submit_reply *r)
{
	struct pb_mark m = pb_open(b, 1, ITEM_EXPECT);

	pb_bytes(b, 1, r->key);
	pb_ulid(b, 2, r->task);
	pb_int(b, 3, r->existing);
	pb_int(b, 4, (uint64_t)r->state);
	fail_put(b, 5, &r->fail);
	pb_int(b, 6, r->packs);
	pb_close(b, m);
}

void result_read(struct pb_in *in, const Spu__V1__Result *m, struct result *ret)
{
	ret->state = (enum state)pb_take_enum(in, "state", (int)m->state, STATE_QUEUED, STATES);
	ret->body = pb_take_bytes(in, "body", m->body, LIMIT_BODY_BYTES);
	fail_read(in, m->error, &ret->fail);
	ret->rung = (enum rung)pb_take_enum(in, "rung", (int)m->rung, RUNG_NONE, RUNGS);
	ret->node = pb_take_token_or_none(in, "node", m->node);
	ret->attempts = m->attempts;
	ret->price_ucr = pb_take_count(in, "price_ucr", m->price_ucr);
	ret->run_us = pb_take_count(in, "run_us", m->run_us);
	ret->total_us = pb_take_count(in, "total_us", m->total_us);
	ret->chunks = m->chunks;
	ret->attempt = m->attempt;
	ret->cache_hit = m->cache_hit != 0;
	ret->cache_age_ms = pb_take_count(in, "cache_age_ms", m->cache_age_ms);
	ret->cache_near = pb_take_max(in, "cache_near", m->cache_near, 1000);
}

void result_put(struct buf *b, unsigned field, const struct result *r)
{
	struct pb_mark m = pb_open(b, field, r->body.len + ITEM_EXPECT / 2);

	pb_int(b, 1, (uint64_t)r->state);
	pb_bytes(b, 2, r->body);
	fail_put(b, 3, &r->fail);
	pb_int(b, 4, (uint64_t)r->rung);
	pb_bytes(b, 5, r->node);
	pb_int(b, 6, r->attempts);
	pb_int(b, 7, (uint64_t)r->price_ucr);
	pb_int(b, 8, (uint64_t)r->run_us);
	pb_int(b, 9, (uint64_t)r->total_us);
	pb_int(b, 10, r->chunks);
	pb_int(b, 11, r->attempt);
	pb_int(b, 20, r->cache_hit);
	pb_int(b, 21, (uint64_t)r->cache_age_ms);
	pb_int(b, 22, r->cache_near);
	pb_close(b, m);
}

static enum event_kind change_read(struct pb_in *in, const Spu__V1__StateChange *m, struct event *e)
{
	e->state = (enum state)pb_take_enum(in, "state", (int)m->state, STATE_QUEUED, STATES);
	e->rung = (enum rung)pb_take_enum(in, "rung", (int)m->rung, RUNG_NONE, RUNGS);
	e->node = pb_take_token_or_none(in, "node", m->node);
	e->attempt = m->attempt;
	e->reason = pb_take_text(in, "reason", m->reason);
	e->paused = m->paused != 0;
	return EVENT_CHANGE;
}

static enum event_kind end_read(struct pb_in *in, const Spu__V1__Result *m, struct event *e)
{
	result_read(in, m, &e->result);
	if (!state_is_final(e->result.state))
		pb_refuse(in, ERR_INVALID, "state", 0, "an end has a final state");
	return EVENT_END;
}

static enum event_kind event_fields(struct pb_in *in, const Spu__V1__Event *m, struct event *e)
{
	e->task = pb_take_ulid(in, "task", m->task);
	e->seq = m->seq;
	switch (m->what_case) {
	case SPU__V1__EVENT__WHAT_CHANGE:
		return change_read(in, m->change, e);
	case SPU__V1__EVENT__WHAT_PROGRESS:
		e->permille = pb_take_max(in, "permille", m->progress->permille, 1000);
		e->note = pb_take_text(in, "note", m->progress->note);
		return EVENT_PROGRESS;
	case SPU__V1__EVENT__WHAT_CHUNK:
		e->chunk_seq = m->chunk->seq;
		e->data = pb_take_bytes(in, "data", m->chunk->data, LIMIT_BODY_BYTES);
		e->attempt = m->chunk->attempt;
		return EVENT_CHUNK;
	case SPU__V1__EVENT__WHAT_BEAT:
		e->attempt = m->beat->attempt;
		e->chunk_seq = m->beat->chunks;
		return EVENT_BEAT;
	case SPU__V1__EVENT__WHAT_END:
		return end_read(in, m->end, e);
	default:
		return EVENT_NONE; /* of a sort that a newer router knows */
	}
}

static void event_read(struct pb_in *in, struct span item, void *row)
{
	struct event *e = row;
	const Spu__V1__Event *m = pb_unpack(in, &spu__v1__event__descriptor, item);
	enum event_kind kind = m == NULL ? EVENT_NONE : event_fields(in, m, e);

	e->kind = in->err == 0 ? kind : EVENT_NONE;
}

int events_decode(struct arena *a, struct span bytes, struct event **ret, size_t *ret_n,
	struct fail *why)
{
	void *rows = NULL;
	int r = pb_batch(a, bytes, "event", sizeof(struct event), event_read, &rows, ret_n, why);

	if (r == 0)
		*ret = rows;
	return r;
}

static void change_put(struct buf *b, const struct event *e)
{
	struct pb_mark m = pb_open(b, 3, ITEM_EXPECT);

	pb_int(b, 1, (uint64_t)e->state);
	pb_int(b, 2, (uint64_t)e->rung);
	pb_bytes(b, 3, e->node);
	pb_int(b, 4, e->attempt);
	pb_text(b, 5, e->reason);
	pb_int(b, 6, e->paused);
	pb_close(b, m);
}

static void beat_put(struct buf *b, const struct event *e)
{
	struct pb_mark m = pb_open(b, 7, 2 * PB_VARINT_BYTES);

	pb_int(b, 1, e->attempt);
	pb_int(b, 2, e->chunk_seq);
	pb_close(b, m);
}

static void what_put(struct buf *b, const struct event *e)
{
	switch (e->kind) {
	case EVENT_NONE:
		break;
	case EVENT_CHANGE:
		change_put(b, e);
		break;
	case EVENT_PROGRESS:
		progress_put(b, 4, e->permille, e->note);
		break;
	case EVENT_CHUNK:
		chunk_put(b, 5, &(struct chunk){ e->chunk_seq, e->data }, e->attempt);
		break;
	case EVENT_BEAT:
		beat_put(b, e);
		break;
	case EVENT_END:
		result_put(b, 6, &e->result);
		break;
	}
}

void progress_put(struct buf *b, unsigned field, uint32_t permille, struct span note)
{
	struct pb_mark m = pb_open(b, field, note.len + 8);

	pb_int(b, 1, permille);
	pb_text(b, 2, note);
	pb_close(b, m);
}

void chunk_put(struct buf *b, unsigned field, const struct chunk *c, uint32_t attempt)
{
	struct pb_mark m = pb_open(b, field, c->data.len + 16);

	pb_int(b, 1, c->seq);
	pb_bytes(b, 2, c->data);
	pb_int(b, 3, attempt);
	pb_close(b, m);
}

void events_put(struct buf *b, const struct event *e)
{
	struct pb_mark m = pb_open(b, 1, e->result.body.len + e->data.len + ITEM_EXPECT);

	pb_ulid(b, 1, e->task);
	pb_int(b, 2, e->seq);
	what_put(b, e);
	pb_close(b, m);
}
