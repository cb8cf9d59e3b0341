/* SPDX-License-Identifier: Apache-2.0
 *
 * sim [--seeds N] [--seed K] [-v]: N runs from seed K on, one line each; some races; a summary.
 */
#include "sim.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct sums {
	uint64_t runs, clean, tasks, results, cached, steps, lost, doubled, crashes, partitions,
		farewells, router_crashes, recovered, slowed, twins, twins_won, pauses, chunks,
		chunks_lost;
};

static void tell(const struct world *w, bool held)
{
	const struct router_counts none = { 0 };
	const struct router_counts *n =
		w->router == NULL ? &none : router_counts(router_core_machine(w->router));

	if (!held) {
		printf("not ok seed %" PRIu64 "\n# broken: %s (%s) at %.3f s, step %" PRIu64
		       "\n# again: make sim SEEDS=1 SEED=%" PRIu64 "\n",
			w->seed, w->oracle.broken, w->oracle.detail,
			(double)(w->now_ns % (100000 * SEC)) / SEC, w->steps, w->seed);
		return;
	}
	printf("ok seed %" PRIu64 "\n", w->seed);
	if (w->verbose)
		printf("# nodes %u accepted %" PRIu64 " refused %" PRIu64 " succeeded %" PRIu64
		       " failed %" PRIu64 " cancelled %" PRIu64 " expired %" PRIu64 " dead %" PRIu64
		       " hops %" PRIu64 " retries %" PRIu64 " lost %" PRIu64 " stale %" PRIu64
		       " steps %" PRIu64 "\n",
			w->toys_n, n->accepted, n->refused, n->succeeded, n->failed, n->cancelled,
			n->expired, n->dead, n->hops, n->retries, n->lost, n->stale, w->steps);
}

static void add(struct sums *sums, const struct world *w)
{
	sums->tasks += w->oracle.known_n;
	sums->results += w->oracle.results;
	sums->cached += w->oracle.cached;
	sums->steps += w->steps;
	sums->lost += w->messages_lost;
	sums->doubled += w->messages_doubled;
	sums->crashes += w->crashes;
	sums->partitions += w->partitions;
	sums->farewells += w->farewells;
	sums->router_crashes += w->router_crashes;
	sums->recovered += w->recovered;
	sums->slowed += w->slowed;
	sums->twins += w->twins;
	sums->twins_won += w->twins_won;
	sums->pauses += w->pauses;
	sums->chunks += w->chunks;
	sums->chunks_lost += w->chunks_lost;
}

static void run_one(uint64_t seed, bool verbose, struct sums *sums)
{
	int64_t held_before = mem_held();
	struct world *w = world_new(seed, verbose);
	bool clean = world_run(w);

	if (w->router != NULL)
		router_count(w);
	add(sums, w);
	tell(w, clean);
	world_free(w);
	if (mem_held() != held_before) {
		printf("not ok seed %" PRIu64 " leaves %" PRId64 " blocks\n", seed,
			mem_held() - held_before);
		clean = false;
	}
	sums->runs++;
	sums->clean += clean;
}

/* The line that scripts/run-tests shows, too. */
static void tell_sums(const struct sums *sums, uint64_t first)
{
	printf("# sim: %" PRIu64 " of %" PRIu64 " seeds clean, from seed %" PRIu64 " on: %" PRIu64
	       " tasks and parts, %" PRIu64 " results, %" PRIu64 " of them cached, %" PRIu64
	       " steps, %" PRIu64 " messages lost, %" PRIu64 " doubled, %" PRIu64
	       " crashes, %" PRIu64 " partitions, %" PRIu64 " farewells, %" PRIu64
	       " attempts paused, %" PRIu64 " crashes of the router, %" PRIu64
	       " of them with hashes compared, %" PRIu64 " nodes slow, %" PRIu64
	       " second attempts, %" PRIu64 " of them won, %" PRIu64 " chunks read, %" PRIu64
	       " told lost\n",
		sums->clean, sums->runs, first, sums->tasks, sums->results, sums->cached,
		sums->steps, sums->lost, sums->doubled, sums->crashes, sums->partitions,
		sums->farewells, sums->pauses, sums->router_crashes, sums->recovered, sums->slowed,
		sums->twins, sums->twins_won, sums->chunks, sums->chunks_lost);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seeds", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' }, { NULL, 0, NULL, 0 } };
	uint64_t seeds = 20, first = 1;
	bool verbose = false, paid;
	struct sums sums = { 0 };
	int c;

	setvbuf(stdout, NULL, _IOLBF, 0); /* whole lines, between those of the log */
	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (c == 'n')
			seeds = strtoull(optarg, NULL, 10);
		else if (c == 's')
			first = strtoull(optarg, NULL, 10);
		else if (c == 'v')
			verbose = true;
		else
			return 2;
	}
	for (uint64_t i = 0; i < seeds; i++)
		run_one(first + i, verbose, &sums);
	paid = race_run();
	tell_sums(&sums, first);
	return !paid || sums.clean < sums.runs;
}
