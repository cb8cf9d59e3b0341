/* SPDX-License-Identifier: Apache-2.0
 *
 * router_model: what must hold of a router machine after each of its steps: slots, lists, clocks, rows and
 * counts agree with each other. In a header since fuzz targets link no support objects.
 */
#pragma once
#include "base/check.h"
#include "router/machine.h"

static uint32_t model_length(const struct list *l)
{
	uint32_t n = 0;

	for (const struct list *at = l->next; at != l; at = at->next)
		n++;
	return n;
}

/* One kind and class: open rows first, each of a node that may get an attempt, and owners know their place. */
static void model_rows(const struct registry *g, uint32_t kind, enum rung rung)
{
	const struct kind_rows *k = &registry_kind_at(g, kind)->of[rung];

	CHECK(k->open_n <= k->able_n && k->able_n <= k->n && k->n <= k->cap);
	for (uint32_t i = 0; i < k->n; i++) {
		const struct node *n = CONTAINER(k->rows[i].load, struct node, load);
		const struct node_kind *nk = k->owners[i];
		bool able = nk->ready && (n->state == NODE_UP || n->state == NODE_SUSPECT) &&
			    !n->draining && !n->drain_asked;
		bool open = able && n->state == NODE_UP && n->closed_until_ns == 0 &&
			    n->load.busy < n->load.slots;

		CHECK(nk->row == i && nk->kind == kind && n->rung == rung);
		CHECK(nk >= n->kinds && nk < n->kinds + n->kinds_n);
		CHECK(open == (i < k->open_n) && able == (i < k->able_n));
		CHECK(k->rows[i].price_ucr == nk->price_ucr);
	}
}

static inline void model_registry(const struct registry *g)
{
	uint32_t rows = 0, kinds = 0, up = 0;

	for (uint32_t i = 0; i < g->nodes.cap; i++) {
		const struct node *n;

		if (!slots_is_taken(&g->nodes, i))
			continue;
		n = slots_at(&g->nodes, i);
		CHECK(n->state != NODE_NONE && heap_has(&g->due, i));
		CHECK(n->load.busy == model_length(&n->tasks) + model_length(&n->twins));
		CHECK(n->paused_n == model_length(&n->paused));
		CHECK(n->load.busy + n->paused_n == 0 || n->state == NODE_UP ||
			n->state == NODE_SUSPECT);
		up += n->state == NODE_UP;
		kinds += n->kinds_n;
	}
	CHECK(up == g->up_n);
	for (uint32_t i = 0; i < g->kinds.cap; i++)
		for (int rung = 0; slots_is_taken(&g->kinds, i) && rung < RUNGS; rung++) {
			model_rows(g, i, (enum rung)rung);
			rows += registry_kind_at(g, i)->of[rung].n;
		}
	CHECK(rows == kinds);
}

/* A second attempt: beside a first one, free of charge, elsewhere, not of one that streams. */
static inline void model_twin(const struct router *r, const struct task *t)
{
	const struct twin *w = t->twin;
	bool on_node = t->state == STATE_ASSIGNED || t->state == STATE_RUNNING;

	CHECK(t->twins <= 2 && (list_is_empty(&t->late) || (on_node && w == NULL)));
	if (w == NULL)
		return;
	CHECK(on_node && t->twins > 0 && !t->streams && t->price_ucr == 0);
	CHECK(task_rung(t) == RUNG_CPU || task_rung(t) == RUNG_GPU);
	CHECK(w->task == t->index && w->attempt != t->attempt && w->attempt <= t->attempts);
	CHECK(!list_is_empty(&w->on_node) && w->node != t->node);
	CHECK(registry_node(&r->registry, w->node)->load.node == w->node);
}

/* Who follows waits for nothing else, and whom it follows is under way. */
static inline void model_asked(const struct task *t)
{
	const struct flight *leader = t->asked == NULL ? NULL : t->asked->flight.leader;

	if (leader == NULL)
		return;
	CHECK(!state_is_final(t->state) && t->paused_ns == 0 && t->role == ROLE_TASK);
	CHECK(CONTAINER(leader, struct asked, flight)->flight.leader == leader);
	if (answers_is_follower(t))
		CHECK(t->state == STATE_QUEUED && t->lane == NULL && t->retry_ns == 0 &&
			list_is_empty(&t->asked->flight.followers));
}

static inline void model_task(const struct router *r, const struct task *t)
{
	bool on_node = t->state == STATE_ASSIGNED || t->state == STATE_RUNNING;
	bool is_final = state_is_final(t->state);

	CHECK(on_node == !list_is_empty(&t->on_node));
	CHECK(t->lane == NULL || t->state == STATE_QUEUED);
	CHECK((t->lane != NULL) == !list_is_empty(&t->queued));
	CHECK(t->state != STATE_QUEUED || t->lane != NULL || t->retry_ns != 0 ||
		t->paused_ns != 0 || answers_is_follower(t));
	CHECK(t->paused_ns == 0 || (t->lane == NULL && !is_final && t->paused_ns <= r->now_ns));
	/* With a paused task all its parts stand still. */
	CHECK(t->role == ROLE_TASK || is_final || t->paused_ns != 0 ||
		tasks_at(&r->tasks, t->parent)->paused_ns == 0);
	CHECK(is_final == !t->is_counted);
	CHECK(heap_has(&r->tasks.due, t->index) ==
		(!is_final || (t->keep_ns > 0 && !list_is_empty(&t->kept))));
	CHECK(!is_final || t->ended_ns > 0);
	/* What may be replayed keeps its body. */
	CHECK(t->body == NULL || !is_final ||
		(t->role == ROLE_TASK && t->state != STATE_SUCCEEDED));
	CHECK(is_final || t->body != NULL);
	CHECK(t->result == NULL || t->state == STATE_SUCCEEDED);
	CHECK(t->state != STATE_SPLIT || (t->split != NULL && !t->split->released));
	CHECK(t->state == STATE_SPLIT || t->split == NULL || t->split->released);
	CHECK(is_final || t->deadline_ns > r->now_ns || t->deadline_ns == 0 ||
		heap_top(&r->tasks.due)->key <= r->now_ns);
	CHECK(t->rung_at < t->ladder.n && t->attempt <= t->attempts);
	CHECK(t->attempt == t->attempts || t->twins > 0);
	model_twin(r, t);
	model_asked(t);
	CHECK((t->role == ROLE_TASK) == (t->parent == TASK_NONE));
	/* Ended ones are kept; a child once its parent has let it go. */
	if (t->role == ROLE_TASK)
		CHECK(is_final == !list_is_empty(&t->kept));
	else if (!list_is_empty(&t->kept))
		CHECK(is_final && t->result == NULL);
	else
		CHECK(tasks_at(&r->tasks, t->parent)->state == STATE_SPLIT);
}

/* A lane that is kept has tasks, stands in its queue, and is one of its tenant's. */
static inline uint32_t model_lane(const struct router *r, const struct lane *l)
{
	const struct standing *s = &l->tenant->of[l->wait->rung];
	uint32_t length = 0;

	for (int level = 0; level < WAIT_LEVELS; level++)
		length += model_length(&l->level[level]);
	CHECK(length > 0 && length == l->n);
	CHECK(l->link.is_in && list_is_empty(&l->passed) && !list_is_empty(&l->of_tenant));
	CHECK(l->link.key >= s->share.round &&
		l->tenant == tenant_at(&r->tenants, l->tenant_index));
	return length;
}

static inline void model_waits(const struct router *r, uint32_t waiting)
{
	const struct waits *ws = &r->waits;
	uint32_t n = 0, in_queues = 0, shares = 0;

	CHECK(list_is_empty(&ws->dirty) && list_is_empty(&ws->empty));
	for (uint32_t i = 0; i < ws->lanes.cap; i++)
		if (slots_is_taken(&ws->lanes, i))
			n += model_lane(r, slots_at(&ws->lanes, i));
	for (uint32_t i = 0; i < ws->n; i++)
		in_queues += ws->at[i] == NULL ? 0 : ws->at[i]->n;
	for (uint32_t i = 0; i < r->tenants.slots.cap; i++)
		for (int rung = 0; slots_is_taken(&r->tenants.slots, i) && rung < RUNGS; rung++)
			shares += tenant_at(&r->tenants, i)->of[rung].share.waiting;
	CHECK(n == waiting && in_queues == waiting && shares == waiting);
}

static inline void model_tenants(const struct router *r)
{
	uint64_t open[64] = { 0 }, bytes[64] = { 0 }, all_bytes = 0;

	for (uint32_t i = 0; i < r->tasks.slots.cap; i++) {
		const struct task *t =
			slots_is_taken(&r->tasks.slots, i) ? tasks_at(&r->tasks, i) : NULL;

		if (t != NULL && t->is_counted && t->tenant < 64) {
			open[t->tenant]++;
			bytes[t->tenant] += t->counted_bytes;
		}
	}
	for (uint32_t i = 0; i < r->tenants.slots.cap; i++) {
		if (!slots_is_taken(&r->tenants.slots, i))
			continue;
		CHECK(i >= 64 || tenant_at(&r->tenants, i)->open == open[i]);
		CHECK(i >= 64 || tenant_at(&r->tenants, i)->open_bytes == bytes[i]);
		all_bytes += tenant_at(&r->tenants, i)->open_bytes;
	}
	CHECK(all_bytes == r->tenants.open_bytes);
}

/* Everything, in O(machine). */
static inline void router_model_check(const struct router *r)
{
	uint32_t count[STATES] = { 0 };
	uint32_t kept = 0, waiting = 0, twins = 0;

	for (uint32_t i = 0; i < r->tasks.slots.cap; i++) {
		const struct task *t;

		if (!slots_is_taken(&r->tasks.slots, i))
			continue;
		t = tasks_at(&r->tasks, i);
		CHECK(t->index == i && tasks_find(&r->tasks, t->id) == t);
		model_task(r, t);
		count[t->state]++;
		kept += !list_is_empty(&t->kept);
		waiting += t->lane != NULL;
		twins += t->twin != NULL;
	}
	CHECK(memcmp(count, r->tasks.count, sizeof count) == 0);
	CHECK(twins == r->stragglers.twins_n);
	CHECK(kept == r->tasks.ended_n &&
		kept == model_length(&r->tasks.ended) + model_length(&r->tasks.ended_own));
	CHECK(kept <= r->conf.results_max);
	CHECK(router_open(r) <= r->conf.tasks_max);
	model_registry(&r->registry);
	model_waits(r, waiting);
	model_tenants(r);
}
