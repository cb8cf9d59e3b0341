/* SPDX-License-Identifier: Apache-2.0
 *
 * bare_hop: the roles are the same whichever way messages move; a way is how to open, to publish and to wait.
 */
#include "tests/bench/bare_hop.h"

#include <nats/nats.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "run/bus_nats.h"

#define TASK_BYTES 256
#define DONE_BYTES 16
#define WARM_NS (NS_PER_S / 5)
#define START_NS (10 * NS_PER_S)
#define KNOCK_NS (50 * NS_PER_MS)
#define SAMPLES (1u << 20)
#define NOTHING span_of(NULL, 0)

enum role { CLIENT, ROUTER, NODE, ROLES };
enum subject { TO_CLIENT, TO_ROUTER, TO_NODE, DONE, SUBJECTS };

struct hop;

struct way {
	void (*open)(struct hop *h, const char *url);
	void (*listen)(struct hop *h, enum subject s);
	void (*publish)(struct hop *h, enum subject s, const void *at, size_t len);
	void (*wait)(struct hop *h, int64_t ns); /* let messages move */
};

struct hop {
	const struct way *way;
	enum role role;
	unsigned in_flight;
	char subjects[SUBJECTS][48];
	atomic_uint_fast64_t n;    /* client: tasks that came back */
	atomic_uint_fast64_t done; /* router: tasks that it knows to be done */
	atomic_bool is_running;    /* client: what comes back is sent again */
	int64_t sent_ns;
	uint32_t *samples_ns; /* with one in flight */
	uint32_t samples;
	/* One way's: */
	natsConnection *nc;
	/* The other's: */
	struct loop loop;
	struct bus *bus;
};

static _Noreturn void give_up(const char *what)
{
	(void)fprintf(stderr, "bare hop: %s\n", what);
	_exit(1);
}

/* The roles */

static void send_task(struct hop *h, const void *at, size_t len)
{
	if (h->in_flight == 1)
		h->sent_ns = clocks_mono();
	h->way->publish(h, TO_ROUTER, at, len);
}

static void come_back(struct hop *h, const void *at, size_t len)
{
	if (!atomic_load_explicit(&h->is_running, memory_order_relaxed)) {
		atomic_fetch_add(&h->n, 1);
		return;
	}
	if (h->in_flight == 1 && h->samples < SAMPLES)
		h->samples_ns[h->samples++] = (uint32_t)(clocks_mono() - h->sent_ns);
	atomic_fetch_add_explicit(&h->n, 1, memory_order_relaxed);
	send_task(h, at, len);
}

static void take(struct hop *h, enum subject s, const void *at, size_t len)
{
	switch (s) {
	case TO_CLIENT:
		come_back(h, at, len);
		break;
	case TO_ROUTER:
		h->way->publish(h, TO_NODE, at, len);
		break;
	case TO_NODE:
		h->way->publish(h, TO_CLIENT, at, len);
		h->way->publish(h, DONE, at, DONE_BYTES);
		break;
	default:
		atomic_fetch_add_explicit(&h->done, 1, memory_order_relaxed);
	}
}

/* Knock until a task comes back: then all have subscribed. Then let go what else was sent. */
static void wait_for_others(struct hop *h)
{
	static const unsigned char task[TASK_BYTES];
	int64_t end_ns = clocks_mono() + START_NS;

	while (atomic_load(&h->n) == 0) {
		if (clocks_mono() > end_ns)
			give_up("the others do not answer");
		h->way->publish(h, TO_ROUTER, task, sizeof(task));
		h->way->wait(h, KNOCK_NS);
	}
	h->way->wait(h, 4 * KNOCK_NS);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void run_client(struct hop *h, double seconds, double ret[2])
{
	static const unsigned char task[TASK_BYTES];
	int64_t start_ns, took_ns;
	uint64_t n;

	h->samples_ns = mem_alloc(SAMPLES * sizeof(*h->samples_ns));
	if (h->samples_ns == NULL)
		give_up("no memory");
	wait_for_others(h);
	atomic_store(&h->is_running, true);
	for (unsigned i = 0; i < h->in_flight; i++)
		send_task(h, task, sizeof(task));
	h->way->wait(h, WARM_NS);
	n = atomic_load(&h->n);
	start_ns = clocks_mono();
	h->way->wait(h, (int64_t)(seconds * NS_PER_S));
	took_ns = clocks_mono() - start_ns;
	n = atomic_load(&h->n) - n;
	atomic_store(&h->is_running, false);
	h->way->wait(h, KNOCK_NS);
	ret[0] = (double)n * NS_PER_S / (double)took_ns;
	ret[1] = 0;
	if (h->samples > 0) {
		qsort(h->samples_ns, h->samples, sizeof(*h->samples_ns), compare);
		ret[1] = (double)h->samples_ns[h->samples / 2] / 1000;
	}
}

/* libnats as it comes: its threads read, write and call us. With one task in flight each message leaves at
 * once, else they gather until the buffer is full or a millisecond has passed. */

struct listener {
	struct hop *h;
	enum subject s;
};

static void callbacks_on_msg(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *ctx)
{
	const struct listener *l = ctx;

	(void)nc;
	(void)sub;
	take(l->h, l->s, natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
	natsMsg_Destroy(msg);
}

static void callbacks_open(struct hop *h, const char *url)
{
	natsOptions *o = NULL;

	if (natsOptions_Create(&o) != NATS_OK || natsOptions_SetURL(o, url) != NATS_OK ||
		natsOptions_SetSendAsap(o, h->in_flight == 1) != NATS_OK ||
		natsConnection_Connect(&h->nc, o) != NATS_OK)
		give_up("no connection");
	natsOptions_Destroy(o);
}

static void callbacks_listen(struct hop *h, enum subject s)
{
	struct listener *l = mem_alloc(sizeof(*l));
	natsSubscription *sub = NULL;

	if (l == NULL)
		give_up("no memory");
	*l = (struct listener){ h, s };
	if (natsConnection_Subscribe(&sub, h->nc, h->subjects[s], callbacks_on_msg, l) != NATS_OK ||
		natsSubscription_SetPendingLimits(sub, -1, -1) != NATS_OK ||
		natsConnection_Flush(h->nc) != NATS_OK)
		give_up("no subscription");
}

static void callbacks_publish(struct hop *h, enum subject s, const void *at, size_t len)
{
	if (natsConnection_Publish(h->nc, h->subjects[s], at, (int)len) != NATS_OK)
		give_up("a message was refused");
}

static void callbacks_wait(struct hop *h, int64_t ns)
{
	const struct timespec t = { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };

	(void)h;
	(void)nanosleep(&t, NULL);
}

static const struct way by_callbacks = { callbacks_open, callbacks_listen, callbacks_publish,
	callbacks_wait };

/* Our bus */

static void bus_on_msg(void *ctx, const struct bus_msg *m)
{
	const struct listener *l = ctx;

	take(l->h, l->s, m->data.at, m->data.len);
}

static void bus_way_open(struct hop *h, const char *url)
{
	const struct bus_nats_conf conf = { .url = url };
	int64_t end_ns = clocks_mono() + START_NS;

	if (loop_open(&h->loop) < 0)
		give_up("no loop");
	h->bus = bus_nats_open(&h->loop, &conf, NULL);
	while (h->bus != NULL && h->bus->state != BUS_UP && clocks_mono() < end_ns)
		if (loop_turn(&h->loop, KNOCK_NS) < 0)
			give_up("the loop failed");
	if (h->bus == NULL || h->bus->state != BUS_UP)
		give_up("no connection");
}

static void bus_way_listen(struct hop *h, enum subject s)
{
	struct listener *l = mem_alloc(sizeof(*l));

	if (l == NULL)
		give_up("no memory");
	*l = (struct listener){ h, s };
	if (bus_subscribe(h->bus, h->subjects[s], NULL, bus_on_msg, l) == NULL)
		give_up("no subscription");
	bus_flush(h->bus);
}

static void bus_way_publish(struct hop *h, enum subject s, const void *at, size_t len)
{
	if (bus_publish(h->bus, h->subjects[s], NULL, NOTHING, span_of(at, len)) < 0)
		give_up("a message was refused");
}

static void bus_way_wait(struct hop *h, int64_t ns)
{
	int64_t end_ns = clocks_mono() + ns, left_ns;

	bus_flush(h->bus);
	while ((left_ns = end_ns - clocks_mono()) > 0)
		if (loop_turn(&h->loop, left_ns) < 0)
			give_up("the loop failed");
}

static const struct way by_bus = { bus_way_open, bus_way_listen, bus_way_publish, bus_way_wait };

/* Processes */

static _Noreturn void play(struct hop *h, const char *url, double seconds, int report_fd)
{
	double ret[2];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	h->way->open(h, url);
	switch (h->role) {
	case CLIENT:
		h->way->listen(h, TO_CLIENT);
		run_client(h, seconds, ret);
		if (write(report_fd, ret, sizeof(ret)) != (ssize_t)sizeof(ret))
			give_up("no report");
		_exit(0);
	case ROUTER:
		h->way->listen(h, TO_ROUTER);
		h->way->listen(h, DONE);
		break;
	default:
		h->way->listen(h, TO_NODE);
	}
	for (;;)
		h->way->wait(h, NS_PER_S);
}

static int run_way(const struct way *way, const char *url, unsigned in_flight, double seconds,
	double ret[2])
{
	static const char *const names[] = { "client", "router", "node", "done" };
	pid_t pids[ROLES] = { 0 };
	int fds[2], r = ERR_IO;

	if (pipe(fds) < 0)
		return ERR_IO;
	for (unsigned role = ROLES; role-- > 0;) {
		struct hop h = { .way = way, .role = (enum role)role, .in_flight = in_flight };

		for (unsigned s = 0; s < SUBJECTS; s++)
			(void)snprintf(h.subjects[s], sizeof(h.subjects[s]), "bare.%d.%s",
				(int)getpid(), names[s]);
		pids[role] = fork();
		if (pids[role] == 0) {
			close(fds[0]);
			play(&h, url, seconds, fds[1]);
		}
	}
	close(fds[1]);
	/* The others hold the pipe too: wait for the client, not for its end. */
	if (pids[CLIENT] > 0 && waitpid(pids[CLIENT], NULL, 0) > 0) {
		for (unsigned role = ROUTER; role < ROLES; role++)
			if (pids[role] > 0 && kill(pids[role], SIGKILL) == 0)
				(void)waitpid(pids[role], NULL, 0);
		if (read(fds[0], ret, 2 * sizeof(ret[0])) == (ssize_t)(2 * sizeof(ret[0])))
			r = 0;
	}
	close(fds[0]);
	return r;
}

int bare_hop_run(const char *url, unsigned in_flight, double seconds, struct bare_hop_result *ret)
{
	double callbacks[2], bus[2];
	int r = run_way(&by_callbacks, url, in_flight, seconds, callbacks);

	if (r == 0)
		r = run_way(&by_bus, url, in_flight, seconds, bus);
	if (r < 0)
		return r;
	*ret = (struct bare_hop_result){
		.per_s = callbacks[0] > bus[0] ? callbacks[0] : bus[0],
		.p50_us = callbacks[1] < bus[1] ? callbacks[1] : bus[1],
		.callbacks_per_s = callbacks[0],
		.callbacks_p50_us = callbacks[1],
		.bus_per_s = bus[0],
		.bus_p50_us = bus[1],
	};
	return 0;
}
