/* SPDX-License-Identifier: Apache-2.0
 *
 * The bus over a real nats-server: what every bus must do, then connections that come and go.
 */
#include "run/bus_nats.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "tests/support/bus_world.h"
#include "tests/support/nats.h"

#define NOTHING span_of(NULL, 0)
#define MUCH 160u
#define PATIENCE_NS (20 * NS_PER_S)

struct rig {
	struct loop loop;
	struct broker broker;
	struct bus *a;
	struct bus *b;
	unsigned ups, losts;
	struct fail error;
	unsigned errors;
	unsigned n;
	bool is_ordered;
	struct world world;
};

static void on_error(void *ctx, const struct fail *why)
{
	struct rig *r = ctx;

	r->error = *why;
	r->errors++;
}

static void on_state(void *ctx, enum bus_state state)
{
	struct rig *r = ctx;

	r->ups += state == BUS_UP;
	r->losts += state == BUS_LOST;
}

static struct bus *open_bus(struct rig *r, const char *url, const char *nkey)
{
	struct bus_nats_conf conf = {
		.url = url,
		.name = "test",
		.nkey = nkey,
		.on_error = on_error,
		.error_ctx = r,
	};
	struct fail why = { 0 };
	struct bus *b = bus_nats_open(&r->loop, &conf, &why);

	if (b == NULL)
		fail_msg("%s", why.detail);
	b->on_state = on_state;
	b->state_ctx = r;
	return b;
}

static void on_number(void *ctx, const struct bus_msg *m)
{
	struct rig *r = ctx;
	unsigned number;

	assert_true(m->data.len >= sizeof(number));
	memcpy(&number, m->data.at, sizeof(number));
	r->is_ordered = (r->n == 0 || r->is_ordered) && number == r->n;
	r->n++;
}

static int publish_number(struct bus *b, unsigned number, size_t len)
{
	static unsigned char zeros[LIMIT_MESSAGE_BYTES];

	memcpy(zeros, &number, sizeof(number));
	return bus_publish(b, "test.number", NULL, NOTHING, span_of(zeros, len));
}

/* Turns until *value is at least n. */
static void wait_for(struct rig *r, const unsigned *value, unsigned n)
{
	int64_t end_ns = clocks_mono() + PATIENCE_NS;

	while (*value < n) {
		assert_int_equal(loop_turn(&r->loop, 20 * NS_PER_MS), 0);
		if (clocks_mono() > end_ns)
			fail_msg("waited in vain for %u: it is %u", n, *value);
	}
}

static int set_up(void **state)
{
	struct rig *r = mem_alloc(sizeof(*r));

	assert_non_null(r);
	*state = r;
	assert_int_equal(loop_open(&r->loop), 0);
	broker_init(&r->broker);
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	bus_close(r->a);
	bus_close(r->b);
	loop_close(&r->loop);
	broker_done(&r->broker);
	mem_free(r);
	return 0;
}

/* The table of all implementations. */

static void pump(struct world *w)
{
	struct rig *r = w->ctx;

	assert_int_equal(loop_turn(&r->loop, 5 * NS_PER_MS), 0);
}

static int set_up_world(void **state)
{
	struct rig *r;

	(void)set_up((void **)&r);
	broker_start(&r->broker, NULL);
	r->world.pump = pump;
	r->world.ctx = r;
	for (unsigned i = 0; i < WORLD_PEERS; i++)
		r->world.peer[i] = open_bus(r, r->broker.url, NULL);
	world_init(&r->world);
	wait_for(r, &r->ups, WORLD_PEERS);
	*state = &r->world;
	return 0;
}

static int tear_down_world(void **state)
{
	struct world *w = *state;
	struct rig *r = w->ctx;

	for (unsigned i = 0; i < WORLD_PEERS; i++)
		bus_close(w->peer[i]);
	return tear_down((void **)&r);
}

/* Connections */

static void connects_to_a_server_that_comes_later(void **state)
{
	struct rig *r = *state;

	r->a = open_bus(r, r->broker.url, NULL);
	assert_non_null(bus_subscribe(r->a, "test.number", NULL, on_number, r));
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(publish_number(r->a, i, 10), 0);
	wait_for(r, &r->errors, 2);
	assert_int_equal(r->a->state, BUS_LOST);
	assert_int_equal(r->ups, 0);
	broker_start(&r->broker, NULL);
	/* What was published before came with the connection, after the subscription. */
	wait_for(r, &r->n, 100);
	assert_true(r->is_ordered);
	assert_int_equal(r->ups, 1);
	assert_int_equal(r->losts, 0);
	assert_int_equal(r->a->dropped, 0);
}

static void come_back(void **state, int hard)
{
	struct rig *r = *state;

	broker_start(&r->broker, NULL);
	r->a = open_bus(r, r->broker.url, NULL);
	r->b = open_bus(r, r->broker.url, NULL);
	assert_non_null(bus_subscribe(r->b, "test.number", "group", on_number, r));
	wait_for(r, &r->ups, 2);
	for (unsigned round = 1; round <= 3; round++) {
		broker_stop(&r->broker, hard);
		wait_for(r, &r->losts, 2 * round);
		assert_int_equal(r->a->state, BUS_LOST);
		broker_start(&r->broker, NULL);
		wait_for(r, &r->ups, 2 + 2 * round);
		/* Both are up, but the server may not have read the subscription yet. */
		r->n = 0;
		while (r->n == 0) {
			assert_int_equal(publish_number(r->a, 0, 4), 0);
			assert_int_equal(loop_turn(&r->loop, 10 * NS_PER_MS), 0);
			assert_int_equal(loop_turn(&r->loop, 10 * NS_PER_MS), 0);
		}
	}
}

static void comes_back_when_the_server_was_stopped(void **state)
{
	come_back(state, 0);
}

static void comes_back_when_the_server_was_killed(void **state)
{
	come_back(state, 1);
}

static void waiting_messages_have_a_limit(void **state)
{
	struct rig *r = *state;
	unsigned n = 0;

	r->a = open_bus(r, r->broker.url, NULL);
	assert_non_null(bus_subscribe(r->a, "test.number", NULL, on_number, r));
	while (publish_number(r->a, n, 65536) == 0)
		n++;
	assert_in_range(n, 120, 128);
	assert_int_equal(publish_number(r->a, n, 65536), ERR_BUSY);
	broker_start(&r->broker, NULL);
	wait_for(r, &r->n, n);
	assert_true(r->is_ordered);
	assert_int_equal(publish_number(r->a, n, 65536), 0);
	wait_for(r, &r->n, n + 1);
}

/* More than sockets hold: the loop must wait for room, and nothing may be lost or turned round. It is less than
 * the 64 MiB after which the server gives up a client that does not read, as we do not meanwhile. */
static void much_at_once_arrives(void **state)
{
	struct rig *r = *state;
	unsigned n = 0;
	int err;

	broker_start(&r->broker, NULL);
	r->a = open_bus(r, r->broker.url, NULL);
	assert_non_null(bus_subscribe(r->a, "test.number", NULL, on_number, r));
	wait_for(r, &r->ups, 1);
	while ((err = publish_number(r->a, n, 262144)) == 0 && n < MUCH)
		n++;
	assert_int_equal(err, n < MUCH ? ERR_BUSY : 0);
	assert_true(n >= 32);
	wait_for(r, &r->n, n);
	assert_true(r->is_ordered);
	assert_int_equal(publish_number(r->a, n, 10), 0);
	wait_for(r, &r->n, n + 1);
	assert_int_equal(r->losts, 0);
}

/* A hook that was added after the bus's own publishes in every turn: it must leave without another event. */
static void on_late_hook(void *ctx, int64_t now_ns)
{
	struct rig *r = ctx;

	(void)now_ns;
	if (r->a->state == BUS_UP && r->ups == 1) {
		assert_int_equal(publish_number(r->a, 0, 4), 0);
		r->ups = 2;
	}
}

static void published_by_a_late_hook_leaves_too(void **state)
{
	struct loop_hook hook = { .on_turn = on_late_hook, .ctx = *state };
	struct rig *r = *state;
	int64_t start_ns;

	broker_start(&r->broker, NULL);
	r->a = open_bus(r, r->broker.url, NULL);
	assert_non_null(bus_subscribe(r->a, "test.number", NULL, on_number, r));
	loop_hook_add(&r->loop, &hook);
	wait_for(r, &r->ups, 2);
	start_ns = clocks_mono();
	while (r->n == 0)
		assert_int_equal(loop_turn(&r->loop, 5 * NS_PER_S), 0);
	assert_true(clocks_mono() - start_ns < 2 * NS_PER_S);
	loop_hook_drop(&r->loop, &hook);
}

static void published_outside_a_turn_leaves_too(void **state)
{
	struct rig *r = *state;
	int64_t start_ns;

	broker_start(&r->broker, NULL);
	r->a = open_bus(r, r->broker.url, NULL);
	assert_non_null(bus_subscribe(r->a, "test.number", NULL, on_number, r));
	wait_for(r, &r->ups, 1);
	while (r->n < 20) {
		assert_int_equal(publish_number(r->a, r->n, 4), 0);
		start_ns = clocks_mono();
		for (unsigned before = r->n; r->n == before;)
			assert_int_equal(loop_turn(&r->loop, 5 * NS_PER_S), 0);
		assert_true(clocks_mono() - start_ns < 2 * NS_PER_S);
	}
}

static void closing_sends_all(void **state)
{
	struct rig *r = *state;

	broker_start(&r->broker, NULL);
	r->b = open_bus(r, r->broker.url, NULL);
	assert_non_null(bus_subscribe(r->b, "test.number", NULL, on_number, r));
	/* Input that nobody reads is on its way to the closing bus, too. */
	r->a = open_bus(r, r->broker.url, NULL);
	assert_non_null(bus_subscribe(r->a, "test.number", NULL, on_number, &(struct rig){ 0 }));
	wait_for(r, &r->ups, 2);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(loop_turn(&r->loop, NS_PER_MS), 0);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(publish_number(r->a, i, 1000), 0);
	bus_close(r->a);
	r->a = NULL;
	wait_for(r, &r->n, 1000);
	assert_true(r->is_ordered);
}

static void closing_is_quick_without_a_server(void **state)
{
	struct rig *r = *state;
	int64_t start_ns = clocks_mono();
	int64_t held = mem_held();

	r->a = open_bus(r, r->broker.url, NULL);
	assert_int_equal(publish_number(r->a, 0, 4), 0);
	wait_for(r, &r->errors, 1);
	bus_close(r->a);
	r->a = NULL;
	assert_true(clocks_mono() - start_ns < 3 * NS_PER_S);
	assert_int_equal(mem_held(), held);
}

static void connections_leave_nothing_behind(void **state)
{
	struct rig *r = *state;
	int64_t held = mem_held();
	int fd;

	broker_start(&r->broker, NULL);
	fd = dup(0);
	close(fd);
	for (unsigned i = 0; i < 20; i++) {
		r->ups = 0;
		r->a = open_bus(r, r->broker.url, NULL);
		assert_non_null(bus_subscribe(r->a, "test.number", NULL, on_number, r));
		if (i % 2 == 0)
			wait_for(r, &r->ups, 1);
		bus_close(r->a);
		r->a = NULL;
		assert_int_equal(mem_held(), held);
	}
	assert_int_equal(dup(0), fd); /* the lowest free one is the same as before */
	close(fd);
}

static int use_all(void *arg)
{
	struct rig *r = arg;
	struct bus_nats_conf conf = { .url = r->broker.url };
	struct fail why = { 0 };
	struct bus *b = bus_nats_open(&r->loop, &conf, &why);
	int err = b == NULL ? why.code : 0;

	if (b != NULL && (bus_subscribe(b, "test.number", "group", on_number, r) == NULL ||
				 bus_subscribe(b, "test.*", NULL, on_number, r) == NULL))
		err = ERR_NO_MEMORY;
	for (unsigned i = 0; i < 20 && err == 0; i++)
		err = publish_number(b, i, 1000);
	bus_close(b);
	return err;
}

static void lives_through_lack_of_memory(void **state)
{
	struct rig *r = *state;

	/* Nobody listens at this address; the thread that connects takes memory too. */
	assert_true(nth_alloc(use_all, r) >= 10);
}

/* Rights */

static const char seed[] = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
static const char rights[] =
	"authorization { users: [ { nkey: "
	"UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4,\n"
	"  permissions: { publish: [\"test.number\"], subscribe: [\"test.number\"] } } ] }";

static void write_seed(const struct rig *r, char path[96], const char *text)
{
	FILE *file;

	/* Over the broker's log, which nobody needs and which is removed with it. */
	(void)snprintf(path, 96, "%s/log", r->broker.dir);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n", text);
	assert_int_equal(fclose(file), 0);
}

static void logs_in_with_a_key(void **state)
{
	struct rig *r = *state;
	char path[96];

	broker_start(&r->broker, rights);
	write_seed(r, path, seed);
	r->a = open_bus(r, r->broker.url, path);
	assert_non_null(bus_subscribe(r->a, "test.number", NULL, on_number, r));
	wait_for(r, &r->ups, 1);
	assert_int_equal(publish_number(r->a, 0, 4), 0);
	wait_for(r, &r->n, 1);
	assert_int_equal(r->errors, 0);
	/* The server refuses these two; the connection lives on. */
	assert_non_null(bus_subscribe(r->a, "test.other", NULL, on_number, r));
	wait_for(r, &r->errors, 1);
	assert_int_equal(r->error.code, ERR_DENIED);
	assert_non_null(strstr(r->error.detail, "test.other"));
	assert_int_equal(bus_publish(r->a, "test.third", NULL, NOTHING, NOTHING), 0);
	wait_for(r, &r->errors, 2);
	assert_non_null(strstr(r->error.detail, "test.third"));
	assert_int_equal(publish_number(r->a, 1, 4), 0);
	wait_for(r, &r->n, 2);
	assert_int_equal(r->losts, 0);
}

static void a_login_that_is_refused_is_told_and_tried_again(void **state)
{
	struct rig *r = *state;

	broker_start(&r->broker, rights);
	r->a = open_bus(r, r->broker.url, NULL);
	wait_for(r, &r->errors, 4);
	assert_int_equal(r->error.code, ERR_DENIED);
	assert_int_equal(r->ups, 0);
	broker_stop(&r->broker, 0);
	broker_start(&r->broker, NULL);
	wait_for(r, &r->ups, 1);
}

static void refuse(struct rig *r, const char *url, const char *nkey, int code)
{
	struct bus_nats_conf conf = { .url = url, .nkey = nkey };
	struct fail why = { 0 };
	int64_t held = mem_held();

	assert_null(bus_nats_open(&r->loop, &conf, &why));
	assert_int_equal(why.code, code);
	assert_true(why.detail[0] != '\0');
	assert_null(bus_nats_open(&r->loop, &conf, NULL));
	assert_int_equal(mem_held(), held);
}

static void wrong_settings_are_refused(void **state)
{
	struct rig *r = *state;
	char path[96];

	refuse(r, "", NULL, ERR_INVALID);
	refuse(r, "localhost:4222", NULL, ERR_INVALID);
	refuse(r, "nats://", NULL, ERR_INVALID);
	refuse(r, "tls://localhost:4222", NULL, ERR_INVALID);
	refuse(r, "nats://a:1,,nats://b:2", NULL, ERR_INVALID);
	refuse(r, "nats://a:1", "/nonexistent/seed", ERR_IO);
	write_seed(r, path, "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU4VY");
	refuse(r, "nats://a:1", path, ERR_INVALID);
	write_seed(r, path, "SAACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY");
	refuse(r, "nats://a:1", path, ERR_INVALID);
}

static void a_second_server_serves(void **state)
{
	struct rig *r = *state;
	char urls[160];

	broker_start(&r->broker, NULL);
	(void)snprintf(urls, sizeof(urls), "nats://127.0.0.1:1, %s", r->broker.url);
	r->a = open_bus(r, urls, NULL);
	wait_for(r, &r->ups, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(connects_to_a_server_that_comes_later, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(comes_back_when_the_server_was_stopped, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(comes_back_when_the_server_was_killed, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(waiting_messages_have_a_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(much_at_once_arrives, set_up, tear_down),
		cmocka_unit_test_setup_teardown(published_by_a_late_hook_leaves_too, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(published_outside_a_turn_leaves_too, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(closing_sends_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(closing_is_quick_without_a_server, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(connections_leave_nothing_behind, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(lives_through_lack_of_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(logs_in_with_a_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_login_that_is_refused_is_told_and_tried_again,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(wrong_settings_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_second_server_serves, set_up, tear_down),
	};
	int failed = world_run("every bus, over NATS", set_up_world, tear_down_world);

	return failed + cmocka_run_group_tests_name("NATS", tests, NULL, NULL);
}
