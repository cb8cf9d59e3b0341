/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies that are packed on their way: a router and a node on a bus in memory, and somebody who listens in between.
 */
#include "base/fmt.h"
#include "base/mem.h"
#include "node/core.h"
#include "run/pack.h"
#include "tests/support/core_rig.h"
#include "tests/support/echo_offer.h"
#include "tests/support/test.h"
#include "wire/body.h"

#define BODY_BYTES 100000u

static struct {
	struct core_rig *g;
	struct bus *bus; /* the node's */
	struct node *node;
	struct arena arena;
	/* what was heard on the way */
	unsigned assigns, dones, packed_assigns, packed_dones;
	size_t assign_bytes, done_bytes;
	bool assign_packs;
	struct fail failed;
	struct buf body; /* of a task */
} t;

/* A node that gives back what it gets. */

static int echo_open(void *self, struct node *n, struct fail *why)
{
	(void)why;
	*(struct node **)self = n;
	return 0;
}

static int echo_start(void *self, const struct job *job, struct fail *why)
{
	(void)why;
	node_done(*(struct node **)self, job->task, job->attempt, job->raw);
	return 0;
}

static void echo_cancel(void *self, struct ulid task, uint32_t attempt)
{
	(void)self;
	(void)task;
	(void)attempt;
}

static void echo_close(void *self)
{
	(void)self;
}

static const struct backend_ops echo_ops = {
	.name = "echo",
	.rung = RUNG_CPU,
	.open = echo_open,
	.offer = echo_offer,
	.start = echo_start,
	.cancel = echo_cancel,
	.close = echo_close,
};

/* Between the two. */

static void on_down(void *ctx, const struct bus_msg *m)
{
	struct down *downs;
	size_t n;

	(void)ctx;
	arena_reset(&t.arena);
	assert_int_equal(downs_decode(&t.arena, m->data, &downs, &n, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		if (downs[i].kind != DOWN_ASSIGN)
			continue;
		t.assigns++;
		t.packed_assigns += downs[i].packed;
		t.assign_packs = downs[i].packs;
		t.assign_bytes = downs[i].body.len;
	}
}

static void on_up(void *ctx, const struct bus_msg *m)
{
	struct up *ups;
	size_t n;

	(void)ctx;
	arena_reset(&t.arena);
	assert_int_equal(ups_decode(&t.arena, m->data, &ups, &n, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		if (ups[i].kind == UP_FAILED)
			t.failed = ups[i].fail;
		if (ups[i].kind != UP_DONE)
			continue;
		t.dones++;
		t.packed_dones += ups[i].packed;
		t.done_bytes = ups[i].body.len;
	}
}

static int64_t now(void *ctx)
{
	(void)ctx;
	return t.g->now_ns;
}

static void pump(void)
{
	for (int i = 0; i < 5; i++) {
		core_pump(t.g);
		node_core_turn(t.node);
	}
}

static void open_node(bool packs)
{
	static struct node *self;
	struct node_core_conf conf = {
		.bus = t.bus,
		.name = "n1",
		.incarnation = 42,
		.slots_max = 8,
		.offer_every_ns = INT64_C(5000000000),
		.drain_ns = 1000,
		.now = now,
		.ops = &echo_ops,
		.self = &self,
		.packs = packs,
	};

	t.node = node_core_open(&conf, NULL);
	assert_non_null(t.node);
	pump();
}

static int set_up(void **state)
{
	memset(&t, 0, sizeof(t));
	if (core_set_up(state) < 0)
		return -1;
	t.g = *state;
	arena_init(&t.arena, 16u << 20);
	buf_init(&t.body, LIMIT_BODY_BYTES);
	t.bus = bus_mem_open(t.g->net, "n1");
	assert_non_null(bus_subscribe(t.g->peer, "spu.down.n1", NULL, on_down, NULL));
	assert_non_null(bus_subscribe(t.g->peer, "spu.up.n1", NULL, on_up, NULL));
	return 0;
}

static int tear_down(void **state)
{
	node_core_close(t.node);
	bus_close(t.bus);
	arena_done(&t.arena);
	buf_done(&t.body);
	return core_tear_down(state);
}

/* A body with one item of so many bytes: one in `letters` of them is like any other. */
static struct span body_of(size_t bytes, unsigned letters)
{
	static unsigned char data[BODY_BYTES];
	struct prng p;

	rand_start(&p);
	for (size_t i = 0; i < bytes; i++)
		data[i] = (unsigned char)prng_below(&p, letters);
	buf_reset(&t.body);
	body_put_item(&t.body, SPAN_LIT("in"), (struct span){ 0 }, span_of(data, bytes));
	return buf_span(&t.body);
}

/* Submit, and have back what was sent. */
static struct submit_reply round_trip(struct span body)
{
	struct submit s = { .kind = SPAN_LIT("util.echo"), .body = body };
	struct submit_reply r = core_submit(t.g, "t", &s);
	struct query q = { .kind = QUERY_RESULT, .task = r.task };
	struct query_reply end;

	assert_int_equal(r.fail.code, 0);
	pump();
	end = core_ask(t.g, "t", &q);
	assert_int_equal(end.result.state, STATE_SUCCEEDED);
	assert_true(span_eq(end.result.body, body));
	return r;
}

static void large_bodies_are_packed_both_ways(void **state)
{
	(void)state;
	open_node(true);
	assert_true(round_trip(body_of(BODY_BYTES, 4)).packs);
	assert_true(t.packed_assigns == 1 && t.packed_dones == 1 && t.assign_packs);
	assert_true(t.assign_bytes < BODY_BYTES / 2 && t.done_bytes == t.assign_bytes);
	assert_int_equal(node_core_metrics(t.node)->packed, 1);
	assert_int_equal(node_core_metrics(t.node)->unpacked, 1);
	/* and again, with what is left of the first */
	round_trip(body_of(BODY_BYTES / 2, 3));
	assert_int_equal(t.packed_dones, 2);
}

static void what_does_not_pay_stays(void **state)
{
	(void)state;
	open_node(true);
	assert_false(round_trip(body_of(PACK_BYTES - 100, 1)).packs); /* small */
	round_trip(body_of(BODY_BYTES, 256));                         /* random */
	assert_true(t.assigns == 2 && t.dones == 2);
	assert_true(t.packed_assigns == 0 && t.packed_dones == 0);
}

/* A node that does not ask for it, such as an old one, gets and gives bodies as they are. */
static void nobody_gets_what_he_does_not_ask_for(void **state)
{
	(void)state;
	open_node(false);
	round_trip(body_of(BODY_BYTES, 4));
	assert_true(t.assigns == 1 && t.dones == 1);
	assert_true(t.packed_assigns == 0 && t.packed_dones == 0);
}

/* The peer gives an order as a router would. */
static void give_order(bool packs, struct span body, bool is_packed, unsigned number)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct down d = {
		.kind = DOWN_ASSIGN,
		.task = { .hi = 1, .lo = number },
		.attempt = 1,
		.task_kind = SPAN_LIT("util.echo"),
		.tenant = SPAN_LIT("t"),
		.lease_ms = 30000,
		.deadline_ms = t.g->now_ns / 1000000 + 60000,
		.body = body,
		.packed = is_packed,
		.packs = packs,
	};

	buf_init(&b, LIMIT_MESSAGE_BYTES);
	downs_put(&b, &d);
	core_say(t.g, "spu.down.n1", NULL, buf_span(&b));
	pump();
}

/* A router that does not read packed results is not sent any, also when it asks for old ones. */
static void an_old_router_gets_plain_results(void **state)
{
	CLEANUP(buf_done) struct buf ping = { .max = 100 };

	(void)state;
	open_node(true);
	give_order(true, body_of(BODY_BYTES, 4), false, 1);
	assert_true(t.dones == 1 && t.packed_dones == 1);
	downs_put(&ping, &(struct down){ .kind = DOWN_PING, .router = 7 });
	core_say(t.g, "spu.down.n1", NULL, buf_span(&ping));
	pump();
	assert_true(t.dones == 2 && t.packed_dones == 1); /* told again */
	assert_int_equal(t.done_bytes, t.body.len);
	give_order(false, body_of(BODY_BYTES, 4), false, 2);
	assert_true(t.dones == 3 && t.packed_dones == 1);
}

/* More than a body may have, in a few bytes. */
static struct span bomb(struct buf *to)
{
	static const unsigned char zeros[LIMIT_MESSAGE_BYTES + 1];
	CLEANUP(zip_done) struct zip z = { 0 };
	struct zip_how how = { .level = 1 };

	buf_init(to, 65536);
	assert_int_equal(zip_pack(&z, to, span_of(zeros, sizeof(zeros)), &how, NULL), 0);
	assert_true(to->len < 1000);
	return buf_span(to);
}

static void a_node_refuses_bad_frames(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	open_node(true);
	give_order(true, SPAN_LIT("this is no frame"), true, 1);
	assert_int_equal(t.failed.code, ERR_MALFORMED);
	assert_string_equal(t.failed.field, "body");
	give_order(true, bomb(&b), true, 2);
	assert_int_equal(t.failed.code, ERR_TOO_BIG);
	assert_string_equal(t.failed.field, "body");
	assert_int_equal(t.failed.limit, LIMIT_MESSAGE_BYTES);
	assert_int_equal(t.dones, 0);
	round_trip(body_of(BODY_BYTES, 4)); /* all is well after that */
}

static void a_router_refuses_bad_frames(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct submit s = { .kind = SPAN_LIT("util.echo"), .key = SPAN_LIT("k"), .packed = true };
	struct submit_reply r;

	(void)state;
	s.body = SPAN_LIT("this is no frame");
	r = core_submit(t.g, "t", &s);
	assert_int_equal(r.fail.code, ERR_MALFORMED);
	assert_string_equal(r.fail.field, "body");
	assert_true(span_is(r.key, "k"));
	s.body = bomb(&b);
	r = core_submit(t.g, "t", &s);
	assert_int_equal(r.fail.code, ERR_TOO_BIG);
	assert_int_equal(r.fail.limit, LIMIT_BODY_BYTES);
	open_node(true); /* it has what it needs for the teardown */
}

/* The task is what it would be without packing: the same key and content, whichever way it came. */
static void a_packed_submit_is_the_same_task(void **state)
{
	struct span body = body_of(BODY_BYTES, 4);
	struct submit s = { .kind = SPAN_LIT("util.echo"), .key = SPAN_LIT("k"), .body = body };
	struct packer p;
	struct submit_reply first, second;

	(void)state;
	open_node(false);
	packer_init(&p);
	s.body = packer_pack(&p, body);
	s.packed = true;
	assert_true(s.body.len > 0);
	first = core_submit(t.g, "t", &s);
	assert_true(first.fail.code == 0 && !first.existing && first.packs);
	pump();
	assert_int_equal(t.assign_bytes, body.len);
	s.body = body;
	s.packed = false;
	second = core_submit(t.g, "t", &s);
	assert_true(second.fail.code == 0 && second.existing);
	assert_true(ulid_eq(first.task, second.task));
	packer_done(&p);
}

/* It counts as a failure of the node: the task is given out again. */
static void a_bad_result_is_the_node_s(void **state)
{
	CLEANUP(buf_done) struct buf b = { .max = 4096 };
	struct submit s = { .kind = SPAN_LIT("util.echo") };
	struct up up = { .kind = UP_DONE, .attempt = 1, .body = SPAN_LIT("none"), .packed = true };
	struct query q = { .kind = QUERY_STATUS };

	(void)state;
	core_offer(t.g, 1, 1, CORE_NOTHING);
	up.task = q.task = core_submit(t.g, "t", &s).task;
	ups_put(&b, &up);
	core_say(t.g, "spu.up.n1", NULL, buf_span(&b));
	assert_int_equal(router_core_metrics(t.g->core)->up_errors, 1);
	assert_true(core_ask(t.g, "t", &q).task.state < STATE_SUCCEEDED);
	open_node(true);
}

static void knows_what_is_near(void **state)
{
	static const struct {
		const char *urls;
		bool near;
	} cases[] = {
		{ "nats://127.0.0.1:4222", true },
		{ "127.0.0.1", true },
		{ "nats://user:pa@ss@localhost:4222", true },
		{ "nats://[::1]:4222", true },
		{ "nats://10.0.0.1:4222", false },
		{ "nats://mesh.example:4222", false },
		{ "nats://127.0.0.1:4222, nats://10.0.0.1:4222", false },
		{ "nats://localhost:1,nats://localhost:2", true },
		{ "nats://127:pw@10.0.0.1", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (pack_is_near(cases[i].urls) != cases[i].near)
			fail_msg("%s", cases[i].urls);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(large_bodies_are_packed_both_ways),
		TEST(what_does_not_pay_stays),
		TEST(nobody_gets_what_he_does_not_ask_for),
		TEST(an_old_router_gets_plain_results),
		TEST(a_node_refuses_bad_frames),
		TEST(a_router_refuses_bad_frames),
		TEST(a_packed_submit_is_the_same_task),
		TEST(a_bad_result_is_the_node_s),
		cmocka_unit_test(knows_what_is_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
