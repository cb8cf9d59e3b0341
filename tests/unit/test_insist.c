/* SPDX-License-Identifier: Apache-2.0
 *
 * test_insist: submits that meet no router, a silent one, a busy one, and one that takes them.
 */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "run/bus_mem.h"
#include "run/insist.h"
#include "run/keys.h"

#define MS NS_PER_MS

/* What the router does with the n-th submit it hears. */
enum deed { SILENT, REFUSE, BUSY, ACCEPT };

static struct {
	struct loop loop;
	struct bus_net *net;
	struct bus *bus, *router;
	struct client *client;
	struct insist insist;
	const enum deed *deeds;
	unsigned heard;
	char keys[8][65];
	char said[64];
} t;

static void say(const char *what)
{
	size_t len = strlen(t.said);

	snprintf(t.said + len, sizeof(t.said) - len, "%s ", what);
}

static void answer(const struct bus_msg *m, struct submit_reply *r)
{
	struct buf b;

	buf_init(&b, 4096);
	submit_replies_put(&b, r);
	assert_int_equal(bus_publish(t.router, (const char *)m->reply.at, NULL, (struct span){ 0 },
				 buf_span(&b)),
		0);
	buf_done(&b);
}

static void on_submits(void *ctx, const struct bus_msg *m)
{
	struct submit_reply r = { .task = { 1, 2 }, .state = STATE_QUEUED };
	enum deed deed = t.deeds[t.heard];
	struct submit *submits;
	struct arena a;
	size_t n;

	(void)ctx;
	arena_init(&a, 1 << 20);
	assert_int_equal(submits_decode(&a, m->data, &submits, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_true(t.heard < 8);
	span_copy(submits[0].key, t.keys[t.heard++], sizeof(t.keys[0]));
	arena_done(&a);
	if (deed == REFUSE)
		fail_set(&r.fail, ERR_INVALID, "kind", 0, NULL);
	if (deed == BUSY) {
		fail_set(&r.fail, ERR_BUSY, "tasks", 0, NULL);
		r.fail.retry_after_ms = 150;
	}
	if (deed != SILENT)
		answer(m, &r);
}

static void on_reply(void *ctx, const struct submit_reply *r)
{
	(void)ctx;
	say(r->fail.code == 0 ? state_name(r->state) : err_row(r->fail.code)->name);
}

static void on_pause(void *ctx, const struct fail *why)
{
	(void)ctx;
	assert_true(why->code < 0);
	say("pause");
}

static int setup(void **state)
{
	const struct client_conf conf = { .tenant = SPAN_LIT("local"), .submit_ns = 50 * MS };

	(void)state;
	memset(&t, 0, sizeof(t));
	assert_int_equal(keys_open(), 0);
	assert_int_equal(loop_open(&t.loop), 0);
	t.net = bus_net_new(NULL, NULL, 1);
	t.bus = bus_mem_open(t.net, "client");
	t.router = bus_mem_open(t.net, "router");
	t.client = client_open(&t.loop, t.bus, &conf);
	assert_non_null(t.client);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	insist_stop(&t.insist);
	client_close(t.client);
	bus_close(t.bus);
	bus_close(t.router);
	bus_net_free(t.net);
	loop_close(&t.loop);
	return 0;
}

static void submit(const char *key, int64_t patience_ns, const enum deed *deeds)
{
	t.deeds = deeds;
	t.insist = (struct insist){ .loop = &t.loop,
		.client = t.client,
		.submit = { .kind = SPAN_LIT("util.echo"), .key = span_str(key) },
		.patience_ns = patience_ns,
		.on_reply = on_reply,
		.on_pause = on_pause };
	assert_int_equal(insist_submit(&t.insist), 0);
}

/* Turns for so long. */
static void pass(int64_t ns)
{
	int64_t until_ns = clocks_now(&t.loop.clocks) + ns;

	do {
		bus_net_now(t.net, t.loop.now_ns);
		while (bus_net_step(t.net, t.loop.now_ns))
			;
		assert_int_equal(loop_turn(&t.loop, 5 * MS), 0);
	} while (t.loop.now_ns < until_ns);
}

static void open_router(void)
{
	assert_non_null(
		bus_subscribe(t.router, "spu.submit.local", "spu-router", on_submits, NULL));
}

static void test_a_router_that_comes_later(void **state)
{
	(void)state;
	submit("", 10000 * MS, (const enum deed[]){ ACCEPT });
	pass(20 * MS);
	assert_string_equal(t.said, "pause ");
	open_router();
	pass(300 * MS);
	assert_string_equal(t.said, "pause QUEUED ");
	assert_int_equal(t.heard, 1);
}

static void test_a_router_that_is_silent_at_first(void **state)
{
	(void)state;
	open_router();
	submit("once", 10000 * MS, (const enum deed[]){ SILENT, BUSY, ACCEPT });
	pass(900 * MS);
	assert_string_equal(t.said, "pause pause QUEUED ");
	assert_int_equal(t.heard, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(t.keys[i], "once");
}

/* It may have been heard, and would run twice. */
static void test_without_a_key_silence_is_the_end(void **state)
{
	(void)state;
	open_router();
	submit("", 10000 * MS, (const enum deed[]){ SILENT, ACCEPT });
	pass(400 * MS);
	assert_string_equal(t.said, "TIMEOUT ");
	assert_int_equal(t.heard, 1);
}

static void test_a_refusal_is_the_end(void **state)
{
	(void)state;
	open_router();
	submit("once", 10000 * MS, (const enum deed[]){ REFUSE, ACCEPT });
	pass(300 * MS);
	assert_string_equal(t.said, "INVALID ");
}

static void test_patience_ends(void **state)
{
	(void)state;
	submit("once", 250 * MS, NULL);
	pass(900 * MS);
	assert_string_equal(t.said, "pause NO_NODE ");
}

static void test_who_stops_hears_nothing(void **state)
{
	(void)state;
	submit("once", 10000 * MS, NULL);
	pass(20 * MS);
	assert_string_equal(t.said, "pause ");
	insist_stop(&t.insist);
	pass(300 * MS);
	assert_string_equal(t.said, "pause ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_router_that_comes_later),
		TEST(test_a_router_that_is_silent_at_first),
		TEST(test_without_a_key_silence_is_the_end),
		TEST(test_a_refusal_is_the_end),
		TEST(test_patience_ends),
		TEST(test_who_stops_hears_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
