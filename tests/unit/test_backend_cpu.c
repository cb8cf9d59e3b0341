/* SPDX-License-Identifier: Apache-2.0
 *
 * test_backend_cpu: the backend under a real node core, loop and pool of threads; the router is a peer on a
 * bus in memory. What came up is read back as lines of text.
 */
#include "tests/support/test.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "cpu-node/backend_cpu.h"
#include "cpu-node/kinds.h"
#include "node/core.h"
#include "run/bus_mem.h"

#define SLOTS 4
#define QUEUE_BYTES 4096
#define PATIENCE_NS (20 * NS_PER_S) /* for what takes milliseconds, under any sanitizer */

static struct {
	struct cpu_conf conf;
	struct cpu_backend backend;
	struct daemon daemon; /* only its loop */
	struct bus_net *net;
	struct bus *router;
	struct bus *bus;
	struct node *node;
	struct arena arena;
	struct buf seen; /* lines of what came up */
	unsigned ends;   /* done, failed and refused */
	unsigned progress;
	uint32_t offered_slots;
	uint32_t queued; /* of the last offer */
	int64_t held;    /* blocks before set-up */
} t;

static int64_t now(void *ctx)
{
	(void)ctx;
	return clocks_now(&t.daemon.loop.clocks);
}

/* The router's side. */

static void see_up(const struct up *u)
{
	static const char *const
		names[] = { [UP_REFUSE] = "refuse", [UP_DONE] = "done", [UP_FAILED] = "failed" };

	t.progress += u->kind == UP_PROGRESS;
	if (u->kind == UP_OFFER) {
		t.queued = u->offer->queued;
		t.offered_slots = u->offer->slots;
	}
	if (u->kind >= ARRAY_LEN(names) || names[u->kind] == NULL)
		return;
	t.ends++;
	buf_fmt(&t.seen, "%s %c", names[u->kind], (int)u->task.lo);
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

static void pump(void)
{
	do {
		while (bus_net_step(t.net, now(NULL)))
			;
		if (t.node != NULL)
			node_core_turn(t.node);
	} while (bus_net_next(t.net) <= now(NULL));
}

static void send_down(const struct down *d)
{
	struct buf b;

	buf_init(&b, LIMIT_MESSAGE_BYTES);
	downs_put(&b, d);
	assert_int_equal(buf_err(&b), 0);
	bus_net_now(t.net, now(NULL));
	assert_int_equal(
		bus_publish(t.router, "spu.down.n1", NULL, (struct span){ 0 }, buf_span(&b)), 0);
	buf_done(&b);
	pump();
}

static struct ulid task_of(char letter)
{
	return (struct ulid){ .hi = 1, .lo = (uint64_t)letter };
}

/* An order for a kind with one parameter and one item, which may both be missing. */
static void assign(char letter, const char *kind, const char *key, const char *value,
	struct span data)
{
	struct down d = {
		.kind = DOWN_ASSIGN,
		.task = task_of(letter),
		.attempt = 1,
		.task_kind = span_str(kind),
		.tenant = SPAN_LIT("ada"),
		.lease_ms = 30000,
		.deadline_ms = now(NULL) / NS_PER_MS + 60000,
	};
	struct buf b;

	assert_int_equal(loop_turn(&t.daemon.loop, 0), 0); /* its time is that of its last turn */
	buf_init(&b, LIMIT_BODY_BYTES);
	if (key != NULL)
		body_put_param(&b, span_str(key), span_str(value));
	if (data.len > 0)
		body_put_item(&b, SPAN_LIT("data"), (struct span){ 0 }, data);
	d.body = buf_span(&b);
	send_down(&d);
	buf_done(&b);
}

/* Work for minutes, that looks at its mark every few milliseconds. */
static void assign_long(char letter)
{
	assign(letter, "compute.montecarlo", "samples", "10000000000", (struct span){ 0 });
}

static void cancel(char letter)
{
	send_down(&(struct down){ .kind = DOWN_CANCEL, .task = task_of(letter), .attempt = 1 });
}

/* Turns until so many attempts have ended since the last look. */
static void turn_until_ends(unsigned ends)
{
	int64_t until_ns = now(NULL) + PATIENCE_NS;

	while (t.ends < ends) {
		assert_true(now(NULL) < until_ns);
		assert_int_equal(loop_turn(&t.daemon.loop, 10 * NS_PER_MS), 0);
		pump();
	}
}

static void expect_seen(const char *lines)
{
	buf_byte(&t.seen, 0);
	assert_string_equal((const char *)t.seen.at, lines);
	buf_reset(&t.seen);
	t.ends = 0;
}

static void expect_idle(void)
{
	assert_int_equal(t.backend.runs_n, 0);
	assert_int_equal(t.backend.pooled_n, 0);
	assert_int_equal(t.backend.held_bytes, 0);
	assert_true(list_is_empty(&t.backend.runs));
}

static void open_node(void)
{
	struct node_core_conf conf = {
		.bus = t.bus,
		.name = "n1",
		.incarnation = 42,
		.slots_max = LIMIT_OFFER_SLOTS,
		.offer_every_ns = 5 * NS_PER_S,
		.drain_ns = NS_PER_S,
		.now = now,
		.ops = &cpu_backend_ops,
		.self = &t.backend,
		.daemon = &t.daemon,
	};

	cpu_backend_init(&t.backend, &t.conf);
	t.node = node_core_open(&conf, NULL);
	assert_non_null(t.node);
	pump();
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	t.held = mem_held();
	t.conf.threads = 1;
	t.conf.slots = SLOTS;
	t.conf.queue_bytes = QUEUE_BYTES;
	t.conf.price_ucr = 7;
	arena_init(&t.arena, 16 << 20);
	buf_init(&t.seen, 65536);
	assert_int_equal(loop_open(&t.daemon.loop), 0);
	t.net = bus_net_new(NULL, NULL, 1);
	t.router = bus_mem_open(t.net, "r");
	t.bus = bus_mem_open(t.net, "n");
	assert_non_null(bus_subscribe(t.router, "spu.up.*", NULL, on_ups, NULL));
	open_node();
	assert_int_equal(t.offered_slots, SLOTS);
	return 0;
}

static void close_node(void)
{
	node_core_close(t.node);
	t.node = NULL;
	pump();
}

static int teardown(void **state)
{
	(void)state;
	close_node();
	bus_close(t.bus);
	bus_close(t.router);
	bus_net_free(t.net);
	loop_close(&t.daemon.loop);
	arena_done(&t.arena);
	buf_done(&t.seen);
	return mem_held() == t.held ? 0 : -1;
}

static void test_offer(void **state)
{
	struct offer o = { 0 };

	(void)state;
	arena_reset(&t.arena);
	assert_int_equal(cpu_backend_ops.offer(&t.backend, &t.arena, &o), 0);
	for (size_t i = 0; i < o.kinds_n; i++) {
		assert_non_null(kind_find(o.kinds[i].kind));
		assert_true(o.kinds[i].ready && o.kinds[i].price_ucr == 7);
	}
	assert_true(o.kinds_n > 5 && cpu_kind_at((unsigned)o.kinds_n) == NULL);
	assert_true(o.slots == SLOTS && o.queued == 0 && o.health == 1000 && o.load <= 1000);
	assert_true(o.device.len > 0);
}

static void test_small_jobs_end_at_once(void **state)
{
	(void)state;
	assign('A', "util.echo", NULL, NULL, SPAN_LIT("x"));
	expect_seen("done A\n");
	assign('B', "util.echo", "fail", "always", SPAN_LIT("x"));
	expect_seen("failed B LOST fail 0\n");
	assign('C', "llm.chat", "prompt", "why?", (struct span){ 0 });
	expect_seen("refuse C UNSUPPORTED kind 0\n");
	assign('D', "my.own", NULL, NULL, (struct span){ 0 });
	expect_seen("refuse D UNSUPPORTED kind 0\n");
	expect_idle();
}

static void test_results_of_the_pool(void **state)
{
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text));
	assign('A', "blob.compress", NULL, NULL, span_of(text, sizeof(text)));
	assert_int_equal(t.backend.runs_n, 1);
	assert_true(t.backend.held_bytes > 3000);
	turn_until_ends(1);
	expect_seen("done A\n");
	assign('B', "blob.decompress", NULL, NULL, SPAN_LIT("no zstd"));
	turn_until_ends(1);
	expect_seen("failed B MALFORMED  0\n");
	expect_idle();
}

static void test_a_sleep(void **state)
{
	int64_t begin_ns = now(NULL);

	(void)state;
	assign('A', "util.echo", "sleep_ms", "60", SPAN_LIT("x"));
	assign('B', "util.echo", "sleep_ms", "20", SPAN_LIT("x"));
	assert_int_equal(t.backend.runs_n, 2);
	assert_int_equal(t.backend.pooled_n, 0);
	turn_until_ends(2);
	expect_seen("done B\ndone A\n");
	assert_true(now(NULL) - begin_ns >= 60 * NS_PER_MS);
	expect_idle();
}

static void test_cancel(void **state)
{
	(void)state;
	assign('A', "util.echo", "sleep_ms", "60000", SPAN_LIT("x"));
	cancel('Z');
	cancel('A');
	expect_seen("failed A CANCELLED  0\n");
	expect_idle();
	assign_long('B');
	assign_long('C');
	assert_int_equal(t.backend.pooled_n, 2);
	cancel('C');
	cancel('B');
	turn_until_ends(2);
	buf_reset(&t.seen); /* the order is the pool's affair */
	t.ends = 0;
	while (t.backend.runs_n > 0)
		assert_int_equal(loop_turn(&t.daemon.loop, 10 * NS_PER_MS), 0);
	expect_idle();
	assign('D', "compute.montecarlo", "samples", "1000", (struct span){ 0 });
	turn_until_ends(1);
	expect_seen("done D\n");
}

static void test_progress_and_what_waits(void **state)
{
	int64_t until_ns = now(NULL) + PATIENCE_NS;

	(void)state;
	assign('A', "compute.montecarlo", "samples", "2000000000", (struct span){ 0 });
	assign_long('B');
	assign('C', "util.echo", "sleep_ms", "60000", SPAN_LIT("x"));
	node_offer_changed(t.node);
	/* One thread: A is on it, B waits, C sleeps. */
	while (t.progress == 0 || t.queued != 1) {
		assert_true(now(NULL) < until_ns);
		assert_int_equal(loop_turn(&t.daemon.loop, 10 * NS_PER_MS), 0);
		pump();
	}
}

/* Straight to the backend, since the node refuses by itself what is beyond the slots. */
static int start(struct cpu_backend *b, char letter, const char *kind, struct span raw,
	struct fail *why)
{
	struct body body;
	struct job job = {
		.task = task_of(letter),
		.attempt = 1,
		.kind = span_str(kind),
		.row = kind_find(span_str(kind)),
		.raw = raw,
		.body = &body,
	};

	arena_reset(&t.arena);
	assert_int_equal(body_decode(&t.arena, raw, &body, NULL), 0);
	*why = (struct fail){ 0 };
	return cpu_backend_ops.start(b, &job, why);
}

static void test_refusals(void **state)
{
	static const char half[QUEUE_BYTES / 2];
	struct fail why;
	struct buf b;

	(void)state;
	buf_init(&b, LIMIT_BODY_BYTES);
	body_put_int(&b, "sleep_ms", 60000);
	for (char letter = 'A'; letter < 'A' + SLOTS; letter++)
		assert_int_equal(start(&t.backend, letter, "util.echo", buf_span(&b), &why), 0);
	assert_int_equal(start(&t.backend, 'Z', "util.echo", buf_span(&b), &why), ERR_BUSY);
	assert_string_equal(why.field, "slots");
	assert_int_equal(why.limit, SLOTS);
	for (char letter = 'A'; letter < 'A' + SLOTS; letter++)
		cpu_backend_ops.cancel(&t.backend, task_of(letter), 1);
	expect_idle();
	buf_reset(&b);
	body_put_int(&b, "sleep_ms", 60000);
	body_put_item(&b, SPAN_LIT(""), SPAN_LIT(""), span_of(half, sizeof(half)));
	assert_int_equal(start(&t.backend, 'A', "util.echo", buf_span(&b), &why), 0);
	assert_int_equal(start(&t.backend, 'B', "util.echo", buf_span(&b), &why), ERR_BUSY);
	assert_string_equal(why.field, "queue_bytes");
	assert_int_equal(why.limit, QUEUE_BYTES);
	cpu_backend_ops.cancel(&t.backend, task_of('A'), 1);
	expect_idle();
	buf_done(&b);
}

/* Once the buffers have their size. */
static void test_small_jobs_take_no_memory(void **state)
{
	struct fail why;
	struct buf b;
	int64_t held;

	(void)state;
	buf_init(&b, LIMIT_BODY_BYTES);
	body_put_item(&b, SPAN_LIT("doc"), SPAN_LIT("text/plain"), SPAN_LIT("One. Two."));
	assert_int_equal(start(&t.backend, 'A', "util.echo", buf_span(&b), &why), 0);
	held = mem_held();
	for (int i = 0; i < 100; i++) {
		mem_fail_at(1, 1);
		assert_int_equal(start(&t.backend, 'A', "util.echo", buf_span(&b), &why), 0);
		assert_int_equal(mem_failed(), 0);
		mem_fail_at(0, 0);
	}
	assert_int_equal(mem_held(), held);
	assert_true(span_eq(buf_span(&t.backend.out), buf_span(&b)));
	buf_done(&b);
}

static void test_close_with_jobs_held(void **state)
{
	int64_t begin_ns;

	(void)state;
	assign_long('A');
	assign_long('B');
	assign('C', "util.echo", "sleep_ms", "60000", SPAN_LIT("x"));
	begin_ns = now(NULL);
	close_node();
	assert_true(now(NULL) - begin_ns < PATIENCE_NS);
	assert_int_equal(t.ends, 3);
	buf_byte(&t.seen, 0);
	assert_non_null(strstr((const char *)t.seen.at, "failed A CANCELLED"));
	assert_non_null(strstr((const char *)t.seen.at, "failed B CANCELLED"));
	assert_non_null(strstr((const char *)t.seen.at, "failed C CANCELLED"));
	expect_idle();
}

/* A backend beside the node's, from open to close. */
static int run_nth(void *arg)
{
	const struct span *raw = arg;
	struct cpu_backend b;
	struct fail why = { 0 };
	int r;

	cpu_backend_init(&b, &t.conf);
	r = cpu_backend_ops.open(&b, t.node, &why);
	if (r == 0) {
		struct body body = { .params_n = 0 };
		struct arena a;
		struct job job = {
			.task = task_of('A'),
			.attempt = 1,
			.kind = SPAN_LIT("blob.compress"),
			.row = kind_find(SPAN_LIT("blob.compress")),
			.raw = *raw,
			.body = &body,
		};
		struct offer o = { 0 };

		r = cpu_backend_ops.start(&b, &job, &why);
		arena_init(&a, 65536);
		if (r == 0)
			r = cpu_backend_ops.offer(&b, &a, &o);
		arena_done(&a);
		cpu_backend_ops.close(&b);
		assert_int_equal(b.runs_n, 0);
	}
	assert_true(r == 0 || r == ERR_NO_MEMORY);
	return r;
}

static void test_want_of_memory(void **state)
{
	struct span raw;
	struct buf b;

	(void)state;
	buf_init(&b, LIMIT_BODY_BYTES);
	body_put_item(&b, SPAN_LIT("doc"), SPAN_LIT("text/plain"), SPAN_LIT("One. Two."));
	raw = buf_span(&b);
	assert_true(nth_alloc(run_nth, &raw) >= 5);
	buf_done(&b);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_offer),
		TEST(test_small_jobs_end_at_once),
		TEST(test_results_of_the_pool),
		TEST(test_a_sleep),
		TEST(test_cancel),
		TEST(test_progress_and_what_waits),
		TEST(test_refusals),
		TEST(test_small_jobs_take_no_memory),
		TEST(test_close_with_jobs_held),
		TEST(test_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
