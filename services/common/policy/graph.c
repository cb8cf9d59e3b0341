/* SPDX-License-Identifier: Apache-2.0
 *
 * graph: names become numbers; trees are unfolded; an order is found (Kahn 1962), and with it cycles; in that
 * order equal nodes are found, since what they need has been looked at before; what needs them needs the first
 * of them from then on.
 *
 * Each name is read once and hashed once: a list of inputs mostly names parts in their order, so the part behind
 * the last one that was found is looked at first. Memory comes in a few arrays, none for a single part.
 */
#include "policy/graph.h"

#include "base/pure.h"

#define NAME_SEED 17u
#define NODE_SEED 19u
#define TABLE_LEAST 16u

/* Open addressing; at most three quarters are taken. */
struct slot {
	uint32_t tag;
	uint32_t value; /* and one; 0: free */
};

struct planner {
	struct arena *a;
	struct graph *g;
	struct slot *table; /* of names, then of the nodes' work */
	uint32_t mask;
	uint32_t nodes_max;
	uint32_t next;    /* the part that a list may name next */
	uint32_t *counts; /* inputs and needs of each part, in turn */
	uint32_t *edges;  /* the needs of all parts, as they wrote them */
	struct fail *why;
};

static int no_memory(const struct planner *p)
{
	return fail_set(p->why, ERR_NO_MEMORY, NULL, 0, "no room for the graph's plan");
}

/* An empty table with room for n. */
static int table_room(struct planner *p, uint32_t n)
{
	uint32_t cap = p->table == NULL ? TABLE_LEAST : p->mask + 1;
	bool fits = p->table != NULL && n <= cap - cap / 4;

	while (n > cap - cap / 4)
		cap *= 2;
	if (!fits)
		p->table = arena_raw(p->a, cap * sizeof *p->table);
	if (p->table == NULL)
		return no_memory(p);
	p->mask = cap - 1;
	memset(p->table, 0, cap * sizeof *p->table);
	return 0;
}

/* --- names ----------------------------------------------------------------------------------------------- */

/* Where the name stands in the table, or the free slot where it would. */
static struct slot *slot_of_name(const struct planner *p, struct span name)
{
	uint64_t hash = span_hash(name, NAME_SEED);
	uint32_t at = (uint32_t)hash & p->mask, tag = (uint32_t)(hash >> 32);

	for (; p->table[at].value != 0; at = (at + 1) & p->mask)
		if (p->table[at].tag == tag &&
			span_eq(p->g->parts[p->table[at].value - 1].name, name))
			return &p->table[at];
	p->table[at].tag = tag;
	return &p->table[at];
}

static int index_names(struct planner *p)
{
	int err = table_room(p, p->g->parts_n);

	for (uint32_t i = 0; i < p->g->parts_n && err == 0; i++) {
		struct span name = p->g->parts[i].name;
		struct slot *slot = slot_of_name(p, name);

		if (slot->value != 0)
			err = fail_set(p->why, ERR_INVALID, "name", 0, "two parts are named %.*s",
				(int)name.len, (const char *)name.at);
		slot->value = i + 1;
	}
	return err;
}

static bool next_name(struct span *list, struct span *ret)
{
	const unsigned char *at = list->at, *end = at + list->len, *from;

	while (at < end && *at == ' ')
		at++;
	for (from = at; at < end && *at != ' ';)
		at++;
	*ret = span_of(from, (size_t)(at - from));
	*list = span_of(at, (size_t)(end - at));
	return at > from;
}

/* Its number, or GRAPH_NONE. */
static uint32_t find_name(struct planner *p, struct span name)
{
	uint32_t found = p->next;

	if (found >= p->g->parts_n || !span_eq(p->g->parts[found].name, name))
		found = slot_of_name(p, name)->value - 1;
	p->next = found + 1;
	return found;
}

/* Numbers for the names of a list; *to is moved behind them. */
static int resolve_list(struct planner *p, uint32_t part, const char *field, struct span list,
	uint32_t **to)
{
	struct span name;

	while (next_name(&list, &name)) {
		const struct graph_part *of = &p->g->parts[part];
		uint32_t found = find_name(p, name);

		if (found == GRAPH_NONE)
			return fail_set(p->why, ERR_INVALID, field, 0,
				"part %.*s needs %.*s, which is not there", (int)of->name.len,
				(const char *)of->name.at, (int)name.len, (const char *)name.at);
		*(*to)++ = found;
	}
	return 0;
}

/* A name and a blank have at least two bytes. */
static size_t most_names(const struct graph_part *part)
{
	return (part->inputs.len + 1) / 2 + (part->after.len + 1) / 2;
}

static int resolve(struct planner *p)
{
	const struct graph *g = p->g;
	uint32_t *to;
	size_t names = 0;
	int err = 0;

	for (uint32_t i = 0; i < g->parts_n; i++)
		names += most_names(&g->parts[i]);
	p->edges = to = arena_raw(p->a, names * sizeof *p->edges);
	p->counts = arena_raw(p->a, 2 * (size_t)g->parts_n * sizeof *p->counts);
	if (p->edges == NULL || p->counts == NULL)
		return no_memory(p);
	for (uint32_t i = 0; i < g->parts_n && err == 0; i++) {
		const struct graph_part *part = &g->parts[i];
		const uint32_t *from = to;

		if (part->inputs.len > 0)
			err = resolve_list(p, i, "graph.inputs", part->inputs, &to);
		p->counts[2 * i] = (uint32_t)(to - from);
		if (err == 0 && part->after.len > 0)
			err = resolve_list(p, i, "graph.after", part->after, &to);
		p->counts[2 * i + 1] = (uint32_t)(to - from);
	}
	return err;
}

/* --- trees ----------------------------------------------------------------------------------------------- */

/* Runs besides the part's own that a tree over n inputs takes. */
static uint32_t tree_runs(uint32_t n, uint32_t fan_in)
{
	uint32_t runs = 0;

	while (fan_in > 0 && n > fan_in) {
		n = (n + fan_in - 1) / fan_in;
		runs += n;
	}
	return runs;
}

/* A run of the same part over some of its inputs; each waits for all that the part is to run after. */
static int add_inner(struct planner *p, uint32_t part, const uint32_t *inputs, uint32_t inputs_n,
	const uint32_t *after, uint32_t after_n)
{
	struct graph_node *n = &p->g->nodes[p->g->nodes_n];

	*n = (struct graph_node){
		.part = part,
		.same = p->g->nodes_n,
		.inputs_n = inputs_n,
		.needs_n = inputs_n + after_n,
	};
	n->needs = arena_raw(p->a, n->needs_n * sizeof *n->needs);
	if (n->needs == NULL)
		return no_memory(p);
	memcpy(n->needs, inputs, inputs_n * sizeof *inputs);
	if (after_n > 0)
		memcpy(n->needs + inputs_n, after, after_n * sizeof *after);
	p->g->nodes_n++;
	return 0;
}

/* One level after the other, in the inputs' order; the part itself is the root. */
static int unfold(struct planner *p, uint32_t part)
{
	struct graph_node *root = &p->g->nodes[part];
	uint32_t fan_in = p->g->parts[part].fan_in, after_n = root->needs_n - root->inputs_n;
	const uint32_t *after = root->needs + root->inputs_n;

	while (fan_in > 0 && root->inputs_n > fan_in) {
		uint32_t first = p->g->nodes_n, level;

		for (uint32_t i = 0; i < root->inputs_n; i += fan_in) {
			uint32_t left = root->inputs_n - i;
			int err = add_inner(p, part, root->needs + i, left < fan_in ? left : fan_in,
				after, after_n);

			if (err < 0)
				return err;
		}
		level = p->g->nodes_n - first;
		for (uint32_t i = 0; i < level; i++)
			root->needs[i] = first + i;
		memmove(root->needs + level, after, after_n * sizeof *after);
		root->inputs_n = level;
		root->needs_n = level + after_n;
		after = root->needs + level;
	}
	return 0;
}

/* One for each part, from what was resolved. */
static void put_nodes(struct planner *p)
{
	struct graph *g = p->g;
	uint32_t *needs = p->edges;

	for (uint32_t i = 0; i < g->parts_n; i++) {
		g->nodes[i] = (struct graph_node){
			.part = i,
			.same = i,
			.needs = needs,
			.inputs_n = p->counts[2 * i],
			.needs_n = p->counts[2 * i + 1],
		};
		needs += g->nodes[i].needs_n;
	}
	g->nodes_n = g->parts_n;
}

static int build_nodes(struct planner *p)
{
	struct graph *g = p->g;
	uint64_t nodes = g->parts_n;
	int err = resolve(p);

	for (uint32_t i = 0; i < g->parts_n && err == 0; i++)
		if (p->counts[2 * i] > g->parts[i].fan_in)
			nodes += tree_runs(p->counts[2 * i], g->parts[i].fan_in);
	if (err == 0 && nodes > p->nodes_max)
		err = fail_set(p->why, ERR_TOO_BIG, "item", p->nodes_max,
			"the graph and its trees have %llu parts", (unsigned long long)nodes);
	if (err < 0)
		return err;
	g->nodes = arena_raw(p->a, nodes * sizeof *g->nodes);
	g->ready = arena_raw(p->a, nodes * sizeof *g->ready);
	g->outputs = arena_raw(p->a, g->parts_n * sizeof *g->outputs);
	if (g->nodes == NULL || g->ready == NULL || g->outputs == NULL)
		return no_memory(p);
	put_nodes(p);
	for (uint32_t i = 0; i < g->parts_n && err == 0; i++)
		if (g->nodes[i].inputs_n > g->parts[i].fan_in)
			err = unfold(p, i);
	return err;
}

/* --- order ----------------------------------------------------------------------------------------------- */

/* Who needs whom the other way round, among runs; and who needs nobody is ready. */
static int build_users(struct planner *p)
{
	struct graph *g = p->g;
	size_t edges = 0;
	uint32_t *room;

	g->ready_at = g->ready_n = g->runs_n = 0;
	for (uint32_t i = 0; i < g->nodes_n; i++)
		g->nodes[i].users_n = 0;
	for (uint32_t i = 0; i < g->nodes_n; i++) {
		const struct graph_node *n = &g->nodes[i];

		for (uint32_t k = 0; n->same == i && k < n->needs_n; k++)
			g->nodes[n->needs[k]].users_n++;
		edges += n->needs_n;
	}
	room = arena_raw(p->a, edges * sizeof *room);
	if (room == NULL)
		return no_memory(p);
	for (uint32_t i = 0; i < g->nodes_n; i++) {
		g->nodes[i].users = room;
		room += g->nodes[i].users_n;
		g->nodes[i].users_n = 0;
	}
	for (uint32_t i = 0; i < g->nodes_n; i++) {
		struct graph_node *n = &g->nodes[i];

		if (n->same != i)
			continue;
		g->runs_n++;
		n->waits = n->needs_n;
		if (n->waits == 0)
			g->ready[g->ready_n++] = i;
		for (uint32_t k = 0; k < n->needs_n; k++) {
			struct graph_node *of = &g->nodes[n->needs[k]];

			of->users[of->users_n++] = i;
		}
	}
	return 0;
}

static void release_users(struct graph *g, uint32_t node)
{
	const struct graph_node *n = &g->nodes[node];

	for (uint32_t i = 0; i < n->users_n; i++)
		if (--g->nodes[n->users[i]].waits == 0)
			g->ready[g->ready_n++] = n->users[i];
}

/* A node that still waits needs one that waits, too; following them leads round a cycle. */
static uint32_t waits_for(const struct graph *g, uint32_t node)
{
	const struct graph_node *n = &g->nodes[node];

	for (uint32_t i = 0; i < n->needs_n; i++)
		if (g->nodes[n->needs[i]].waits > 0)
			return n->needs[i];
	return node;
}

/* Name the parts of a cycle, as far as the text reaches. */
static int say_cycle(const struct planner *p)
{
	const struct graph *g = p->g;
	char text[200];
	size_t len = 0;
	uint32_t at = 0, from, last = GRAPH_NONE;

	while (g->nodes[at].waits == 0)
		at++;
	for (uint32_t i = 0; i < g->nodes_n; i++) /* once it is on the cycle, it stays there */
		at = waits_for(g, at);
	from = at;
	do {
		struct span name = g->parts[g->nodes[at].part].name;

		if (name.len + 5 > sizeof text - len) {
			(void)span_copy(SPAN_LIT(" ..."), text + len, sizeof text - len);
			break;
		}
		if (g->nodes[at].part != last) /* a tree is one part to its submitter */
			len += span_copy(name, text + len, sizeof text - len);
		last = g->nodes[at].part;
		at = waits_for(g, at);
		if (at != from && g->nodes[at].part != last)
			len += span_copy(SPAN_LIT(" "), text + len, sizeof text - len);
	} while (at != from);
	return fail_set(p->why, ERR_INVALID, "graph.inputs", 0, "these parts need each other: %s",
		text);
}

static int find_order(struct planner *p)
{
	struct graph *g = p->g;
	int err = build_users(p);

	if (err < 0)
		return err;
	while (g->ready_at < g->ready_n)
		release_users(g, g->ready[g->ready_at++]);
	return g->ready_n < g->nodes_n ? say_cycle(p) : 0;
}

/* As build_users left it, where no node has gone. */
static void rewind_order(struct graph *g)
{
	g->ready_at = g->ready_n = 0;
	g->runs_n = g->nodes_n;
	for (uint32_t i = 0; i < g->nodes_n; i++) {
		g->nodes[i].waits = g->nodes[i].needs_n;
		if (g->nodes[i].waits == 0)
			g->ready[g->ready_n++] = i;
	}
}

/* --- equal work ------------------------------------------------------------------------------------------ */

static uint64_t node_hash(const struct graph *g, const struct graph_node *n)
{
	const struct graph_part *part = &g->parts[n->part];
	uint64_t h = span_hash(part->content, NODE_SEED + n->inputs_n + (part->kind.len << 32));

	return n->needs_n == 0 ? h : span_hash(span_of(n->needs, n->needs_n * sizeof *n->needs), h);
}

static bool node_eq(const struct graph *g, const struct graph_node *a, const struct graph_node *b)
{
	const struct graph_part *pa = &g->parts[a->part], *pb = &g->parts[b->part];

	return a->inputs_n == b->inputs_n && span_eq(pa->kind, pb->kind) &&
	       span_eq(pa->content, pb->content) &&
	       span_eq(span_of(a->needs, a->needs_n * sizeof *a->needs),
		       span_of(b->needs, b->needs_n * sizeof *b->needs));
}

/* The node before it, in the order that was found, whose work is equal; or itself, from now on in the table. */
static uint32_t same_as(struct planner *p, uint32_t node)
{
	const struct graph *g = p->g;
	const struct graph_node *n = &g->nodes[node];
	uint64_t hash = node_hash(g, n);
	uint32_t at = (uint32_t)hash & p->mask, tag = (uint32_t)(hash >> 32);

	for (; p->table[at].value != 0; at = (at + 1) & p->mask) {
		uint32_t other = p->table[at].value - 1;

		if (p->table[at].tag == tag && node_eq(g, n, &g->nodes[other]))
			return other;
	}
	p->table[at] = (struct slot){ tag, node + 1 };
	return node;
}

/* In the order that was found, which stands in `ready`. */
static int find_equal(struct planner *p)
{
	struct graph *g = p->g;
	bool any = false;
	int err = table_room(p, g->nodes_n);

	for (uint32_t i = 0; i < g->nodes_n && err == 0; i++) {
		uint32_t node = g->ready[i];
		struct graph_node *n = &g->nodes[node];

		for (uint32_t k = 0; any && k < n->needs_n; k++)
			n->needs[k] = g->nodes[n->needs[k]].same;
		n->same = same_as(p, node);
		any = any || n->same != node;
	}
	if (any && err == 0)
		return build_users(p);
	rewind_order(g);
	return err;
}

static void find_outputs(struct graph *g)
{
	for (uint32_t i = 0; i < g->parts_n; i++)
		if (g->parts[i].output)
			g->outputs[g->outputs_n++] = i;
	if (g->outputs_n > 0)
		return;
	for (uint32_t i = 0; i < g->nodes_n; i++)
		for (uint32_t k = 0; k < g->nodes[i].inputs_n; k++)
			g->nodes[g->nodes[i].needs[k]].taken = true;
	for (uint32_t i = 0; i < g->parts_n; i++)
		if (!g->nodes[i].taken)
			g->outputs[g->outputs_n++] = i;
}

int graph_plan(struct arena *a, const struct graph_part *parts, size_t n, uint32_t nodes_max,
	struct graph *ret, struct fail *why)
{
	struct planner p = { .a = a, .g = ret, .nodes_max = nodes_max, .why = why };
	int err;

	*ret = (struct graph){ .parts = parts, .parts_n = (uint32_t)n };
	if (n == 0)
		return fail_set(why, ERR_INVALID, "item", 0, "a graph without parts");
	if (n > nodes_max)
		return fail_set(why, ERR_TOO_BIG, "item", nodes_max, "the graph has %zu parts", n);
	err = index_names(&p);
	if (err == 0)
		err = build_nodes(&p);
	if (err < 0)
		return err;
	find_outputs(ret);
	err = find_order(&p);
	return err < 0 ? err : find_equal(&p);
}

/* --- the run --------------------------------------------------------------------------------------------- */

uint32_t graph_next(struct graph *g)
{
	while (g->ready_at < g->ready_n) {
		uint32_t i = g->ready[g->ready_at++];

		if (g->nodes[i].begun)
			continue;
		g->nodes[i].begun = true;
		return i;
	}
	return GRAPH_NONE;
}

void graph_end(struct graph *g, uint32_t node)
{
	g->ended_n++;
	release_users(g, node);
}
