/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_size [SECONDS [TASKS]]: what a process of the mesh takes: memory when idle, time until it is ready, and how late
 * its 10 Hz control loop runs while a tenant keeps 4,096 (TASKS) under way. Real processes, a nats-server of its
 * own. Of the router and the CPU node the worse is told.
 */
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fmt.h"
#include "tests/bench/load.h"
#include "tests/support/nats.h"
#include "tests/support/proc.h"

#define MANY 4096
#define STARTS 5 /* the slowest of so many counts */
#define ANSWER_MS 5000
#define STATS_BYTES 65536

struct figures {
	long cpu_node_kb, router_kb;
	int64_t ready_ns;
	long late_us; /* p99, the worse of the two */
	double tasks_per_s;
};

struct both {
	struct proc router, node;
};

static int start(struct both *b, const char *url, struct figures *f)
{
	const char *const router[] = { "--url", url, "--name", "router-1", "--log-level", "warn",
		NULL };
	const char *const node[] = { "--url", url, "--name", "cpu-1", "--log-level", "warn",
		"--slots", "4096", NULL };

	if (proc_start(&b->router, "spu-router", router) < 0 ||
		proc_start(&b->node, "spu-cpu-node", node) < 0)
		return -1;
	if (b->router.ready_ns > f->ready_ns)
		f->ready_ns = b->router.ready_ns;
	if (b->node.ready_ns > f->ready_ns)
		f->ready_ns = b->node.ready_ns;
	return 0;
}

static void stop(struct both *b)
{
	proc_stop(&b->node);
	proc_stop(&b->router);
}

/* p99 of how late the control loop of a process ran so far, or -1. */
static long late_us(natsConnection *nc, const char *process)
{
	char subject[64], text[STATS_BYTES];
	natsMsg *m = NULL;
	const char *at;
	long p99 = -1;

	snprintf(subject, sizeof subject, "$SRV.STATS.%s", process);
	if (natsConnection_RequestString(&m, nc, subject, "", ANSWER_MS) != NATS_OK)
		return -1;
	snprintf(text, sizeof text, "%.*s", natsMsg_GetDataLength(m), natsMsg_GetData(m));
	at = strstr(text, "control_late_us");
	at = at == NULL ? NULL : strstr(at, "\"p99\":");
	if (at != NULL)
		p99 = strtol(at + strlen("\"p99\":"), NULL, 10);
	natsMsg_Destroy(m);
	return p99;
}

static int ask_late(const char *url, struct figures *f)
{
	natsConnection *nc = NULL;
	long router, node;

	if (natsConnection_ConnectTo(&nc, url) != NATS_OK)
		return -1;
	router = late_us(nc, "spu-router.router-1");
	node = late_us(nc, "spu-cpu-node.cpu-1");
	fprintf(stderr, "router %ld us, node %ld us late, at %.0f tasks/s\n", router, node,
		f->tasks_per_s);
	f->late_us = router > node ? router : node;
	natsConnection_Destroy(nc);
	return router < 0 || node < 0 ? -1 : 0;
}

static int measure(const char *url, double seconds, unsigned tasks, struct figures *f)
{
	struct both b = { 0 };
	struct load_result load = { 0 };
	int r = 0;

	for (int i = 0; i < STARTS && r == 0; i++) {
		stop(&b);
		r = start(&b, url, f);
	}
	if (r == 0) {
		f->cpu_node_kb = proc_rss_kb(&b.node);
		f->router_kb = proc_rss_kb(&b.router);
		r = load_run(url, tasks, seconds, true, &load);
	}
	if (load.failed > 0)
		fprintf(stderr, "%lu tasks failed\n", (unsigned long)load.failed);
	f->tasks_per_s = load.per_s;
	if (r == 0)
		r = ask_late(url, f);
	stop(&b);
	return r;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 10;
	unsigned tasks = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : MANY;
	struct broker broker = { 0 };
	struct figures f = { 0 };
	int r;

	broker_init(&broker);
	broker_start(&broker, NULL);
	r = measure(broker.url, seconds, tasks, &f);
	broker_done(&broker);
	nats_Close();
	if (r < 0)
		return 1;
	printf("figure cpu_node_rss_kb %ld KB\n", f.cpu_node_kb);
	printf("figure router_rss_kb %ld KB\n", f.router_kb);
	printf("figure ready_ms %.1f ms\n", (double)f.ready_ns / 1e6);
	printf("figure loop_jitter_p99_us %ld us\n", f.late_us);
	return 0;
}
