/* SPDX-License-Identifier: Apache-2.0
 *
 * wait: queues of waiting tasks, their lanes, and whose turn it is.
 */
#include "router/wait.h"

#include "base/err.h"
#include "base/mem.h"

#include "base/pure.h"

int waits_init(struct waits *ws, uint32_t kinds_max, uint32_t tasks_max)
{
	*ws = (struct waits){ .n = kinds_max * RUNGS };
	slots_init(&ws->lanes, sizeof(struct lane), tasks_max);
	map_init(&ws->lane_of);
	list_init(&ws->dirty);
	list_init(&ws->empty);
	ws->at = mem_alloc(sizeof *ws->at * ws->n);
	return ws->at == NULL ? ERR_NO_MEMORY : 0;
}

void waits_done(struct waits *ws)
{
	for (uint32_t i = 0; ws->at != NULL && i < ws->n; i++)
		mem_free(ws->at[i]);
	mem_free(ws->at);
	slots_done(&ws->lanes);
	map_done(&ws->lane_of);
}

static uint64_t lane_hash(const struct wait *w, uint32_t tenant)
{
	uint64_t x = (uint64_t)w->kind << 35 | (uint64_t)w->rung << 32 | tenant;

	x *= UINT64_C(0x9e3779b97f4a7c15); /* Fibonacci hashing (Knuth, TAOCP 3, 6.4) */
	return x ^ x >> 32;
}

static struct wait **place_of(const struct waits *ws, uint32_t kind, enum rung rung)
{
	return &ws->at[kind * RUNGS + (uint32_t)rung];
}

static struct wait *need_wait(struct waits *ws, uint32_t kind, enum rung rung)
{
	struct wait **at = place_of(ws, kind, rung);
	struct wait *w = *at;

	if (w == NULL && (w = mem_alloc(sizeof *w)) != NULL) {
		w->look = 1;
		w->kind = kind;
		w->rung = rung;
		list_init(&w->passed);
		list_init(&w->dirty);
		*at = w;
	}
	return w;
}

bool waits_are_idle(const struct waits *ws, uint32_t kind, enum rung rung)
{
	const struct wait *w = *place_of(ws, kind, rung);

	return (w == NULL || w->n == 0) && list_is_empty(&ws->dirty);
}

/* --- the look ------------------------------------------------------------------------------------------ */

static void touch(struct waits *ws, struct wait *w)
{
	if (w == NULL || w->n == 0)
		return;
	if (list_is_empty(&w->dirty))
		list_push(&ws->dirty, &w->dirty);
	else
		w->again = w->is_looked_at;
}

void waits_touch(struct waits *ws, uint32_t kind, enum rung rung)
{
	touch(ws, *place_of(ws, kind, rung));
}

void waits_touch_all(struct waits *ws)
{
	for (uint32_t i = 0; i < ws->n; i++)
		touch(ws, ws->at[i]);
}

static void stand(struct lane *l)
{
	uint64_t round = l->tenant->of[l->wait->rung].share.round;

	pairing_drop(&l->wait->lanes, &l->link);
	pairing_put(&l->wait->lanes, &l->link, round > l->floor ? round : l->floor);
}

/* A new look begins. */
static void unpass_all(struct wait *w)
{
	while (!list_is_empty(&w->passed)) {
		struct lane *l = CONTAINER(w->passed.next, struct lane, passed);

		list_drop(&l->passed);
		stand(l);
	}
	w->again = w->is_looked_at = false;
	w->look++;
}

void wait_rest(struct wait *w)
{
	unpass_all(w);
	list_drop(&w->dirty);
}

static struct lane *first(const struct wait *w)
{
	return w->lanes.top == NULL ? NULL : CONTAINER(w->lanes.top, struct lane, link);
}

/* Nothing is left of the look at a queue: it ends, or begins anew if something changed meanwhile. */
static void run_out(struct wait *w)
{
	if (w->again)
		unpass_all(w);
	else
		wait_rest(w);
}

static void free_empty(struct waits *ws)
{
	while (!list_is_empty(&ws->empty)) {
		struct lane *l = CONTAINER(ws->empty.next, struct lane, passed);

		list_drop(&l->passed);
		list_drop(&l->of_tenant);
		map_drop(&ws->lane_of, lane_hash(l->wait, l->tenant_index), l->index);
		slots_drop(&ws->lanes, l->index);
	}
}

struct lane *waits_turn(struct waits *ws)
{
	struct lane *best = NULL;

	while (best == NULL && !list_is_empty(&ws->dirty)) {
		for (struct list *i = ws->dirty.next, *next; i != &ws->dirty; i = next) {
			struct wait *w = CONTAINER(i, struct wait, dirty);
			struct lane *l = first(w);

			next = i->next;
			if (l == NULL)
				run_out(w);
			else if (best == NULL || l->link.key < best->link.key)
				best = l;
		}
	}
	if (best == NULL)
		free_empty(ws);
	else
		best->wait->is_looked_at = true;
	return best;
}
void lane_pass(struct waits *ws, struct lane *l, bool lost)
{
	struct wait *w = l->wait;

	if (lost)
		l->floor = ws->round[w->rung] + 1;
	if (!l->link.is_in)
		return;
	pairing_drop(&w->lanes, &l->link);
	list_push(&w->passed, &l->passed);
}

static const struct task *task_of(const struct list *l)
{
	return CONTAINER(l, struct task, queued);
}

struct task *lane_next(struct lane *l)
{
	int best = -1;
	int64_t least = 0;

	if (l->look != l->wait->look) {
		l->look = l->wait->look;
		for (int i = 0; i < WAIT_LEVELS; i++)
			l->at[i] = l->level[i].next;
	}
	for (int i = 0; i < WAIT_LEVELS; i++) {
		if (l->at[i] == &l->level[i])
			continue;
		int64_t key = task_of(l->at[i])->rung_ns - i * WAIT_AGE_NS;

		if (best < 0 || key < least) {
			best = i;
			least = key;
		}
	}
	if (best < 0)
		return NULL;
	struct task *t = CONTAINER(l->at[best], struct task, queued);

	l->at[best] = t->queued.next;
	return t;
}

/* --- coming and going ---------------------------------------------------------------------------------- */

static struct lane *find_lane(const struct waits *ws, const struct wait *w, uint32_t tenant)
{
	uint32_t at = 0;
	uint32_t i;

	while (map_next(&ws->lane_of, lane_hash(w, tenant), &at, &i)) {
		struct lane *l = slots_at(&ws->lanes, i);

		if (l->wait == w && l->tenant_index == tenant)
			return l;
	}
	return NULL;
}

static struct lane *need_lane(struct waits *ws, struct wait *w, const struct tenants *tenants,
	uint32_t tenant)
{
	struct lane *l = find_lane(ws, w, tenant);
	uint32_t index;

	if (l != NULL || map_reserve(&ws->lane_of) < 0)
		return l;
	index = slots_take(&ws->lanes);
	if (index == SLOT_NONE)
		return NULL;
	l = slots_at(&ws->lanes, index);
	l->index = index;
	l->wait = w;
	l->tenant_index = tenant;
	l->tenant = tenant_at(tenants, tenant);
	for (int i = 0; i < WAIT_LEVELS; i++)
		list_init(&l->level[i]);
	list_init(&l->passed);
	list_init(&l->of_tenant);
	list_push(&l->tenant->of[w->rung].lanes, &l->of_tenant);
	map_put(&ws->lane_of, lane_hash(w, tenant), index);
	return l;
}

int wait_push(struct waits *ws, struct task *t, const struct tenants *tenants)
{
	struct wait *w = need_wait(ws, t->kind, task_rung(t));
	struct lane *l = w == NULL ? NULL : need_lane(ws, w, tenants, t->tenant);

	CHECK(t->lane == NULL && t->priority < WAIT_LEVELS);
	if (l == NULL)
		return ERR_NO_MEMORY;
	share_wait(&l->tenant->of[w->rung].share, ws->round[w->rung]);
	list_push(&l->level[t->priority], &t->queued);
	t->lane = l;
	w->n++;
	if (l->n++ == 0) {
		list_drop(&l->passed);
		stand(l);
	}
	touch(ws, w);
	return 0;
}

void wait_drop(struct waits *ws, struct task *t)
{
	struct lane *l = t->lane;

	if (l == NULL)
		return;
	if (l->at[t->priority] == &t->queued)
		l->at[t->priority] = t->queued.next;
	list_drop(&t->queued);
	t->lane = NULL;
	share_leave(&l->tenant->of[l->wait->rung].share);
	l->wait->n--;
	if (--l->n > 0)
		return;
	pairing_drop(&l->wait->lanes, &l->link);
	list_drop(&l->passed);
	list_push(&ws->empty, &l->passed);
}

/* --- paying -------------------------------------------------------------------------------------------- */

/* The tenant's round has changed: its lanes stand elsewhere. */
static void stand_again(struct standing *s)
{
	for (struct list *i = s->lanes.next; i != &s->lanes; i = i->next) {
		struct lane *l = CONTAINER(i, struct lane, of_tenant);

		if (l->link.is_in)
			stand(l);
	}
}

void waits_pay(struct waits *ws, struct tenant *n, enum rung rung, int64_t us)
{
	struct standing *s = &n->of[rung];
	uint64_t before = s->share.round;

	if (before > ws->round[rung])
		ws->round[rung] = before;
	share_pay(&s->share, us, ws->round[rung]);
	if (s->share.round != before)
		stand_again(s);
}

void waits_give_back(struct waits *ws, struct tenant *n, enum rung rung, int64_t us)
{
	struct standing *s = &n->of[rung];
	uint64_t before = s->share.round;

	(void)ws;
	share_give_back(&s->share, us);
	if (s->share.round != before)
		stand_again(s);
}
