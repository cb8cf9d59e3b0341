/* SPDX-License-Identifier: Apache-2.0
 *
 * journal: codecs. Field numbers as in journal.proto.
 */
#include "wire/journal.h"

#include "spu/v1/journal.pb-c.h"
#include "wire/pbshared.h"

#include "base/pure.h"

#define SPLIT_EXPECT 256u
#define TWIN_EXPECT 80u

/* --- out ---------------------------------------------------------------------------------------------- */

void task_order_put(struct buf *b, const struct task_order *o)
{
	pb_bytes(b, 1, o->kind);
	pb_bytes(b, 2, o->tenant);
	pb_bytes(b, 3, o->key);
	pb_bytes(b, 4, o->hash);
	pb_bytes(b, 5, o->stream);
	pb_bytes(b, 6, o->model);
	pb_int(b, 7, o->priority);
	pb_int(b, 8, (uint64_t)o->max_price_ucr);
	ladder_put(b, 9, &o->ladder);
	pb_int(b, 10, (uint64_t)o->start_within_ns);
	pb_int(b, 11, (uint64_t)o->accepted_ns);
	pb_int(b, 12, (uint64_t)o->deadline_ns);
	pb_int(b, 13, o->role);
	pb_int(b, 14, o->part);
	pb_ulid(b, 15, o->parent);
	pb_int(b, 16, o->depth);
	pb_bytes(b, 17, o->body);
	pb_int(b, 18, o->deadline_is_wall);
	pb_int(b, 19, (uint64_t)o->keep_ns);
}

static void split_put(struct buf *b, unsigned field, const struct split_state *s)
{
	struct pb_mark m = pb_open(b, field, SPLIT_EXPECT);

	for (size_t i = 0; i < s->parts_n; i++)
		pb_ulid(b, 1, s->parts[i]);
	pb_ulid(b, 2, s->plan);
	pb_ulid(b, 3, s->join);
	pb_int(b, 4, s->released);
	pb_bytes(b, 5, s->join_body);
	pb_bytes(b, 6, s->join_kind);
	pb_int(b, 7, s->fan_in);
	pb_int(b, 8, s->level_at);
	pb_close(b, m);
}

static void twin_put(struct buf *b, unsigned field, const struct twin_state *w)
{
	struct pb_mark m = pb_open(b, field, TWIN_EXPECT);

	pb_int(b, 1, w->attempt);
	pb_bytes(b, 2, w->node);
	pb_int(b, 3, w->started);
	pb_close(b, m);
}

void task_state_put(struct buf *b, const struct task_state *s)
{
	pb_int(b, 1, (uint64_t)s->state);
	pb_int(b, 2, s->rung_at);
	pb_int(b, 3, s->tries);
	pb_int(b, 4, s->attempt);
	pb_int(b, 5, s->attempts);
	pb_bytes(b, 6, s->node);
	pb_int(b, 7, (uint64_t)s->rung_ns);
	pb_int(b, 8, (uint64_t)s->retry_ns);
	pb_int(b, 9, (uint64_t)s->started_ns);
	pb_int(b, 10, (uint64_t)s->price_ucr);
	pb_int(b, 11, (uint64_t)s->spent_ucr);
	pb_int(b, 12, s->seq);
	if (s->split != NULL)
		split_put(b, 13, s->split);
	pb_bytes(b, 14, s->steps);
	pb_int(b, 15, s->steps_dropped);
	pb_bytes(b, 16, s->result);
	pb_int(b, 17, (uint64_t)s->ended_ns);
	pb_int(b, 18, (uint64_t)s->run_us);
	fail_put(b, 19, &s->fail);
	pb_int(b, 20, s->parts_done);
	pb_int(b, 21, s->chunks);
	if (s->twin.attempt != 0)
		twin_put(b, 22, &s->twin);
	pb_int(b, 23, s->twins);
	pb_int(b, 24, (uint64_t)s->paused_ns);
	pb_int(b, 40, s->cache_hit);
	pb_int(b, 41, (uint64_t)s->cache_age_ms);
	pb_int(b, 42, s->cache_near);
}

/* --- in ----------------------------------------------------------------------------------------------- */

int task_order_decode(struct arena *a, struct span bytes, struct task_order *ret, struct fail *why)
{
	struct pb_in in;
	Spu__V1__TaskOrder *m;

	*ret = (struct task_order){ 0 };
	pb_in_init(&in, a, why);
	m = pb_unpack(&in, &spu__v1__task_order__descriptor, bytes);
	if (m == NULL)
		return in.err;
	ret->kind = pb_take_kind(&in, "kind", m->kind);
	ret->tenant = pb_take_token(&in, "tenant", m->tenant);
	ret->key = pb_take_token_or_none(&in, "key", m->key);
	ret->hash = pb_take_bytes(&in, "hash", m->hash, JOURNAL_HASH);
	ret->stream = pb_take_token_or_none(&in, "stream", m->stream);
	ret->model = pb_take_text(&in, "model", m->model);
	ret->priority = pb_take_max(&in, "priority", m->priority, LIMIT_PRIORITY);
	ret->max_price_ucr = pb_take_count(&in, "max_price_ucr", m->max_price_ucr);
	ladder_read(&in, "ladder", m->ladder, m->n_ladder, &ret->ladder);
	ret->start_within_ns = pb_take_count(&in, "start_within_ns", m->start_within_ns);
	ret->accepted_ns = pb_take_count(&in, "accepted_ns", m->accepted_ns);
	ret->deadline_ns = pb_take_count(&in, "deadline_ns", m->deadline_ns);
	ret->deadline_is_wall = m->deadline_is_wall != 0;
	ret->keep_ns = pb_take_count(&in, "keep_ns", m->keep_ns);
	ret->role = m->role;
	ret->part = m->part;
	ret->parent = pb_take_ulid_or_none(&in, "parent", m->parent);
	ret->depth = pb_take_max(&in, "depth", m->depth, UINT8_MAX);
	ret->body = pb_take_bytes(&in, "body", m->body, LIMIT_MESSAGE_BYTES);
	if (in.err == 0 && ret->ladder.n == 0)
		pb_refuse(&in, ERR_INVALID, "ladder", 0, "a task has a ladder");
	if (in.err == 0 && ret->key.len > 0 && ret->hash.len != JOURNAL_HASH)
		pb_refuse(&in, ERR_INVALID, "hash", JOURNAL_HASH, "a key comes with a hash");
	return in.err;
}

static void split_read(struct pb_in *in, const Spu__V1__SplitState *m, struct split_state *ret)
{
	struct ulid *parts = pb_alloc(in, m->n_part + 1, sizeof(*parts));

	if (parts == NULL)
		return;
	for (size_t i = 0; i < m->n_part; i++)
		parts[i] = pb_take_ulid(in, "part", m->part[i]);
	ret->parts = parts;
	ret->parts_n = m->n_part;
	ret->plan = pb_take_ulid_or_none(in, "plan", m->plan);
	ret->join = pb_take_ulid_or_none(in, "join", m->join);
	ret->released = m->released;
	ret->fan_in = m->fan_in;
	ret->level_at = pb_take_max(in, "level_at", m->level_at, (uint32_t)m->n_part);
	ret->join_body = pb_take_bytes(in, "join_body", m->join_body, LIMIT_MESSAGE_BYTES);
	if (m->join_kind[0] != '\0')
		ret->join_kind = pb_take_kind(in, "join_kind", m->join_kind);
}

static void twin_read(struct pb_in *in, const Spu__V1__TwinState *m, struct twin_state *ret)
{
	if (m == NULL)
		return;
	ret->attempt = m->attempt;
	ret->node = pb_take_token(in, "node", m->node);
	ret->started = m->started;
	if (in->err == 0 && ret->attempt == 0)
		pb_refuse(in, ERR_INVALID, "twin", 1, "attempts count from 1");
}

int task_state_decode(struct arena *a, struct span bytes, struct task_state *ret, struct fail *why)
{
	struct pb_in in;
	struct split_state *split = NULL;
	Spu__V1__TaskState *m;

	*ret = (struct task_state){ 0 };
	pb_in_init(&in, a, why);
	m = pb_unpack(&in, &spu__v1__task_state__descriptor, bytes);
	if (m == NULL)
		return in.err;
	ret->state = (enum state)pb_take_enum(&in, "state", (int)m->state, STATE_QUEUED, STATES);
	ret->rung_at = pb_take_max(&in, "rung_at", m->rung_at, RUNGS - 2);
	ret->tries = pb_take_max(&in, "tries", m->tries, UINT8_MAX);
	ret->attempt = m->attempt;
	ret->attempts = m->attempts;
	ret->node = pb_take_token_or_none(&in, "node", m->node);
	ret->rung_ns = pb_take_count(&in, "rung_ns", m->rung_ns);
	ret->retry_ns = pb_take_count(&in, "retry_ns", m->retry_ns);
	ret->started_ns = pb_take_count(&in, "started_ns", m->started_ns);
	ret->price_ucr = pb_take_count(&in, "price_ucr", m->price_ucr);
	ret->spent_ucr = pb_take_count(&in, "spent_ucr", m->spent_ucr);
	ret->seq = m->seq;
	if (m->split != NULL)
		split = pb_alloc(&in, 1, sizeof(*split));
	if (split != NULL)
		split_read(&in, m->split, split);
	ret->split = split;
	ret->steps = pb_take_bytes(&in, "steps", m->steps, LIMIT_MESSAGE_BYTES);
	ret->steps_dropped = m->steps_dropped;
	ret->result = pb_take_bytes(&in, "result", m->result, LIMIT_MESSAGE_BYTES);
	ret->ended_ns = pb_take_count(&in, "ended_ns", m->ended_ns);
	ret->run_us = pb_take_count(&in, "run_us", m->run_us);
	fail_read(&in, m->error, &ret->fail);
	ret->parts_done = m->parts_done;
	ret->chunks = m->chunks;
	twin_read(&in, m->twin, &ret->twin);
	ret->twins = pb_take_max(&in, "twins", m->twins, UINT8_MAX);
	ret->paused_ns = pb_take_count(&in, "paused_ns", m->paused_ns);
	ret->cache_hit = m->cache_hit != 0;
	ret->cache_age_ms = pb_take_count(&in, "cache_age_ms", m->cache_age_ms);
	ret->cache_near = pb_take_max(&in, "cache_near", m->cache_near, 1000);
	return in.err;
}
