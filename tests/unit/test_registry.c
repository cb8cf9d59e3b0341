/* SPDX-License-Identifier: Apache-2.0
 *
 * Nodes by their offers and by time, and the rows that placement sees, against router_model.h.
 */
#include "router/registry.h"

#include <stdio.h>

#include "tests/support/router_model.h"
#include "tests/support/test.h"

#define SEC NS_PER_S

static const struct registry_conf small = {
	.nodes_max = 6,
	.kinds_max = 128,
	.suspect_ns = 15 * SEC,
	.down_ns = 30 * SEC,
	.forget_ns = 600 * SEC,
};

static int set_up(void **state)
{
	static struct registry g;

	assert_int_equal(registry_init(&g, &small), 0);
	*state = &g;
	return 0;
}

static int tear_down(void **state)
{
	registry_done(*state);
	return mem_held() == 0 ? 0 : -1;
}

/* One that left at sent_ms by the node's clock; 0: it does not say. */
static int offer_sent(struct registry *g, int64_t now_ns, const char *name, uint64_t incarnation,
	uint64_t seq, int64_t sent_ms, enum heard *heard)
{
	struct kind_offer kind = { .kind = SPAN_LIT("util.echo"), .ready = true };
	struct offer o = {
		.incarnation = incarnation,
		.seq = seq,
		.sent_ms = sent_ms,
		.rung = RUNG_CPU,
		.kinds = &kind,
		.kinds_n = 1,
		.slots = 1,
		.health = 1000,
	};
	uint32_t node;
	int err = registry_offer(g, now_ns, span_str(name), &o, heard, &node);

	if (err == 0)
		assert_int_equal(node, registry_find(g, span_str(name)));
	model_registry(g);
	return err;
}

static int offer(struct registry *g, int64_t now_ns, const char *name, uint64_t incarnation,
	uint64_t seq, enum heard *heard)
{
	return offer_sent(g, now_ns, name, incarnation, seq, 0, heard);
}

/* Two processes with one name: each offer of the one with the lower incarnation is old, and they go on. */
static void test_rivals(void **state)
{
	struct registry *g = *state;
	enum heard heard;
	unsigned told = 0;

	assert_int_equal(offer(g, SEC, "a", 2, 1, &heard), 0);
	for (uint64_t i = 1; i <= 2; i++) {
		assert_int_equal(offer(g, SEC, "a", 1, i, &heard), 0);
		assert_int_equal(heard, HEARD_OLD);
	}
	assert_int_equal(offer(g, SEC, "a", 1, 3, &heard), ERR_CONFLICT);
	for (uint64_t i = 4; i < 123; i++) {
		int err = offer(g, SEC, "a", 1, i, &heard);

		told += err == ERR_CONFLICT;
		assert_true(err == 0 || err == ERR_CONFLICT);
	}
	assert_int_equal(told, 1);
	assert_int_equal(registry_node(g, registry_find(g, SPAN_LIT("a")))->incarnation, 2);
	/* A new life is known by itself. */
	assert_int_equal(offer(g, SEC, "a", 3, 1, &heard), 0);
	assert_int_equal(offer(g, SEC, "a", 2, 2, &heard), 0);
	assert_int_equal(heard, HEARD_OLD);
}

static void test_news_and_old(void **state)
{
	struct registry *g = *state;
	enum heard heard;

	/* A node may count from 0. */
	assert_int_equal(offer(g, SEC, "a", 0, 0, &heard), 0);
	assert_int_equal(heard, HEARD_NEW);
	assert_int_equal(offer(g, SEC, "a", 0, 0, &heard), 0);
	assert_int_equal(heard, HEARD_OLD);
	assert_int_equal(offer(g, SEC, "a", 0, 5, &heard), 0);
	assert_int_equal(heard, HEARD_NEWS);
	assert_int_equal(offer(g, SEC, "a", 0, 4, &heard), 0);
	assert_int_equal(heard, HEARD_OLD);
	assert_int_equal(offer(g, SEC, "a", 2, 1, &heard), 0);
	assert_int_equal(heard, HEARD_RESTARTED);
	assert_int_equal(offer(g, SEC, "a", 1, 9, &heard), 0);
	assert_int_equal(heard, HEARD_OLD);
	registry_leave(g, 0, NODE_GONE);
	assert_int_equal(offer(g, SEC, "a", 2, 2, &heard), 0);
	assert_int_equal(heard, HEARD_OLD);
	assert_int_equal(offer(g, SEC, "a", 3, 1, &heard), 0);
	assert_int_equal(heard, HEARD_RESTARTED);
}

/* Comes at `at`, and left at `sent` by a clock that is an hour ahead; expects what is said here. */
static void comes(struct registry *g, int64_t at_s, uint64_t seq, int64_t sent_s, enum heard wanted)
{
	enum heard heard;

	assert_int_equal(offer_sent(g, at_s * SEC, "a", 1, seq, (sent_s + 3600) * 1000, &heard), 0);
	assert_int_equal(heard, wanted);
}

/* What waited somewhere says what was, and not what is. */
static void test_offers_that_waited(void **state)
{
	struct registry *g = *state;
	const struct node *n;

	comes(g, 1000, 1, 1000, HEARD_NEW);
	n = registry_node(g, 0);
	comes(g, 1005, 2, 1005, HEARD_NEWS);
	assert_true(n->said_ns == 1005 * SEC && n->heard_ns == 1005 * SEC);
	comes(g, 1020, 3, 1010, HEARD_NEWS); /* 10 s on its way: a sign of the life that was */
	assert_true(n->said_ns / SEC == 1010 && n->heard_ns / SEC == 1010);
	comes(g, 1031, 4, 1015, HEARD_OLD); /* more than 15 s: no sign of life */
	assert_true(n->said_ns / SEC == 1010 && n->heard_ns / SEC == 1010 && n->seq == 3);
	comes(g, 1031, 5, 1031, HEARD_NEWS); /* behind the queue */
	assert_true(n->said_ns == 1031 * SEC);
	/* a report that came meanwhile is the later sign of life */
	registry_heard(g, 1036 * SEC, 0);
	comes(g, 1037, 6, 1032, HEARD_NEWS);
	assert_true(n->said_ns / SEC == 1032 && n->heard_ns == 1036 * SEC);
}

/* The first one waited; then it is known better. */
static void test_the_first_offer_waited(void **state)
{
	struct registry *g = *state;

	comes(g, 1000, 1, 900, HEARD_NEW);
	comes(g, 1000, 2, 905, HEARD_NEWS);
	comes(g, 1001, 3, 1001, HEARD_NEWS);
	comes(g, 1030, 4, 1006, HEARD_OLD);
	assert_true(registry_node(g, 0)->heard_ns == 1001 * SEC);
}

/* A clock that is set, and one that goes slower, silence nobody. */
static void test_clocks_of_nodes(void **state)
{
	struct registry *g = *state;
	int64_t at, sent;
	uint64_t seq = 4;
	enum heard heard;

	comes(g, 1000, 1, 1000, HEARD_NEW);
	comes(g, 1005, 2, 405, HEARD_NEWS);  /* set back */
	comes(g, 1010, 3, 5000, HEARD_NEWS); /* and forward */
	comes(g, 1015, 4, 5005, HEARD_NEWS);
	for (at = 1015000, sent = 5005000; at < 100000000; at += 5000, sent += 4998) {
		assert_int_equal(
			offer_sent(g, at * NS_PER_MS, "a", 1, ++seq, 3600000 + sent, &heard), 0);
		assert_int_equal(heard, HEARD_NEWS);
	}
	/* nonsense */
	assert_int_equal(offer_sent(g, at * NS_PER_MS, "a", 1, ++seq, INT64_MAX, &heard), 0);
	assert_int_equal(heard, HEARD_NEWS);
	assert_int_equal(
		offer_sent(g, at * NS_PER_MS, "a", 1, ++seq, INT64_MAX / NS_PER_MS, &heard), 0);
	assert_int_equal(heard, HEARD_NEWS);
	assert_int_equal(offer_sent(g, at * NS_PER_MS, "a", 1, ++seq, 1, &heard), 0);
	assert_int_equal(heard, HEARD_NEWS);
}

/* The reason why a kind is not ready goes with it. */
/* A node was started again with its clock set back: it is taken when its former life has been silent. */
static void test_a_clock_that_was_set_back(void **state)
{
	struct registry *g = *state;
	enum heard heard;

	assert_int_equal(offer(g, 100 * SEC, "a", 9, 7, &heard), 0);
	registry_heard(g, 110 * SEC, 0); /* its reports go on, and say nothing of the life */
	assert_int_equal(offer(g, 114 * SEC, "a", 3, 1, &heard), 0);
	assert_int_equal(heard, HEARD_OLD);
	assert_int_equal(offer(g, 115 * SEC, "a", 3, 2, &heard), 0);
	assert_int_equal(heard, HEARD_RESTARTED);
	assert_int_equal(offer(g, 116 * SEC, "a", 3, 3, &heard), 0);
	assert_int_equal(heard, HEARD_NEWS);
	registry_leave(g, 0, NODE_GONE);
	assert_int_equal(offer(g, 117 * SEC, "a", 2, 1, &heard), 0);
	assert_int_equal(heard, HEARD_RESTARTED);
}

static void test_why_is_forgotten_when_ready(void **state)
{
	struct registry *g = *state;
	struct kind_offer kind = { .kind = SPAN_LIT("util.echo"), .why = SPAN_LIT("no device") };
	struct offer o = {
		.incarnation = 1,
		.seq = 1,
		.rung = RUNG_CPU,
		.kinds = &kind,
		.kinds_n = 1,
		.slots = 1,
		.health = 1000,
	};
	enum heard heard;
	uint32_t node;

	assert_int_equal(registry_offer(g, SEC, SPAN_LIT("a"), &o, &heard, &node), 0);
	assert_string_equal(registry_node(g, node)->kinds[0].why, "no device");
	o.seq++;
	kind.ready = true;
	kind.why = SPAN_LIT("");
	assert_int_equal(registry_offer(g, SEC, SPAN_LIT("a"), &o, &heard, &node), 0);
	assert_null(registry_node(g, node)->kinds[0].why);
	o.seq++;
	kind.ready = false;
	kind.why = SPAN_LIT("no device");
	assert_int_equal(registry_offer(g, SEC, SPAN_LIT("a"), &o, &heard, &node), 0);
	assert_string_equal(registry_node(g, node)->kinds[0].why, "no device");
}

static void test_refused_offers(void **state)
{
	struct registry *g = *state;
	struct kind_offer twins[2] = { { .kind = SPAN_LIT("x") }, { .kind = SPAN_LIT("x") } };
	struct offer o = { .kinds = twins, .kinds_n = 2, .rung = RUNG_CPU };
	enum heard heard;
	uint32_t node;
	char name[16];

	assert_int_equal(registry_offer(g, SEC, SPAN_LIT("a"), &o, &heard, &node), ERR_INVALID);
	assert_int_equal(offer(g, SEC, "all", 1, 1, &heard), ERR_INVALID);
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof name, "n%d", i);
		assert_int_equal(offer(g, SEC, name, 1, 1, &heard), 0);
	}
	assert_int_equal(offer(g, SEC, "n6", 1, 1, &heard), ERR_BUSY);
	assert_int_equal(offer(g, SEC, "n5", 1, 2, &heard), 0);
}

static void test_silence(void **state)
{
	struct registry *g = *state;
	enum heard heard;

	offer(g, 100 * SEC, "a", 1, 1, &heard);
	assert_int_equal(registry_wake(g), 115 * SEC);
	assert_int_equal(registry_tick(g, 115 * SEC - 1), NODE_NOBODY);
	assert_int_equal(registry_node(g, 0)->state, NODE_UP);
	assert_int_equal(registry_tick(g, 115 * SEC), NODE_NOBODY);
	assert_int_equal(registry_node(g, 0)->state, NODE_SUSPECT);
	registry_heard(g, 120 * SEC, 0);
	assert_int_equal(registry_node(g, 0)->state, NODE_UP);
	assert_int_equal(registry_tick(g, 149 * SEC), NODE_NOBODY);
	assert_int_equal(node_index(registry_tick(g, 150 * SEC)), 0);
	assert_int_equal(registry_node(g, 0)->state, NODE_DOWN);
	assert_int_equal(registry_tick(g, 719 * SEC), NODE_NOBODY);
	assert_int_equal(node_index(registry_find(g, SPAN_LIT("a"))), 0);
	assert_int_equal(registry_tick(g, 720 * SEC), NODE_NOBODY);
	assert_int_equal(registry_find(g, SPAN_LIT("a")), NODE_NOBODY);
	assert_int_equal(registry_wake(g), INT64_MAX);
}

static void random_offer(struct registry *g, int64_t now_ns, uint64_t seq, struct prng *p)
{
	static const char *const names[] = { "util.echo", "llm.chat", "own.a", "own.b", "own.c",
		"own.d" };
	struct kind_offer kinds[6];
	struct offer o = {
		.incarnation = 1,
		.seq = seq,
		.rung = (enum rung)(1 + prng_below(p, 3)),
		.kinds = kinds,
		.slots = (uint32_t)prng_below(p, 4),
		.draining = prng_below(p, 8) == 0,
		.health = 1000,
	};
	char name[16];
	enum heard heard;
	uint32_t node;

	for (int i = 0; i < 6; i++)
		if (prng_below(p, 2) == 0)
			kinds[o.kinds_n++] = (struct kind_offer){
				.kind = span_str(names[i]),
				.ready = prng_below(p, 4) != 0,
				.price_ucr = (int64_t)prng_below(p, 9),
				.model = prng_below(p, 2) == 0 ? SPAN_LIT("m") : span_str(NULL),
			};
	snprintf(name, sizeof name, "n%u", (unsigned)prng_below(p, 9));
	(void)!registry_offer(g, now_ns, span_str(name), &o, &heard, &node);
}

/* Whatever happens, open rows stand first, then able ones, and each knows its place. */
static void test_rows_at_random(void **state)
{
	struct registry *g = *state;
	struct list attempts[6][4];
	uint32_t held[6] = { 0 };
	int64_t now = SEC;
	struct prng p;

	rand_start(&p);
	for (uint64_t step = 1; step < 20000; step++) {
		uint32_t i = (uint32_t)prng_below(&p, 6), down;

		now += (int64_t)prng_below(&p, 2 * SEC);
		if (prng_below(&p, 3) == 0)
			random_offer(g, now, step, &p);
		while ((down = registry_tick(g, now)) != NODE_NOBODY)
			while (held[node_index(down)] > 0) {
				uint32_t at = node_index(down);

				list_drop(&attempts[at][--held[at]]);
				registry_busy(g, down, -1);
			}
		if (!slots_is_taken(&g->nodes, i))
			continue;
		struct node *n = registry_node(g, i);

		switch (prng_below(&p, 7)) {
		case 0:
			if (held[i] < 4 && n->fit == FIT_OPEN) {
				list_push(&n->tasks, &attempts[i][held[i]++]);
				registry_busy(g, i, 1);
			}
			break;
		case 1:
			if (held[i] > 0) {
				list_drop(&attempts[i][--held[i]]);
				registry_busy(g, i, -1);
			}
			break;
		case 2:
			registry_close(g, i, now + (int64_t)prng_below(&p, 20 * SEC));
			break;
		case 3:
			registry_drain(g, i, prng_below(&p, 2) == 0);
			break;
		case 4:
			registry_heard(g, now, i);
			break;
		case 5:
			registry_ended(g, i, 0, (enum ended)prng_below(&p, 3),
				(int64_t)prng_below(&p, 1000));
			break;
		default:
			if (held[i] == 0 && prng_below(&p, 20) == 0)
				registry_leave(g, i, NODE_GONE);
			break;
		}
		model_registry(g);
	}
}

/* A number that was kept does not name the next node in the same slot. */
static void test_number_of_the_forgotten(void **state)
{
	struct registry *g = *state;
	enum heard heard;

	offer(g, SEC, "a", 1, 1, &heard);
	uint32_t a = registry_find(g, SPAN_LIT("a"));

	assert_true(span_is(registry_name(g, a), "a"));
	while (registry_tick(g, 3600 * SEC) != NODE_NOBODY)
		;
	(void)registry_tick(g, 7200 * SEC);
	assert_int_equal(registry_find(g, SPAN_LIT("a")), NODE_NOBODY);
	assert_int_equal(registry_name(g, a).len, 0);
	offer(g, 7200 * SEC, "b", 1, 1, &heard);
	uint32_t b = registry_find(g, SPAN_LIT("b"));

	assert_int_equal(node_index(a), node_index(b));
	assert_true(span_is(registry_name(g, b), "b"));
	assert_int_equal(registry_name(g, a).len, 0);
	assert_int_equal(registry_name(g, NODE_NOBODY).len, 0);
}

static int life(void *arg)
{
	struct registry *g = arg;
	enum heard heard;
	int err = registry_init(g, &small);

	if (err < 0) {
		registry_done(g);
		return err;
	}
	err = offer(g, SEC, "a", 1, 1, &heard);
	if (err < 0)
		assert_int_equal(registry_find(g, SPAN_LIT("a")), NODE_NOBODY);
	if (err == 0)
		err = offer(g, SEC, "b", 1, 1, &heard);
	registry_done(g);
	return err;
}

static void test_no_memory(void **state)
{
	registry_done(*state);
	assert_true(nth_alloc(life, *state) > 10);
	assert_int_equal(registry_init(*state, &small), 0);
}

static void test_busy_is_counted(void **state)
{
	struct registry *g = *state;
	enum heard heard;

	offer(g, SEC, "a", 1, 1, &heard);
	expect_assert_failure(registry_busy(g, 0, -1));
	expect_assert_failure(registry_busy(g, 0, 2));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_rivals),
		TEST(test_news_and_old),
		TEST(test_offers_that_waited),
		TEST(test_the_first_offer_waited),
		TEST(test_clocks_of_nodes),
		TEST(test_a_clock_that_was_set_back),
		TEST(test_refused_offers),
		TEST(test_why_is_forgotten_when_ready),
		TEST(test_silence),
		TEST(test_number_of_the_forgotten),
		TEST(test_rows_at_random),
		TEST(test_no_memory),
		TEST(test_busy_is_counted),
	};

	return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
