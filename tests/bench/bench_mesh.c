/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_mesh [SECONDS]: tasks of kind util.echo, 256 bytes, every feature on, through real processes (one
 * router, one CPU node), beside the bare hop (bare_hop.h) on the same nats-server in the same run. The two
 * are measured in turn, several times; the medians are told.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/bare_hop.h"
#include "tests/bench/load.h"
#include "tests/support/nats.h"
#include "tests/support/proc.h"

#define ROUNDS 3
#define MANY 4096

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof *v, by_size);
	return v[ROUNDS / 2];
}

struct figures {
	double bare_per_s[ROUNDS], fast_per_s[ROUNDS], ratio[ROUNDS];
	double bare_us[ROUNDS], fast_us[ROUNDS], ratio_us[ROUNDS], p99_us[ROUNDS];
};

static int measure(const char *url, double seconds, struct figures *f)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct bare_hop_result many, alone;
		struct load_result fast, fast_alone;

		if (bare_hop_run(url, MANY, seconds, &many) < 0 ||
			load_run(url, MANY, seconds, true, &fast) < 0 ||
			bare_hop_run(url, 1, seconds / 2, &alone) < 0 ||
			load_run(url, 1, seconds / 2, true, &fast_alone) < 0)
			return -1;
		if (fast.failed + fast_alone.failed > 0)
			fprintf(stderr, "%lu tasks failed\n",
				(unsigned long)(fast.failed + fast_alone.failed));
		f->bare_per_s[i] = many.per_s;
		f->fast_per_s[i] = fast.per_s;
		f->ratio[i] = fast.per_s / many.per_s;
		f->bare_us[i] = alone.p50_us;
		f->fast_us[i] = fast_alone.p50_us;
		f->ratio_us[i] = fast_alone.p50_us / alone.p50_us;
		f->p99_us[i] = fast_alone.p99_us;
	}
	return 0;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 3;
	struct broker broker = { 0 };
	struct proc router = { 0 }, node = { 0 };
	struct figures f = { 0 };
	int r;

	broker_init(&broker);
	broker_start(&broker, NULL);
	const char *const router_args[] = { "--url", broker.url, "--name", "router-1",
		"--log-level", "warn", NULL };
	const char *const node_args[] = { "--url", broker.url, "--name", "cpu-1", "--log-level",
		"warn", "--slots", "4096", NULL };

	r = proc_start(&router, "spu-router", router_args);
	if (r == 0)
		r = proc_start(&node, "spu-cpu-node", node_args);
	if (r == 0)
		r = measure(broker.url, seconds, &f);
	proc_stop(&node);
	proc_stop(&router);
	broker_done(&broker);
	if (r < 0)
		return 1;
	printf("figure bare_hop_per_s %.0f 1/s\n", median(f.bare_per_s));
	printf("figure fast_tasks_per_s %.0f 1/s\n", median(f.fast_per_s));
	printf("figure fast_to_bare %.2f ratio\n", median(f.ratio));
	printf("figure bare_hop_alone_us %.1f us\n", median(f.bare_us));
	printf("figure fast_alone_us %.1f us\n", median(f.fast_us));
	printf("figure fast_alone_to_bare %.2f ratio\n", median(f.ratio_us));
	printf("figure fast_alone_p99_us %.1f us\n", median(f.p99_us));
	return 0;
}
