/* SPDX-License-Identifier: Apache-2.0
 *
 * node: codecs of Ups, Downs and SplitPlan.
 */
#include "wire/node.h"

#include "base/pure.h"
#include "wire/pbshared.h"

/* Guesses at encoded sizes; see pb_open. */
enum { REPORT_EXPECT = 40, ORDER_EXPECT = 100, OFFER_EXPECT = 200 };

static void kind_offer_read(struct pb_in *in, const Spu__V1__KindOffer *m, struct kind_offer *k)
{
	k->kind = pb_take_kind(in, "kind", m->kind);
	k->ready = m->ready != 0;
	k->why = pb_take_text(in, "why", m->why);
	k->price_ucr = pb_take_count(in, "price_ucr", m->price_ucr);
	k->typical_us = pb_take_count(in, "typical_us", m->typical_us);
	k->model = pb_take_text(in, "model", m->model);
	k->pauses = m->pauses != 0;
}

static void offer_lists_read(struct pb_in *in, const Spu__V1__Offer *m, struct offer *o)
{
	o->kinds = pb_alloc(in, m->n_kind, sizeof(*o->kinds));
	o->running = pb_alloc(in, m->n_running, sizeof(*o->running));
	if (in->starved)
		return;
	o->kinds_n = m->n_kind;
	for (size_t i = 0; i < m->n_kind; i++)
		kind_offer_read(in, m->kind[i], &o->kinds[i]);
	o->running_n = m->n_running;
	for (size_t i = 0; i < m->n_running; i++) {
		o->running[i].task = pb_take_ulid(in, "task", m->running[i]->task);
		o->running[i].attempt = m->running[i]->attempt;
		o->running[i].chunks = m->running[i]->chunks;
		o->running[i].paused = m->running[i]->paused != 0;
	}
}

void cache_view_read(struct pb_in *in, const Spu__V1__CacheStat *m, struct cache_view *ret)
{
	*ret = (struct cache_view){
		.bytes = m->bytes,
		.bytes_max = m->bytes_max,
		.entries = m->entries,
		.hits = m->hits,
		.misses = m->misses,
		.evicted = m->evicted,
		.expired = m->expired,
		.purged = m->purged,
		.oldest_ms = pb_take_count(in, "oldest_ms", m->oldest_ms),
	};
}

void cache_view_put(struct buf *b, unsigned field, const struct cache_view *c)
{
	struct pb_mark m;

	if (c->bytes_max == 0)
		return;
	m = pb_open(b, field, REPORT_EXPECT);
	pb_int(b, 1, c->bytes);
	pb_int(b, 2, c->bytes_max);
	pb_int(b, 3, c->entries);
	pb_int(b, 4, c->hits);
	pb_int(b, 5, c->misses);
	pb_int(b, 6, c->evicted);
	pb_int(b, 7, c->expired);
	pb_int(b, 8, c->purged);
	pb_int(b, 9, (uint64_t)c->oldest_ms);
	pb_close(b, m);
}

void offer_read(struct pb_in *in, const Spu__V1__Offer *m, struct offer *ret)
{
	ret->incarnation = m->incarnation;
	ret->seq = m->seq;
	ret->rung = (enum rung)pb_take_enum(in, "rung", (int)m->rung, RUNG_CPU, RUNGS);
	if (ret->rung == RUNG_SPLIT)
		pb_refuse(in, ERR_INVALID, "rung", 0, "a node's class is cpu, gpu, api or human");
	ret->slots = pb_take_max(in, "slots", m->slots, LIMIT_OFFER_SLOTS);
	ret->queued = m->queued;
	ret->draining = m->draining != 0;
	ret->device = pb_take_text(in, "device", m->device);
	ret->version = pb_take_text(in, "version", m->version);
	ret->health = pb_take_max(in, "health", m->health, 1000);
	ret->load = pb_take_max(in, "load", m->load, 1000);
	ret->sent_ms = pb_take_count(in, "sent_ms", m->sent_ms);
	if (m->cache != NULL)
		cache_view_read(in, m->cache, &ret->cache);
	ret->pack_bytes = m->pack_bytes;
	offer_lists_read(in, m, ret);
}

static void kind_offer_put(struct buf *b, const struct kind_offer *k)
{
	struct pb_mark m = pb_open(b, 4, REPORT_EXPECT);

	pb_bytes(b, 1, k->kind);
	pb_int(b, 2, k->ready);
	pb_text(b, 3, k->why);
	pb_int(b, 4, (uint64_t)k->price_ucr);
	pb_int(b, 5, (uint64_t)k->typical_us);
	pb_text(b, 6, k->model);
	pb_int(b, 7, k->pauses);
	pb_close(b, m);
}

static void attempt_put(struct buf *b, struct ulid task, uint32_t attempt)
{
	pb_ulid(b, 1, task);
	pb_int(b, 2, attempt);
}

void offer_put(struct buf *b, unsigned field, const struct offer *o)
{
	struct pb_mark m = pb_open(b, field, OFFER_EXPECT);

	pb_int(b, 1, o->incarnation);
	pb_int(b, 2, o->seq);
	pb_int(b, 3, (uint64_t)o->rung);
	for (size_t i = 0; i < o->kinds_n; i++)
		kind_offer_put(b, &o->kinds[i]);
	pb_int(b, 5, o->slots);
	pb_int(b, 6, o->queued);
	pb_int(b, 7, o->draining);
	for (size_t i = 0; i < o->running_n; i++) {
		struct pb_mark ref = pb_open(b, 8, REPORT_EXPECT);

		attempt_put(b, o->running[i].task, o->running[i].attempt);
		pb_int(b, 3, o->running[i].chunks);
		pb_int(b, 4, o->running[i].paused);
		pb_close(b, ref);
	}
	pb_text(b, 9, o->device);
	pb_text(b, 10, o->version);
	pb_int(b, 11, o->health);
	pb_int(b, 12, o->load);
	pb_int(b, 13, (uint64_t)o->sent_ms);
	cache_view_put(b, 14, &o->cache);
	pb_int(b, 15, o->pack_bytes);
	pb_close(b, m);
}

/* What all reports of an attempt begin with. */
static void up_attempt(struct pb_in *in, struct up *u, const char *task, uint32_t attempt)
{
	u->task = pb_take_ulid(in, "task", task);
	u->attempt = attempt;
}

static enum up_kind up_offer_read(struct pb_in *in, const Spu__V1__Offer *m, struct up *u)
{
	struct offer *o = pb_alloc(in, 1, sizeof(*o));

	if (o != NULL)
		offer_read(in, m, o);
	u->offer = o;
	return UP_OFFER;
}

/* Refuse and Failed say why; one that does not is a fault of the node's. */
static void up_error_read(struct pb_in *in, const Spu__V1__Error *m, struct fail *ret)
{
	fail_read(in, m, ret);
	if (m == NULL)
		fail_set(ret, ERR_BUG, NULL, 0, "the node gave no reason");
}

static enum up_kind up_progress_read(struct pb_in *in, const Spu__V1__UpProgress *m, struct up *u)
{
	up_attempt(in, u, m->task, m->attempt);
	if (m->progress != NULL) {
		u->permille = pb_take_max(in, "permille", m->progress->permille, 1000);
		u->note = pb_take_text(in, "note", m->progress->note);
	}
	return UP_PROGRESS;
}

static enum up_kind up_chunk_read(struct pb_in *in, const Spu__V1__UpChunk *m, struct up *u)
{
	up_attempt(in, u, m->task, m->attempt);
	u->chunk_oldest = m->oldest;
	if (m->chunk != NULL) {
		u->chunk_seq = m->chunk->seq;
		u->data = pb_take_bytes(in, "data", m->chunk->data, LIMIT_BODY_BYTES);
	}
	return UP_CHUNK;
}

static uint64_t tokens_read(uint64_t n)
{
	return n < USAGE_TOKENS_MAX ? n : USAGE_TOKENS_MAX;
}

static enum up_kind up_done_read(struct pb_in *in, const Spu__V1__Done *m, struct up *u)
{
	up_attempt(in, u, m->task, m->attempt);
	u->body = pb_take_bytes(in, "body", m->body, LIMIT_BODY_BYTES);
	u->run_us = pb_take_count(in, "run_us", m->run_us);
	u->chunk_seq = m->chunks;
	u->cache_hit = m->cache_hit != 0;
	u->cache_age_ms = pb_take_count(in, "cache_age_ms", m->cache_age_ms);
	u->packed = m->packed != 0;
	u->note = pb_take_text(in, "note", m->note);
	if (m->usage != NULL) {
		u->usage.tokens_in = tokens_read(m->usage->tokens_in);
		u->usage.tokens_out = tokens_read(m->usage->tokens_out);
		u->usage.tokens_saved = tokens_read(m->usage->tokens_saved);
	}
	return UP_DONE;
}

static enum up_kind up_failed_read(struct pb_in *in, const Spu__V1__Failed *m, struct up *u)
{
	up_attempt(in, u, m->task, m->attempt);
	up_error_read(in, m->error, &u->fail);
	u->run_us = pb_take_count(in, "run_us", m->run_us);
	u->chunk_seq = m->chunks;
	return UP_FAILED;
}

static enum up_kind up_fields(struct pb_in *in, const Spu__V1__Up *m, struct up *u)
{
	switch (m->what_case) {
	case SPU__V1__UP__WHAT_OFFER:
		return up_offer_read(in, m->offer, u);
	case SPU__V1__UP__WHAT_ACCEPT:
		up_attempt(in, u, m->accept->task, m->accept->attempt);
		return UP_ACCEPT;
	case SPU__V1__UP__WHAT_REFUSE:
		up_attempt(in, u, m->refuse->task, m->refuse->attempt);
		up_error_read(in, m->refuse->error, &u->fail);
		return UP_REFUSE;
	case SPU__V1__UP__WHAT_PROGRESS:
		return up_progress_read(in, m->progress, u);
	case SPU__V1__UP__WHAT_CHUNK:
		return up_chunk_read(in, m->chunk, u);
	case SPU__V1__UP__WHAT_DONE:
		return up_done_read(in, m->done, u);
	case SPU__V1__UP__WHAT_FAILED:
		return up_failed_read(in, m->failed, u);
	case SPU__V1__UP__WHAT_BYE:
		u->incarnation = m->bye->incarnation;
		u->reason = pb_take_text(in, "reason", m->bye->reason);
		return UP_BYE;
	default:
		pb_refuse(in, ERR_UNSUPPORTED, "what", 0,
			"a report of a sort that is not known here");
		return UP_NONE;
	}
}

static void up_read(struct pb_in *in, struct span item, void *row)
{
	struct up *u = row;
	struct fail broken = { 0 };
	const Spu__V1__Up *m;

	in->why = &broken;
	m = pb_unpack(in, &spu__v1__up__descriptor, item);
	if (m != NULL)
		u->kind = up_fields(in, m, u);
	if (in->err != 0) {
		u->kind = UP_NONE;
		u->fail = broken;
	}
}

int ups_decode(struct arena *a, struct span bytes, struct up **ret, size_t *ret_n, struct fail *why)
{
	void *rows = NULL;
	int r = pb_batch(a, bytes, "up", sizeof(struct up), up_read, &rows, ret_n, why);

	if (r == 0)
		*ret = rows;
	return r;
}

/* The field of Up for each kind of report. */
static const unsigned up_fields_of[] = {
	[UP_OFFER] = 1,
	[UP_ACCEPT] = 2,
	[UP_REFUSE] = 3,
	[UP_PROGRESS] = 4,
	[UP_CHUNK] = 5,
	[UP_DONE] = 6,
	[UP_FAILED] = 7,
	[UP_BYE] = 8,
};

static void usage_put(struct buf *b, unsigned field, const struct usage *u)
{
	struct pb_mark m;

	if (u->tokens_in == 0 && u->tokens_out == 0 && u->tokens_saved == 0)
		return;
	m = pb_open(b, field, REPORT_EXPECT);
	pb_int(b, 1, u->tokens_in);
	pb_int(b, 2, u->tokens_out);
	pb_int(b, 3, u->tokens_saved);
	pb_close(b, m);
}

static void report_put(struct buf *b, const struct up *u)
{
	struct pb_mark m =
		pb_open(b, up_fields_of[u->kind], REPORT_EXPECT + u->body.len + u->data.len);

	if (u->kind == UP_BYE) {
		pb_int(b, 1, u->incarnation);
		pb_text(b, 2, u->reason);
	} else {
		attempt_put(b, u->task, u->attempt);
	}
	if (u->kind == UP_REFUSE || u->kind == UP_FAILED)
		fail_put(b, 3, &u->fail);
	if (u->kind == UP_PROGRESS)
		progress_put(b, 3, u->permille, u->note);
	if (u->kind == UP_CHUNK)
		chunk_put(b, 3, &(struct chunk){ u->chunk_seq, u->data }, 0);
	if (u->kind == UP_CHUNK)
		pb_int(b, 4, u->chunk_oldest);
	if (u->kind == UP_DONE)
		pb_bytes(b, 3, u->body);
	if (u->kind == UP_DONE || u->kind == UP_FAILED) {
		pb_int(b, 4, (uint64_t)u->run_us);
		pb_int(b, 5, u->chunk_seq);
	}
	if (u->kind == UP_DONE) {
		pb_int(b, 20, u->cache_hit);
		pb_int(b, 21, (uint64_t)u->cache_age_ms);
		usage_put(b, 30, &u->usage);
		pb_bytes(b, 31, u->note);
		pb_int(b, 40, u->packed);
	}
	pb_close(b, m);
}

void ups_put(struct buf *b, const struct up *u)
{
	struct pb_mark m = pb_open(b, 1, REPORT_EXPECT + u->body.len + u->data.len);

	if (u->kind == UP_OFFER)
		offer_put(b, up_fields_of[UP_OFFER], u->offer);
	else if (u->kind != UP_NONE)
		report_put(b, u);
	pb_close(b, m);
}

static enum down_kind assign_read(struct pb_in *in, const Spu__V1__Assign *m, struct down *d)
{
	d->task = pb_take_ulid(in, "task", m->task);
	d->attempt = m->attempt;
	d->task_kind = pb_take_kind(in, "kind", m->kind);
	d->tenant = pb_take_token(in, "tenant", m->tenant);
	d->lease_ms = pb_take_count(in, "lease_ms", m->lease_ms);
	d->deadline_ms = pb_take_count(in, "deadline_ms", m->deadline_ms);
	d->left_ms = pb_take_count(in, "left_ms", m->left_ms);
	d->keep_ms = pb_take_count(in, "keep_ms", m->keep_ms);
	d->inline_bytes = m->inline_bytes;
	d->packed = m->packed != 0;
	d->packs = m->packs != 0;
	d->body = pb_take_bytes(in, "body", m->body, LIMIT_MESSAGE_BYTES);
	return DOWN_ASSIGN;
}

static enum down_kind down_fields(struct pb_in *in, const Spu__V1__Down *m, struct down *d)
{
	switch (m->what_case) {
	case SPU__V1__DOWN__WHAT_ASSIGN:
		return assign_read(in, m->assign, d);
	case SPU__V1__DOWN__WHAT_CANCEL:
		d->task = pb_take_ulid(in, "task", m->cancel->task);
		d->attempt = m->cancel->attempt;
		d->reason = pb_take_text(in, "reason", m->cancel->reason);
		return DOWN_CANCEL;
	case SPU__V1__DOWN__WHAT_DRAIN:
		d->on = m->drain->on != 0;
		return DOWN_DRAIN;
	case SPU__V1__DOWN__WHAT_PING:
		d->router = m->ping->router;
		return DOWN_PING;
	case SPU__V1__DOWN__WHAT_PAUSE:
		d->task = pb_take_ulid(in, "task", m->pause->task);
		d->attempt = m->pause->attempt;
		return DOWN_PAUSE;
	case SPU__V1__DOWN__WHAT_RESUME:
		d->task = pb_take_ulid(in, "task", m->resume->task);
		d->attempt = m->resume->attempt;
		return DOWN_RESUME;
	case SPU__V1__DOWN__WHAT_RESEND:
		d->task = pb_take_ulid(in, "task", m->resend->task);
		d->attempt = m->resend->attempt;
		d->chunk_seq = m->resend->seq;
		return DOWN_RESEND;
	case SPU__V1__DOWN__WHAT_PURGE:
		d->tenant = pb_take_token_or_none(in, "tenant", m->purge->tenant);
		return DOWN_PURGE;
	default:
		return DOWN_NONE; /* of a sort that a newer router knows */
	}
}

static void down_read(struct pb_in *in, struct span item, void *row)
{
	struct down *d = row;
	const Spu__V1__Down *m = pb_unpack(in, &spu__v1__down__descriptor, item);
	enum down_kind kind = m == NULL ? DOWN_NONE : down_fields(in, m, d);

	d->kind = in->err == 0 ? kind : DOWN_NONE;
}

int downs_decode(struct arena *a, struct span bytes, struct down **ret, size_t *ret_n,
	struct fail *why)
{
	void *rows = NULL;
	int r = pb_batch(a, bytes, "down", sizeof(struct down), down_read, &rows, ret_n, why);

	if (r == 0)
		*ret = rows;
	return r;
}

static void assign_put(struct buf *b, const struct down *d)
{
	struct pb_mark m = pb_open(b, 1, d->body.len + ORDER_EXPECT);

	attempt_put(b, d->task, d->attempt);
	pb_bytes(b, 3, d->task_kind);
	pb_int(b, 4, (uint64_t)d->lease_ms);
	pb_int(b, 5, (uint64_t)d->deadline_ms);
	pb_bytes(b, 6, d->body);
	pb_bytes(b, 7, d->tenant);
	pb_int(b, 8, (uint64_t)d->left_ms);
	pb_int(b, 9, (uint64_t)d->keep_ms);
	pb_int(b, 10, d->inline_bytes);
	pb_int(b, 14, d->packed);
	pb_int(b, 15, d->packs);
	pb_close(b, m);
}

static void cancel_put(struct buf *b, const struct down *d)
{
	struct pb_mark m = pb_open(b, 2, d->reason.len + REPORT_EXPECT);

	attempt_put(b, d->task, d->attempt);
	pb_text(b, 3, d->reason);
	pb_close(b, m);
}

/* A message of nothing but an attempt. */
static void ref_put(struct buf *b, unsigned field, const struct down *d)
{
	struct pb_mark m = pb_open(b, field, REPORT_EXPECT);

	attempt_put(b, d->task, d->attempt);
	pb_close(b, m);
}

static void resend_put(struct buf *b, const struct down *d)
{
	struct pb_mark m = pb_open(b, 7, REPORT_EXPECT);

	attempt_put(b, d->task, d->attempt);
	pb_int(b, 3, d->chunk_seq);
	pb_close(b, m);
}

static void purge_put(struct buf *b, const struct down *d)
{
	struct pb_mark m = pb_open(b, 8, REPORT_EXPECT);

	pb_bytes(b, 1, d->tenant);
	pb_close(b, m);
}

/* A message of one integer. */
static void one_int_put(struct buf *b, unsigned field, uint64_t v)
{
	struct pb_mark m = pb_open(b, field, PB_VARINT_BYTES);

	pb_int(b, 1, v);
	pb_close(b, m);
}

void downs_put(struct buf *b, const struct down *d)
{
	struct pb_mark m = pb_open(b, 1, d->body.len + ORDER_EXPECT);

	switch (d->kind) {
	case DOWN_NONE:
		break;
	case DOWN_ASSIGN:
		assign_put(b, d);
		break;
	case DOWN_CANCEL:
		cancel_put(b, d);
		break;
	case DOWN_DRAIN:
		one_int_put(b, 3, d->on);
		break;
	case DOWN_PING:
		one_int_put(b, 4, d->router);
		break;
	case DOWN_PAUSE:
		ref_put(b, 5, d);
		break;
	case DOWN_RESUME:
		ref_put(b, 6, d);
		break;
	case DOWN_RESEND:
		resend_put(b, d);
		break;
	case DOWN_PURGE:
		purge_put(b, d);
		break;
	}
	pb_close(b, m);
}

static void part_read(struct pb_in *in, const Spu__V1__Part *m, struct part *p)
{
	p->kind = pb_take_kind(in, "kind", m->kind);
	p->body = pb_take_bytes(in, "body", m->body, LIMIT_BODY_BYTES);
	p->units = m->units;
	p->unit = pb_take_token_or_none(in, "unit", m->unit);
	p->fan_in = pb_take_max(in, "fan_in", m->fan_in, LIMIT_PARTS);
	if (in->err == 0 && p->fan_in == 1)
		pb_refuse(in, ERR_INVALID, "fan_in", 2, "a tree needs two branches");
}

int split_plan_decode(struct arena *a, struct span bytes, struct split_plan *ret, struct fail *why)
{
	struct split_plan plan = { 0 };
	struct pb_in in;
	const Spu__V1__SplitPlan *m;

	pb_in_init(&in, a, why);
	m = pb_unpack(&in, &spu__v1__split_plan__descriptor, bytes);
	if (m == NULL)
		return in.err;
	if (m->n_part == 0 || m->join == NULL)
		return pb_refuse(&in, ERR_INVALID, m->n_part == 0 ? "part" : "join", 0,
			"a plan has at least one part, and a join");
	plan.parts = pb_alloc(&in, m->n_part, sizeof(*plan.parts));
	if (plan.parts == NULL)
		return in.err;
	plan.parts_n = m->n_part;
	for (size_t i = 0; i < m->n_part; i++)
		part_read(&in, m->part[i], &plan.parts[i]);
	part_read(&in, m->join, &plan.join);
	if (in.err == 0)
		*ret = plan;
	return in.err;
}

static void part_put(struct buf *b, unsigned field, const struct part *p)
{
	struct pb_mark m = pb_open(b, field, p->body.len + REPORT_EXPECT);

	pb_bytes(b, 1, p->kind);
	pb_bytes(b, 2, p->body);
	pb_int(b, 3, p->units);
	pb_bytes(b, 4, p->unit);
	pb_int(b, 5, p->fan_in);
	pb_close(b, m);
}

void split_plan_put_part(struct buf *b, const struct part *p)
{
	part_put(b, 1, p);
}

void split_plan_put_join(struct buf *b, const struct part *p)
{
	part_put(b, 2, p);
}
