/* SPDX-License-Identifier: Apache-2.0
 *
 * crash: the router dies between any two turns, what its journal had not made safe is gone, and a new one reads the
 * rest.
 */
#include "sim.h"

#include <stdio.h>

/* Ahead or behind, at most: by twice as much a deadline can move away, and all must end before the run does. */
#define CLOCK_OFF_NS (20 * SEC)

/* --- the disk ----------------------------------------------------------------------------------------- */

void disk_turn(struct world *w)
{
	struct journal *j = w->journal;

	if (w->weather.disk_ns == 0)
		return;
	if (w->groups != j->groups) {
		w->groups = j->groups;
		w->safe_ns =
			w->now_ns + (int64_t)prng_below(&w->prng, (uint64_t)w->weather.disk_ns);
	}
	if (w->safe_ns != 0 && w->safe_ns <= w->now_ns) {
		w->safe_ns = 0;
		journal_mem_release(j);
		/* As its on_safe would: another turn, which lets go what is safe. */
		if (w->router != NULL && router_core_turn(w->router) < 0)
			oracle_break(&w->oracle, "the journal never fails here", "%llu",
				(unsigned long long)w->steps);
	}
}

int64_t disk_wake(const struct world *w)
{
	if (w->weather.disk_ns > 0 && w->groups != w->journal->groups)
		return w->now_ns;
	return w->safe_ns == 0 ? INT64_MAX : w->safe_ns;
}

/* --- the end ------------------------------------------------------------------------------------------ */

struct copy {
	struct world *world;
	struct router *machine;
};

static bool on_row(void *ctx, const struct journal_image *image)
{
	const struct copy *c = ctx;
	struct fail why = { 0 };

	if (router_restore(c->machine, image, &why) == 0)
		return true;
	oracle_break(&c->world->oracle, "every row can be restored", "%s %s", why.field,
		why.detail);
	return false;
}

/* What would be read is what is there, to the byte. */
static void check_hash(struct world *w)
{
	struct router *r = router_core_machine(w->router);
	struct copy c = { w, router_new(&w->router_conf.machine, w->now_ns) };
	uint64_t here, there;

	CHECK(c.machine != NULL);
	w->journal->ops->load(w->journal, on_row, &c);
	CHECK(router_hash(r, &here) == 0 && router_hash(c.machine, &there) == 0);
	if (w->oracle.broken == NULL && here != there)
		oracle_break(&w->oracle, "the journal holds what the machine holds", "%llx %llx",
			(unsigned long long)here, (unsigned long long)there);
	router_free(c.machine);
}

void router_count(struct world *w)
{
	const struct router_counts *n = router_counts(router_core_machine(w->router));

	w->twins += n->twins;
	w->twins_won += n->twins_won;
}

void router_crash(struct world *w)
{
	if (w->router == NULL)
		return;
	router_count(w);
	if (w->journal->safe == w->journal->appended) {
		check_hash(w);
		w->recovered++;
	}
	journal_mem_fail(w->journal, 0, ERR_IO); /* its end writes nothing more */
	router_core_close(w->router);
	journal_mem_fail(w->journal, 0, 0);
	bus_close(w->router_bus);
	journal_mem_crash(w->journal);
	w->router = NULL;
	w->router_bus = NULL;
	w->router_knows_cut = false;
	w->safe_ns = 0;
	w->groups = w->journal->groups;
	w->router_crashes++;
	w->router_back_ns = w->now_ns + (int64_t)prng_below(&w->prng, 20 * SEC);
	oracle_crash(w);
}

void router_return(struct world *w)
{
	struct fail why = { 0 };

	if (w->router != NULL || w->now_ns < w->router_back_ns)
		return;
	/* Its machine's clock was set meanwhile, or it runs on another machine. */
	if (prng_below(&w->prng, 2) == 0)
		w->router_off_ns = (int64_t)prng_below(&w->prng, 2 * CLOCK_OFF_NS) - CLOCK_OFF_NS;
	w->router_conf.machine.seed = prng_next(&w->prng);
	w->router_conf.machine.incarnation++;
	w->router_bus = bus_mem_open(w->net, "router");
	CHECK(w->router_bus != NULL);
	w->router_conf.bus = w->router_bus;
	w->router = router_core_open(&w->router_conf, &why);
	if (w->router == NULL)
		oracle_break(&w->oracle, "a router returns", "%s %s", why.field, why.detail);
	else
		router_core_greet(w->router);
}
