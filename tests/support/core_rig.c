/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/core_rig.h"

#include <stdio.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "tests/support/journal_mem.h"
#include "tests/support/test.h"

#define NOW_NS (INT64_C(1700000000) * NS_PER_S)

static int64_t clock_of(void *ctx)
{
	return ((struct core_rig *)ctx)->now_ns;
}

static void on_any(void *ctx, const struct bus_msg *m)
{
	struct core_rig *g = ctx;

	g->heard++;
	if (m->subject.len < 7 || memcmp(m->subject.at, "_INBOX.", 7) != 0)
		return;
	span_copy(m->subject, g->subject, sizeof g->subject);
	buf_reset(&g->data);
	buf_add(&g->data, m->data);
}

void core_pump(struct core_rig *g)
{
	for (int i = 0; i < 10; i++) {
		while (bus_net_step(g->net, g->now_ns))
			;
		if (router_core_turn(g->core) < 0)
			return;
	}
}

void core_open(struct core_rig *g)
{
	struct fail why = { 0 };

	g->core = router_core_open(&g->conf, &why);
	if (g->core == NULL)
		fail_msg("%s %s", why.field, why.detail);
	core_pump(g);
}

int core_set_up(void **state)
{
	static struct core_rig g;

	g = (struct core_rig){ .now_ns = NOW_NS };
	arena_init(&g.arena, 16u << 20);
	buf_init(&g.data, 2u << 20);
	g.net = bus_net_new(NULL, NULL, 1);
	g.router_bus = bus_mem_open(g.net, "router");
	g.peer = bus_mem_open(g.net, "peer");
	g.journal = journal_mem_open();
	assert_non_null(g.journal);
	g.conf = (struct router_core_conf){
		.bus = g.router_bus,
		.journal = g.journal,
		.name = "r",
		.operators = "root, boss",
		.now = clock_of,
		.now_ctx = &g,
	};
	router_conf_default(&g.conf.machine);
	g.conf.machine.settle_ns = 0;
	core_open(&g);
	assert_non_null(bus_subscribe(g.peer, ">", NULL, on_any, &g));
	core_pump(&g);
	*state = &g;
	return 0;
}

int core_tear_down(void **state)
{
	struct core_rig *g = *state;

	router_core_close(g->core);
	journal_close(g->journal);
	bus_close(g->peer);
	bus_close(g->router_bus);
	bus_net_free(g->net);
	buf_done(&g->data);
	arena_done(&g->arena);
	return mem_held() == 0 ? 0 : -1;
}

void core_say(struct core_rig *g, const char *subject, const char *reply, struct span data)
{
	g->heard = 0;
	g->subject[0] = '\0';
	assert_int_equal(bus_publish(g->peer, subject, reply, CORE_NOTHING, data), 0);
	core_pump(g);
}

struct query_reply core_ask(struct core_rig *g, const char *tenant, const struct query *q)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct query_reply r = { 0 };
	char subject[64];

	buf_init(&b, 4096);
	query_encode(&b, q);
	snprintf(subject, sizeof subject, "spu.query.%s", tenant);
	core_say(g, subject, "_INBOX.a", buf_span(&b));
	assert_string_equal(g->subject, "_INBOX.a");
	assert_int_equal(query_reply_decode(&g->arena, buf_span(&g->data), &r, NULL), 0);
	return r;
}

struct submit_reply core_submit(struct core_rig *g, const char *tenant, const struct submit *s)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct submit_reply *r;
	char subject[64];
	size_t n;

	buf_init(&b, 2u << 20);
	submits_put(&b, s);
	snprintf(subject, sizeof subject, "spu.submit.%s", tenant);
	core_say(g, subject, "_INBOX.b", buf_span(&b));
	assert_string_equal(g->subject, "_INBOX.b");
	assert_int_equal(submit_replies_decode(&g->arena, buf_span(&g->data), &r, &n, NULL), 0);
	assert_int_equal(n, 1);
	return r[0];
}

void core_offer(struct core_rig *g, uint32_t i, size_t kinds_n, struct span why)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct kind_offer kinds[LIMIT_OFFER_KINDS];
	char names[LIMIT_OFFER_KINDS][32], subject[64];
	struct offer o = {
		.incarnation = 1,
		.seq = 1,
		.rung = RUNG_CPU,
		.kinds = kinds,
		.kinds_n = kinds_n,
		.slots = 4,
		.health = 1000,
	};

	for (size_t k = 0; k < kinds_n; k++) {
		snprintf(names[k], sizeof names[k], k == 0 ? "util.echo" : "own.kind%u",
			(unsigned)k);
		kinds[k] = (struct kind_offer){
			.kind = span_str(names[k]),
			.ready = why.len == 0,
			.why = why,
		};
	}
	buf_init(&b, 1 << 20);
	ups_put(&b, &(struct up){ .kind = UP_OFFER, .offer = &o });
	snprintf(subject, sizeof subject, "spu.up.n%u", i);
	core_say(g, subject, NULL, buf_span(&b));
}
