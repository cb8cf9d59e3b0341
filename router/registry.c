/* SPDX-License-Identifier: Apache-2.0
 *
 * registry: nodes and the rows that placement sees. Rows are kept, not gathered: an attempt changes numbers
 * in place, and only the passage between "has a free slot" and "has none" moves rows.
 */
#include "router/registry.h"

#include "base/fmt.h"
#include "base/mem.h"
#include "router/offered.h"
#include "router/rows.h"
#include "wire/kinds.h"

#include "base/pure.h"

#define AVERAGE_SHIFT 3 /* moving averages: one eighth of the new value */
#define HASH_SEED 7u

static int64_t average(int64_t old, int64_t seen)
{
	return old == 0 ? seen : old + (seen - old) / (1 << AVERAGE_SHIFT);
}

int registry_init(struct registry *g, const struct registry_conf *conf)
{
	struct span name;

	memset(g, 0, sizeof *g);
	g->conf = *conf;
	slots_init(&g->nodes, sizeof(struct node), conf->nodes_max);
	slots_init(&g->kinds, sizeof(struct kind), conf->kinds_max);
	map_init(&g->by_name);
	map_init(&g->kind_by_name);
	heap_init(&g->due);
	for (unsigned i = 0; kind_at(i) != NULL; i++) {
		name = span_str(kind_at(i)->name);
		if (registry_kind(g, name) == KIND_UNKNOWN)
			return ERR_NO_MEMORY;
	}
	return 0;
}

void registry_done(struct registry *g)
{
	for (uint32_t i = 0; i < g->nodes.cap; i++) {
		if (!slots_is_taken(&g->nodes, i))
			continue;
		struct node *n = slots_at(&g->nodes, i);

		offered_free(n);
		mem_free(n->device);
	}
	for (uint32_t i = 0; i < g->kinds.cap; i++) {
		if (!slots_is_taken(&g->kinds, i))
			continue;
		struct kind *k = slots_at(&g->kinds, i);

		for (int r = 0; r < RUNGS; r++) {
			mem_free(k->of[r].rows);
			mem_free(k->of[r].owners);
		}
	}
	slots_done(&g->nodes);
	slots_done(&g->kinds);
	map_done(&g->by_name);
	map_done(&g->kind_by_name);
	heap_done(&g->due);
}

uint32_t registry_find(const struct registry *g, struct span name)
{
	uint32_t at = 0;
	uint32_t i;

	while (map_next(&g->by_name, span_hash(name, HASH_SEED), &at, &i))
		if (span_is(name, registry_node(g, i)->name))
			return i;
	return NODE_NOBODY;
}

struct node *registry_node(const struct registry *g, uint32_t node)
{
	return slots_at(&g->nodes, node_index(node));
}

struct span registry_name(const struct registry *g, uint32_t node)
{
	uint32_t i = node_index(node);

	if (node == NODE_NOBODY || !slots_is_taken(&g->nodes, i) ||
		registry_node(g, i)->load.node != node)
		return (struct span){ NULL, 0 };
	return span_str(registry_node(g, i)->name);
}

struct kind *registry_kind_at(const struct registry *g, uint32_t kind)
{
	return slots_at(&g->kinds, kind);
}

static uint32_t find_kind(const struct registry *g, struct span name)
{
	uint32_t at = 0;
	uint32_t i;

	while (map_next(&g->kind_by_name, span_hash(name, HASH_SEED), &at, &i))
		if (span_is(name, registry_kind_at(g, i)->name))
			return i;
	return KIND_UNKNOWN;
}

/* Make a kind; one outside the table gets the ladder of those who may offer it. */
static uint32_t add_kind(struct registry *g, struct span name)
{
	const struct kind_row *row = kind_find(name);
	uint32_t i;

	if (map_reserve(&g->kind_by_name) < 0)
		return KIND_UNKNOWN;
	i = slots_take(&g->kinds);
	if (i == SLOT_NONE)
		return KIND_UNKNOWN;
	struct kind *k = registry_kind_at(g, i);

	span_copy(name, k->name, sizeof k->name);
	k->row = row;
	if (row != NULL)
		k->ladder = row->ladder;
	else
		k->ladder = (struct ladder){ { RUNG_CPU, RUNG_GPU, RUNG_API, RUNG_HUMAN }, 4 };
	map_put(&g->kind_by_name, span_hash(name, HASH_SEED), i);
	return i;
}

uint32_t registry_kind(struct registry *g, struct span name)
{
	uint32_t i = find_kind(g, name);

	if (i == KIND_UNKNOWN && kind_find(name) != NULL)
		i = add_kind(g, name);
	return i;
}

uint32_t registry_kind_known(struct registry *g, struct span name)
{
	uint32_t i = find_kind(g, name);

	return i == KIND_UNKNOWN ? add_kind(g, name) : i;
}

/* --- the place of a node's rows -------------------------------------------------------------------- */

static enum fit node_fit(const struct node *n)
{
	if ((n->state != NODE_UP && n->state != NODE_SUSPECT) || n->draining || n->drain_asked)
		return FIT_SHUT;
	if (n->state == NODE_SUSPECT || n->closed_until_ns != 0 || n->load.busy >= n->load.slots)
		return FIT_ABLE;
	return FIT_OPEN;
}

/* Bring the node's rows to the right place after something changed. */
static void node_sort(struct registry *g, struct node *n)
{
	n->fit = node_fit(n);
	for (uint32_t i = 0; i < n->kinds_n; i++)
		row_move(g, n, &n->kinds[i], n->kinds[i].ready ? n->fit : FIT_SHUT);
}

static void node_sort_if(struct registry *g, struct node *n)
{
	if (n->fit != node_fit(n))
		node_sort(g, n);
}

/* --- offers ----------------------------------------------------------------------------------------- */

static void node_forget(struct registry *g, uint32_t node)
{
	struct node *n = registry_node(g, node);
	uint32_t index = node_index(node);

	CHECK(list_is_empty(&n->tasks) && list_is_empty(&n->twins) && list_is_empty(&n->paused));
	offered_drop(g, n);
	mem_free(n->device);
	heap_drop(&g->due, index);
	map_drop(&g->by_name, span_hash(span_str(n->name), HASH_SEED), n->load.node);
	slots_drop(&g->nodes, index);
}

static uint32_t node_add(struct registry *g, struct span name)
{
	uint32_t i;

	if (map_reserve(&g->by_name) < 0)
		return NODE_NOBODY;
	i = slots_take(&g->nodes);
	if (i == SLOT_NONE)
		return NODE_NOBODY;
	if (heap_reserve(&g->due, i + 1) < 0) {
		slots_drop(&g->nodes, i);
		return NODE_NOBODY;
	}
	struct node *n = registry_node(g, i);

	span_copy(name, n->name, sizeof n->name);
	list_init(&n->tasks);
	list_init(&n->twins);
	list_init(&n->paused);
	n->load.node = i | slots_id(&g->nodes, i).generation << NODE_INDEX_BITS;
	map_put(&g->by_name, span_hash(name, HASH_SEED), n->load.node);
	return n->load.node;
}

/* When the node changes next by time alone. */
static int64_t node_due(const struct registry *g, const struct node *n)
{
	int64_t silence = n->state == NODE_UP        ? g->conf.suspect_ns
			  : n->state == NODE_SUSPECT ? g->conf.down_ns
						     : g->conf.forget_ns;
	int64_t due = n->heard_ns + silence;

	return n->closed_until_ns != 0 && n->closed_until_ns < due ? n->closed_until_ns : due;
}

static void set_state(struct registry *g, struct node *n, enum node_state state)
{
	g->up_n += (uint32_t)(state == NODE_UP) - (uint32_t)(n->state == NODE_UP);
	n->state = state;
}

static void set_device(struct node *n, struct span device)
{
	if (span_eq(device, span_str(n->device)))
		return;
	mem_free(n->device);
	n->device = mem_str(device); /* without memory the name is not shown: no more than that */
}

/* Older than what is known. Who said goodbye has nothing more to offer in that life. A lower incarnation is an earlier
 * life, or a later one whose clock was set back: when the known one has offered nothing for long, it is that. */
static bool is_old(const struct registry *g, const struct node *n, const struct offer *o,
	int64_t now_ns)
{
	if (o->incarnation < n->incarnation)
		return n->state != NODE_GONE && now_ns - n->offered_ns < g->conf.suspect_ns;
	return o->incarnation == n->incarnation && (n->state == NODE_GONE || o->seq <= n->seq);
}

#define RIVAL_FIRST                                                                                \
	3 /* of two processes with one name the log speaks at the third offer: about 15 s */
#define RIVAL_EVERY 60 /* and every five minutes */

/* Offers of an earlier life that were on their way end; those of another process with the same name go on. */
static bool is_rival(struct node *n, const struct offer *o)
{
	return o->incarnation < n->incarnation && ++n->rivals % RIVAL_EVERY == RIVAL_FIRST;
}

/* The node's clock may be slower than the router's by one in so many. */
#define DRIFT 1000

/* When it left, by the node's clock; 0: unknown. */
static int64_t sent_ns(const struct offer *o)
{
	return o->sent_ms > INT64_MAX / NS_PER_MS ? 0 : o->sent_ms * NS_PER_MS;
}

/* How long an offer was on its way, beyond the quickest one; 0 if that cannot be known: of the first one, or after
 * the node's clock went back. */
static int64_t offer_age(const struct node *n, const struct offer *o, int64_t now_ns)
{
	int64_t age_ns;

	if (n->expected || o->incarnation != n->incarnation || n->sent_ns == 0 ||
		sent_ns(o) < n->sent_ns)
		return 0;
	age_ns = now_ns - sent_ns(o) - n->behind_ns - (now_ns - n->offered_ns) / DRIFT;
	return age_ns > 0 ? age_ns : 0;
}

static void take_times(struct node *n, const struct offer *o, int64_t now_ns, int64_t age_ns)
{
	n->sent_ns = sent_ns(o);
	n->behind_ns = now_ns - n->sent_ns - age_ns;
	n->offered_ns = now_ns;
	n->said_ns = now_ns - age_ns;
	if (n->said_ns > n->heard_ns)
		n->heard_ns = n->said_ns;
}

uint32_t registry_expect(struct registry *g, int64_t now_ns, struct span name)
{
	uint32_t i = registry_find(g, name);

	if (i == NODE_NOBODY && name.len > 0)
		i = node_add(g, name);
	if (i == NODE_NOBODY)
		return i;
	struct node *n = registry_node(g, i);

	if (n->state == NODE_NONE) {
		n->heard_ns = now_ns;
		n->expected = true;
		set_state(g, n, NODE_SUSPECT);
		heap_set(&g->due, node_index(i), node_due(g, n));
	}
	return i;
}

int registry_offer(struct registry *g, int64_t now_ns, struct span name, const struct offer *o,
	enum heard *ret_heard, uint32_t *ret_node)
{
	uint32_t i = registry_find(g, name);
	enum heard heard = HEARD_NEWS;

	if (offered_has_twins(o) || span_is(name, "all")) /* spu.down.all is heard by every node */
		return ERR_INVALID;
	if (i == NODE_NOBODY) {
		i = node_add(g, name);
		heard = HEARD_NEW;
	}
	if (i == NODE_NOBODY)
		return ERR_BUSY;
	struct node *n = registry_node(g, i);

	int64_t age_ns = heard == HEARD_NEW ? 0 : offer_age(n, o, now_ns);

	if (age_ns >= g->conf.suspect_ns ||
		(heard != HEARD_NEW && !n->expected && is_old(g, n, o, now_ns))) {
		*ret_heard = HEARD_OLD;
		*ret_node = i;
		return is_rival(n, o) ? ERR_CONFLICT : 0;
	}
	int r = offered_take(g, n, o);

	if (r < 0) {
		if (heard == HEARD_NEW)
			node_forget(g, i);
		return r;
	}
	if (heard == HEARD_NEWS && !n->expected && o->incarnation != n->incarnation) {
		heard = HEARD_RESTARTED;
		n->closed_until_ns = 0;
	}
	take_times(n, o, now_ns, age_ns);
	if (n->incarnation != o->incarnation)
		n->rivals = 0;
	n->incarnation = o->incarnation;
	n->expected = false;
	n->seq = o->seq;
	n->draining = o->draining;
	n->load.slots = o->slots;
	n->load.queued = o->queued;
	n->load.health = o->health;
	n->machine_load = o->load;
	n->cache = o->cache;
	set_device(n, o->device);
	span_copy(o->version, n->version, sizeof n->version);
	n->pack_bytes = o->pack_bytes;
	set_state(g, n, NODE_UP);
	node_sort(g, n);
	heap_set(&g->due, node_index(i), node_due(g, n));
	*ret_heard = heard;
	*ret_node = i;
	return 0;
}

/* --- signs of life, slots and time ------------------------------------------------------------------- */

void registry_heard(struct registry *g, int64_t now_ns, uint32_t node)
{
	struct node *n = registry_node(g, node);

	n->heard_ns = now_ns; /* the heap's older time only makes registry_tick look once more */
	if (n->state == NODE_SUSPECT) {
		set_state(g, n, NODE_UP);
		node_sort(g, n);
		heap_set(&g->due, node_index(node), node_due(g, n));
	}
}

void registry_busy(struct registry *g, uint32_t node, int change)
{
	struct node *n = registry_node(g, node);

	CHECK(change == 1 || (change == -1 && n->load.busy > 0));
	n->load.busy += (uint32_t)change;
	node_sort_if(g, n);
}

void registry_close(struct registry *g, uint32_t node, int64_t until_ns)
{
	struct node *n = registry_node(g, node);

	n->closed_until_ns = until_ns;
	node_sort_if(g, n);
	heap_set(&g->due, node_index(node), node_due(g, n));
}

void registry_drain(struct registry *g, uint32_t node, bool on)
{
	struct node *n = registry_node(g, node);

	n->drain_asked = on;
	node_sort_if(g, n);
}

void registry_leave(struct registry *g, uint32_t node, enum node_state state)
{
	struct node *n = registry_node(g, node);

	set_state(g, n, state);
	node_sort_if(g, n);
	heap_set(&g->due, node_index(node), node_due(g, n));
}

static void learn(struct registry *g, struct node *n, uint32_t kind, int64_t run_us)
{
	struct node_kind *nk = offered_find(n, kind);

	if (nk == NULL)
		return;
	nk->seen_us = average(nk->seen_us, run_us);
	rows_of(g, n, nk)->rows[nk->row].run_us = nk->seen_us;
}

void registry_ended(struct registry *g, uint32_t node, uint32_t kind, enum ended how,
	int64_t run_us)
{
	struct node *n = registry_node(g, node);
	int64_t bad = how == ENDED_DONE ? 0 : 1000;

	n->done += how == ENDED_DONE;
	n->failed += how == ENDED_FAILED;
	n->lost += how == ENDED_LOST;
	if (n->load.ended < UINT32_MAX)
		n->load.ended++;
	n->load.bad_milli =
		(uint32_t)((int64_t)n->load.bad_milli + (bad - (int64_t)n->load.bad_milli) / 8);
	if (how == ENDED_DONE && run_us > 0)
		learn(g, n, kind, run_us);
}

void registry_outrun(struct registry *g, uint32_t node, uint32_t kind, int64_t run_us)
{
	struct node *n = registry_node(g, node);
	const struct node_kind *nk = offered_find(n, kind);

	if (nk != NULL && run_us > nk->seen_us)
		learn(g, n, kind, run_us);
}

void registry_accepted(struct registry *g, uint32_t node, int64_t rtt_us)
{
	struct node *n = registry_node(g, node);

	n->load.rtt_us = average(n->load.rtt_us, rtt_us);
}

uint32_t registry_tick(struct registry *g, int64_t now_ns)
{
	const struct heap_row *top;

	while ((top = heap_top(&g->due)) != NULL && top->key <= now_ns) {
		struct node *n = registry_node(g, top->item);
		uint32_t i = n->load.node;
		int64_t silent_ns = now_ns - n->heard_ns;

		if (n->closed_until_ns != 0 && n->closed_until_ns <= now_ns)
			n->closed_until_ns = 0;
		if (n->state == NODE_UP && silent_ns >= g->conf.suspect_ns)
			set_state(g, n, NODE_SUSPECT);
		if (n->state == NODE_SUSPECT && silent_ns >= g->conf.down_ns) {
			registry_leave(g, i, NODE_DOWN);
			return i;
		}
		if ((n->state == NODE_DOWN || n->state == NODE_GONE) &&
			silent_ns >= g->conf.forget_ns) {
			node_forget(g, i);
			continue;
		}
		node_sort_if(g, n);
		heap_set(&g->due, node_index(i), node_due(g, n));
	}
	return NODE_NOBODY;
}

int64_t registry_wake(const struct registry *g)
{
	const struct heap_row *top = heap_top(&g->due);

	return top == NULL ? INT64_MAX : top->key;
}

const struct node_kind *registry_node_kind(const struct registry *g, uint32_t node, uint32_t kind)
{
	return offered_find(registry_node(g, node), kind);
}

enum verdict registry_verdict(const struct registry *g, uint32_t node, uint32_t kind,
	const struct place_need *need, struct span *ret_note)
{
	const struct node *n = registry_node(g, node);
	const struct node_kind *nk = offered_find(n, kind);
	enum verdict v;

	*ret_note = (struct span){ NULL, 0 };
	if (nk == NULL)
		return VERDICT_KIND;
	if (n->state == NODE_DOWN || n->state == NODE_GONE)
		return VERDICT_DOWN;
	if (!nk->ready) {
		*ret_note = span_str(nk->why);
		return VERDICT_NOT_READY;
	}
	if (n->draining || n->drain_asked)
		return VERDICT_DRAINING;
	v = place_filter(need, &rows_of(g, n, nk)->rows[nk->row]);
	if (v != VERDICT_NONE)
		return v;
	if (n->state == NODE_SUSPECT)
		return VERDICT_SUSPECT;
	return n->fit == FIT_OPEN ? VERDICT_NONE : VERDICT_FULL;
}
