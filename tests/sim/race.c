/* SPDX-License-Identifier: Apache-2.0
 *
 * race: one router machine and a hundred nodes, a few of which work at a tenth of the speed of the others, and many
 * tasks at once: how long it takes with second attempts of stragglers, and without. Virtual time, one seed, no
 * faults: the figures are the same on every machine.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fmt.h"

#define NODES 100u
#define TASKS_MOST 1000u
#define TENTH 10
#define OFFER_NS (5 * SEC)
#define UPS_MAX (4 * NODES)

struct runner {
	char name[16];
	bool is_slow, works;
	uint64_t seq;
	int64_t offer_ns; /* when it speaks next */
	struct ulid task;
	uint32_t attempt;
	int64_t began_ns, end_ns;
};

struct race {
	uint32_t tasks, slow; /* so many of each */
	struct router *router;
	struct router_out out;
	struct prng prng;
	int64_t now_ns, start_ns;
	struct runner runners[NODES];
	struct ulid ids[TASKS_MOST];
	int64_t need_ns[TASKS_MOST]; /* of work */
	int64_t took_ns[TASKS_MOST]; /* from the start to the end */
	uint32_t ended;
	int64_t wasted_ns; /* work of attempts that were called back */
	struct {           /* what nodes say behind the step that made them */
		uint32_t runner;
		struct up up;
	} ups[UPS_MAX];
	uint32_t ups_n;
};

struct figures {
	int64_t all_ns, p99_ns, work_ns, wasted_ns;
	uint64_t twins, won;
};

static uint32_t number_of(const struct race *c, struct ulid task)
{
	for (uint32_t i = 0; i < c->tasks; i++)
		if (ulid_eq(c->ids[i], task))
			return i;
	CHECK(!"a task of the race");
	return 0;
}

static void say(struct race *c, uint32_t runner, enum up_kind kind)
{
	const struct runner *n = &c->runners[runner];

	CHECK(c->ups_n < UPS_MAX);
	c->ups[c->ups_n].runner = runner;
	c->ups[c->ups_n++].up = (struct up){ .kind = kind,
		.task = n->task,
		.attempt = n->attempt,
		.run_us = (c->now_ns - n->began_ns) / 1000 };
}

static void on_down(void *ctx, struct span node, const struct down *d, bool fast)
{
	struct race *c = ctx;
	int64_t number = 0;

	(void)fast;
	CHECK(fmt_int(span_part(node, 1, node.len), &number) == 0 && number < NODES);
	struct runner *n = &c->runners[number];

	if (d->kind == DOWN_CANCEL && n->works && ulid_eq(n->task, d->task) &&
		n->attempt == d->attempt) {
		n->works = false;
		c->wasted_ns += c->now_ns - n->began_ns;
	}
	if (d->kind != DOWN_ASSIGN)
		return;
	CHECK(!n->works);
	n->works = true;
	n->task = d->task;
	n->attempt = d->attempt;
	n->began_ns = c->now_ns;
	n->end_ns = INT64_MAX; /* see begin: the id may not be known yet */
	say(c, (uint32_t)number, UP_ACCEPT);
}

static void on_event(void *ctx, struct span tenant, const char *stream, const struct event *e,
	bool fast)
{
	(void)ctx, (void)tenant, (void)stream, (void)e, (void)fast;
}

static void on_record(void *ctx, const struct journal_record *rec)
{
	struct race *c = ctx;

	if (rec->kind != JOURNAL_ENDED)
		return;
	CHECK(rec->result->state == STATE_SUCCEEDED);
	c->took_ns[number_of(c, rec->task)] = c->now_ns - c->start_ns;
	c->ended++;
}

static void step(struct race *c, const struct router_event *e)
{
	CHECK(router_step(c->router, c->now_ns, e, &c->out) == 0);
}

/* What was assigned in the last steps takes its time from now on. */
static void begin(struct race *c)
{
	for (uint32_t i = 0; i < NODES; i++) {
		struct runner *n = &c->runners[i];

		if (n->works && n->end_ns == INT64_MAX)
			n->end_ns = n->began_ns +
				    c->need_ns[number_of(c, n->task)] * (n->is_slow ? TENTH : 1);
	}
}

static void hear(struct race *c)
{
	for (uint32_t i = 0; i < c->ups_n; i++)
		step(c, &(struct router_event){ .kind = ROUTER_UP,
				.who = span_str(c->runners[c->ups[i].runner].name),
				.up = &c->ups[i].up });
	c->ups_n = 0;
	begin(c);
}

static void offer(struct race *c, struct runner *n)
{
	struct kind_offer kind = { .kind = SPAN_LIT("util.echo"), .ready = true };
	struct attempt_ref running = { .task = n->task, .attempt = n->attempt };
	struct offer o = {
		.incarnation = 1,
		.seq = ++n->seq,
		.rung = RUNG_CPU,
		.slots = 1,
		.health = 1000,
		.kinds = &kind,
		.kinds_n = 1,
		.running = &running,
		.running_n = n->works,
	};

	n->offer_ns = c->now_ns + OFFER_NS;
	step(c, &(struct router_event){ .kind = ROUTER_UP,
			.who = span_str(n->name),
			.up = &(struct up){ .kind = UP_OFFER, .offer = &o } });
	hear(c);
}

static void submit_all(struct race *c)
{
	struct submit_reply reply;
	const struct submit s = { .kind = SPAN_LIT("util.echo"),
		.body = SPAN_LIT(""),
		.fast = true };

	for (uint32_t i = 0; i < c->tasks; i++) {
		c->need_ns[i] = SEC + (int64_t)prng_below(&c->prng, 2 * SEC);
		step(c, &(struct router_event){ .kind = ROUTER_SUBMIT,
				.who = SPAN_LIT("tenant"),
				.submit = &s,
				.reply = &reply });
		CHECK(reply.fail.code == 0);
		c->ids[i] = reply.task;
		hear(c);
	}
}

static int64_t next_ns(const struct race *c)
{
	int64_t next = router_wake(c->router);

	for (uint32_t i = 0; i < NODES; i++) {
		const struct runner *n = &c->runners[i];

		if (n->offer_ns < next)
			next = n->offer_ns;
		if (n->works && n->end_ns < next)
			next = n->end_ns;
	}
	return next;
}

static void turn(struct race *c)
{
	int64_t next = next_ns(c);

	c->now_ns = next > c->now_ns ? next : c->now_ns;
	for (uint32_t i = 0; i < NODES; i++) {
		struct runner *n = &c->runners[i];

		if (n->works && n->end_ns <= c->now_ns) {
			n->works = false;
			say(c, i, UP_DONE);
			hear(c);
		}
		if (n->offer_ns <= c->now_ns)
			offer(c, n);
	}
	step(c, &(struct router_event){ .kind = ROUTER_TICK });
	hear(c);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void open_race(struct race *c, uint32_t tasks, uint32_t slow, uint64_t seed,
	bool speculation)
{
	struct router_conf conf;

	*c = (struct race){ .tasks = tasks, .slow = slow, .now_ns = INT64_C(1700000000) * SEC };
	c->out = (struct router_out){ c, on_down, on_event, on_record, NULL };
	prng_seed(&c->prng, seed);
	router_conf_default(&conf);
	conf.seed = seed;
	conf.speculation = speculation;
	c->router = router_new(&conf, c->now_ns);
	CHECK(c->router != NULL);
	for (uint32_t i = 0; i < NODES; i++) {
		snprintf(c->runners[i].name, sizeof c->runners[i].name, "n%u", i);
		c->runners[i].is_slow = i < slow;
		offer(c, &c->runners[i]);
	}
	c->start_ns = c->now_ns;
}

static struct figures run(uint32_t tasks, uint32_t slow, uint64_t seed, bool speculation)
{
	static struct race c; /* too large for the stack */
	struct figures f = { 0 };

	open_race(&c, tasks, slow, seed, speculation);
	submit_all(&c);
	while (c.ended < tasks)
		turn(&c);
	f.twins = router_counts(c.router)->twins;
	f.won = router_counts(c.router)->twins_won;
	router_free(c.router);
	for (uint32_t i = 0; i < tasks; i++)
		f.work_ns += c.need_ns[i];
	qsort(c.took_ns, tasks, sizeof *c.took_ns, by_value);
	f.all_ns = c.took_ns[tasks - 1];
	f.p99_ns = c.took_ns[tasks * 99 / 100 - 1];
	f.wasted_ns = c.wasted_ns;
	return f;
}

static void tell(const char *name, uint32_t tasks, uint32_t slow, const struct figures *without,
	const struct figures *with)
{
	printf("# race %s: %u tasks of %.1f s, %u nodes, %u of them slow: with second attempts "
	       "(and "
	       "without) all are done after %.1f s (%.1f), 99 %% after %.1f s (%.1f), least "
	       "%.1f; %llu second attempts, %llu won, %.1f %% more work\n",
		name, tasks, (double)with->work_ns / tasks / SEC, NODES, slow,
		(double)with->all_ns / SEC, (double)without->all_ns / SEC,
		(double)with->p99_ns / SEC, (double)without->p99_ns / SEC,
		(double)with->work_ns / NODES / SEC, (unsigned long long)with->twins,
		(unsigned long long)with->won,
		(double)with->wasted_ns * 100 / (double)with->work_ns);
}

bool race_run(void)
{
	static const struct {
		const char *name;
		uint32_t tasks, slow;
		uint64_t seed;
		unsigned work_percent; /* more, at most */
	} races[] = {
		{ "long", 1000, 2, 1, 4 },
		{ "long", 1000, 2, 2, 4 },
		{ "short", 200, 5, 3, 10 },
	};
	bool held = true;

	for (unsigned i = 0; i < ARRAY_LEN(races); i++) {
		uint32_t tasks = races[i].tasks, slow = races[i].slow;
		struct figures without = run(tasks, slow, races[i].seed, false);
		struct figures with = run(tasks, slow, races[i].seed, true);
		bool ok = with.all_ns * 10 < without.all_ns * 8 && with.p99_ns <= without.p99_ns &&
			  with.wasted_ns * 100 <= with.work_ns * races[i].work_percent;

		/* Where more than one of a hundred is late, it shows there, too. */
		if (slow * 100 > tasks)
			ok = ok && with.p99_ns * 10 < without.p99_ns * 8;
		printf("%s race %u\n", ok ? "ok" : "not ok", i + 1);
		tell(races[i].name, tasks, slow, &without, &with);
		held = held && ok;
	}
	return held;
}
