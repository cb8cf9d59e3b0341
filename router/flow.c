/* SPDX-License-Identifier: Apache-2.0
 *
 * flow: chunks of tasks that stream: in order and each once to the tenant, and kept for who lost some. What was lost
 * on the way from the node is asked for again, as long as the node has it; what comes meanwhile is dropped, since
 * the node sends it again, too. An attempt's chunks count from 1: another attempt begins anew, because nothing says
 * that it would say the same.
 *
 * A stream's mark is the number that its node was asked for last.
 */
#include "router/machine.h"

#include "base/pure.h"

#define ASK_AGAIN_NS (200 * NS_PER_MS) /* for the same chunk */

static struct stream *stream_of(const struct router *r, const struct task *t)
{
	return streams_find(&r->streams, t->stream_id);
}

const struct stream *router_stream(const struct router *r, const struct task *t)
{
	return stream_of(r, t);
}

/* NULL without room: then chunks pass, and cannot be had again. */
static struct stream *need_stream(struct router *r, struct task *t)
{
	struct stream *st = stream_of(r, t);

	if (st == NULL && streams_open(&r->streams, r->now_ns, t->id, t->attempt, &t->stream_id))
		st = stream_of(r, t);
	return st;
}

static void ask(struct router *r, const struct task *t, struct stream *st)
{
	struct down d = {
		.kind = DOWN_RESEND,
		.task = t->id,
		.attempt = t->attempt,
		.chunk_seq = st->chunks.last + 1,
	};

	if (st->mark == d.chunk_seq && r->now_ns - st->mark_ns < ASK_AGAIN_NS)
		return;
	st->mark = d.chunk_seq;
	st->mark_ns = r->now_ns;
	r->counts.resends++;
	r->out->on_down(r->out->ctx, registry_name(&r->registry, t->node), &d, true);
}

/* Is it the next that can be had? Else it is known, or those before it are asked for, and it comes again. */
static bool is_next(struct router *r, const struct task *t, struct stream *st, const struct up *u)
{
	if (u->chunk_seq <= st->chunks.last)
		return false;
	if (u->chunk_seq == st->chunks.last + 1 || u->chunk_oldest == 0 ||
		u->chunk_oldest >= u->chunk_seq)
		return true;
	ask(r, t, st);
	return false;
}

void flow_chunk(struct router *r, struct task *t, const struct up *said)
{
	struct stream *st;
	struct up u = *said;

	if (t->role != ROLE_TASK || u.chunk_seq > INT64_MAX)
		return;
	st = need_stream(r, t);
	if (u.chunk_seq == 0) /* the node does not count */
		u.chunk_seq = t->chunks + 1;
	if (st != NULL && !is_next(r, t, st, &u))
		return;
	if (st != NULL)
		streams_put(&r->streams, r->now_ns, st, u.chunk_seq, u.data);
	t->chunks = u.chunk_seq;
	event_chunk(r, t, u.chunk_seq, u.data);
}

bool flow_late(struct router *r, const struct task *t, uint32_t node, const struct up *u)
{
	struct stream *st;

	if (u->kind != UP_CHUNK || t == NULL || !state_is_final(t->state) || t->node != node ||
		t->attempt != u->attempt)
		return false;
	st = stream_of(r, t);
	if (st == NULL || u->chunk_seq <= st->chunks.last || u->chunk_seq > t->chunks)
		return false;
	if (is_next(r, t, st, u))
		streams_put(&r->streams, r->now_ns, st, u->chunk_seq, u->data);
	return true;
}

void flow_listed(struct router *r, struct task *t, uint64_t chunks)
{
	struct stream *st = t->role != ROLE_TASK || chunks == 0 || chunks > INT64_MAX
				    ? NULL
				    : need_stream(r, t);

	if (st != NULL && st->chunks.last < chunks)
		ask(r, t, st);
}

void flow_counted(struct router *r, struct task *t, uint64_t chunks)
{
	flow_listed(r, t, chunks);
	if (t->role == ROLE_TASK && chunks > t->chunks && chunks <= INT64_MAX)
		t->chunks = chunks;
}

void flow_anew(struct router *r, struct task *t)
{
	struct stream *st = stream_of(r, t);

	t->chunks = 0;
	if (st != NULL)
		streams_restart(&r->streams, st, t->attempt);
}

void flow_end(struct router *r, struct task *t)
{
	struct stream *st = stream_of(r, t);

	if (st != NULL && !st->ended)
		streams_end(&r->streams, r->now_ns, st);
}

void flow_drop(struct router *r, const struct task *t)
{
	struct stream *st = stream_of(r, t);

	if (st != NULL)
		streams_drop(&r->streams, st);
}

void flow_tick(struct router *r)
{
	const struct stream *st;

	while ((st = streams_tick(&r->streams, r->now_ns)) != NULL) {
		struct task *t = tasks_find(&r->tasks, st->task);

		if (t != NULL)
			event_beat(r, t, st->attempt, st->chunks.last);
	}
}
