/* SPDX-License-Identifier: Apache-2.0
 *
 * world: time, faults, and the turn of everything in it.
 */
#include "sim.h"

#include <stdio.h>

#define START_NS (INT64_C(1700000000) * SEC)
#define FAULTS_NS (60 * SEC)
#define END_NS (300 * SEC) /* beyond the last submit's deadline and every lease */

int64_t world_clock(void *ctx)
{
	const struct world *w = ctx;

	return w->now_ns;
}

static uint32_t draw(struct world *w, uint32_t below)
{
	return (uint32_t)prng_below(&w->prng, below);
}

/* --- what happens to messages ------------------------------------------------------------------------- */

static bool is_cut(const struct world *w, const char *name)
{
	if (strcmp(name, "router") == 0)
		return w->now_ns < w->router_cut_ns;
	for (uint32_t i = 0; i < w->toys_n; i++)
		if (strcmp(name, w->toys[i].name) == 0)
			return w->now_ns < w->toys[i].cut_until_ns;
	return false;
}

static struct bus_fate fate(void *ctx, int64_t now_ns, const char *from, const char *to)
{
	struct world *w = ctx;
	const struct weather *f = &w->weather;
	struct bus_fate ret = { .copies = 1 };

	for (int i = 0; i < 2; i++) {
		ret.delay_ns[i] = 50000 + (int64_t)prng_below(&w->prng, (uint64_t)f->delay_ns);
		if (now_ns < f->faults_end_ns && draw(w, 1000) < f->late)
			ret.delay_ns[i] += (int64_t)prng_below(&w->prng, (uint64_t)f->late_ns);
	}
	if (now_ns >= f->faults_end_ns)
		return ret;
	if (is_cut(w, from) != is_cut(w, to) || draw(w, 1000) < f->loss) {
		ret.copies = 0;
		w->messages_lost++;
	} else if (draw(w, 1000) < f->doubled) {
		ret.copies = 2;
		w->messages_doubled++;
	}
	return ret;
}

/* --- faults of processes and lines -------------------------------------------------------------------- */

static void crash_one(struct world *w)
{
	struct toy *t = &w->toys[draw(w, w->toys_n)];

	if (t->node == NULL)
		return;
	toy_crash(t);
	t->back_ns = w->now_ns + (int64_t)prng_below(&w->prng, 40 * SEC);
	w->crashes++;
}

static void farewell_one(struct world *w)
{
	struct toy *t = &w->toys[draw(w, w->toys_n)];

	if (t->node == NULL || t->leaving)
		return;
	toy_leave(t);
	w->farewells++;
}

static void cut_toy(struct world *w, struct toy *t, int64_t until)
{
	t->cut_until_ns = until;
	if (t->node != NULL && draw(w, 2) == 0)
		toy_notice_cut(t);
}

static void cut_router(struct world *w, int64_t until)
{
	w->router_cut_ns = until;
	if (w->router == NULL || draw(w, 2) == 0)
		return;
	w->router_knows_cut = true;
	router_core_bus(w->router, BUS_LOST);
}

static void cut_is_over(struct world *w)
{
	if (!w->router_knows_cut || w->now_ns < w->router_cut_ns)
		return;
	w->router_knows_cut = false;
	if (w->router != NULL)
		router_core_bus(w->router, BUS_UP);
}

static void cut_one(struct world *w)
{
	int64_t until = w->now_ns + (int64_t)prng_below(&w->prng, 45 * SEC);

	if (until > w->weather.faults_end_ns)
		until = w->weather.faults_end_ns;
	w->partitions++;
	if (draw(w, 5) == 0)
		cut_router(w, until);
	else
		cut_toy(w, &w->toys[draw(w, w->toys_n)], until);
}

static void slow_one(struct world *w)
{
	struct toy *t = &w->toys[draw(w, w->toys_n)];

	t->slow_until_ns = w->now_ns + (int64_t)prng_below(&w->prng, 20 * SEC);
	w->slowed++;
}

static void faults(struct world *w)
{
	if (w->now_ns < w->next_fault_ns || w->now_ns >= w->weather.faults_end_ns)
		return;
	w->next_fault_ns = w->now_ns + SEC;
	if (draw(w, 1000) < w->weather.crash)
		crash_one(w);
	if (draw(w, 1000) < w->weather.partition)
		cut_one(w);
	if (draw(w, 1000) < w->weather.farewell)
		farewell_one(w);
	if (draw(w, 1000) < w->weather.slow)
		slow_one(w);
	if (draw(w, 1000) < w->weather.router_crash)
		router_crash(w);
}

/* --- making ------------------------------------------------------------------------------------------- */

static void draw_weather(struct world *w)
{
	struct weather *f = &w->weather;
	uint32_t rough = draw(w, 4); /* one run in four is calm */

	f->delay_ns = MS + (int64_t)prng_below(&w->prng, 20 * MS);
	f->late_ns = 1 + (int64_t)prng_below(&w->prng, 8 * SEC);
	f->faults_end_ns = START_NS + FAULTS_NS;
	f->disk_ns = draw(w, 3) == 0 ? 0 : 1 + (int64_t)prng_below(&w->prng, 50 * MS);
	f->fair = rough == 0;
	if (f->fair)
		return;
	f->loss = draw(w, 100);
	f->doubled = draw(w, 60);
	f->late = draw(w, 60);
	f->crash = draw(w, 300);
	f->partition = draw(w, 200);
	f->farewell = draw(w, 200);
	f->slow = draw(w, 500);
	f->router_crash = draw(w, 2) == 0 ? 0 : draw(w, 150);
	f->fail = draw(w, 300);
	f->refuse = draw(w, 200);
	f->hang = draw(w, 60);
}

static void make_toys(struct world *w)
{
	static const enum rung classes[] = { RUNG_CPU, RUNG_CPU, RUNG_GPU, RUNG_API, RUNG_HUMAN };

	w->toys_n = 1 + draw(w, NODES_MAX);
	for (uint32_t i = 0; i < w->toys_n; i++) {
		struct toy *t = &w->toys[i];

		t->world = w;
		t->rung = classes[draw(w, ARRAY_LEN(classes))];
		t->slots = 1 + draw(w, 8);
		t->price_ucr = draw(w, 3) == 0 ? 500 : 0;
		t->ready = draw(w, 5) != 0;
		t->pauses = draw(w, 3) != 0;
		snprintf(t->name, sizeof t->name, "%s-%u", rung_name(t->rung), i);
		toy_start(t);
	}
}

static int64_t router_clock(void *ctx)
{
	const struct world *w = ctx;

	return w->now_ns + w->router_off_ns;
}

static const struct tenant_weight weights[] = { { "tenant0", 3 }, { "tenant1", 7 } };

static bool make_router(struct world *w)
{
	struct fail why = { 0 };
	struct router_core_conf conf = {
		.watch = oracle_watch,
		.watch_ctx = &w->oracle,
		.name = "router",
		.operators = "tenant0",
		.now = router_clock,
		.wall = router_clock,
		.now_ctx = w,
	};

	router_conf_default(&conf.machine);
	conf.machine.seed = w->seed;
	conf.machine.policy = draw(w, 4);
	conf.machine.tasks_max = 20 + draw(w, 2000);
	if (draw(w, 3) == 0)
		conf.machine.of_tenant.tasks = 1 + draw(w, 200);
	if (draw(w, 3) == 0)
		conf.machine.of_tenant.rate = 1 + draw(w, 20);
	conf.machine.weights = weights;
	conf.machine.weights_n = draw(w, 1 + ARRAY_LEN(weights));
	conf.machine.results_max = 1 + draw(w, 200);
	conf.machine.incarnation = 1;
	conf.machine.answers.bytes_max = draw(w, 4) == 0 ? 0 : (size_t)64 << (10 + draw(w, 5));
	conf.machine.answers.ttl_ns = 1 + (int64_t)prng_below(&w->prng, 100 * SEC);
	w->router_bus = bus_mem_open(w->net, "router");
	conf.bus = w->router_bus;
	conf.journal = w->journal = journal_mem_open();
	if (w->journal == NULL)
		return false;
	journal_mem_hold(w->journal, w->weather.disk_ns > 0);
	w->router_conf = conf;
	w->router = w->router_bus == NULL ? NULL : router_core_open(&conf, &why);
	return w->router != NULL;
}

struct world *world_new(uint64_t seed, bool verbose)
{
	struct world *w = mem_alloc(sizeof *w);

	CHECK(w != NULL);
	w->seed = seed;
	w->verbose = verbose;
	prng_seed(&w->prng, seed);
	w->now_ns = START_NS;
	draw_weather(w);
	w->net = bus_net_new(fate, w, seed);
	CHECK(w->net != NULL);
	bus_net_now(w->net, w->now_ns);
	CHECK(make_router(w));
	make_toys(w);
	w->clients_n = 1 + draw(w, CLIENTS_MAX);
	for (uint32_t i = 0; i < w->clients_n; i++) {
		CHECK(client_open(&w->clients[i], w, i));
		w->clients[i].left = 1 + draw(w, TASKS_MAX / CLIENTS_MAX);
	}
	return w;
}

void world_free(struct world *w)
{
	for (uint32_t i = 0; i < w->toys_n; i++)
		if (w->toys[i].node != NULL)
			toy_crash(&w->toys[i]);
	for (uint32_t i = 0; i < w->clients_n; i++)
		bus_close(w->clients[i].bus);
	router_core_close(w->router);
	journal_close(w->journal);
	bus_close(w->router_bus);
	bus_net_free(w->net);
	mem_free(w);
}

/* --- running ------------------------------------------------------------------------------------------ */

static void least(int64_t *a, int64_t b)
{
	if (b < *a)
		*a = b;
}

/* In the world's time. */
static int64_t router_wake_ns(const struct world *w)
{
	int64_t wake_ns = router_core_wake(w->router);

	return wake_ns == INT64_MAX ? wake_ns : wake_ns - w->router_off_ns;
}

static int64_t next_time(const struct world *w)
{
	int64_t next = bus_net_next(w->net);

	if (w->router != NULL)
		least(&next, router_wake_ns(w));
	else
		least(&next, w->router_back_ns);
	if (w->router_knows_cut)
		least(&next, w->router_cut_ns);
	least(&next, disk_wake(w));
	for (uint32_t i = 0; i < w->toys_n; i++)
		least(&next, toy_wake(&w->toys[i]));
	for (uint32_t i = 0; i < w->clients_n; i++) {
		if (w->clients[i].left > 0)
			least(&next, w->clients[i].next_ns);
		least(&next, follow_wake(&w->clients[i]));
	}
	if (w->now_ns < w->weather.faults_end_ns)
		least(&next, w->next_fault_ns);
	return next;
}

static void turn(struct world *w)
{
	while (bus_net_step(w->net, w->now_ns))
		;
	faults(w);
	cut_is_over(w);
	for (uint32_t i = 0; i < w->clients_n; i++)
		client_turn(&w->clients[i]);
	for (uint32_t i = 0; i < w->toys_n; i++)
		toy_turn(&w->toys[i]);
	router_return(w);
	if (w->router != NULL && router_core_turn(w->router) < 0)
		oracle_break(&w->oracle, "the journal never fails here", "step %llu",
			(unsigned long long)w->steps);
	disk_turn(w);
}

bool world_run(struct world *w)
{
	while (w->now_ns < START_NS + END_NS && w->oracle.broken == NULL) {
		int64_t next = next_time(w);

		if (next > w->now_ns)
			w->now_ns = next;
		bus_net_now(w->net, w->now_ns);
		turn(w);
		oracle_step(w);
		w->steps++;
		if (w->steps > 5000000)
			oracle_break(&w->oracle, "time goes on", "stuck at %lld",
				(long long)w->now_ns);
	}
	if (w->oracle.broken == NULL)
		oracle_end(w);
	return w->oracle.broken == NULL;
}
