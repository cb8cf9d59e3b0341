/* SPDX-License-Identifier: Apache-2.0
 *
 * load: submit, hear the end, submit again.
 */
#include "tests/bench/load.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fmt.h"
#include "base/hist.h"
#include "base/mem.h"
#include "run/bus_nats.h"
#include "run/client.h"
#include "run/keys.h"
#include "wire/body.h"

#define PAYLOAD 256
#define WARM_SHARE 4 /* a quarter of the time goes by before counting */
#define FLIGHT_MAX 16384

/* One task under way. */
struct flight {
	struct load *load;
	int64_t begun_ns;
	struct loop_timer again;
};

struct load {
	struct loop loop;
	struct bus *bus;
	struct client *client;
	struct buf body;
	struct flight flights[FLIGHT_MAX];
	struct hist took_ns;
	struct hist acked_ns;
	uint64_t done, failed, refused;
	bool fast;
	int64_t count_from_ns, stop_ns;
};

static void submit(struct flight *f);

static void ended(struct flight *f, bool succeeded)
{
	struct load *l = f->load;
	int64_t now = clocks_mono();

	if (now >= l->count_from_ns && now < l->stop_ns) {
		l->done += succeeded;
		l->failed += !succeeded;
		hist_add(&l->took_ns, now - f->begun_ns);
	}
	if (now < l->stop_ns)
		submit(f);
	else
		loop_stop(&l->loop);
}

static void on_again(void *ctx, int64_t now_ns)
{
	const struct flight *f = ctx;

	(void)now_ns;
	if (clocks_mono() < f->load->stop_ns)
		submit(ctx);
	else
		loop_stop(&f->load->loop);
}

static void on_reply(void *ctx, const struct submit_reply *r)
{
	struct flight *f = ctx;
	struct load *l = f->load;
	int64_t now = clocks_mono();

	if (r->fail.code == 0) {
		if (now >= l->count_from_ns && now < l->stop_ns)
			hist_add(&l->acked_ns, now - f->begun_ns);
		return;
	}
	if (r->fail.code != ERR_BUSY || r->fail.retry_after_ms == 0) {
		ended(f, false);
		return;
	}
	l->refused += now >= l->count_from_ns && now < l->stop_ns;
	f->again = (struct loop_timer){ .on_due = on_again, .ctx = f };
	if (loop_timer_set(&l->loop, &f->again,
		    l->loop.now_ns + r->fail.retry_after_ms * NS_PER_MS) < 0)
		ended(f, false);
}

static void on_event(void *ctx, const struct event *e)
{
	if (e->kind == EVENT_END)
		ended(ctx, e->result.state == STATE_SUCCEEDED);
}

static void submit(struct flight *f)
{
	struct load *l = f->load;
	struct submit s = {
		.kind = SPAN_LIT("util.echo"),
		.body = buf_span(&l->body),
		.fast = l->fast,
	};

	f->begun_ns = clocks_mono();
	if (client_submit(l->client, &s, on_reply, on_event, f) < 0)
		l->failed++;
}

static int run(struct load *l, const char *url, unsigned in_flight, double seconds)
{
	struct bus_nats_conf nats = { .url = url, .name = "load" };
	struct client_conf conf = { .tenant = SPAN_LIT("local"), .timeout_ns = 30 * NS_PER_S };
	struct fail why = { 0 };
	unsigned char payload[PAYLOAD];

	memset(payload, 'x', sizeof payload);
	buf_init(&l->body, 4096);
	body_put_item(&l->body, SPAN_LIT(""), SPAN_LIT(""), span_of(payload, sizeof payload));
	if (keys_open() < 0 || loop_open(&l->loop) < 0)
		return ERR_IO;
	l->bus = bus_nats_open(&l->loop, &nats, &why);
	for (int i = 0; l->bus != NULL && i < 500 && l->bus->state != BUS_UP; i++)
		if (loop_turn(&l->loop, 10 * NS_PER_MS) < 0)
			return ERR_IO;
	l->client = l->bus == NULL ? NULL : client_open(&l->loop, l->bus, &conf);
	if (l->client == NULL)
		return ERR_IO;
	l->count_from_ns = clocks_mono() + (int64_t)(seconds * 1e9 / WARM_SHARE);
	l->stop_ns = clocks_mono() + (int64_t)(seconds * 1e9);
	for (unsigned i = 0; i < in_flight && i < FLIGHT_MAX; i++) {
		l->flights[i].load = l;
		submit(&l->flights[i]);
	}
	return loop_run(&l->loop);
}

static void child(int to, const char *url, unsigned in_flight, double seconds, bool fast)
{
	struct load *l = mem_alloc(sizeof *l);
	struct load_result r = { 0 };
	int err = ERR_NO_MEMORY;

	if (l != NULL) {
		l->fast = fast;
		err = run(l, url, in_flight, seconds);
	}
	if (err < 0)
		_exit(1);
	r.per_s = (double)l->done / ((double)(l->stop_ns - l->count_from_ns) / 1e9);
	r.p50_us = (double)hist_at(&l->took_ns, 500) / 1e3;
	r.p99_us = (double)hist_at(&l->took_ns, 990) / 1e3;
	r.ack_p50_us = (double)hist_at(&l->acked_ns, 500) / 1e3;
	r.ack_p99_us = (double)hist_at(&l->acked_ns, 990) / 1e3;
	r.failed = l->failed;
	r.refused = l->refused;
	_exit(write(to, &r, sizeof r) == (ssize_t)sizeof r ? 0 : 1);
}

int load_run(const char *url, unsigned in_flight, double seconds, bool fast,
	struct load_result *ret)
{
	int pipes[2], status;
	pid_t pid;
	ssize_t n;

	if (pipe(pipes) != 0)
		return ERR_IO;
	pid = fork();
	if (pid == 0)
		child(pipes[1], url, in_flight, seconds, fast);
	close(pipes[1]);
	n = read(pipes[0], ret, sizeof *ret);
	close(pipes[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || n != (ssize_t)sizeof *ret)
		return ERR_IO;
	return 0;
}
