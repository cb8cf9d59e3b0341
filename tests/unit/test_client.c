/* SPDX-License-Identifier: Apache-2.0
 *
 * test_client: a client against a scripted router on a bus in memory.
 */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "run/bus_mem.h"
#include "run/client.h"
#include "run/keys.h"
#include "wire/subject.h"

#define NOTES 64u

/* What a callback has heard. */
struct note {
	char text[64];
};

struct bench {
	struct loop loop;
	struct bus_net *net;
	struct bus *bus; /* of the client */
	struct bus *router;
	struct client *client;
	struct arena arena;
	struct submit *submits; /* of the last message to the router */
	size_t submits_n;
	unsigned messages;
	char reply[SUBJECT_BYTES];
	char stream[65];
	struct note notes[NOTES];
	unsigned notes_n;
};

static struct bench bench; /* released in teardown, since a failed assert leaves by longjmp */

static void note(const char *text)
{
	assert_true(bench.notes_n < NOTES);
	(void)snprintf(bench.notes[bench.notes_n++].text, sizeof(bench.notes[0].text), "%s", text);
}

/* The notes since the last call, joined by blanks. */
static const char *heard(void)
{
	static char text[NOTES * 64];

	text[0] = 0;
	for (unsigned i = 0; i < bench.notes_n; i++) {
		size_t at = strlen(text);

		(void)snprintf(text + at, sizeof(text) - at, "%s%s", i == 0 ? "" : " ",
			bench.notes[i].text);
	}
	bench.notes_n = 0;
	return text;
}

static void on_submits(void *ctx, const struct bus_msg *m)
{
	(void)ctx;
	arena_reset(&bench.arena);
	assert_int_equal(
		submits_decode(&bench.arena, m->data, &bench.submits, &bench.submits_n, NULL), 0);
	span_copy(m->reply, bench.reply, sizeof(bench.reply));
	span_copy(bench.submits[0].stream, bench.stream, sizeof(bench.stream));
	bench.messages++;
}

static int setup(void **state)
{
	(void)state;
	memset(&bench, 0, sizeof(bench));
	assert_int_equal(keys_open(), 0);
	assert_int_equal(loop_open(&bench.loop), 0);
	bench.net = bus_net_new(NULL, NULL, 1);
	bench.bus = bus_mem_open(bench.net, "client");
	bench.router = bus_mem_open(bench.net, "router");
	arena_init(&bench.arena, 1 << 22);
	return 0;
}

static void open_client(uint32_t tasks_max, int64_t timeout_ns)
{
	struct client_conf conf = {
		.tenant = SPAN_LIT("local"),
		.tasks_max = tasks_max,
		.timeout_ns = timeout_ns,
	};

	bench.client = client_open(&bench.loop, bench.bus, &conf);
	assert_non_null(bench.client);
}

static void open_router(void)
{
	assert_non_null(
		bus_subscribe(bench.router, "spu.submit.local", "spu-router", on_submits, NULL));
}

static int teardown(void **state)
{
	(void)state;
	client_close(bench.client);
	bus_close(bench.bus);
	bus_close(bench.router);
	bus_net_free(bench.net);
	loop_close(&bench.loop);
	arena_done(&bench.arena);
	return 0;
}

/* One turn, then all messages. */
static void turn(void)
{
	assert_int_equal(loop_turn(&bench.loop, 0), 0);
	while (bus_net_step(bench.net, bench.loop.now_ns))
		;
}

static void on_reply(void *ctx, const struct submit_reply *r)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%s:%s%s", (const char *)ctx,
		r->fail.code == 0 ? state_name(r->state) : err_row(r->fail.code)->name,
		r->existing ? "(existing)" : "");
	note(text);
}

static void on_event(void *ctx, const struct event *e)
{
	char text[64];

	if (e->kind == EVENT_END)
		(void)snprintf(text, sizeof(text), "%s=%s", (const char *)ctx,
			state_name(e->result.state));
	else if (e->kind == EVENT_PROGRESS)
		(void)snprintf(text, sizeof(text), "%s@%u", (const char *)ctx, e->permille);
	else
		(void)snprintf(text, sizeof(text), "%s>%s", (const char *)ctx,
			state_name(e->state));
	note(text);
}

/* A name as a callback's context, which only reads it. */
static void *named(const char *name)
{
	return (void *)(uintptr_t)name;
}

static void submit(const char *name)
{
	struct submit s = {
		.kind = SPAN_LIT("util.echo"),
		.key = span_str(name),
		.stream = SPAN_LIT("mine"),
	};

	assert_int_equal(client_submit(bench.client, &s, on_reply, on_event, named(name)), 0);
}

static struct ulid task_of(char letter)
{
	return (struct ulid){ .hi = 7, .lo = (uint64_t)letter };
}

/* From the router; empties b. */
static void send_off(const char *subject, struct buf *b)
{
	assert_int_equal(bus_publish(bench.router, subject, NULL, span_of(NULL, 0), buf_span(b)),
		0);
	buf_done(b);
}

/* Replies for the last message: a capital letter accepts that task, '!' refuses with BUSY, '=' before a
 * letter: existed, and has ended. */
static void reply(const char *to, const char *what)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	for (; *what != 0; what++) {
		struct submit_reply r = { .state = STATE_QUEUED };

		if (*what == '!')
			r.fail.code = ERR_BUSY;
		if (*what == '=') {
			r.existing = true;
			r.state = STATE_SUCCEEDED;
			what++;
		}
		if (r.fail.code == 0)
			r.task = task_of(*what);
		submit_replies_put(&b, &r);
	}
	send_off(to, &b);
}

static void event(char letter, uint64_t seq, enum event_kind kind)
{
	struct event e = {
		.task = task_of(letter),
		.seq = seq,
		.kind = kind,
		.state = STATE_RUNNING,
	};
	char subject[SUBJECT_BYTES];
	struct buf b;

	e.permille = (uint32_t)seq * 100;
	e.result.state = STATE_SUCCEEDED;
	e.result.body = SPAN_LIT("");
	buf_init(&b, 1 << 20);
	events_put(&b, &e);
	assert_int_equal(
		subject_build(SUBJECT_EVENT, SPAN_LIT("local"), span_str(bench.stream), subject),
		0);
	send_off(subject, &b);
}

static void test_life(void **state)
{
	(void)state;
	open_router();
	open_client(0, 0);
	submit("a");
	submit("b");
	submit("c");
	turn();
	assert_int_equal(bench.messages, 1);
	assert_int_equal(bench.submits_n, 3);
	assert_true(span_is(bench.submits[1].key, "b"));
	assert_int_equal(bench.submits[0].stream.len, 32);
	assert_int_equal(client_open_tasks(bench.client), 3);
	reply(bench.reply, "A!C");
	turn();
	assert_string_equal(heard(), "a:QUEUED b:BUSY c:QUEUED");
	assert_int_equal(client_open_tasks(bench.client), 2);
	event('C', 1, EVENT_CHANGE);
	event('A', 1, EVENT_END);
	event('C', 2, EVENT_PROGRESS);
	event('A', 2, EVENT_END);
	event('Z', 1, EVENT_END);
	turn();
	assert_string_equal(heard(), "c>RUNNING a=SUCCEEDED c@200");
	client_forget(bench.client, task_of('C'));
	client_forget(bench.client, task_of('Q'));
	event('C', 3, EVENT_END);
	turn();
	assert_string_equal(heard(), "");
	assert_int_equal(client_open_tasks(bench.client), 0);
}

static void test_events_overtake_the_reply(void **state)
{
	(void)state;
	open_router();
	open_client(0, 0);
	submit("a");
	turn();
	event('A', 2, EVENT_PROGRESS);
	event('A', 1, EVENT_CHANGE);
	event('B', 1, EVENT_CHANGE);
	event('A', 3, EVENT_END);
	turn();
	assert_string_equal(heard(), "");
	reply(bench.reply, "A");
	turn();
	assert_string_equal(heard(), "a:QUEUED a>RUNNING a@200 a=SUCCEEDED");
	assert_int_equal(client_open_tasks(bench.client), 0);
	/* B's event was nobody's: a later task of this id does not get it. */
	submit("b");
	turn();
	reply(bench.reply, "B");
	turn();
	assert_string_equal(heard(), "b:QUEUED");
}

static void test_two_batches(void **state)
{
	char first[SUBJECT_BYTES];

	(void)state;
	open_router();
	open_client(0, 0);
	submit("a");
	turn();
	memcpy(first, bench.reply, sizeof(first));
	submit("b");
	turn();
	assert_string_not_equal(first, bench.reply);
	event('A', 1, EVENT_END);
	event('B', 1, EVENT_END);
	reply(bench.reply, "B");
	turn();
	assert_string_equal(heard(), "b:QUEUED b=SUCCEEDED");
	reply(first, "A");
	reply(first, "B");
	turn();
	assert_string_equal(heard(), "a:QUEUED a=SUCCEEDED");
}

static void test_existing(void **state)
{
	(void)state;
	open_router();
	open_client(0, 0);
	submit("a");
	turn();
	reply(bench.reply, "=A");
	turn();
	assert_string_equal(heard(), "a:SUCCEEDED(existing)");
	assert_int_equal(client_open_tasks(bench.client), 0);
}

static void test_broken_replies(void **state)
{
	(void)state;
	open_router();
	open_client(0, 0);
	submit("a");
	submit("b");
	turn();
	reply(bench.reply, "A");
	turn();
	assert_string_equal(heard(), "a:QUEUED b:MALFORMED");
	client_forget(bench.client, task_of('A'));
	submit("a");
	submit("b");
	turn();
	reply(bench.reply, "!");
	turn();
	assert_string_equal(heard(), "a:BUSY b:BUSY");
	submit("a");
	turn();
	assert_int_equal(bus_publish(bench.router, bench.reply, NULL, span_of(NULL, 0),
				 SPAN_LIT("\x0a\xff")),
		0);
	turn();
	assert_string_equal(heard(), "a:MALFORMED");
	assert_int_equal(client_open_tasks(bench.client), 0);
}

static void test_no_router(void **state)
{
	(void)state;
	open_client(0, 0);
	submit("a");
	turn();
	turn();
	assert_string_equal(heard(), "a:NO_NODE");
}

static void test_timeout(void **state)
{
	(void)state;
	open_router();
	open_client(0, 5 * NS_PER_MS);
	submit("a");
	turn();
	assert_int_equal(loop_turn(&bench.loop, NS_PER_S), 0);
	turn();
	assert_string_equal(heard(), "a:TIMEOUT");
	reply(bench.reply, "A");
	turn();
	assert_string_equal(heard(), "");
}

static void test_limits(void **state)
{
	static unsigned char much[LIMIT_BODY_BYTES + 1];
	struct submit s = { .kind = SPAN_LIT("util.echo"), .body = span_of(much, sizeof(much)) };

	(void)state;
	open_router();
	open_client(3, 0);
	assert_int_equal(client_submit(bench.client, &s, on_reply, on_event, NULL), ERR_TOO_BIG);
	/* A body of this size fills a message alone. */
	s.body.len = LIMIT_BODY_BYTES;
	assert_int_equal(client_submit(bench.client, &s, on_reply, on_event, named("a")), 0);
	assert_int_equal(client_submit(bench.client, &s, on_reply, on_event, named("b")), 0);
	s.body.len = 0;
	assert_int_equal(client_submit(bench.client, &s, on_reply, on_event, named("c")), 0);
	assert_int_equal(client_submit(bench.client, &s, on_reply, on_event, named("d")), ERR_BUSY);
	turn();
	assert_int_equal(bench.messages, 3);
	client_close(bench.client);
	bench.client = NULL;
	assert_string_equal(heard(), "a:CLOSED b:CLOSED c:CLOSED");
}

static void test_close_unsent(void **state)
{
	(void)state;
	open_client(0, 0);
	submit("a");
	client_close(bench.client);
	bench.client = NULL;
	assert_string_equal(heard(), "a:CLOSED");
}

static void submit_again(void *ctx, const struct event *e)
{
	on_event(ctx, e);
	if (e->kind == EVENT_END)
		submit("n");
}

static void test_submit_from_the_end(void **state)
{
	struct submit s = { .kind = SPAN_LIT("util.echo") };

	(void)state;
	open_router();
	open_client(1, 0);
	assert_int_equal(client_submit(bench.client, &s, on_reply, submit_again, named("a")), 0);
	turn();
	reply(bench.reply, "A");
	event('A', 1, EVENT_END);
	turn();
	turn();
	assert_string_equal(heard(), "a:QUEUED a=SUCCEEDED");
	assert_int_equal(bench.messages, 2);
	assert_true(span_is(bench.submits[0].key, "n"));
}

static void test_no_events_wanted(void **state)
{
	struct submit s = { .kind = SPAN_LIT("util.echo") };

	(void)state;
	open_router();
	open_client(0, 0);
	assert_int_equal(client_submit(bench.client, &s, on_reply, NULL, named("a")), 0);
	turn();
	reply(bench.reply, "A");
	event('A', 1, EVENT_END);
	turn();
	assert_string_equal(heard(), "a:QUEUED");
	assert_int_equal(client_open_tasks(bench.client), 0);
}

static void test_watch(void **state)
{
	(void)state;
	open_client(0, 0);
	(void)snprintf(bench.stream, sizeof(bench.stream), "anyone");
	assert_int_equal(client_watch(bench.client, on_event, named("w")), 0);
	event('A', 1, EVENT_CHANGE);
	turn();
	assert_string_equal(heard(), "w>RUNNING");
	assert_int_equal(client_watch(bench.client, NULL, NULL), 0);
	event('A', 2, EVENT_END);
	turn();
	assert_string_equal(heard(), "");
}

static void on_query(void *ctx, const struct bus_msg *m)
{
	struct query_reply r = {
		.kind = REPLY_MESH,
		.mesh = { .router = SPAN_LIT("r1"), .accepted = 5 },
	};
	char to[SUBJECT_BYTES];
	struct query q;
	struct buf b;

	(void)ctx;
	assert_int_equal(query_decode(&bench.arena, m->data, &q, NULL), 0);
	if (q.kind != QUERY_MESH) {
		r = (struct query_reply){ 0 };
		r.fail.code = ERR_UNKNOWN;
	}
	buf_init(&b, 1 << 20);
	query_reply_encode(&b, &r);
	span_copy(m->reply, to, sizeof(to));
	send_off(to, &b);
}

static void on_query_reply(void *ctx, const struct query_reply *r)
{
	char text[64];

	(void)ctx;
	(void)snprintf(text, sizeof(text), "%s:%d",
		r->fail.code == 0 ? "ok" : err_row(r->fail.code)->name, (int)r->mesh.accepted);
	note(text);
}

static void on_ask_reply(void *ctx, const struct ask_reply *r)
{
	(void)ctx;
	note(r->fail.code == 0 ? "ok" : err_row(r->fail.code)->name);
}

static void test_query(void **state)
{
	struct query mesh = { .kind = QUERY_MESH };
	struct query status = { .kind = QUERY_STATUS, .task = task_of('A') };
	struct ask list = { .kind = ASK_LIST };

	(void)state;
	open_client(0, 0);
	assert_non_null(
		bus_subscribe(bench.router, "spu.query.local", "spu-router", on_query, NULL));
	assert_int_equal(client_query(bench.client, &mesh, on_query_reply, NULL), 0);
	turn();
	assert_string_equal(heard(), "ok:5");
	assert_int_equal(client_query(bench.client, &status, on_query_reply, NULL), 0);
	turn();
	assert_string_equal(heard(), "UNKNOWN:0");
	assert_int_equal(client_ask(bench.client, &list, on_ask_reply, NULL), 0);
	turn();
	turn();
	assert_string_equal(heard(), "NO_NODE");
	assert_int_equal(client_query(bench.client, &mesh, on_query_reply, NULL), 0);
	client_close(bench.client);
	bench.client = NULL;
	assert_string_equal(heard(), "CLOSED:0");
}

static void test_wrong_tenant(void **state)
{
	struct client_conf conf = { .tenant = SPAN_LIT("a.b") };

	(void)state;
	assert_null(client_open(&bench.loop, bench.bus, &conf));
}

/* A life with the n-th allocation failing: every submit is told of exactly once. */
static int live(void *arg)
{
	struct client_conf conf = { .tenant = SPAN_LIT("local") };
	struct submit s = { .kind = SPAN_LIT("util.echo") };
	int r;

	(void)arg;
	bench.notes_n = 0;
	bench.client = client_open(&bench.loop, bench.bus, &conf);
	if (bench.client == NULL)
		return ERR_NO_MEMORY;
	r = client_submit(bench.client, &s, on_reply, on_event, named("a"));
	assert_int_equal(loop_turn(&bench.loop, 0), 0);
	client_close(bench.client);
	bench.client = NULL;
	assert_int_equal(bench.notes_n, r == 0 ? 1 : 0);
	if (r == 0 && strcmp(heard(), "a:CLOSED") != 0)
		r = ERR_NO_MEMORY;
	while (bus_net_step(bench.net, bench.loop.now_ns))
		;
	return r;
}

static void test_memory(void **state)
{
	(void)state;
	assert_int_equal(live(NULL), 0); /* the bus and the net have then grown */
	nth_alloc(live, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events_overtake_the_reply, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_batches, setup, teardown),
		cmocka_unit_test_setup_teardown(test_existing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_replies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_router, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_unsent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_submit_from_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_events_wanted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_query, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_tenant, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
