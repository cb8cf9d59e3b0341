/* SPDX-License-Identifier: Apache-2.0
 *
 * spu bench: keeps a number of tasks open for some seconds, and says how many ended and how long one took,
 * from its submit to the arrival of its result.
 */
#include <stdio.h>

#include "base/hist.h"
#include "base/mem.h"
#include "services/cli/cli.h"
#include "services/cli/input.h"
#include "services/cli/json.h"

#define SECONDS 5
#define IN_FLIGHT 256
#define BYTES 256
#define DRAIN_NS (10 * NS_PER_S)

struct run;

/* One task open at a time. */
struct lane {
	struct run *run;
	int64_t sent_ns;
};

struct run {
	struct cli *c;
	struct submit submit;
	struct buf body;
	struct lane *lanes;
	uint32_t lanes_n;
	uint32_t busy; /* lanes with an open task */
	int64_t began_ns, ended_ns;
	uint64_t done, failed, refused;
	struct fail why; /* of the first one that failed or was refused */
	struct hist latency_us;
	struct loop_timer timer;
	bool is_over; /* no more submits */
	int finished;
};

static void on_reply(void *ctx, const struct submit_reply *r);
static void on_event(void *ctx, const struct event *e);

static void lane_idle(struct run *run)
{
	run->busy--;
	if (run->busy == 0) {
		run->is_over = true;
		run->finished = 1;
	}
}

static void lane_next(struct lane *lane)
{
	struct run *run = lane->run;
	int r;

	if (run->is_over) {
		lane_idle(run);
		return;
	}
	lane->sent_ns = clocks_mono();
	r = client_submit(run->c->client, &run->submit, on_reply, on_event, lane);
	if (r < 0) {
		fail_set(&run->why, r, NULL, 0, NULL);
		lane_idle(run);
	}
}

/* A refused lane stops: it would only be refused again, as fast as it asks. */
static void on_reply(void *ctx, const struct submit_reply *r)
{
	struct lane *lane = ctx;
	struct run *run = lane->run;

	if (r->fail.code == 0 || run->finished != 0)
		return;
	run->refused++;
	if (run->why.code == 0)
		run->why = r->fail;
	lane_idle(run);
}

static void on_event(void *ctx, const struct event *e)
{
	struct lane *lane = ctx;
	struct run *run = lane->run;

	if (e->kind != EVENT_END)
		return;
	if (e->result.state == STATE_SUCCEEDED) {
		run->done += !run->is_over;
		hist_add(&run->latency_us, (clocks_mono() - lane->sent_ns) / NS_PER_US);
	} else {
		run->failed++;
		if (run->why.code == 0)
			run->why = e->result.fail;
	}
	lane_next(lane);
}

static void on_due(void *ctx, int64_t now_ns)
{
	struct run *run = ctx;

	if (run->is_over) {
		run->finished = 1; /* the rest takes too long */
		return;
	}
	run->is_over = true;
	run->ended_ns = clocks_mono();
	if (loop_timer_set(&run->c->loop, &run->timer, now_ns + DRAIN_NS) < 0)
		run->finished = 1;
}

static int build(struct run *run)
{
	const struct opts *o = &run->c->opts;
	size_t bytes = o->bytes < 0 ? BYTES : (size_t)o->bytes;
	unsigned char *data = mem_alloc(bytes);
	struct fail why = { 0 };
	int r = 0;

	run->lanes_n = o->in_flight < 0 ? IN_FLIGHT : (uint32_t)o->in_flight;
	run->lanes = mem_alloc(run->lanes_n * sizeof(*run->lanes));
	if (data != NULL) {
		memset(data, 'x', bytes);
		body_put_item(&run->body, (struct span){ 0 }, (struct span){ 0 },
			span_of(data, bytes));
	}
	run->submit = (struct submit){
		.kind = span_str(o->kind != NULL ? o->kind : "util.echo"),
		.fast = true,
	};
	if (data == NULL || run->lanes == NULL)
		r = fail_set(&why, ERR_NO_MEMORY, NULL, 0, NULL);
	else
		r = input_params(&run->body, &o->args, 0, &why);
	run->submit.body = buf_span(&run->body);
	if (r == 0 && buf_err(&run->body) < 0)
		r = fail_set(&why, buf_err(&run->body), "body", LIMIT_BODY_BYTES, NULL);
	if (r == 0)
		r = input_check(run->submit.kind, run->submit.body, &why);
	mem_free(data);
	return r < 0 ? cli_fail(&why) : 0;
}

static int report(const struct run *run)
{
	const struct hist *h = &run->latency_us;
	int64_t took_ns = run->ended_ns - run->began_ns;
	int64_t per_s = took_ns <= 0 ? 0 : (int64_t)((__int128)run->done * NS_PER_S / took_ns);
	char p50[24], p99[24], max[24];
	CLEANUP(json_done) struct json j = { 0 };

	json_init(&j);
	if (run->c->opts.json) {
		json_open(&j, NULL, '{');
		json_int(&j, "tasks_per_s", per_s);
		json_int(&j, "p50_us", (int64_t)hist_at(h, 500));
		json_int(&j, "p99_us", (int64_t)hist_at(h, 990));
		json_int(&j, "max_us", (int64_t)h->max);
		json_int(&j, "done", (int64_t)run->done);
		json_int(&j, "failed", (int64_t)run->failed);
		json_int(&j, "refused", (int64_t)run->refused);
		json_int(&j, "in_flight", run->lanes_n);
		json_int(&j, "took_ms", took_ns / NS_PER_MS);
		json_shut(&j, '}');
		return json_print(&j);
	}
	printf("tasks/s   %lld\n", (long long)per_s);
	printf("p50       %s\n", fmt_duration_text((int64_t)hist_at(h, 500) * NS_PER_US, p50));
	printf("p99       %s\n", fmt_duration_text((int64_t)hist_at(h, 990) * NS_PER_US, p99));
	printf("max       %s\n", fmt_duration_text((int64_t)h->max * NS_PER_US, max));
	printf("done      %llu\nfailed    %llu\nrefused   %llu\n", (unsigned long long)run->done,
		(unsigned long long)run->failed, (unsigned long long)run->refused);
	return 0;
}

static int start(struct run *run)
{
	const struct opts *o = &run->c->opts;
	int64_t seconds = o->seconds < 0 ? SECONDS : o->seconds;
	struct loop *l = &run->c->loop;
	int r;

	run->timer = (struct loop_timer){ .on_due = on_due, .ctx = run };
	run->began_ns = clocks_mono();
	r = loop_timer_set(l, &run->timer, clocks_now(&l->clocks) + seconds * NS_PER_S);
	if (r < 0)
		return cli_fail_text(r, "no timer is left");
	if (!o->quiet)
		fprintf(stderr, "%u %.*s tasks in flight for %lld s\n", run->lanes_n,
			(int)run->submit.kind.len, (const char *)run->submit.kind.at,
			(long long)seconds);
	run->busy = run->lanes_n;
	for (uint32_t i = 0; i < run->lanes_n; i++) {
		run->lanes[i].run = run;
		lane_next(&run->lanes[i]);
	}
	r = cli_wait(run->c, &run->finished);
	run->finished = 1;
	loop_timer_stop(l, &run->timer);
	if (run->ended_ns == 0)
		run->ended_ns = clocks_mono();
	/* Submits that are not answered would be told later, when the lanes are gone. */
	client_close(run->c->client);
	run->c->client = NULL;
	return r == EXIT_INTERRUPTED ? 0 : r;
}

int cmd_bench(struct cli *c)
{
	struct run run = { .c = c };
	int r = input_check_words(&c->opts.args, 0);

	if (r != 0)
		return r;
	buf_init(&run.body, LIMIT_BODY_BYTES);
	r = build(&run);
	if (r == 0)
		r = cli_open(c);
	if (r == 0)
		r = start(&run);
	if (r == 0 && report(&run) < 0)
		r = cli_fail_text(ERR_IO, "standard output");
	if (r == 0 && run.why.code != 0)
		r = cli_fail(&run.why);
	buf_done(&run.body);
	mem_free(run.lanes);
	return r;
}
