/* SPDX-License-Identifier: Apache-2.0
 *
 * test_node: the core of a node between a bus in memory and a toy backend: orders as bytes in, reports as
 * bytes out, read back into lines of text.
 */
#include "tests/support/test.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "node/core.h"
#include "run/bus_mem.h"
#include "wire/subject.h"

#define MS INT64_C(1000000)
#define BEGIN_NS (INT64_C(1700000000000) * MS)
#define TEXT_MAX 65536u

/* util.echo ends inside start, compute.matmul when the test says so; others are not offered. */
struct toy {
	struct node *node;
	uint32_t slots;
	unsigned starts, cancels;
	int open_error, offer_error;
	bool closed;
	char tenant[LIMIT_TOKEN_BYTES + 1];
	int64_t deadline_ns;
	int64_t takes_ns; /* util.echo */
};

static struct {
	struct bus_net *net;
	struct bus *router;
	struct bus *bus;
	struct node *node;
	struct toy toy;
	int64_t now_ns;
	struct arena arena;
	struct buf seen;   /* lines of what came up */
	struct offer last; /* spans and arrays are not kept */
	int64_t last_typical_us;
} t;

static int toy_open(void *self, struct node *n, struct fail *why)
{
	struct toy *toy = self;

	toy->node = n;
	return toy->open_error == 0
		       ? 0
		       : fail_set(why, toy->open_error, NULL, 0, "the toy does not open");
}

static int toy_offer(void *self, struct arena *a, struct offer *o)
{
	struct toy *toy = self;

	o->kinds = arena_alloc(a, 2 * sizeof(*o->kinds));
	if (o->kinds == NULL || toy->offer_error < 0)
		return toy->offer_error < 0 ? toy->offer_error : ERR_NO_MEMORY;
	o->kinds[0] = (struct kind_offer){ .kind = SPAN_LIT("util.echo"), .ready = true };
	o->kinds[1] = (struct kind_offer){
		.kind = SPAN_LIT("compute.matmul"),
		.ready = true,
		.typical_us = 5,
	};
	o->kinds_n = 2;
	o->slots = toy->slots;
	o->device = SPAN_LIT("a toy");
	o->health = 1000;
	return 0;
}

static int toy_start(void *self, const struct job *job, struct fail *why)
{
	struct toy *toy = self;

	toy->starts++;
	toy->deadline_ns = job->deadline_ns;
	span_copy(job->tenant, toy->tenant, sizeof(toy->tenant));
	if (span_is(job->kind, "compute.matmul"))
		return 0;
	if (!span_is(job->kind, "util.echo"))
		return fail_set(why, ERR_UNSUPPORTED, "kind", 0, "a toy cannot do this");
	t.now_ns += toy->takes_ns;
	node_done(toy->node, job->task, job->attempt, job->raw);
	return 0;
}

static void toy_cancel(void *self, struct ulid task, uint32_t attempt)
{
	struct toy *toy = self;
	struct fail why = { .code = ERR_CANCELLED };

	toy->cancels++;
	node_failed(toy->node, task, attempt, &why);
}

static void toy_close(void *self)
{
	((struct toy *)self)->closed = true;
}

static const struct backend_ops toy_ops = {
	.name = "toy",
	.rung = RUNG_CPU,
	.open = toy_open,
	.offer = toy_offer,
	.start = toy_start,
	.cancel = toy_cancel,
	.close = toy_close,
};

/* The router's side. */

static void see_offer(const struct offer *o)
{
	buf_fmt(&t.seen, "offer %d slots %u running %d%s\n", (int)o->seq, o->slots,
		(int)o->running_n, o->draining ? " draining" : "");
	t.last = *o;
	t.last_typical_us = o->kinds_n == 0 ? -1 : o->kinds[0].typical_us;
}

static void see_up(const struct up *u)
{
	static const char *const names[] = {
		[UP_NONE] = "none",
		[UP_OFFER] = "offer",
		[UP_ACCEPT] = "accept",
		[UP_REFUSE] = "refuse",
		[UP_PROGRESS] = "progress",
		[UP_CHUNK] = "chunk",
		[UP_DONE] = "done",
		[UP_FAILED] = "failed",
		[UP_BYE] = "bye",
	};

	if (u->kind == UP_OFFER) {
		see_offer(u->offer);
		return;
	}
	buf_str(&t.seen, names[u->kind]);
	if (u->kind != UP_BYE)
		buf_fmt(&t.seen, " %c%u", (int)u->task.lo, u->attempt);
	if (u->kind == UP_DONE || u->kind == UP_CHUNK)
		buf_fmt(&t.seen, " %d bytes", (int)(u->body.len + u->data.len));
	if (u->kind == UP_PROGRESS)
		buf_fmt(&t.seen, " %u %.*s", u->permille, (int)u->note.len,
			(const char *)u->note.at);
	if (u->fail.code != 0)
		buf_fmt(&t.seen, " %s %s %d", err_row(u->fail.code)->name, u->fail.field,
			(int)u->fail.limit);
	buf_byte(&t.seen, '\n');
}

static void on_ups(void *ctx, const struct bus_msg *m)
{
	struct up *ups = NULL;
	size_t ups_n = 0;

	(void)ctx;
	arena_reset(&t.arena);
	assert_int_equal(ups_decode(&t.arena, m->data, &ups, &ups_n, NULL), 0);
	for (size_t i = 0; i < ups_n; i++)
		see_up(&ups[i]);
}

static int64_t now(void *ctx)
{
	(void)ctx;
	return t.now_ns;
}

static void pump(void)
{
	do {
		while (bus_net_step(t.net, t.now_ns))
			;
		if (t.node != NULL)
			node_core_turn(t.node);
	} while (bus_net_next(t.net) <= t.now_ns);
}

static void advance(int64_t ms)
{
	t.now_ns += ms * MS;
	pump();
}

static void send_bytes(const char *subject, struct span bytes)
{
	bus_net_now(t.net, t.now_ns);
	assert_int_equal(bus_publish(t.router, subject, NULL, (struct span){ 0 }, bytes), 0);
}

static void send_to(const char *subject, const struct down *d)
{
	struct buf b;

	buf_init(&b, LIMIT_MESSAGE_BYTES);
	downs_put(&b, d);
	assert_int_equal(buf_err(&b), 0);
	send_bytes(subject, buf_span(&b));
	buf_done(&b);
	pump();
}

static struct ulid task_of(char letter)
{
	return (struct ulid){ .hi = 1, .lo = (uint64_t)letter };
}

static void assign(char letter, uint32_t attempt, const char *kind, struct span body)
{
	struct down d = {
		.kind = DOWN_ASSIGN,
		.task = task_of(letter),
		.attempt = attempt,
		.task_kind = span_str(kind),
		.tenant = SPAN_LIT("ada"),
		.lease_ms = 30000,
		.deadline_ms = t.now_ns / MS + 60000,
		.body = body,
	};

	send_to("spu.down.n1", &d);
}

/* A body with one parameter, or empty. */
static struct span body_of(struct buf *b, const char *key, const char *value)
{
	buf_reset(b);
	if (key != NULL)
		body_put_param(b, span_str(key), span_str(value));
	assert_int_equal(buf_err(b), 0);
	return buf_span(b);
}

/* Of two matrices of 2 x 2: what the toy backend works on until it is told otherwise. */
static struct span product_of(struct buf *b)
{
	body_of(b, "m", "2");
	body_put_int(b, "k", 2);
	body_put_int(b, "n", 2);
	assert_int_equal(buf_err(b), 0);
	return buf_span(b);
}

static void expect_seen(const char *lines)
{
	buf_byte(&t.seen, 0);
	assert_string_equal((const char *)t.seen.at, lines);
	buf_reset(&t.seen);
}

static struct node *open_named(const char *name, struct fail *why)
{
	struct node_core_conf conf = {
		.bus = t.bus,
		.name = name,
		.incarnation = 42,
		.slots_max = 64,
		.offer_every_ns = 5000 * MS,
		.drain_ns = 1000 * MS,
		.now = now,
		.ops = &toy_ops,
		.self = &t.toy,
	};

	return node_core_open(&conf, why);
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	t.now_ns = BEGIN_NS;
	t.toy.slots = 2;
	arena_init(&t.arena, 16 << 20);
	buf_init(&t.seen, TEXT_MAX);
	t.net = bus_net_new(NULL, NULL, 1);
	t.router = bus_mem_open(t.net, "r");
	t.bus = bus_mem_open(t.net, "n");
	assert_non_null(bus_subscribe(t.router, "spu.up.*", NULL, on_ups, NULL));
	t.node = open_named("n1", NULL);
	assert_non_null(t.node);
	pump();
	expect_seen("offer 1 slots 2 running 0\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	node_core_close(t.node);
	bus_close(t.bus);
	bus_close(t.router);
	bus_net_free(t.net);
	arena_done(&t.arena);
	buf_done(&t.seen);
	return 0;
}

static void test_a_job_from_order_to_result(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	assign('A', 1, "compute.matmul", (struct span){ 0 });
	expect_seen("refuse A1 INVALID m 0\n");
	body_of(&b, "m", "2");
	body_put_int(&b, "k", 2);
	body_put_int(&b, "n", 2);
	assign('B', 1, "compute.matmul", buf_span(&b));
	expect_seen("accept B1\n");
	assert_string_equal(t.toy.tenant, "ada");
	assert_int_equal(t.toy.deadline_ns, BEGIN_NS + 60000 * MS);
	node_progress(t.toy.node, task_of('B'), 1, 500, "half \x01 done");
	node_chunk(t.toy.node, task_of('B'), 1, SPAN_LIT("abc"));
	t.now_ns += 7 * MS;
	node_done(t.toy.node, task_of('B'), 1, buf_span(&b));
	pump();
	expect_seen("progress B1 500 half ? done\nchunk B1 3 bytes\ndone B1 24 bytes\n");
	node_done(t.toy.node, task_of('B'), 1, buf_span(&b));
	pump();
	expect_seen("");
	assert_int_equal(node_core_metrics(t.node)->done, 1);
	assert_int_equal(node_core_metrics(t.node)->refused, 1);
	assert_int_equal(node_core_metrics(t.node)->started, 1);
	assert_int_equal(node_core_metrics(t.node)->run_us.max, 7000);
	buf_done(&b);
}

static void test_an_end_inside_start(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	t.toy.takes_ns = 3 * MS;
	assign('A', 1, "util.echo", body_of(&b, NULL, NULL));
	assign('A', 1, "util.echo", body_of(&b, NULL, NULL));
	expect_seen("done A1 0 bytes\n");
	assert_int_equal(t.toy.starts, 1);
	/* the node learned how long this kind takes, and says it where the backend does not */
	advance(6000);
	expect_seen("offer 2 slots 2 running 0\n");
	assert_int_equal(t.last_typical_us, 3000);
	assert_int_equal(t.last.rung, RUNG_CPU);
	assert_int_equal(t.last.incarnation, 42);
	assert_int_equal(t.last.kinds_n, 2);
	buf_done(&b);
}

static void test_orders_that_cannot_be_run(void **state)
{
	struct buf b;
	unsigned char *big = mem_alloc(LIMIT_BODY_BYTES + 100);

	(void)state;
	assert_non_null(big);
	buf_init(&b, LIMIT_MESSAGE_BYTES);
	assign('A', 1, "llm.chat", body_of(&b, "prompt", "hello"));
	assign('B', 1, "util.echo", body_of(&b, "sleep_ms", "70000"));
	assign('C', 1, "util.echo", body_of(&b, "colour", "red"));
	assign('D', 1, "util.echo", SPAN_LIT("\xff\xff\xff"));
	buf_reset(&b);
	body_put_item(&b, (struct span){ 0 }, (struct span){ 0 }, span_of(big, LIMIT_BODY_BYTES));
	assign('E', 1, "util.echo", buf_span(&b));
	assign('F', 1, "my.own", body_of(&b, "colour", "red"));
	expect_seen("refuse A1 UNSUPPORTED kind 0\n"
		    "refuse B1 INVALID sleep_ms 60000\n"
		    "refuse C1 INVALID colour 0\n"
		    "refuse D1 MALFORMED Body 0\n"
		    "refuse E1 TOO_BIG body 524288\n"
		    "refuse F1 UNSUPPORTED kind 0\n");
	assert_int_equal(t.toy.starts, 2);
	assert_int_equal(node_core_metrics(t.node)->refused, 6);
	mem_free(big);
	buf_done(&b);
}

static void test_messages_that_cannot_be_read(void **state)
{
	struct down d = {
		.kind = DOWN_ASSIGN,
		.task = task_of('A'),
		.attempt = 1,
		.task_kind = SPAN_LIT("util.echo"),
		.tenant = SPAN_LIT("ada"),
	};

	(void)state;
	send_bytes("spu.down.n1", SPAN_LIT("\x0a\xff\xff\xff\xff"));
	send_bytes("spu.down.n1", SPAN_LIT("GET / HTTP/1.1\r\n\r\n"));
	send_bytes("spu.down.n1", SPAN_LIT("\x0a\x02\x0a\x00")); /* an assignment of nothing */
	send_bytes("spu.down.n1", (struct span){ 0 });
	pump();
	expect_seen("");
	assert_int_equal(node_core_metrics(t.node)->malformed, 3);
	/* an attempt for everyone is for no one */
	send_to("spu.down.all", &d);
	expect_seen("");
	assert_int_equal(node_core_metrics(t.node)->malformed, 4);
	send_to("spu.down.n2", &d);
	expect_seen("");
	/* and the node goes on */
	send_to("spu.down.n1", &d);
	expect_seen("done A1 0 bytes\n");
}

static void test_a_result_that_is_too_big(void **state)
{
	unsigned char *big = mem_alloc(LIMIT_BODY_BYTES + 1);
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	assign('A', 1, "compute.matmul", product_of(&b));
	assign('B', 1, "compute.matmul", buf_span(&b));
	node_chunk(t.toy.node, task_of('A'), 1, span_of(big, LIMIT_BODY_BYTES + 1));
	node_done(t.toy.node, task_of('A'), 1, span_of(big, LIMIT_BODY_BYTES + 1));
	node_done(t.toy.node, task_of('B'), 1, span_of(big, LIMIT_BODY_BYTES));
	pump();
	expect_seen("accept A1\naccept B1\nchunk A1 524288 bytes\nchunk A1 1 bytes\n"
		    "failed A1 TOO_BIG body 524288\ndone B1 524288 bytes\n");
	assert_int_equal(node_core_metrics(t.node)->failed, 1);
	mem_free(big);
	buf_done(&b);
}

static void test_cancel_ping_and_drain(void **state)
{
	struct down cancel = { .kind = DOWN_CANCEL, .task = task_of('A'), .attempt = 1 };
	struct down ping = { .kind = DOWN_PING, .router = 5 };
	struct down drain = { .kind = DOWN_DRAIN, .on = true };
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	assign('A', 1, "compute.matmul", product_of(&b));
	send_to("spu.down.all", &ping);
	send_to("spu.down.n1", &drain);
	assign('B', 1, "compute.matmul", buf_span(&b));
	send_to("spu.down.n1", &cancel);
	expect_seen("accept A1\noffer 2 slots 2 running 1\noffer 3 slots 2 running 1 draining\n"
		    "refuse B1 BUSY  0\nfailed A1 CANCELLED  0\n");
	assert_int_equal(t.toy.cancels, 1);
	buf_done(&b);
}

static void test_changed_slots_are_told_and_kept(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	t.toy.slots = 1;
	node_offer_changed(t.node);
	assert_true(node_core_wake(t.node) <= t.now_ns);
	advance(60);
	expect_seen("offer 2 slots 1 running 0\n");
	t.toy.slots = 500;
	node_offer_changed(t.node);
	advance(60);
	expect_seen("offer 3 slots 64 running 0\n");
	/* changed without a word: found with the next offer */
	t.toy.slots = 0;
	advance(5000);
	advance(60);
	expect_seen("offer 4 slots 0 running 0\noffer 5 slots 0 running 0\n");
	assign('A', 1, "util.echo", body_of(&b, NULL, NULL));
	expect_seen("refuse A1 BUSY  0\n");
	/* a backend that cannot say */
	t.toy.offer_error = ERR_DEVICE;
	advance(6000);
	expect_seen("");
	assert_int_equal(node_core_metrics(t.node)->unsent, 1);
	buf_done(&b);
}

static void test_stop_waits_for_what_runs(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	assign('A', 1, "compute.matmul", product_of(&b));
	node_core_stop(t.node);
	pump();
	expect_seen("accept A1\noffer 2 slots 2 running 1 draining\n");
	assert_false(node_core_has_left(t.node));
	assert_true(node_core_wake(t.node) == t.now_ns + 1000 * MS);
	advance(1000);
	expect_seen("failed A1 CLOSED  0\nbye\n");
	assert_true(node_core_has_left(t.node));
	assert_true(node_core_wake(t.node) == INT64_MAX);
	node_core_close(t.node);
	t.node = NULL;
	assert_true(t.toy.closed);
	buf_done(&b);
}

static void test_a_lost_bus(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	assign('A', 1, "compute.matmul", product_of(&b));
	node_core_bus(t.node, BUS_LOST);
	advance(29999);
	expect_seen("accept A1\n");
	assert_int_equal(t.toy.cancels, 0);
	advance(1);
	assert_int_equal(t.toy.cancels, 1);
	node_core_bus(t.node, BUS_UP);
	pump();
	expect_seen("offer 2 slots 2 running 0\n");
	buf_done(&b);
}

static void test_a_node_that_does_not_open(void **state)
{
	struct fail why = { 0 };

	(void)state;
	node_core_close(t.node);
	t.node = NULL;
	assert_null(open_named("all", &why));
	assert_int_equal(why.code, ERR_INVALID);
	assert_null(open_named("a b", &why));
	assert_null(open_named("", &why));
	t.toy.open_error = ERR_DEVICE;
	assert_null(open_named("n1", &why));
	assert_int_equal(why.code, ERR_DEVICE);
	assert_string_equal(why.detail, "the toy does not open");
	/* nothing of it is left on the bus */
	send_bytes("spu.down.n1", SPAN_LIT("\x0a\xff\xff\xff\xff"));
	pump();
	expect_seen("");
}

static int life_without_memory(void *arg)
{
	struct fail why = { 0 };
	struct node *n = open_named("n2", &why);
	int r = 0;

	(void)arg;
	if (n == NULL)
		return why.code;
	node_core_turn(n);
	if (node_core_metrics(n)->unsent > 0)
		r = ERR_NO_MEMORY;
	node_core_close(n);
	/* what is on its way holds memory: an end to it */
	while (bus_net_step(t.net, t.now_ns))
		;
	return r;
}

static void test_every_failing_request_for_memory(void **state)
{
	(void)state;
	arena_reset(&t.arena);
	(void)life_without_memory(NULL); /* buffers of the test and of the net are grown now */
	assert_true(nth_alloc(life_without_memory, NULL) > 5);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_job_from_order_to_result),
		TEST(test_an_end_inside_start),
		TEST(test_orders_that_cannot_be_run),
		TEST(test_messages_that_cannot_be_read),
		TEST(test_a_result_that_is_too_big),
		TEST(test_cancel_ping_and_drain),
		TEST(test_changed_slots_are_told_and_kept),
		TEST(test_stop_waits_for_what_runs),
		TEST(test_a_lost_bus),
		TEST(test_a_node_that_does_not_open),
		TEST(test_every_failing_request_for_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
