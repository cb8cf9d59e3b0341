/* SPDX-License-Identifier: Apache-2.0
 *
 * The bus in memory: what every bus must do, then time and fate.
 */
#include "run/bus_mem.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tests/support/bus_world.h"

#define NOTHING span_of(NULL, 0)

static void pump(struct world *w)
{
	while (bus_net_step(w->ctx, 0))
		;
}

static int set_up_world(void **state)
{
	static struct world w;

	w = (struct world){ .pump = pump, .ctx = bus_net_new(NULL, NULL, 1) };
	assert_non_null(w.ctx);
	for (unsigned i = 0; i < WORLD_PEERS; i++) {
		w.peer[i] = bus_mem_open(w.ctx, "peer");
		assert_non_null(w.peer[i]);
	}
	world_init(&w);
	*state = &w;
	return 0;
}

static int tear_down_world(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < WORLD_PEERS; i++)
		bus_close(w->peer[i]);
	bus_net_free(w->ctx);
	return 0;
}

/* A net of two whose messages meet the fate that the test sets. */
struct rig {
	struct bus_net *net;
	struct bus *a, *b;
	struct bus_fate fate;
	unsigned asked;
	int64_t asked_ns;
	char from[8], to[8];
	char got[64]; /* the first byte of each message that came */
	unsigned n;
};

static struct bus_fate fate_of_rig(void *ctx, int64_t now_ns, const char *from, const char *to)
{
	struct rig *r = ctx;

	r->asked++;
	r->asked_ns = now_ns;
	(void)span_copy(span_str(from), r->from, sizeof(r->from));
	(void)span_copy(span_str(to), r->to, sizeof(r->to));
	return r->fate;
}

static void on_msg(void *ctx, const struct bus_msg *m)
{
	struct rig *r = ctx;

	assert_true(r->n < sizeof(r->got) - 1);
	r->got[r->n++] = m->no_responders ? '!' : (char)m->data.at[0];
}

static void open_rig(struct rig *r)
{
	*r = (struct rig){ .fate = { .copies = 1 } };
	r->net = bus_net_new(fate_of_rig, r, 7);
	r->a = bus_mem_open(r->net, "a");
	r->b = bus_mem_open(r->net, "b");
	assert_non_null(bus_subscribe(r->b, "x", NULL, on_msg, r));
}

static void close_rig(struct rig *r)
{
	bus_close(r->a);
	bus_close(r->b);
	bus_net_free(r->net);
}

static void publish(struct rig *r, const char *text)
{
	assert_int_equal(bus_publish(r->a, "x", NULL, NOTHING, span_str(text)), 0);
}

static void arrives_when_fate_says(void **state)
{
	struct rig r;

	(void)state;
	open_rig(&r);
	assert_true(bus_net_next(r.net) == INT64_MAX);
	bus_net_now(r.net, 100);
	r.fate.delay_ns[0] = 50;
	publish(&r, "1");
	assert_int_equal(r.asked_ns, 100);
	assert_string_equal(r.from, "a");
	assert_string_equal(r.to, "b");
	r.fate.delay_ns[0] = 20;
	publish(&r, "2");
	publish(&r, "3");
	assert_int_equal(bus_net_next(r.net), 120);
	assert_false(bus_net_step(r.net, 119));
	assert_true(bus_net_step(r.net, 120));
	assert_true(bus_net_step(r.net, 120));
	assert_false(bus_net_step(r.net, 120));
	assert_string_equal(r.got, "23");
	assert_int_equal(bus_net_next(r.net), 150);
	assert_true(bus_net_step(r.net, 1000));
	assert_string_equal(r.got, "231");
	assert_false(bus_net_step(r.net, 1000));
	assert_false(bus_net_step(r.net, INT64_MAX));
	/* What a handler or the simulator publishes after a step is sent at its time. */
	publish(&r, "4");
	assert_int_equal(bus_net_next(r.net), 1020);
	close_rig(&r);
}

static void is_lost_or_doubled(void **state)
{
	struct rig r;

	(void)state;
	open_rig(&r);
	r.fate.copies = 0;
	publish(&r, "1");
	assert_true(bus_net_next(r.net) == INT64_MAX);
	r.fate = (struct bus_fate){ .copies = 2, .delay_ns = { 30, 10 } };
	publish(&r, "2");
	r.fate = (struct bus_fate){ .copies = 1, .delay_ns = { 20 } };
	publish(&r, "3");
	while (bus_net_step(r.net, 100))
		;
	assert_string_equal(r.got, "232");
	close_rig(&r);
}

static void what_is_on_its_way_to_a_closed_peer_is_dropped(void **state)
{
	struct rig r;
	struct bus_sub *sub;

	(void)state;
	open_rig(&r);
	sub = bus_subscribe(r.b, "*", NULL, on_msg, &r);
	publish(&r, "1");
	bus_unsubscribe(r.b, sub);
	/* It has the slot of the old one; the old one's message is not for it. */
	sub = bus_subscribe(r.b, "*", NULL, on_msg, &r);
	while (bus_net_step(r.net, 0))
		;
	assert_string_equal(r.got, "1");
	publish(&r, "2");
	bus_close(r.b);
	while (bus_net_step(r.net, 0))
		;
	assert_string_equal(r.got, "1");
	r.b = bus_mem_open(r.net, "b");
	publish(&r, "3");
	assert_false(bus_net_step(r.net, 0));
	close_rig(&r);
}

static void requests_to_nobody_meet_fate_too(void **state)
{
	struct rig r;

	(void)state;
	open_rig(&r);
	assert_non_null(bus_subscribe(r.a, "inbox", NULL, on_msg, &r));
	assert_int_equal(bus_publish(r.a, "nobody", "inbox", NOTHING, NOTHING), 0);
	assert_string_equal(r.from, "a");
	assert_string_equal(r.to, "a");
	assert_true(bus_net_step(r.net, 0));
	assert_string_equal(r.got, "!");
	r.fate.copies = 0;
	assert_int_equal(bus_publish(r.a, "nobody", "inbox", NOTHING, NOTHING), 0);
	assert_false(bus_net_step(r.net, 0));
	close_rig(&r);
}

struct member {
	char *at;
	char name;
};

static void on_shared(void *ctx, const struct bus_msg *m)
{
	struct member *member = ctx;

	(void)m;
	*member->at = member->name;
}

/* Who of a group of four got each of 64 messages. */
static void share(uint64_t seed, char ret[65])
{
	struct bus_net *net = bus_net_new(NULL, NULL, seed);
	struct bus *b = bus_mem_open(net, "b");
	struct member members[4];

	memset(ret, 0, 65);
	for (unsigned i = 0; i < ARRAY_LEN(members); i++) {
		members[i].name = (char)('a' + i);
		assert_non_null(
			bus_subscribe(b, i % 2 ? "s.*" : "s.x", "g", on_shared, &members[i]));
	}
	for (unsigned k = 0; k < 64; k++) {
		for (unsigned i = 0; i < ARRAY_LEN(members); i++)
			members[i].at = &ret[k];
		assert_int_equal(bus_publish(b, "s.x", NULL, NOTHING, NOTHING), 0);
		assert_true(bus_net_step(net, 0));
		assert_false(bus_net_step(net, 0));
	}
	bus_close(b);
	bus_net_free(net);
}

static void the_seed_decides_who_of_a_group(void **state)
{
	char first[65], again[65], other[65];

	(void)state;
	share(1, first);
	share(1, again);
	share(2, other);
	assert_string_equal(first, again);
	assert_string_not_equal(first, other);
	for (char c = 'a'; c <= 'd'; c++)
		assert_non_null(strchr(first, c));
}

/* Many messages with random delays come out by time, and by order of publishing where the time is the same. */
static struct bus_fate random_fate(void *ctx, int64_t now_ns, const char *from, const char *to)
{
	(void)now_ns;
	(void)from;
	(void)to;
	return (struct bus_fate){ .copies = 1, .delay_ns = { (int64_t)prng_below(ctx, 50) } };
}

struct ordered {
	int64_t now_ns, last_ns;
	unsigned last, n;
};

static void on_ordered(void *ctx, const struct bus_msg *m)
{
	struct ordered *o = ctx;
	unsigned number;

	memcpy(&number, m->data.at, sizeof(number));
	assert_true(o->now_ns > o->last_ns || number > o->last || o->n == 0);
	o->last_ns = o->now_ns;
	o->last = number;
	o->n++;
}

static void arrival_is_by_time_then_order(void **state)
{
	struct ordered o = { .last_ns = -1 };
	struct prng prng;
	struct bus_net *net;
	struct bus *b;

	(void)state;
	rand_start(&prng);
	net = bus_net_new(random_fate, &prng, 1);
	b = bus_mem_open(net, "b");
	assert_non_null(bus_subscribe(b, "x", NULL, on_ordered, &o));
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(bus_publish(b, "x", NULL, NOTHING, span_of(&i, sizeof(i))), 0);
	while (bus_net_next(net) != INT64_MAX) {
		assert_true(bus_net_next(net) >= o.now_ns);
		o.now_ns = bus_net_next(net);
		assert_true(bus_net_step(net, o.now_ns));
	}
	assert_int_equal(o.n, 2000);
	bus_close(b);
	bus_net_free(net);
}

static void ignore(void *ctx, const struct bus_msg *m)
{
	(void)ctx;
	(void)m;
}

static int use_all(void *arg)
{
	struct bus_net *net = bus_net_new(NULL, NULL, 1);
	struct bus *b = net == NULL ? NULL : bus_mem_open(net, "b");
	int r = b == NULL ? ERR_NO_MEMORY : 0;

	(void)arg;
	if (r == 0 && (bus_subscribe(b, "x.*", "g", ignore, NULL) == NULL ||
			      bus_subscribe(b, "x.y", NULL, ignore, NULL) == NULL))
		r = ERR_NO_MEMORY;
	for (unsigned i = 0; i < 40 && r == 0; i++)
		r = bus_publish(b, "x.y", "z", span_str("00"), span_str("text"));
	while (net != NULL && bus_net_step(net, 0))
		;
	bus_close(b);
	bus_net_free(net);
	return r;
}

static void lives_through_lack_of_memory(void **state)
{
	(void)state;
	assert_in_range(nth_alloc(use_all, NULL), 80, 200);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrives_when_fate_says),
		cmocka_unit_test(is_lost_or_doubled),
		cmocka_unit_test(what_is_on_its_way_to_a_closed_peer_is_dropped),
		cmocka_unit_test(requests_to_nobody_meet_fate_too),
		cmocka_unit_test(the_seed_decides_who_of_a_group),
		cmocka_unit_test(arrival_is_by_time_then_order),
		cmocka_unit_test(lives_through_lack_of_memory),
	};
	int failed = world_run("every bus, in memory", set_up_world, tear_down_world);

	return failed + cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
