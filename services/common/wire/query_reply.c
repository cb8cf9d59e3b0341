/* SPDX-License-Identifier: Apache-2.0
 *
 * query_reply: codec of QueryReply: views of tasks, nodes, the way of a task, and the mesh.
 */
#include "base/pure.h"
#include "spu/v1/query.pb-c.h"
#include "wire/pbshared.h"
#include "wire/query.h"

enum { ROW_EXPECT = 140, SHORT_EXPECT = 60, BIG_EXPECT = 1000 }; /* guesses; see pb_open */

static const char *const verdict_names[VERDICTS] = {
	"NONE",
	"CHOSEN",
	"DEARER",
	"KIND",
	"NOT_READY",
	"MODEL",
	"PRICE",
	"FULL",
	"DRAINING",
	"SUSPECT",
	"DOWN",
	"FAILED_BEFORE",
	"UNHEALTHY",
};

static const char *const step_names[STEPS] = {
	"NONE",
	"ACCEPTED",
	"PLACED",
	"REFUSED",
	"LOST",
	"FAILED",
	"RETRY",
	"HOP",
	"SPLIT",
	"JOIN",
	"END",
	"TWIN",
	"OUTRUN",
	"PAUSE",
	"RESUME",
	"DONE",
	"CACHE",
};

static const char *const node_state_names[] = { "none", "up", "suspect", "down", "gone" };

const char *verdict_name(enum verdict v)
{
	CHECK((unsigned)v < VERDICTS);
	return verdict_names[v];
}

const char *step_name(enum step_kind k)
{
	CHECK((unsigned)k < STEPS);
	return step_names[k];
}

const char *node_state_name(enum node_state s)
{
	CHECK((unsigned)s < ARRAY_LEN(node_state_names));
	return node_state_names[s];
}

static void task_view_read(struct pb_in *in, const Spu__V1__TaskView *m, struct task_view *t)
{
	t->task = pb_take_ulid(in, "task", m->task);
	t->kind = pb_take_kind(in, "kind", m->kind);
	t->state = (enum state)pb_take_enum(in, "state", (int)m->state, STATE_QUEUED, STATES);
	t->rung = (enum rung)pb_take_enum(in, "rung", (int)m->rung, RUNG_NONE, RUNGS);
	t->node = pb_take_token_or_none(in, "node", m->node);
	t->attempt = m->attempt;
	t->priority = pb_take_max(in, "priority", m->priority, LIMIT_PRIORITY);
	t->accepted_ms = pb_take_count(in, "accepted_ms", m->accepted_ms);
	t->deadline_ms = pb_take_count(in, "deadline_ms", m->deadline_ms);
	t->ended_ms = pb_take_count(in, "ended_ms", m->ended_ms);
	t->permille = pb_take_max(in, "permille", m->permille, 1000);
	t->note = pb_take_text(in, "note", m->note);
	t->parts = m->parts;
	t->parts_done = m->parts_done;
	t->parent = pb_take_ulid_or_none(in, "parent", m->parent);
	t->paused = m->paused != 0;
}

static void task_view_put(struct buf *b, unsigned field, const struct task_view *t)
{
	struct pb_mark m = pb_open(b, field, ROW_EXPECT);

	pb_ulid(b, 1, t->task);
	pb_bytes(b, 2, t->kind);
	pb_int(b, 3, (uint64_t)t->state);
	pb_int(b, 4, (uint64_t)t->rung);
	pb_bytes(b, 5, t->node);
	pb_int(b, 6, t->attempt);
	pb_int(b, 7, t->priority);
	pb_int(b, 8, (uint64_t)t->accepted_ms);
	pb_int(b, 9, (uint64_t)t->deadline_ms);
	pb_int(b, 10, (uint64_t)t->ended_ms);
	pb_int(b, 11, t->permille);
	pb_text(b, 12, t->note);
	pb_int(b, 13, t->parts);
	pb_int(b, 14, t->parts_done);
	pb_ulid(b, 15, t->parent);
	pb_int(b, 16, t->paused);
	pb_close(b, m);
}

static void candidate_read(struct pb_in *in, const Spu__V1__Candidate *m, struct candidate_view *c)
{
	c->node = pb_take_token(in, "node", m->node);
	c->verdict =
		(enum verdict)pb_take_enum(in, "verdict", (int)m->verdict, VERDICT_NONE, VERDICTS);
	c->note = pb_take_text(in, "note", m->note);
	c->cost = (struct cost){
		.wait_us = m->wait_us,
		.run_us = m->run_us,
		.move_us = m->move_us,
		.price_us = m->price_us,
		.risk_us = m->risk_us,
	};
}

static void candidate_put(struct buf *b, const struct candidate_view *c)
{
	struct pb_mark m = pb_open(b, 9, SHORT_EXPECT);

	pb_bytes(b, 1, c->node);
	pb_int(b, 2, (uint64_t)c->verdict);
	pb_text(b, 3, c->note);
	pb_int(b, 4, (uint64_t)c->cost.wait_us);
	pb_int(b, 5, (uint64_t)c->cost.run_us);
	pb_int(b, 6, (uint64_t)c->cost.move_us);
	pb_int(b, 7, (uint64_t)c->cost.price_us);
	pb_int(b, 8, (uint64_t)c->cost.risk_us);
	pb_close(b, m);
}

static void step_read(struct pb_in *in, const Spu__V1__Step *m, struct step_view *s)
{
	s->at_us = pb_take_count(in, "at_us", m->at_us);
	s->kind = (enum step_kind)pb_take_enum(in, "kind", (int)m->kind, STEP_NONE, STEPS);
	s->rung = (enum rung)pb_take_enum(in, "rung", (int)m->rung, RUNG_NONE, RUNGS);
	s->to = (enum rung)pb_take_enum(in, "to", (int)m->to, RUNG_NONE, RUNGS);
	s->node = pb_take_token_or_none(in, "node", m->node);
	s->attempt = m->attempt;
	s->code = m->code == 0 ? 0 : err_from_wire(m->code);
	s->reason = pb_take_text(in, "reason", m->reason);
	s->considered = m->considered;
	s->policy = pb_take_text(in, "policy", m->policy);
	s->candidates = pb_alloc(in, m->n_candidate, sizeof(*s->candidates));
	if (s->candidates == NULL)
		return;
	s->candidates_n = m->n_candidate;
	for (size_t i = 0; i < m->n_candidate; i++)
		candidate_read(in, m->candidate[i], &s->candidates[i]);
}

static void step_put(struct buf *b, const struct step_view *s)
{
	struct pb_mark m = pb_open(b, 3, SHORT_EXPECT * (1 + s->candidates_n));

	pb_int(b, 1, (uint64_t)s->at_us);
	pb_int(b, 2, (uint64_t)s->kind);
	pb_int(b, 3, (uint64_t)s->rung);
	pb_int(b, 4, (uint64_t)s->to);
	pb_bytes(b, 5, s->node);
	pb_int(b, 6, s->attempt);
	pb_int(b, 7, s->code == 0 ? 0 : (uint64_t)err_row(s->code)->wire);
	pb_text(b, 8, s->reason);
	for (size_t i = 0; i < s->candidates_n; i++)
		candidate_put(b, &s->candidates[i]);
	pb_int(b, 10, s->considered);
	pb_text(b, 11, s->policy);
	pb_close(b, m);
}

void explain_steps_put(struct buf *b, const struct explain_view *e)
{
	buf_add(b, e->steps_before);
	for (size_t i = 0; i < e->steps_n; i++)
		step_put(b, &e->steps[i]);
}

static void explain_read(struct pb_in *in, const Spu__V1__Explain *m, struct explain_view *e)
{
	if (m->task == NULL) {
		pb_refuse(in, ERR_INVALID, "task", 0, "an explain record is of a task");
		return;
	}
	task_view_read(in, m->task, &e->task);
	ladder_read(in, "ladder", m->ladder, m->n_ladder, &e->ladder);
	e->dropped = m->dropped;
	e->steps = pb_alloc(in, m->n_step, sizeof(*e->steps));
	e->parts = pb_alloc(in, m->n_part, sizeof(*e->parts));
	if (in->starved)
		return;
	e->steps_n = m->n_step;
	for (size_t i = 0; i < m->n_step; i++)
		step_read(in, m->step[i], &e->steps[i]);
	e->parts_n = m->n_part;
	for (size_t i = 0; i < m->n_part; i++)
		e->parts[i] = pb_take_ulid(in, "part", m->part[i]);
}

static void explain_put(struct buf *b, const struct explain_view *e)
{
	struct pb_mark m = pb_open(b, 4, BIG_EXPECT);

	task_view_put(b, 1, &e->task);
	ladder_put(b, 2, &e->ladder);
	if (e->steps_accepted != NULL)
		step_put(b, e->steps_accepted);
	explain_steps_put(b, e);
	if (e->steps_end != NULL)
		step_put(b, e->steps_end);
	pb_int(b, 4, e->dropped);
	for (size_t i = 0; i < e->parts_n; i++)
		pb_ulid(b, 5, e->parts[i]);
	pb_close(b, m);
}

static void node_view_read(struct pb_in *in, const Spu__V1__NodeView *m, struct node_view *n)
{
	n->node = pb_take_token(in, "node", m->node);
	n->state = (enum node_state)pb_take_enum(in, "state", (int)m->state, NODE_NONE,
		ARRAY_LEN(node_state_names));
	if (m->offer != NULL)
		offer_read(in, m->offer, &n->offer);
	n->busy = m->busy;
	n->silent_ms = pb_take_count(in, "silent_ms", m->silent_ms);
	n->done = m->done;
	n->failed = m->failed;
	n->lost = m->lost;
	n->drain_asked = m->drain_asked != 0;
}

static void node_view_put(struct buf *b, const struct node_view *n)
{
	struct pb_mark m = pb_open(b, 1, BIG_EXPECT);

	pb_bytes(b, 1, n->node);
	pb_int(b, 2, (uint64_t)n->state);
	if (n->offer.rung != RUNG_NONE) /* a node may be known before its first offer */
		offer_put(b, 3, &n->offer);
	pb_int(b, 4, n->busy);
	pb_int(b, 5, (uint64_t)n->silent_ms);
	pb_int(b, 6, n->done);
	pb_int(b, 7, n->failed);
	pb_int(b, 8, n->lost);
	pb_int(b, 9, n->drain_asked);
	pb_close(b, m);
}

static void mesh_read(struct pb_in *in, const Spu__V1__Mesh *m, struct mesh_view *v)
{
	*v = (struct mesh_view){
		.router = pb_take_text(in, "router", m->router),
		.incarnation = m->incarnation,
		.policy = pb_take_text(in, "policy", m->policy),
		.up_ms = pb_take_count(in, "up_ms", m->up_ms),
		.accepted = m->accepted,
		.refused = m->refused,
		.succeeded = m->succeeded,
		.failed = m->failed,
		.cancelled = m->cancelled,
		.expired = m->expired,
		.dead = m->dead,
		.queued = m->queued,
		.running = m->running,
		.nodes_up = m->nodes_up,
		.hops = m->hops,
		.stale = m->stale,
		.jitter_p99_us = m->jitter_p99_us,
	};
}

static void mesh_put(struct buf *b, const struct mesh_view *v)
{
	struct pb_mark m = pb_open(b, 7, ROW_EXPECT);

	pb_text(b, 1, v->router);
	pb_int(b, 2, v->incarnation);
	pb_text(b, 3, v->policy);
	pb_int(b, 4, (uint64_t)v->up_ms);
	pb_int(b, 5, v->accepted);
	pb_int(b, 6, v->refused);
	pb_int(b, 7, v->succeeded);
	pb_int(b, 8, v->failed);
	pb_int(b, 9, v->cancelled);
	pb_int(b, 10, v->expired);
	pb_int(b, 11, v->dead);
	pb_int(b, 12, v->queued);
	pb_int(b, 13, v->running);
	pb_int(b, 14, v->nodes_up);
	pb_int(b, 15, v->hops);
	pb_int(b, 16, v->stale);
	pb_int(b, 17, (uint64_t)v->jitter_p99_us);
	pb_close(b, m);
}

static void tasks_read(struct pb_in *in, const Spu__V1__TaskList *m, struct query_reply *r)
{
	r->tasks = pb_alloc(in, m->n_task, sizeof(*r->tasks));
	if (r->tasks == NULL)
		return;
	r->tasks_n = m->n_task;
	r->tasks_total = m->total;
	for (size_t i = 0; i < m->n_task; i++)
		task_view_read(in, m->task[i], &r->tasks[i]);
}

static void tasks_put(struct buf *b, const struct query_reply *r)
{
	struct pb_mark m = pb_open(b, 5, ROW_EXPECT * r->tasks_n);

	for (size_t i = 0; i < r->tasks_n; i++)
		task_view_put(b, 1, &r->tasks[i]);
	pb_int(b, 2, r->tasks_total);
	pb_close(b, m);
}

static void nodes_read(struct pb_in *in, const Spu__V1__NodeList *m, struct query_reply *r)
{
	r->nodes = pb_alloc(in, m->n_node, sizeof(*r->nodes));
	if (r->nodes == NULL)
		return;
	r->nodes_n = m->n_node;
	for (size_t i = 0; i < m->n_node; i++)
		node_view_read(in, m->node[i], &r->nodes[i]);
}

static void nodes_put(struct buf *b, const struct query_reply *r)
{
	struct pb_mark m = pb_open(b, 6, BIG_EXPECT * r->nodes_n);

	for (size_t i = 0; i < r->nodes_n; i++)
		node_view_put(b, &r->nodes[i]);
	pb_close(b, m);
}

static void stream_read(struct pb_in *in, const Spu__V1__StreamPart *m, struct stream_part *s)
{
	s->attempt = m->attempt;
	s->oldest = m->oldest;
	s->last = m->last;
	s->ended = m->ended != 0;
	s->chunks = pb_alloc(in, m->n_chunk, sizeof(*s->chunks));
	if (s->chunks == NULL)
		return;
	s->chunks_n = m->n_chunk;
	for (size_t i = 0; i < m->n_chunk; i++) {
		s->chunks[i].seq = m->chunk[i]->seq;
		s->chunks[i].data = pb_take_bytes(in, "data", m->chunk[i]->data, LIMIT_BODY_BYTES);
	}
}

static void stream_put(struct buf *b, const struct stream_part *s)
{
	struct pb_mark m = pb_open(b, 8, BIG_EXPECT);

	pb_int(b, 1, s->attempt);
	pb_int(b, 2, s->oldest);
	pb_int(b, 3, s->last);
	pb_int(b, 4, s->ended);
	for (size_t i = 0; i < s->chunks_n; i++)
		chunk_put(b, 5, &s->chunks[i], 0);
	pb_close(b, m);
}

static void caches_read(struct pb_in *in, const Spu__V1__CacheList *m, struct query_reply *r)
{
	r->caches = pb_alloc(in, m->n_cache, sizeof(*r->caches));
	if (r->caches == NULL)
		return;
	r->caches_n = m->n_cache;
	for (size_t i = 0; i < m->n_cache; i++) {
		struct cache_row *row = &r->caches[i];

		row->name = pb_take_token(in, "name", m->cache[i]->name);
		row->rung = (enum rung)pb_take_enum(in, "rung", (int)m->cache[i]->rung, RUNG_NONE,
			RUNGS);
		if (m->cache[i]->stat != NULL)
			cache_view_read(in, m->cache[i]->stat, &row->cache);
	}
}

static void caches_put(struct buf *b, const struct query_reply *r)
{
	struct pb_mark list = pb_open(b, 9, ROW_EXPECT * r->caches_n);

	for (size_t i = 0; i < r->caches_n; i++) {
		struct pb_mark m = pb_open(b, 1, SHORT_EXPECT);

		pb_bytes(b, 1, r->caches[i].name);
		pb_int(b, 2, (uint64_t)r->caches[i].rung);
		cache_view_put(b, 3, &r->caches[i].cache);
		pb_close(b, m);
	}
	pb_close(b, list);
}

static enum query_reply_kind reply_read(struct pb_in *in, const Spu__V1__QueryReply *m,
	struct query_reply *r)
{
	switch (m->what_case) {
	case SPU__V1__QUERY_REPLY__WHAT_TASK:
		task_view_read(in, m->task, &r->task);
		return REPLY_TASK;
	case SPU__V1__QUERY_REPLY__WHAT_RESULT:
		result_read(in, m->result, &r->result);
		return REPLY_RESULT;
	case SPU__V1__QUERY_REPLY__WHAT_EXPLAIN:
		explain_read(in, m->explain, &r->explain);
		return REPLY_EXPLAIN;
	case SPU__V1__QUERY_REPLY__WHAT_TASKS:
		tasks_read(in, m->tasks, r);
		return REPLY_TASKS;
	case SPU__V1__QUERY_REPLY__WHAT_NODES:
		nodes_read(in, m->nodes, r);
		return REPLY_NODES;
	case SPU__V1__QUERY_REPLY__WHAT_MESH:
		mesh_read(in, m->mesh, &r->mesh);
		return REPLY_MESH;
	case SPU__V1__QUERY_REPLY__WHAT_STREAM:
		stream_read(in, m->stream, &r->stream);
		return REPLY_STREAM;
	case SPU__V1__QUERY_REPLY__WHAT_CACHES:
		caches_read(in, m->caches, r);
		return REPLY_CACHES;
	default:
		if (r->fail.code == 0)
			pb_refuse(in, ERR_UNSUPPORTED, "what", 0,
				"neither an error nor an answer of a sort that is known here");
		return REPLY_NONE;
	}
}

int query_reply_decode(struct arena *a, struct span bytes, struct query_reply *ret,
	struct fail *why)
{
	struct query_reply r = { 0 };
	struct pb_in in;
	const Spu__V1__QueryReply *m;

	pb_in_init(&in, a, why);
	m = pb_unpack(&in, &spu__v1__query_reply__descriptor, bytes);
	if (m == NULL)
		return in.err;
	fail_read(&in, m->error, &r.fail);
	r.kind = reply_read(&in, m, &r);
	if (in.err == 0)
		*ret = r;
	return in.err;
}

void query_reply_encode(struct buf *b, const struct query_reply *r)
{
	fail_put(b, 1, &r->fail);
	switch (r->kind) {
	case REPLY_NONE:
		break;
	case REPLY_TASK:
		task_view_put(b, 2, &r->task);
		break;
	case REPLY_RESULT:
		result_put(b, 3, &r->result);
		break;
	case REPLY_EXPLAIN:
		explain_put(b, &r->explain);
		break;
	case REPLY_TASKS:
		tasks_put(b, r);
		break;
	case REPLY_NODES:
		nodes_put(b, r);
		break;
	case REPLY_MESH:
		mesh_put(b, &r->mesh);
		break;
	case REPLY_STREAM:
		stream_put(b, &r->stream);
		break;
	case REPLY_CACHES:
		caches_put(b, r);
		break;
	}
}
