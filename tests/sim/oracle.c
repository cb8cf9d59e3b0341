/* SPDX-License-Identifier: Apache-2.0
 *
 * oracle: what must hold. It watches what the router records, so it sees what the router holds true,
 * not what the lossy bus lets through.
 */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>

#include "wire/journal.h"

void oracle_break(struct oracle *o, const char *rule, const char *detail, ...)
{
	va_list args;

	if (o->broken != NULL)
		return;
	o->broken = rule;
	va_start(args, detail);
	vsnprintf(o->detail, sizeof o->detail, detail, args);
	va_end(args);
}

static struct known *find(struct oracle *o, struct ulid task)
{
	for (uint32_t i = o->known_n; i > 0; i--)
		if (ulid_eq(o->known[i - 1].task, task))
			return &o->known[i - 1];
	if (o->known_n == ARRAY_LEN(o->known)) {
		oracle_break(o, "the oracle's table holds all tasks", "%u", o->known_n);
		return &o->known[0];
	}
	o->known[o->known_n] = (struct known){ .task = task };
	return &o->known[o->known_n++];
}

/* The toy wrote into its result which attempt made it: the last one, or that beside which the last is a second. */
static void check_result(struct oracle *o, const struct known *k, const struct journal_record *rec)
{
	struct arena a;
	struct body body;

	arena_init(&a, 1 << 20);
	if (rec->result->body.len > 0 && body_decode(&a, rec->result->body, &body, NULL) == 0) {
		const struct param *p = body_param(&body, "attempt");
		char want[16];

		if (rec->attempt != k->attempt && (rec->attempt == 0 || rec->attempt != k->first))
			oracle_break(o, "a task ends by an attempt that was under way",
				"%u after %u beside %u", rec->attempt, k->attempt, k->first);
		snprintf(want, sizeof want, "%u", rec->attempt);
		/* A split task's result is its join's; a plan is no Body with this parameter. */
		if (p != NULL && k->attempt != 0 && rec->result->rung != RUNG_SPLIT &&
			!span_is(p->value, want))
			oracle_break(o, "only the current attempt's result counts",
				"attempt %s has result of %.*s", want, (int)p->value.len,
				(const char *)p->value.at);
	}
	arena_done(&a);
}

/* An idempotency key names one task of its tenant, as long as that is kept. */
static void check_key(struct oracle *o, const struct journal_record *rec)
{
	const struct world *w = CONTAINER(o, struct world, oracle);
	const struct router *r = router_core_machine(w->router);
	const struct tasks *ts = router_tasks(r);
	unsigned n = 0;

	for (uint32_t i = 0; rec->submit->key.len > 0 && i < ts->slots.cap; i++) {
		const struct task *t = slots_is_taken(&ts->slots, i) ? tasks_at(ts, i) : NULL;

		n += t != NULL && t->key != NULL && span_is(rec->submit->key, t->key) &&
		     span_eq(router_tenant(r, t->tenant), rec->tenant);
	}
	if (n > 1)
		oracle_break(o, "a key names one task", "%u tasks", n);
}

/* A paused task makes no new attempts, nor do its parts. */
static void check_runs(struct oracle *o, struct ulid task)
{
	const struct world *w = CONTAINER(o, struct world, oracle);
	const struct tasks *ts = router_tasks(router_core_machine(w->router));
	const struct task *t = tasks_find(ts, task);

	if (t->paused_ns != 0 || (t->role != ROLE_TASK && tasks_at(ts, t->parent)->paused_ns != 0))
		oracle_break(o, "what is paused makes no attempt", "attempt %u", t->attempt);
}

/* What the task asks, and who may share its result; by the rules of wire/canon.h, not by what the router made of them. */
static void note_request(struct known *k, const struct journal_record *rec)
{
	const struct kind_row *row = kind_find(rec->submit->kind);
	struct body body;
	struct arena a;
	struct buf form;

	arena_init(&a, 2 << 20);
	buf_init(&form, CANON_BYTES_MAX);
	k->tenant = span_hash(rec->tenant, 1);
	k->share = CANON_NOBODY;
	if (row != NULL && body_decode(&a, rec->submit->body, &body, NULL) == 0 &&
		kind_check(row, &body, NULL) == 0 &&
		canon_share(row, &body, &k->share, NULL) == 0) {
		canon_request(&form, row, &body);
		k->request = span_hash(buf_span(&form), 2);
	}
	buf_done(&form);
	arena_done(&a);
}

/* A result that was not computed for a task is, byte for byte, that of one which asked the same and shares it. */
static void check_cached(struct oracle *o, const struct known *k, struct span body)
{
	uint64_t result = span_hash(body, 3);

	o->cached++;
	for (uint32_t i = 0; i < o->known_n; i++) {
		const struct known *from = &o->known[i];

		if (from->result == result && from->request == k->request && from != k &&
			from->share == k->share && k->share != CANON_NOBODY &&
			(k->share == CANON_SHARED || from->tenant == k->tenant))
			return;
	}
	oracle_break(o, "what a cache gives was computed for an equal task that shares it",
		"share %d", (int)k->share);
}

/* Only what is whole is compared: a part of a split task is nobody's request. */
static void note_result(struct oracle *o, struct known *k, const struct result *result)
{
	if (!k->accepted && k->request == 0)
		return;
	if (result->cache_hit)
		check_cached(o, k, result->body);
	else
		k->result = span_hash(result->body, 3);
}

void oracle_watch(void *ctx, const struct journal_record *rec)
{
	struct oracle *o = ctx;
	struct known *k = find(o, rec->task);

	if (k->ended > 0 && rec->kind != JOURNAL_FORGOTTEN)
		oracle_break(o, "nothing follows the end", "record %d", (int)rec->kind);
	switch (rec->kind) {
	case JOURNAL_ACCEPTED:
		if (k->accepted || k->attempt != 0)
			oracle_break(o, "a task is accepted once, and first", "attempt %u",
				k->attempt);
		k->accepted = true;
		k->fast = rec->submit->fast;
		note_request(k, rec);
		check_key(o, rec);
		break;
	case JOURNAL_ASSIGNED:
		if (rec->attempt <= k->attempt)
			oracle_break(o, "attempts grow", "%u after %u", rec->attempt, k->attempt);
		if (rec->beside != 0 && ++k->twins > TWINS_OF_A_TASK)
			oracle_break(o, "second attempts are few", "%u", k->twins);
		k->first = rec->beside;
		check_runs(o, rec->task);
		k->attempt = rec->attempt;
		break;
	case JOURNAL_FORGOTTEN:
		if (k->ended != 1)
			oracle_break(o, "only what has ended is forgotten", "%u", k->ended);
		k->forgotten = true;
		break;
	case JOURNAL_ENDED:
		k->ended++;
		k->state = rec->result->state;
		if (!state_is_final(k->state))
			oracle_break(o, "an end is final", "%s", state_name(k->state));
		if ((k->state == STATE_SUCCEEDED) != (rec->result->fail.code == 0))
			oracle_break(o, "a task fails with a reason, or succeeds", "%s code %d",
				state_name(k->state), rec->result->fail.code);
		if (k->state == STATE_SUCCEEDED) {
			o->results++;
			check_result(o, k, rec);
			note_result(o, k, rec->result);
		}
		break;
	}
}

/* --- what tenants hear, and what a crash leaves -------------------------------------------------------- */

void oracle_told(struct oracle *o, struct ulid task)
{
	find(o, task)->told = true;
}

void oracle_told_end(struct oracle *o, struct ulid task, enum state state)
{
	struct known *k = find(o, task);

	if (k->told_end != STATE_NONE && k->told_end != state)
		oracle_break(o, "a task has one end", "%s after %s", state_name(state),
			state_name(k->told_end));
	k->told_end = state;
}

/* A row of the journal, marked as what is true of its task. */
static bool on_safe_row(void *ctx, const struct journal_image *image)
{
	struct oracle *o = ctx;
	struct known *k = find(o, image->task);
	struct task_state s;
	struct arena a;

	arena_init(&a, 4 << 20);
	if (task_state_decode(&a, image->state, &s, NULL) < 0)
		oracle_break(o, "a row can be read", "%llu", (unsigned long long)image->row);
	k->gone = k->forgotten = false; /* a forgetting that was not safe did not happen */
	k->attempt = s.attempts;
	k->twins = s.twins;
	k->first = s.attempt;
	k->ended = state_is_final(s.state);
	k->state = k->ended ? s.state : STATE_NONE;
	if (k->told_end != STATE_NONE && k->told_end != k->state)
		oracle_break(o, "an end that was told stays", "%s, the journal has %s",
			state_name(k->told_end), state_name(s.state));
	arena_done(&a);
	return true;
}

void oracle_crash(struct world *w)
{
	struct oracle *o = &w->oracle;
	struct journal *j = w->journal;
	char id[ULID_TEXT + 1];

	for (uint32_t i = 0; i < o->known_n; i++) {
		struct known *k = &o->known[i];

		k->gone = k->ended == 0 || !k->fast;
		if (j->ops->find(j, k->task, on_safe_row, o, NULL) < 0)
			oracle_break(o, "kept rows can be found", "%u", i);
	}
	j->ops->load(j, on_safe_row, o);
	for (uint32_t i = 0; i < o->known_n; i++) {
		const struct known *k = &o->known[i];

		ulid_text(k->task, id);
		if (k->gone && !k->fast && !k->forgotten && (k->told || k->told_end != STATE_NONE))
			oracle_break(o, "what was acknowledged is not lost", "%s", id);
	}
}

/* --- the machine's own books ------------------------------------------------------------------------- */

static uint32_t list_length(const struct list *l)
{
	uint32_t n = 0;

	for (const struct list *at = l->next; at != l; at = at->next)
		n++;
	return n;
}

static void check_nodes(struct oracle *o, const struct registry *g)
{
	for (uint32_t i = 0; i < g->nodes.cap; i++) {
		if (!slots_is_taken(&g->nodes, i))
			continue;
		const struct node *n = registry_node(g, i);

		if (n->load.busy != list_length(&n->tasks) + list_length(&n->twins))
			oracle_break(o, "slots given out match the attempts held", "%s: %u busy",
				n->name, n->load.busy);
		if (n->paused_n != list_length(&n->paused))
			oracle_break(o, "what stands still is counted right", "%s: %u", n->name,
				n->paused_n);
		if (n->load.busy > n->load.slots && n->load.slots >= JOBS_MAX)
			oracle_break(o, "no node gets more than its slots", "%s: %u", n->name,
				n->load.busy);
		if ((n->state == NODE_DOWN || n->state == NODE_GONE) &&
			n->load.busy + n->paused_n > 0)
			oracle_break(o, "a node that is down holds nothing", "%s", n->name);
	}
}

/* A second attempt is beside a first one, of a class and at a price of nothing. */
static void check_twin(struct oracle *o, const struct task *t)
{
	bool on_node = t->state == STATE_ASSIGNED || t->state == STATE_RUNNING;

	if (t->twins > TWINS_OF_A_TASK)
		oracle_break(o, "second attempts are few", "%u", t->twins);
	if (t->twin == NULL)
		return;
	if (!on_node || list_is_empty(&t->twin->on_node) || t->twin->node == t->node)
		oracle_break(o, "two attempts are on two nodes", "%s", state_name(t->state));
	if ((task_rung(t) != RUNG_CPU && task_rung(t) != RUNG_GPU) || t->price_ucr != 0)
		oracle_break(o, "nobody pays twice", "%s", rung_name(task_rung(t)));
}

static void check_task(struct oracle *o, const struct tasks *ts, const struct task *t)
{
	bool on_node = t->state == STATE_ASSIGNED || t->state == STATE_RUNNING;

	check_twin(o, t);

	if (on_node == list_is_empty(&t->on_node))
		oracle_break(o, "an attempt is on one node, nothing else is", "%s",
			state_name(t->state));
	if (t->lane != NULL && t->state != STATE_QUEUED)
		oracle_break(o, "only queued tasks wait", "%s", state_name(t->state));
	if (t->paused_ns != 0 && (t->lane != NULL || state_is_final(t->state)))
		oracle_break(o, "what is paused waits for nothing and has not ended", "%s",
			state_name(t->state));
	if (t->paused_ns != 0 && t->rung_ns > t->paused_ns)
		oracle_break(o, "the clock of a rung stands with its task", "%s",
			state_name(t->state));
	if (t->state == STATE_QUEUED && t->lane == NULL && t->retry_ns == 0 && t->paused_ns == 0 &&
		!answers_is_follower(t))
		oracle_break(o, "a queued task waits or has a time to retry", "%u", t->index);
	if (!state_is_final(t->state) && !heap_has(&ts->due, t->index))
		oracle_break(o, "an open task has a time to be looked at", "%s",
			state_name(t->state));
	if (t->body != NULL &&
		(t->state == STATE_SUCCEEDED || (state_is_final(t->state) && t->role != ROLE_TASK)))
		oracle_break(o, "an ended task gives its body back", "%u", t->index);
	if (t->state == STATE_SPLIT && (t->split == NULL || t->split->released))
		oracle_break(o, "a split task has parts", "%u", t->index);
}

static void note_paused(struct oracle *o, const struct task *t)
{
	find(o, t->id)->paused = t->paused_ns != 0;
}

void oracle_step(struct world *w)
{
	const struct router *r;
	const struct tasks *ts;
	uint32_t count[STATES] = { 0 };

	if (w->router == NULL)
		return;
	r = router_core_machine(w->router);
	ts = router_tasks(r);
	check_nodes(&w->oracle, router_registry(r));
	for (uint32_t i = 0; i < ts->slots.cap; i++) {
		if (!slots_is_taken(&ts->slots, i))
			continue;
		const struct task *t = tasks_at(ts, i);

		count[t->state]++;
		if (t->paused_ns != 0 || (w->steps & 63) == 0)
			note_paused(&w->oracle, t);
		check_task(&w->oracle, ts, t);
	}
	if (memcmp(count, ts->count, sizeof count) != 0)
		oracle_break(&w->oracle, "the states are counted right", "step %llu",
			(unsigned long long)w->steps);
}

/* After faults have stopped and all deadlines have passed. */
void oracle_end(struct world *w)
{
	struct oracle *o = &w->oracle;
	char id[ULID_TEXT + 1];

	for (uint32_t i = 0; i < o->known_n; i++) {
		if (o->known[i].gone)
			continue;
		ulid_text(o->known[i].task, id);
		if (o->known[i].ended != 1)
			oracle_break(o, "every task ends exactly once", "%s ended %u times", id,
				o->known[i].ended);
	}
	if (router_open(router_core_machine(w->router)) != 0)
		oracle_break(o, "nothing stays open", "%u",
			router_open(router_core_machine(w->router)));
	for (uint32_t i = 0; i < w->clients_n; i++)
		follow_check_end(&w->clients[i]);
	for (uint32_t i = 0; i < w->toys_n; i++)
		for (int k = 0; k < JOBS_MAX; k++)
			if (w->toys[i].jobs[k].taken)
				oracle_break(o, "no node works on what is over", "%s",
					w->toys[i].name);
}
