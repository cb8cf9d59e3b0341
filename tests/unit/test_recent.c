/* SPDX-License-Identifier: Apache-2.0
 *
 * test_recent: the last ends are kept, in order, within number and bytes, and a node tells them again.
 */
#include "tests/support/echo_offer.h"
#include "tests/support/test.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "node/core.h"
#include "node/recent.h"
#include "run/bus_mem.h"

static void assert_ends(const struct recent *r, const char *wanted)
{
	assert_int_equal(r->n, strlen(wanted));
	for (uint32_t i = 0; i < r->n; i++) {
		assert_int_equal(recent_at(r, i).len, 1);
		assert_int_equal(recent_at(r, i).at[0], wanted[i]);
	}
}

static void test_the_oldest_go_first(void **state)
{
	int64_t held = mem_held();
	struct recent r;

	(void)state;
	assert_int_equal(recent_init(&r, 3), 0);
	assert_ends(&r, "");
	for (unsigned char c = 'a'; c <= 'h'; c++)
		recent_put(&r, span_of(&c, 1));
	assert_ends(&r, "fgh");
	recent_done(&r);
	recent_done(&r);
	assert_int_equal(mem_held(), held);
}

static void test_bytes_are_bounded(void **state)
{
	static const unsigned char large[RECENT_BYTES + 1];
	struct recent r;

	(void)state;
	assert_int_equal(recent_init(&r, 8), 0);
	recent_put(&r, SPAN_LIT("a"));
	recent_put(&r, span_of(large, RECENT_BYTES + 1)); /* more than there may be */
	assert_ends(&r, "a");
	recent_put(&r, span_of(large, RECENT_BYTES - 1));
	assert_int_equal(r.n, 2);
	recent_put(&r, span_of(large, RECENT_BYTES));
	assert_int_equal(r.n, 1);
	assert_true(r.bytes == RECENT_BYTES);
	recent_put(&r, SPAN_LIT("b"));
	assert_ends(&r, "b");
	recent_done(&r);
}

static void test_without_memory_it_is_not_kept(void **state)
{
	struct recent r;

	(void)state;
	mem_fail_at(1, 0);
	assert_int_equal(recent_init(&r, 3), ERR_NO_MEMORY);
	recent_done(&r);
	assert_int_equal(recent_init(&r, 3), 0);
	mem_fail_at(1, 0);
	recent_put(&r, SPAN_LIT("a"));
	recent_put(&r, SPAN_LIT("b"));
	mem_fail_at(0, 0);
	assert_ends(&r, "b");
	recent_done(&r);
}

/* --- a node whose backend ends each job at once: the first letter of what came up ------------------------ */

static struct {
	struct bus_net *net;
	struct bus *router, *bus;
	struct node *node, *of_backend;
	char seen[64];
	int64_t deadline_ns; /* of the last job */
} t;

static int toy_open(void *self, struct node *n, struct fail *why)
{
	(void)self;
	(void)why;
	t.of_backend = n;
	return 0;
}

static int toy_start(void *self, const struct job *job, struct fail *why)
{
	const struct fail broken = { .code = ERR_DEVICE };

	(void)self;
	(void)why;
	t.deadline_ns = job->deadline_ns;
	if (job->attempt == 1)
		node_done(t.of_backend, job->task, job->attempt, job->raw);
	else
		node_failed(t.of_backend, job->task, job->attempt, &broken);
	return 0;
}

static void toy_cancel(void *self, struct ulid task, uint32_t attempt)
{
	(void)self;
	(void)task;
	(void)attempt;
}

static void toy_close(void *self)
{
	(void)self;
}

static const struct backend_ops toy_ops = { "toy", RUNG_CPU, toy_open, echo_offer, toy_start,
	toy_cancel, NULL, NULL, toy_close, false, NULL };

static void on_ups(void *ctx, const struct bus_msg *m)
{
	static const char letters[] = { [UP_OFFER] = 'O',
		[UP_DONE] = 'D',
		[UP_FAILED] = 'F',
		[UP_REFUSE] = 'R',
		[UP_BYE] = 'B' };
	struct arena a;
	struct up *ups = NULL;
	size_t n = 0, len = strlen(t.seen);

	(void)ctx;
	arena_init(&a, 1 << 20);
	assert_int_equal(ups_decode(&a, m->data, &ups, &n, NULL), 0);
	for (size_t i = 0; i < n && len + 1 < sizeof(t.seen); i++) {
		t.seen[len++] = letters[ups[i].kind];
		t.seen[len] = 0;
	}
	arena_done(&a);
}

static int64_t now(void *ctx)
{
	(void)ctx;
	return INT64_C(1700000000000000000);
}

static void pump(void)
{
	while (bus_net_step(t.net, now(NULL)))
		;
	node_core_turn(t.node);
	while (bus_net_step(t.net, now(NULL)))
		;
}

static void assert_seen(const char *letters)
{
	pump();
	assert_string_equal(t.seen, letters);
	t.seen[0] = 0;
}

/* The same order so many times in one message. */
static void send(const struct down *d, unsigned times)
{
	struct buf b;

	buf_init(&b, 4096);
	for (unsigned i = 0; i < times; i++)
		downs_put(&b, d);
	bus_net_now(t.net, now(NULL));
	assert_int_equal(
		bus_publish(t.router, "spu.down.n1", NULL, (struct span){ 0 }, buf_span(&b)), 0);
	buf_done(&b);
}

static void order(uint64_t task, uint32_t attempt)
{
	send(&(struct down){ .kind = DOWN_ASSIGN,
		     .task = { 1, task },
		     .attempt = attempt,
		     .task_kind = SPAN_LIT("util.echo"),
		     .tenant = SPAN_LIT("ada") },
		1);
}

static int open_node(void **state)
{
	struct node_core_conf conf = { .name = "n1",
		.incarnation = 1,
		.slots_max = 4,
		.offer_every_ns = INT64_C(5000000000),
		.drain_ns = INT64_C(1000000000),
		.now = now,
		.ops = &toy_ops };

	(void)state;
	t.seen[0] = 0;
	t.net = bus_net_new(NULL, NULL, 1);
	t.router = bus_mem_open(t.net, "r");
	conf.bus = t.bus = bus_mem_open(t.net, "n");
	assert_non_null(bus_subscribe(t.router, "spu.up.*", NULL, on_ups, NULL));
	t.node = node_core_open(&conf, NULL);
	assert_non_null(t.node);
	assert_seen("O");
	return 0;
}

static int close_node(void **state)
{
	(void)state;
	node_core_close(t.node);
	bus_close(t.bus);
	bus_close(t.router);
	bus_net_free(t.net);
	return 0;
}

/* A router that asks may have lost what it was told: the ends come before the offer, and once a turn. */
static void test_a_node_tells_its_ends_again(void **state)
{
	const struct down ping = { .kind = DOWN_PING, .router = 7 };

	(void)state;
	send(&ping, 1);
	assert_seen("O");
	order(1, 1);
	order(2, 2);
	assert_seen("DF");
	send(&ping, 1);
	assert_seen("DFO");
	send(&ping, 3);
	assert_seen("DFOOO");
	node_core_bus(t.node, BUS_LOST);
	node_core_bus(t.node, BUS_UP);
	assert_seen("DFO");
	for (uint64_t i = 3; i < 7; i++)
		order(i, 1);
	assert_seen("DDDD");
	send(&ping, 1);
	assert_seen("DDDDO");
}

/* One that has left says nothing more: a router that does not know it would ask again. */
static void test_a_node_that_left_is_silent(void **state)
{
	(void)state;
	order(1, 1);
	assert_seen("D");
	node_core_stop(t.node);
	assert_seen("B");
	send(&(struct down){ .kind = DOWN_PING, .router = 7 }, 1);
	assert_seen("");
	order(2, 1);
	assert_seen("R");
}

/* Its clock and the router's need not agree. */
static void test_a_deadline_by_what_is_left(void **state)
{
	struct down d = { .kind = DOWN_ASSIGN,
		.task = { 1, 1 },
		.attempt = 1,
		.task_kind = SPAN_LIT("util.echo"),
		.tenant = SPAN_LIT("ada"),
		.deadline_ms = 1,
		.left_ms = 2000 };

	(void)state;
	send(&d, 1);
	assert_seen("D");
	assert_true(t.deadline_ns == now(NULL) + INT64_C(2000000000));
	d.task.lo = 2;
	d.left_ms = 0; /* of an older router */
	send(&d, 1);
	assert_seen("R"); /* it has passed */
	d.task.lo = 3;
	d.left_ms = INT64_MAX;
	d.deadline_ms = 0;
	send(&d, 1);
	assert_seen("D");
	assert_true(t.deadline_ns == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_oldest_go_first),
		cmocka_unit_test(test_bytes_are_bounded),
		cmocka_unit_test(test_without_memory_it_is_not_kept),
		cmocka_unit_test_setup_teardown(test_a_node_tells_its_ends_again, open_node,
			close_node),
		cmocka_unit_test_setup_teardown(test_a_deadline_by_what_is_left, open_node,
			close_node),
		cmocka_unit_test_setup_teardown(test_a_node_that_left_is_silent, open_node,
			close_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
