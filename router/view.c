/* SPDX-License-Identifier: Apache-2.0
 *
 * view: the machine's records as answers.
 */
#include "router/view.h"

#include "base/fmt.h"
#include "base/pure.h"

#define STREAM_PART_BYTES (LIMIT_MESSAGE_BYTES / 4)
#define ENDED_LIST_BYTES                                                                           \
	(LIMIT_MESSAGE_BYTES / 2) /* a list is cut before its message gets too big */

static struct span node_name(const struct view *v, uint32_t node)
{
	return registry_name(router_registry(v->router), node);
}

/* Which has or had the task; after a restart of the router perhaps by its name only. */
static struct span task_node(const struct view *v, const struct task *t)
{
	return router_node_name(v->router, t);
}

static struct task_view view_task(const struct view *v, const struct task *t)
{
	struct task_view tv = {
		.task = t->id,
		.kind = span_str(registry_kind_at(router_registry(v->router), t->kind)->name),
		.state = t->state,
		.rung = task_rung(t),
		.node = task_node(v, t),
		.attempt = t->attempt,
		.priority = t->priority,
		.accepted_ms = router_wall_ms(v->router, t->accepted_ns),
		.deadline_ms = router_wall_ms(v->router, t->deadline_ns),
		.ended_ms = router_wall_ms(v->router, t->ended_ns),
		.permille = t->state == STATE_SUCCEEDED ? 1000 : t->permille,
		.note = state_is_final(t->state) && t->fail != NULL ? span_str(t->fail->detail)
								    : span_str(t->note),
	};

	tv.paused = t->paused_ns != 0;
	if (t->split != NULL) {
		tv.parts = t->split->parts_n;
		tv.parts_done = t->split->parts_done;
	}
	if (t->parent != TASK_NONE && slots_is_taken(&router_tasks(v->router)->slots, t->parent))
		tv.parent = tasks_at(router_tasks(v->router), t->parent)->id;
	return tv;
}

/* --- explain ------------------------------------------------------------------------------------------ */

static int64_t term(uint32_t us)
{
	return us == UINT32_MAX ? INT64_MAX / 8 : (int64_t)us;
}

static bool view_candidates(const struct view *v, const struct explain_note *note,
	const struct explain_seen *seen, struct step_view *s)
{
	if (note->seen_n == 0)
		return true;
	s->candidates = arena_alloc(v->arena, note->seen_n * sizeof *s->candidates);
	if (s->candidates == NULL)
		return false;
	s->candidates_n = note->seen_n;
	for (uint32_t i = 0; i < note->seen_n; i++)
		s->candidates[i] = (struct candidate_view){
			.node = node_name(v, seen[i].node),
			.verdict = seen[i].verdict,
			.note = explain_seen_note(seen, note->seen_n, i),
			.cost = { term(seen[i].term_us[0]), term(seen[i].term_us[1]),
				term(seen[i].term_us[2]), term(seen[i].term_us[3]),
				term(seen[i].term_us[4]) },
		};
	return true;
}

static void view_end(const struct view *v, const struct task *t, struct step_view *s)
{
	*s = (struct step_view){
		.at_us = (t->ended_ns - t->accepted_ns) / NS_PER_US,
		.kind = STEP_END,
		.rung = task_rung(t),
		.node = task_node(v, t),
		.attempt = t->attempt,
		.code = t->fail == NULL ? 0 : t->fail->code,
		.reason = t->fail == NULL ? span_str(state_name(t->state))
					  : span_str(t->fail->detail),
	};
}

bool view_steps(const struct view *v, const struct task *t, struct explain_view *x)
{
	struct explain_note note;
	const struct explain_seen *seen;
	uint32_t at = 0;

	x->steps_before = span_of(t->told, t->told_len);
	x->dropped = t->explain.dropped;
	x->steps = arena_alloc(v->arena, (t->explain.steps_n + 1u) * sizeof *x->steps);
	if (x->steps == NULL)
		return false;
	while (explain_next(&t->explain, &at, &note, &seen)) {
		struct step_view *s = &x->steps[x->steps_n++];

		*s = (struct step_view){
			.at_us = note.at_us,
			.kind = note.kind,
			.rung = note.rung,
			.to = note.to,
			.node = node_name(v, note.node),
			.attempt = note.attempt,
			.code = note.code,
			.reason = note.reason,
			.considered = note.considered,
			.policy = span_str(note.policy),
		};
		if (!view_candidates(v, &note, seen, s))
			return false;
	}
	return true;
}

/* Acceptance and end are known from the task itself. */
static bool view_ends(const struct view *v, const struct task *t, struct explain_view *x)
{
	struct step_view *s = arena_alloc(v->arena, 2 * sizeof *s);

	if (s == NULL)
		return false;
	s[0] = (struct step_view){ .kind = STEP_ACCEPTED, .rung = t->ladder.rung[0] };
	x->steps_accepted = &s[0];
	if (state_is_final(t->state)) {
		view_end(v, t, &s[1]);
		x->steps_end = &s[1];
	}
	return true;
}

static void answer_explain(const struct view *v, const struct task *t, struct query_reply *ret)
{
	struct explain_view *x = &ret->explain;

	x->task = view_task(v, t);
	x->ladder = t->ladder;
	if (t->split != NULL) {
		x->parts = t->split->parts;
		x->parts_n = t->split->parts_n;
	}
	if (!view_steps(v, t, x) || !view_ends(v, t, x)) {
		fail_set(&ret->fail, ERR_NO_MEMORY, NULL, 0, NULL);
		return;
	}
	ret->kind = REPLY_EXPLAIN;
}

/* --- lists -------------------------------------------------------------------------------------------- */

static uint32_t rows_wanted(const struct query *q)
{
	return q->limit == 0 || q->limit > LIMIT_LIST_ROWS ? LIMIT_LIST_ROWS : q->limit;
}

static bool is_listed(const struct view *v, const struct query *q, const struct task *t)
{
	return (v->is_operator || span_eq(router_tenant(v->router, t->tenant), v->tenant)) &&
	       (q->state == STATE_NONE || q->state == t->state) &&
	       (!q->paused || t->paused_ns != 0) && t->role == ROLE_TASK;
}

/* The newest tasks seen so far; ids sort by time. rows[0] is the oldest of them: a heap, so that a long table
 * costs no more than a look at each task. */
struct newest {
	struct task_key {
		struct ulid id;
		uint32_t index;
	} * rows;
	uint32_t n, max;
};

static bool is_older(const struct newest *w, uint32_t a, uint32_t b)
{
	struct ulid x = w->rows[a].id, y = w->rows[b].id;

	return x.hi != y.hi ? x.hi < y.hi : x.lo < y.lo;
}

static void newest_swap(struct newest *w, uint32_t a, uint32_t b)
{
	struct task_key row = w->rows[a];

	w->rows[a] = w->rows[b];
	w->rows[b] = row;
}

/* Put row `at` into its place among those below it. */
static void newest_sink(struct newest *w, uint32_t at)
{
	for (;;) {
		uint32_t oldest = at;

		for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < w->n; child++)
			if (is_older(w, child, oldest))
				oldest = child;
		if (oldest == at)
			return;
		newest_swap(w, at, oldest);
		at = oldest;
	}
}

/* rows has room for one more than max. */
static void newest_add(struct newest *w, const struct task *t)
{
	uint32_t at = w->n;

	w->rows[at] = (struct task_key){ t->id, t->index };
	if (w->n == w->max) {
		if (is_older(w, 0, at)) {
			w->rows[0] = w->rows[at];
			newest_sink(w, 0);
		}
		return;
	}
	w->n++;
	for (; at > 0 && is_older(w, at, (at - 1) / 2); at = (at - 1) / 2)
		newest_swap(w, at, (at - 1) / 2);
}

static void answer_tasks(const struct view *v, const struct query *q, struct query_reply *ret)
{
	const struct tasks *ts = router_tasks(v->router);
	struct newest w = { .max = rows_wanted(q) };

	w.rows = arena_alloc(v->arena, (w.max + 1u) * sizeof *w.rows);
	ret->tasks = arena_alloc(v->arena, (w.max + 1u) * sizeof *ret->tasks);
	if (w.rows == NULL || ret->tasks == NULL) {
		fail_set(&ret->fail, ERR_NO_MEMORY, NULL, 0, NULL);
		return;
	}
	for (uint32_t i = 0; i < ts->slots.cap; i++) {
		const struct task *t = slots_is_taken(&ts->slots, i) ? tasks_at(ts, i) : NULL;

		if (t == NULL || !is_listed(v, q, t))
			continue;
		ret->tasks_total++;
		newest_add(&w, t);
	}
	ret->tasks_n = w.n;
	while (w.n > 0) { /* the oldest goes last */
		ret->tasks[w.n - 1] = view_task(v, tasks_at(ts, w.rows[0].index));
		w.rows[0] = w.rows[--w.n];
		newest_sink(&w, 0);
	}
	ret->kind = REPLY_TASKS;
}

static bool view_offer(const struct view *v, const struct node *n, struct offer *o)
{
	const struct registry *g = router_registry(v->router);

	*o = (struct offer){
		.incarnation = n->incarnation,
		.seq = n->seq,
		.rung = n->rung,
		.kinds_n = n->kinds_n,
		.slots = n->load.slots,
		.queued = n->load.queued,
		.draining = n->draining,
		.device = span_str(n->device),
		.version = span_str(n->version),
		.health = n->load.health,
		.load = n->machine_load,
	};
	o->kinds = arena_alloc(v->arena, (n->kinds_n + 1u) * sizeof *o->kinds);
	if (o->kinds == NULL)
		return false;
	for (uint32_t i = 0; i < n->kinds_n; i++) {
		const struct node_kind *nk = &n->kinds[i];

		o->kinds[i] = (struct kind_offer){
			.kind = span_str(registry_kind_at(g, nk->kind)->name),
			.ready = nk->ready,
			.why = span_str(nk->why),
			.price_ucr = nk->price_ucr,
			.typical_us = nk->seen_us > 0 ? nk->seen_us : nk->said_us,
			.model = span_str(nk->model),
		};
	}
	return true;
}

static bool view_node(const struct view *v, const struct node *n, struct node_view *nv)
{
	*nv = (struct node_view){
		.node = span_str(n->name),
		.state = n->state,
		.busy = n->load.busy,
		.silent_ms = (v->now_ns - n->heard_ns) / NS_PER_MS,
		.done = n->done,
		.failed = n->failed,
		.lost = n->lost,
		.drain_asked = n->drain_asked,
	};
	return view_offer(v, n, &nv->offer);
}

/* About what the node takes in the answer. */
static size_t offer_bytes(const struct node_view *nv)
{
	size_t bytes = 200 + nv->offer.device.len;

	for (size_t i = 0; i < nv->offer.kinds_n; i++)
		bytes += 100 + nv->offer.kinds[i].why.len + nv->offer.kinds[i].model.len;
	return bytes;
}

static void answer_nodes(const struct view *v, const struct query *q, struct query_reply *ret)
{
	const struct registry *g = router_registry(v->router);
	uint32_t most = rows_wanted(q);
	size_t bytes = 0;

	if (most > g->nodes.used)
		most = g->nodes.used;
	ret->nodes = arena_alloc(v->arena, (most + 1u) * sizeof *ret->nodes);
	bool fits = ret->nodes != NULL;

	for (uint32_t i = 0;
		fits && i < g->nodes.cap && ret->nodes_n < most && bytes < ENDED_LIST_BYTES; i++) {
		if (!slots_is_taken(&g->nodes, i) ||
			(q->kind == QUERY_DRAIN && !span_is(q->node, registry_node(g, i)->name)))
			continue;
		struct node_view *nv = &ret->nodes[ret->nodes_n];

		fits = view_node(v, registry_node(g, i), nv);
		bytes += offer_bytes(nv);
		ret->nodes_n++;
	}
	if (!fits)
		fail_set(&ret->fail, ERR_NO_MEMORY, NULL, 0, NULL);
	else
		ret->kind = REPLY_NODES;
}

/* The router's, and that of each node that keeps results. */
static void answer_caches(const struct view *v, const struct query *q, struct query_reply *ret)
{
	const struct registry *g = router_registry(v->router);
	uint32_t most = rows_wanted(q);

	if (most > g->nodes.used + 1)
		most = g->nodes.used + 1;
	ret->caches = arena_alloc(v->arena, most * sizeof *ret->caches);
	if (ret->caches == NULL) {
		fail_set(&ret->fail, ERR_NO_MEMORY, NULL, 0, NULL);
		return;
	}
	ret->caches[ret->caches_n++] = (struct cache_row){
		.name = v->name,
		.cache = router_cache(v->router, v->now_ns),
	};
	for (uint32_t i = 0; i < g->nodes.cap && ret->caches_n < most; i++) {
		const struct node *n = slots_is_taken(&g->nodes, i) ? registry_node(g, i) : NULL;

		if (n == NULL || n->state == NODE_GONE || n->cache.bytes_max == 0)
			continue;
		ret->caches[ret->caches_n++] = (struct cache_row){
			.name = span_str(n->name),
			.rung = n->rung,
			.cache = n->cache,
		};
	}
	ret->kind = REPLY_CACHES;
}

static void answer_mesh(const struct view *v, struct query_reply *ret)
{
	const struct router_counts *c = router_counts(v->router);
	const struct tasks *ts = router_tasks(v->router);

	ret->kind = REPLY_MESH;
	ret->mesh = (struct mesh_view){
		.router = v->name,
		.incarnation = router_incarnation(v->router),
		.policy = span_str(router_policy(v->router)->name),
		.up_ms = (v->now_ns - router_started_ns(v->router)) / NS_PER_MS,
		.accepted = c->accepted,
		.refused = c->refused,
		.succeeded = c->succeeded,
		.failed = c->failed,
		.cancelled = c->cancelled,
		.expired = c->expired,
		.dead = c->dead,
		.queued = ts->count[STATE_QUEUED],
		.running = ts->count[STATE_ASSIGNED] + ts->count[STATE_RUNNING],
		.nodes_up = router_registry(v->router)->up_n,
		.hops = c->hops,
		.stale = c->stale,
		.jitter_p99_us = v->jitter_p99_us,
	};
}

/* --- streams ------------------------------------------------------------------------------------------ */

/* Chunks from this one on, as many as fit. */
static bool view_chunks(const struct view *v, const struct chunks *c, uint64_t from,
	struct stream_part *p)
{
	size_t bytes = 0;

	p->chunks = arena_alloc(v->arena, (size_t)(c->last + 1 - from) * sizeof *p->chunks);
	for (uint64_t seq = from; p->chunks != NULL && seq <= c->last; seq++) {
		struct span data = chunks_at(c, seq);

		bytes += data.len + CHUNK_COST;
		if (p->chunks_n > 0 && bytes > STREAM_PART_BYTES)
			break;
		p->chunks[p->chunks_n++] = (struct chunk){ seq, data };
	}
	return p->chunks != NULL;
}

/* What is kept of the newest attempt. */
static void stream_facts(const struct task *t, const struct stream *st, struct stream_part *p)
{
	p->ended = state_is_final(t->state);
	p->attempt = t->attempt;
	p->last = t->chunks;
	p->oldest = st == NULL ? t->chunks + 1 : chunks_oldest(&st->chunks);
}

/* Which chunk the asker means; 0 and *why if it cannot be had. */
static uint64_t stream_from(const struct stream_part *p, const struct query *q, struct fail *why)
{
	if (q->chunk_seq == 0 || (q->attempt != 0 && q->attempt != p->attempt))
		return p->oldest;
	if (q->chunk_seq < p->oldest)
		fail_set(why, ERR_INVALID, "from_seq", (int64_t)p->oldest,
			"the oldest chunk that is kept is %llu", (unsigned long long)p->oldest);
	else if (p->ended && q->chunk_seq > p->last + 1)
		fail_set(why, ERR_INVALID, "from_seq", (int64_t)p->last + 1,
			"the stream has ended with chunk %llu", (unsigned long long)p->last);
	return why->code == 0 ? q->chunk_seq : 0;
}

static void answer_stream(const struct view *v, const struct query *q, struct query_reply *ret)
{
	const struct task *t = router_task(v->router, v->tenant, v->is_operator, q->task);
	const struct stream *st = t == NULL ? NULL : router_stream(v->router, t);
	uint64_t from;

	if (t == NULL || t->role != ROLE_TASK || (state_is_final(t->state) && t->chunks == 0)) {
		fail_set(&ret->fail, ERR_UNKNOWN, "task", 0, "%s",
			t == NULL || t->role != ROLE_TASK ? VIEW_NO_TASK
							  : "it ended without a chunk");
		return;
	}
	stream_facts(t, st, &ret->stream);
	from = stream_from(&ret->stream, q, &ret->fail);
	if (from == 0)
		return;
	if (st == NULL || from > st->chunks.last || view_chunks(v, &st->chunks, from, &ret->stream))
		ret->kind = REPLY_STREAM;
	else
		fail_set(&ret->fail, ERR_NO_MEMORY, NULL, 0, NULL);
}

/* --- dispatch ----------------------------------------------------------------------------------------- */

static void answer_task(const struct view *v, const struct query *q, struct query_reply *ret)
{
	const struct task *t = router_task(v->router, v->tenant, v->is_operator, q->task);

	if (t == NULL) {
		fail_set(&ret->fail, ERR_UNKNOWN, "task", 0, "%s", VIEW_NO_TASK);
		return;
	}
	if (q->kind == QUERY_EXPLAIN) {
		answer_explain(v, t, ret);
		return;
	}
	if (q->kind == QUERY_RESULT) {
		ret->kind = REPLY_RESULT;
		if (state_is_final(t->state))
			finish_result(v->router, t, &ret->result);
		else
			ret->result = (struct result){ .state = t->state, .rung = task_rung(t) };
		return;
	}
	ret->kind = REPLY_TASK;
	ret->task = view_task(v, t);
}

void view_answer(const struct view *v, const struct query *q, struct query_reply *ret)
{
	*ret = (struct query_reply){ .kind = REPLY_NONE };
	switch (q->kind) {
	case QUERY_STATUS:
	case QUERY_CANCEL:
	case QUERY_REPLAY:
	case QUERY_FORGET:
	case QUERY_PAUSE:
	case QUERY_RESUME:
	case QUERY_RESULT:
	case QUERY_EXPLAIN:
		answer_task(v, q, ret);
		break;
	case QUERY_TASKS:
		answer_tasks(v, q, ret);
		break;
	case QUERY_NODES:
	case QUERY_DRAIN:
		answer_nodes(v, q, ret);
		break;
	case QUERY_MESH:
		answer_mesh(v, ret);
		break;
	case QUERY_CACHE:
		answer_caches(v, q, ret);
		break;
	case QUERY_STREAM:
		answer_stream(v, q, ret);
		break;
	case QUERY_NONE:
		fail_set(&ret->fail, ERR_INVALID, "what", 0, "the query asks for nothing");
		break;
	}
}
