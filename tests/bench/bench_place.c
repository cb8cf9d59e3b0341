/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_place: what one placement costs among many registered nodes, warm, as the median of many batches:
 * the filter, the cost, the record and the busy slot of the node that was picked (place_1k_ns,
 * place_100k_ns); and a whole fast task of the machine, from submit to done (place_step_1k_ns).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "router/router.h"
#include "run/clocks.h"

#define BATCHES 401
#define BATCH 500
#define HELD 1024u /* attempts held at once, so that nodes are busy to different degrees */
#define START_NS (INT64_C(1700000000) * NS_PER_S)

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int64_t median(int64_t *of, size_t n)
{
	qsort(of, n, sizeof *of, by_size);
	return of[n / 2];
}

static struct offer make_offer(struct kind_offer *kind, uint32_t i)
{
	*kind = (struct kind_offer){
		.kind = SPAN_LIT("util.echo"),
		.ready = true,
		.typical_us = 100 + i % 900,
	};
	return (struct offer){
		.incarnation = 1,
		.seq = 1,
		.rung = RUNG_CPU,
		.kinds = kind,
		.kinds_n = 1,
		.slots = 16,
		.health = 1000,
	};
}

static struct span node_name(uint32_t i, char to[16])
{
	int n = snprintf(to, 16, "node-%u", i);

	return span_of(to, (size_t)n);
}

/* --- one decision ------------------------------------------------------------------------------- */

/* What the router does to place one task and to free the slot of an earlier one. */
static void decide(struct registry *g, struct kind_rows *rows, struct prng *prng, uint32_t *held)
{
	struct place_need need = { .body_bytes = 256 };
	struct place_in in = { &need, rows->rows, rows->open_n, &rows->cursor, prng };
	struct explain x = { 0 };
	struct place_out out;

	out.considered = out.seen_n = 0;
	place_p2c.pick(&in, &out);
	CHECK(out.pick != PLACE_NONE);
	if (*held != NODE_NOBODY)
		registry_busy(g, *held, -1);
	*held = rows->rows[out.pick].load->node;
	registry_busy(g, *held, 1);
	explain_add(&x, &(struct explain_note){
				.kind = STEP_PLACED,
				.rung = RUNG_CPU,
				.node = *held,
				.policy = place_p2c.name,
				.seen = out.seen,
				.seen_n = out.seen_n,
				.considered = out.considered,
			});
	explain_done(&x);
}

static int64_t measure(uint32_t nodes)
{
	static uint32_t held[HELD];
	static int64_t took[BATCHES];
	struct registry_conf conf = { nodes, 64, NS_PER_S, NS_PER_S, NS_PER_S };
	struct registry g;
	struct prng prng;
	char name[16];

	CHECK(registry_init(&g, &conf) == 0);
	for (uint32_t i = 0; i < nodes; i++) {
		struct kind_offer kind;
		struct offer o = make_offer(&kind, i);
		enum heard heard;
		uint32_t node;

		CHECK(registry_offer(&g, START_NS, node_name(i, name), &o, &heard, &node) == 0);
	}
	struct kind_rows *rows =
		&registry_kind_at(&g, registry_kind(&g, SPAN_LIT("util.echo")))->of[RUNG_CPU];

	prng_seed(&prng, 1);
	memset(held, 0xff, sizeof held);
	for (uint32_t batch = 0, at = 0; batch < BATCHES; batch++) {
		int64_t from = clocks_mono();

		for (uint32_t i = 0; i < BATCH; i++, at = (at + 1) % HELD)
			decide(&g, rows, &prng, &held[at]);
		took[batch] = (clocks_mono() - from) / BATCH;
	}
	registry_done(&g);
	return median(took, BATCHES);
}

/* --- a whole task ------------------------------------------------------------------------------- */

struct seen {
	struct ulid task;
	char node[16];
};

static void on_down(void *ctx, struct span node, const struct down *d, bool fast)
{
	(void)fast;
	struct seen *s = ctx;

	s->task = d->task;
	span_copy(node, s->node, sizeof s->node);
}

static void on_event(void *ctx, struct span tenant, const char *stream, const struct event *e,
	bool fast)
{
	(void)fast;
	(void)ctx, (void)tenant, (void)stream, (void)e;
}

static void on_record(void *ctx, const struct journal_record *record)
{
	(void)ctx, (void)record;
}

static void task(struct router *r, const struct router_out *out, const struct submit *s)
{
	struct seen *seen = out->ctx;
	struct submit_reply reply;
	struct router_event e = {
		.kind = ROUTER_SUBMIT,
		.who = SPAN_LIT("bench"),
		.submit = s,
		.reply = &reply,
	};
	struct up done = { .kind = UP_DONE, .attempt = 1, .run_us = 100, .body = s->body };

	(void)router_step(r, START_NS, &e, out);
	CHECK(reply.fail.code == 0);
	done.task = seen->task;
	e = (struct router_event){ .kind = ROUTER_UP, .who = span_str(seen->node), .up = &done };
	(void)router_step(r, START_NS, &e, out);
}

static int64_t measure_steps(uint32_t nodes)
{
	static unsigned char body[256];
	static int64_t took[BATCHES];
	struct submit s = {
		.kind = SPAN_LIT("util.echo"),
		.body = span_of(body, sizeof body),
		.fast = true,
	};
	struct seen seen = { .node = "" };
	struct router_out out = { &seen, on_down, on_event, on_record, NULL };
	struct router_conf conf;
	struct router *r;
	char name[16];

	router_conf_default(&conf);
	conf.results_max = 10000;
	r = router_new(&conf, START_NS);
	CHECK(r != NULL);
	for (uint32_t i = 0; i < nodes; i++) {
		struct kind_offer kind;
		struct offer o = make_offer(&kind, i);
		struct up up = { .kind = UP_OFFER, .offer = &o };
		struct router_event e = { .kind = ROUTER_UP, .who = node_name(i, name), .up = &up };

		(void)router_step(r, START_NS, &e, &out);
	}
	for (uint32_t batch = 0; batch < BATCHES; batch++) {
		int64_t from = clocks_mono();

		for (uint32_t i = 0; i < BATCH; i++)
			task(r, &out, &s);
		took[batch] = (clocks_mono() - from) / BATCH;
	}
	CHECK(router_counts(r)->succeeded == BATCHES * BATCH);
	router_free(r);
	return median(took, BATCHES);
}

int main(void)
{
	printf("figure place_1k_ns %lld ns\n", (long long)measure(1000));
	printf("figure place_100k_ns %lld ns\n", (long long)measure(100000));
	printf("figure place_step_1k_ns %lld ns\n", (long long)measure_steps(1000));
	return 0;
}
