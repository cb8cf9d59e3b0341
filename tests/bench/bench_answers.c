/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_answers: what the cache of results costs and saves a router, in its machine alone: one task from submit to end on
 * a node that answers at once, with nothing kept (task), as a request that is new (what that takes more: miss_added),
 * and as one that was answered before (hit); of bodies of 256 bytes and 32 KiB. cheap_added is of a kind that is
 * never kept. Each is the best of several rounds.
 */
#include <stdio.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "router/router.h"
#include "run/clocks.h"
#include "wire/body.h"

#define ROUNDS 7
#define TASKS 4000

struct world {
	struct router *r;
	struct router_out out;
	struct up done; /* of what was assigned last */
	bool is_assigned;
	uint64_t hits;
};

static void on_down(void *ctx, struct span node, const struct down *d, bool fast)
{
	struct world *w = ctx;

	(void)node, (void)fast;
	w->is_assigned = d->kind == DOWN_ASSIGN;
	w->done = (struct up){
		.kind = UP_DONE,
		.task = d->task,
		.attempt = d->attempt,
		.body = SPAN_LIT("\x12\x08\x1a\x06result"),
		.run_us = 5,
	};
}

static void on_event(void *ctx, struct span tenant, const char *stream, const struct event *e,
	bool fast)
{
	struct world *w = ctx;

	(void)tenant, (void)stream, (void)fast;
	w->hits += e->kind == EVENT_END && e->result.cache_hit;
}

static void on_record(void *ctx, const struct journal_record *record)
{
	(void)ctx, (void)record;
}

static void step(struct world *w, const struct router_event *e)
{
	CHECK(router_step(w->r, 2 * NS_PER_S, e, &w->out) == 0);
}

static void open_world(struct world *w, size_t cache_bytes)
{
	struct kind_offer kinds[] = { { .kind = SPAN_LIT("util.echo"), .ready = true },
		{ .kind = SPAN_LIT("text.stats"), .ready = true } };
	const struct offer offer = {
		.incarnation = 1,
		.seq = 1,
		.rung = RUNG_CPU,
		.kinds = kinds,
		.kinds_n = ARRAY_LEN(kinds),
		.slots = 64,
		.health = 1000,
	};
	struct router_conf conf;

	router_conf_default(&conf);
	conf.answers.bytes_max = cache_bytes;
	conf.results_max = 1000;
	*w = (struct world){ .out = { w, on_down, on_event, on_record, NULL } };
	w->r = router_new(&conf, NS_PER_S);
	CHECK(w->r != NULL);
	step(w, &(struct router_event){
			.kind = ROUTER_UP,
			.who = SPAN_LIT("n"),
			.up = &(struct up){ .kind = UP_OFFER, .offer = &offer },
		});
}

/* One task, from submit to end; n makes it another request. */
static void run_task(struct world *w, const char *kind, unsigned char *bytes, size_t len,
	uint32_t n)
{
	struct submit_reply reply;
	const struct submit s = {
		.kind = span_str(kind),
		.body = span_of(bytes, len),
		.fast = true,
	};

	memcpy(bytes + len - sizeof n, &n, sizeof n);
	w->is_assigned = false;
	step(w, &(struct router_event){
			.kind = ROUTER_SUBMIT,
			.who = SPAN_LIT("tenant"),
			.submit = &s,
			.reply = &reply,
		});
	CHECK(reply.fail.code == 0);
	if (w->is_assigned)
		step(w, &(struct router_event){
				.kind = ROUTER_UP,
				.who = SPAN_LIT("n"),
				.up = &w->done,
			});
}

/* Nanoseconds for a task; many: each is another request. */
static double measure(const char *kind, size_t item_bytes, size_t cache_bytes, bool many)
{
	static unsigned char item[32768];
	struct world w;
	struct buf body;
	int64_t best = INT64_MAX;
	uint32_t n = 0;

	buf_init(&body, LIMIT_BODY_BYTES);
	body_put_item(&body, (struct span){ 0 }, (struct span){ 0 }, span_of(item, item_bytes));
	open_world(&w, cache_bytes);
	run_task(&w, kind, body.at, body.len, n);
	for (int round = 0; round < ROUNDS; round++) {
		int64_t from = clocks_mono();

		for (int i = 0; i < TASKS; i++)
			run_task(&w, kind, body.at, body.len, many ? ++n : n);
		best = clocks_mono() - from < best ? clocks_mono() - from : best;
	}
	CHECK(w.hits == (many || cache_bytes == 0 ? 0 : ROUNDS * TASKS));
	router_free(w.r);
	buf_done(&body);
	return (double)best / TASKS;
}

static void figures(const char *name, size_t item_bytes)
{
	double task = measure("text.stats", item_bytes, 0, true);
	double miss = measure("text.stats", item_bytes, 16 << 20, true);
	double hit = measure("text.stats", item_bytes, 16 << 20, false);

	printf("figure task_%s_us %.2f us\n", name, task / 1000);
	printf("figure miss_added_%s_us %.2f us\n", name, (miss - task) / 1000);
	printf("figure hit_%s_us %.2f us\n", name, hit / 1000);
}

int main(void)
{
	double off = measure("util.echo", 256, 0, true);

	printf("figure cheap_added_us %.3f us\n",
		(measure("util.echo", 256, 16 << 20, true) - off) / 1000);
	figures("256", 256);
	figures("32k", 32768);
	return 0;
}
