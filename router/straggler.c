/* SPDX-License-Identifier: Apache-2.0
 *
 * straggler: who runs for too long on its node and gets a second attempt (twin.c) elsewhere. policy/late.h decides.
 *
 * Nobody pays twice: there are no twins of attempts that cost something, of external APIs or of people. A task that
 * streams has none either: its reader would hear half of one and half of the other. Twins get what slots are left
 * when nothing waits for them, and a bounded share of all attempts.
 */
#include "router/machine.h"

#include "base/pure.h"

#define LOOK_NS (250 * NS_PER_MS) /* between two looks at the stragglers */
#define LOOK_MAX 256u             /* of them in one look, in turn */
#define SLOWEST 16u               /* of those, that may get a twin then */
#define ROWS_MAX 256u             /* nodes looked at for one twin */
#define TWINS_MAX 2u              /* of one task in its life; one at a time */

/* --- what is known -------------------------------------------------------------------------------- */

void stragglers_init(struct stragglers *s)
{
	*s = (struct stragglers){ .pasts = NULL };
	list_init(&s->late);
}

static uint32_t pasts_n(const struct router *r)
{
	return r->conf.registry.kinds_max * RUNGS;
}

void stragglers_done(struct router *r)
{
	struct stragglers *s = &r->stragglers;

	for (uint32_t i = 0; s->pasts != NULL && i < pasts_n(r); i++)
		mem_free(s->pasts[i]);
	mem_free(s->pasts);
}

static const struct late_past *past_of(const struct router *r, const struct task *t)
{
	struct late_past **pasts = r->stragglers.pasts;

	return pasts == NULL ? NULL : pasts[t->kind * RUNGS + (uint32_t)task_rung(t)];
}

/* The same, made when it is first needed; NULL without memory: then the kind has no twins yet. */
static struct late_past *need_past(struct router *r, const struct task *t)
{
	struct stragglers *s = &r->stragglers;
	struct late_past **at;

	if (s->pasts == NULL)
		s->pasts = mem_alloc(sizeof *s->pasts * pasts_n(r));
	if (s->pasts == NULL)
		return NULL;
	at = &s->pasts[t->kind * RUNGS + (uint32_t)task_rung(t)];
	if (*at == NULL)
		*at = mem_alloc(sizeof **at);
	return *at;
}

static bool is_free_rung(const struct task *t)
{
	return task_rung(t) == RUNG_CPU || task_rung(t) == RUNG_GPU;
}

static bool may_have_twin(const struct router *r, const struct task *t)
{
	return r->conf.speculation && is_free_rung(t) && t->price_ucr == 0 && !t->streams &&
	       t->twin == NULL && t->twins < TWINS_MAX && t->paused_ns == 0;
}

void straggler_done(struct router *r, const struct task *t)
{
	struct late_past *p;

	if (!r->conf.speculation || !is_free_rung(t) || t->paused_ns != 0)
		return;
	p = need_past(r, t);
	if (p != NULL)
		late_note(p, (r->now_ns - t->assigned_ns) / NS_PER_US, t->body_len);
}

static struct late_run run_of(const struct router *r, const struct task *t)
{
	struct late_run run = {
		.elapsed_us = (r->now_ns - t->assigned_ns) / NS_PER_US,
		.permille = t->permille,
		.bytes = t->body_len,
	};
	const struct task *parent = t->role == ROLE_PART ? tasks_at(&r->tasks, t->parent) : NULL;

	if (parent != NULL && parent->split != NULL) {
		run.siblings = parent->split->parts_n;
		run.siblings_done = parent->split->parts_done;
	}
	return run;
}

/* --- who is a straggler --------------------------------------------------------------------------- */

/* When the current attempt becomes one. While too little is known, when to look again: later each time, so that
 * one that runs for long costs little. */
static int64_t straggles_ns(const struct router *r, const struct task *t)
{
	const struct late_past *p = past_of(r, t);
	struct late_run run = run_of(r, t);
	int64_t age_us = p == NULL ? INT64_MAX : late_age_us(&r->conf.late, p, &run);
	int64_t pause_us = run.elapsed_us / 2;

	if (age_us != INT64_MAX)
		return t->assigned_ns + age_us * NS_PER_US;
	if (pause_us < r->conf.late.after_us)
		pause_us = r->conf.late.after_us;
	return r->now_ns + pause_us * NS_PER_US;
}

void straggler_watch(struct router *r, struct task *t)
{
	int64_t look_ns = may_have_twin(r, t) ? straggles_ns(r, t) : INT64_MAX;

	tasks_wake_by(&r->tasks, t, look_ns < t->lease_ns ? look_ns : t->lease_ns);
}

void straggler_due(struct router *r, struct task *t)
{
	if (!may_have_twin(r, t) || !list_is_empty(&t->late))
		return;
	if (straggles_ns(r, t) <= r->now_ns)
		list_push(&r->stragglers.late, &t->late);
	else
		straggler_watch(r, t);
}

void straggler_streams(struct router *r, struct task *t)
{
	t->streams = true;
	list_drop(&t->late);
	twin_end(r, t, "a task that streams has one attempt");
}

/* --- where to --------------------------------------------------------------------------------------- */

struct choice {
	struct place_out out;
	uint32_t row; /* or PLACE_NONE */
	int64_t anew_us;
};

/* A twin is not worth the place of an attempt that stands still. */
static bool is_fit(const struct task *t, const struct place_row *row)
{
	const struct node *n = CONTAINER(row->load, struct node, load);

	return row->load->node != t->node && n->load.busy + n->paused_n < n->load.slots &&
	       row->price_ucr == 0;
}

/* Where it would end first, of the open nodes; from a random one on where they are many. A slow one is not ruled out:
 * it is taken when there is nothing better and it pays all the same, as beside a node that stands still. */
static void choose(struct router *r, const struct task *t, const struct late_past *p,
	struct choice *c)
{
	struct kind_rows *rows = &registry_kind_at(&r->registry, t->kind)->of[task_rung(t)];
	struct place_need need = rung_need(t);
	struct place_in in = { &need, rows->rows, rows->open_n, &rows->cursor, &r->prng };
	struct late_run run = run_of(r, t);
	uint32_t most = rows->open_n < ROWS_MAX ? rows->open_n : ROWS_MAX;
	uint32_t from = rows->open_n > most ? (uint32_t)prng_below(&r->prng, rows->open_n) : 0;

	c->out.considered = c->out.seen_n = 0;
	c->row = PLACE_NONE;
	c->anew_us = INT64_MAX;
	for (uint32_t k = 0; k < most; k++) {
		uint32_t i = (from + k) % rows->open_n;
		const struct place_row *row = &rows->rows[i];

		if (!is_fit(t, row) || place_look(&in, &c->out, i) < 0)
			continue;
		struct cost cost = place_price(&need, row);
		int64_t us = late_anew_us(p, &run, row->run_us,
			cost.wait_us + cost.move_us + cost.risk_us);

		if (us < c->anew_us) {
			c->anew_us = us;
			c->row = i;
		}
	}
	place_settle(&in, &c->out, c->row);
}

static void note_made(struct router *r, struct task *t, const struct choice *c, int64_t usual_us)
{
	struct late_run run = run_of(r, t);
	int64_t left_us = late_left_us(&run);
	char elapsed[24], usual[24], left[24], anew[24], reason[160];
	int n = snprintf(reason, sizeof reason,
		"runs for %s, where %s is usual; about %s to go there, %s here",
		fmt_duration_text(run.elapsed_us * NS_PER_US, elapsed),
		fmt_duration_text(usual_us * NS_PER_US, usual),
		fmt_duration_text(left_us * NS_PER_US, left),
		fmt_duration_text(c->anew_us * NS_PER_US, anew));

	note_step(r, t,
		(struct explain_note){
			.kind = STEP_TWIN,
			.rung = task_rung(t),
			.node = t->twin->node,
			.attempt = t->twin->attempt,
			.reason = span_of(reason, (size_t)n),
			.seen = c->out.seen,
			.seen_n = c->out.seen_n,
			.considered = c->out.considered,
		});
}

/* A twin for this straggler, if a node is found where it pays. */
static void try_twin(struct router *r, struct task *t)
{
	const struct late_past *p = past_of(r, t);
	struct late_run run = run_of(r, t);
	const struct kind_rows *rows = &registry_kind_at(&r->registry, t->kind)->of[task_rung(t)];
	struct choice c;

	choose(r, t, p, &c);
	if (c.row == PLACE_NONE || !late_pays(late_left_us(&run), c.anew_us) ||
		!twin_make(r, t, rows->rows[c.row].load->node))
		return;
	list_drop(&t->late);
	note_made(r, t, &c, p->mean_us);
	rung_order(r, t, registry_node(&r->registry, t->twin->node), t->twin->attempt);
}

/* --- the look at them all -------------------------------------------------------------------------- */

struct slowest {
	struct {
		struct task *task;
		int64_t left_us;
	} of[SLOWEST];
	unsigned n;
};

/* In order, the one with most to go first. */
static void rank(struct slowest *s, struct task *t, int64_t left_us)
{
	unsigned at = s->n;

	if (at == SLOWEST && s->of[SLOWEST - 1].left_us >= left_us)
		return;
	if (at == SLOWEST)
		at--;
	else
		s->n++;
	for (; at > 0 && s->of[at - 1].left_us < left_us; at--)
		s->of[at] = s->of[at - 1];
	s->of[at].task = t;
	s->of[at].left_us = left_us;
}

static void gather(struct router *r, struct slowest *slowest)
{
	struct stragglers *s = &r->stragglers;
	struct list seen;

	list_init(&seen);
	for (unsigned n = 0; n < LOOK_MAX && !list_is_empty(&s->late); n++) {
		struct task *t = CONTAINER(s->late.next, struct task, late);
		struct late_run run = run_of(r, t);

		list_drop(&t->late);
		if (!may_have_twin(r, t))
			continue;
		if (straggles_ns(r, t) > r->now_ns) { /* more is known of what is usual */
			straggler_watch(r, t);
			continue;
		}
		list_push(&seen, &t->late);
		rank(slowest, t, late_left_us(&run));
	}
	while (!list_is_empty(&seen)) {
		struct list *l = seen.next;

		list_drop(l);
		list_push(&s->late, l);
	}
}

/* A share of what runs; but of all nodes where fewer run: at the end of a large task most nodes are idle, and those
 * who work are late. */
static uint32_t most_twins(const struct router *r)
{
	uint32_t running = r->tasks.count[STATE_ASSIGNED] + r->tasks.count[STATE_RUNNING];
	uint32_t nodes = r->registry.up_n;

	return late_most(&r->conf.late, running > nodes ? running : nodes);
}

void stragglers_turn(struct router *r)
{
	struct stragglers *s = &r->stragglers;
	struct slowest slowest = { .n = 0 };
	uint32_t most;

	if (list_is_empty(&s->late) || r->now_ns < s->look_ns)
		return;
	s->look_ns = r->now_ns + LOOK_NS;
	most = most_twins(r);
	if (s->twins_n >= most)
		return;
	gather(r, &slowest);
	for (unsigned i = 0; i < slowest.n && s->twins_n < most; i++)
		try_twin(r, slowest.of[i].task);
}

int64_t stragglers_wake(const struct router *r)
{
	return list_is_empty(&r->stragglers.late) ? INT64_MAX : r->stragglers.look_ns;
}
