/* SPDX-License-Identifier: Apache-2.0
 *
 * test_inbox: the pure store, then the whole inbox between a router and people on a bus in memory.
 */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "node/core.h"
#include "run/bus_mem.h"
#include "services/inbox/service.h"
#include "wire/query.h"

#define MS INT64_C(1000000)
#define BEGIN_NS (INT64_C(1700000000000) * MS)

static struct ulid task_of(unsigned i)
{
	return (struct ulid){ .hi = 1, .lo = i };
}

/* The store. */

static struct question question_of(unsigned i, const char *prompt)
{
	return (struct question){
		.task = task_of(i),
		.attempt = 1,
		.kind = SPAN_LIT("human.ask"),
		.tenant = SPAN_LIT("ada"),
		.prompt = span_str(prompt),
		.body = SPAN_LIT("body"),
		.asked_ns = i,
	};
}

static void test_questions_keep_their_order_and_bytes(void **state)
{
	char prompt[] = "why?";
	struct inbox *in = inbox_new(10, 1000);
	struct question q = question_of(1, prompt);
	const struct question *at;

	(void)state;
	assert_int_equal(inbox_put(in, &q, NULL), 0);
	memset(prompt, 'x', 4);
	q = question_of(3, "b");
	assert_int_equal(inbox_put(in, &q, NULL), 0);
	q = question_of(2, "");
	assert_int_equal(inbox_put(in, &q, NULL), 0);
	at = inbox_next(in, NULL);
	assert_true(span_is(at->prompt, "why?") && span_is(at->body, "body") &&
		    span_is(at->tenant, "ada"));
	at = inbox_next(in, at);
	assert_true(ulid_eq(at->task, task_of(3)));
	assert_true(inbox_drop(in, task_of(3)));
	assert_false(inbox_drop(in, task_of(3)));
	assert_null(inbox_find(in, task_of(3)));
	at = inbox_next(in, inbox_find(in, task_of(1)));
	assert_true(ulid_eq(at->task, task_of(2)));
	assert_null(inbox_next(in, at));
	assert_int_equal(inbox_count(in), 2);
	inbox_free(in);
}

static void test_the_store_is_bounded(void **state)
{
	struct inbox *in = inbox_new(2, 60); /* a question takes 16 bytes besides its prompt */
	struct question q = question_of(1, "1234567");
	struct fail why = { 0 };

	(void)state;
	assert_int_equal(inbox_put(in, &q, &why), 0);
	assert_int_equal(inbox_put(in, &q, &why), ERR_CONFLICT);
	q = question_of(2, "1234567890123456789012");
	assert_int_equal(inbox_put(in, &q, &why), ERR_BUSY);
	assert_string_equal(why.field, "bytes_max");
	assert_int_equal(why.limit, 60);
	q = question_of(2, "");
	assert_int_equal(inbox_put(in, &q, &why), 0);
	q = question_of(3, "");
	assert_int_equal(inbox_put(in, &q, &why), ERR_BUSY);
	assert_string_equal(why.field, "questions_max");
	/* what is dropped makes room */
	assert_true(inbox_drop(in, task_of(1)));
	q = question_of(3, "1234567890123456789012345678");
	assert_int_equal(inbox_put(in, &q, &why), 0);
	inbox_free(in);
}

static int store_without_memory(void *arg)
{
	struct inbox *in = inbox_new(100, 100000);
	int r = in == NULL ? ERR_NO_MEMORY : 0;

	(void)arg;
	for (unsigned i = 0; i < 40 && r == 0; i++) {
		struct question q = question_of(i, "why?");

		r = inbox_put(in, &q, NULL);
		if (r < 0)
			assert_int_equal(inbox_count(in), i);
	}
	inbox_free(in);
	return r;
}

static void test_every_failing_request_for_memory(void **state)
{
	(void)state;
	assert_true(nth_alloc(store_without_memory, NULL) > 40);
}

/* The service. */

static struct {
	struct bus_net *net;
	struct bus *people; /* and the router */
	struct bus *bus;
	struct node *node;
	struct service service;
	struct arena ups_arena, reply_arena;
	struct ask_reply reply;
	unsigned replies;
	struct up last; /* the last report but offers */
	unsigned ups;
	unsigned questions_max;
	int64_t now_ns;
} t;

static void on_ups(void *ctx, const struct bus_msg *m)
{
	struct up *ups = NULL;
	size_t ups_n = 0;

	(void)ctx;
	arena_reset(&t.ups_arena);
	assert_int_equal(ups_decode(&t.ups_arena, m->data, &ups, &ups_n, NULL), 0);
	for (size_t i = 0; i < ups_n; i++) {
		if (ups[i].kind == UP_OFFER)
			continue;
		t.last = ups[i];
		t.ups++;
	}
}

static void on_reply(void *ctx, const struct bus_msg *m)
{
	(void)ctx;
	arena_reset(&t.reply_arena);
	assert_int_equal(ask_reply_decode(&t.reply_arena, m->data, &t.reply, NULL), 0);
	t.replies++;
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
		node_core_turn(t.node);
	} while (bus_net_next(t.net) <= t.now_ns);
}

static struct node *open_inbox(const char *operators, struct fail *why)
{
	struct node_core_conf conf = {
		.bus = t.bus,
		.name = "inbox",
		.incarnation = 42,
		.slots_max = LIMIT_OFFER_SLOTS,
		.offer_every_ns = 5000 * MS,
		.now = now,
		.ops = &service_ops,
		.self = &t.service,
	};

	t.service.conf.questions_max = t.questions_max;
	t.service.conf.bytes_max = 4 << 20;
	t.service.conf.typical_ns = 600000 * MS;
	span_copy(span_str(operators), t.service.conf.operators, sizeof(t.service.conf.operators));
	return node_core_open(&conf, why);
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	t.now_ns = BEGIN_NS;
	t.questions_max = 3;
	arena_init(&t.ups_arena, 4 << 20);
	arena_init(&t.reply_arena, 4 << 20);
	t.net = bus_net_new(NULL, NULL, 1);
	t.people = bus_mem_open(t.net, "p");
	t.bus = bus_mem_open(t.net, "n");
	assert_non_null(bus_subscribe(t.people, "spu.up.*", NULL, on_ups, NULL));
	assert_non_null(bus_subscribe(t.people, "_INBOX.>", NULL, on_reply, NULL));
	t.node = open_inbox("root, local", NULL);
	assert_non_null(t.node);
	pump();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	node_core_close(t.node);
	bus_close(t.bus);
	bus_close(t.people);
	bus_net_free(t.net);
	arena_done(&t.ups_arena);
	arena_done(&t.reply_arena);
	return 0;
}

static void assign(unsigned i, const char *tenant, const char *kind, const char *prompt)
{
	struct buf body, b;
	struct down d = {
		.kind = DOWN_ASSIGN,
		.task = task_of(i),
		.attempt = 1,
		.task_kind = span_str(kind),
		.tenant = span_str(tenant),
		.lease_ms = 30000,
		.deadline_ms = t.now_ns / MS + 60000,
	};

	buf_init(&body, LIMIT_BODY_BYTES);
	buf_init(&b, LIMIT_MESSAGE_BYTES);
	body_put_param(&body, SPAN_LIT("prompt"), span_str(prompt));
	d.body = buf_span(&body);
	downs_put(&b, &d);
	assert_int_equal(
		bus_publish(t.people, "spu.down.inbox", NULL, (struct span){ 0 }, buf_span(&b)), 0);
	buf_done(&body);
	buf_done(&b);
	pump();
}

static void send_ask(const char *tenant, const char *reply, struct span bytes)
{
	char subject[64];

	t.reply = (struct ask_reply){ 0 };
	snprintf(subject, sizeof(subject), "spu.question.%s", tenant);
	assert_int_equal(bus_publish(t.people, subject, reply, (struct span){ 0 }, bytes), 0);
	pump();
}

/* Ask and expect one reply with this error. */
static void ask(const char *tenant, const struct ask *q, int code)
{
	unsigned before = t.replies;
	struct buf b;

	buf_init(&b, LIMIT_MESSAGE_BYTES);
	ask_encode(&b, q);
	send_ask(tenant, "_INBOX.a.1", buf_span(&b));
	buf_done(&b);
	assert_int_equal(t.replies, before + 1);
	assert_int_equal(t.reply.fail.code, code);
}

static struct ask ask_about(enum ask_kind kind, unsigned i)
{
	return (struct ask){ .kind = kind, .task = task_of(i), .person = SPAN_LIT("Ada L.") };
}

static void test_a_question_from_order_to_answer(void **state)
{
	struct ask q = ask_about(ASK_ANSWER, 1);
	struct arena a;
	struct body got;
	struct buf b;

	(void)state;
	assign(1, "ada", "human.ask", "why?");
	assert_int_equal(t.ups, 2);
	assert_int_equal(t.last.kind, UP_PROGRESS);
	assert_true(span_is(t.last.note, "waiting for a person"));
	ask("ada", &(struct ask){ .kind = ASK_LIST }, 0);
	assert_int_equal(t.reply.questions_n, 1);
	assert_true(span_is(t.reply.questions[0].prompt, "why?"));
	assert_int_equal(t.reply.questions[0].asked_ms, BEGIN_NS / MS);
	assert_int_equal(t.reply.questions[0].deadline_ms, BEGIN_NS / MS + 60000);
	assert_int_equal(t.reply.questions[0].body.len, 0);
	buf_init(&b, 1024);
	body_put_item(&b, SPAN_LIT("answer"), SPAN_LIT("text/plain"), SPAN_LIT("because"));
	q.body = buf_span(&b);
	ask("ada", &q, 0);
	assert_int_equal(t.last.kind, UP_DONE);
	arena_init(&a, 1 << 20);
	assert_int_equal(body_decode(&a, t.last.body, &got, NULL), 0);
	assert_true(span_is(got.items[0].data, "because"));
	assert_true(span_is(body_param(&got, "human.person")->value, "Ada L."));
	arena_done(&a);
	ask("ada", &q, ERR_UNKNOWN);
	buf_done(&b);
}

static void test_who_sees_what(void **state)
{
	struct ask show = ask_about(ASK_SHOW, 2);

	(void)state;
	assign(1, "ada", "human.ask", "why?");
	assign(2, "bob", "llm.chat", "what?");
	ask("ada", &(struct ask){ .kind = ASK_LIST }, 0);
	assert_int_equal(t.reply.questions_n, 1);
	ask("eve", &(struct ask){ .kind = ASK_LIST }, 0);
	assert_int_equal(t.reply.questions_n, 0);
	ask("local", &(struct ask){ .kind = ASK_LIST }, 0);
	assert_int_equal(t.reply.questions_n, 2);
	ask("root", &(struct ask){ .kind = ASK_LIST, .limit = 1 }, 0);
	assert_int_equal(t.reply.questions_n, 1);
	assert_true(ulid_eq(t.reply.questions[0].task, task_of(1)));
	ask("ada", &show, ERR_UNKNOWN);
	ask("bob", &show, 0);
	assert_true(span_is(t.reply.questions[0].prompt, "what?"));
	assert_true(t.reply.questions[0].body.len > 0);
	show.kind = ASK_DECLINE;
	ask("ada", &show, ERR_UNKNOWN);
	ask("local", &show, 0);
	assert_int_equal(t.last.kind, UP_FAILED);
	assert_int_equal(t.last.fail.code, ERR_DENIED);
	assert_string_equal(t.last.fail.detail, "declined by local");
	ask("bob", &show, ERR_UNKNOWN);
}

static void test_a_list_shows_the_beginnings(void **state)
{
	char prompt[1001] = "";
	struct arena a;
	struct body body;

	(void)state;
	memset(prompt, 'x', 1000);
	assign(1, "ada", "human.ask", prompt);
	ask("ada", &(struct ask){ .kind = ASK_LIST }, 0);
	assert_int_equal(t.reply.questions[0].prompt.len, LIMIT_TEXT_BYTES);
	ask("ada", &(struct ask){ .kind = ASK_SHOW, .task = task_of(1) }, 0);
	arena_init(&a, 1 << 20);
	assert_int_equal(body_decode(&a, t.reply.questions[0].body, &body, NULL), 0);
	assert_int_equal(body_param(&body, "prompt")->value.len, 1000);
	arena_done(&a);
}

/* As many long questions as a list may have fit into one reply. */
static void test_a_long_list_fits_into_a_message(void **state)
{
	char prompt[1001] = "";

	(void)state;
	node_core_close(t.node);
	t.questions_max = 1100;
	t.node = open_inbox("local", NULL);
	pump();
	memset(prompt, 'x', 1000);
	for (unsigned i = 1; i <= 1100; i++)
		assign(i, "a-tenant-with-a-name-of-sixty-four-bytes-which-is-the-longest-on",
			"human.ask", prompt);
	ask("local", &(struct ask){ .kind = ASK_LIST }, 0);
	assert_int_equal(t.reply.questions_n, LIMIT_LIST_ROWS);
}

static void test_answers_that_cannot_be_used(void **state)
{
	struct ask q = ask_about(ASK_ANSWER, 1);
	unsigned char *big = mem_alloc(LIMIT_BODY_BYTES);
	struct buf b;

	(void)state;
	assign(1, "ada", "human.ask", "why?");
	buf_init(&b, LIMIT_MESSAGE_BYTES);
	q.body = SPAN_LIT("\xff\xff");
	ask("ada", &q, ERR_MALFORMED);
	q.body = (struct span){ 0 };
	ask("ada", &q, ERR_INVALID);
	assert_string_equal(t.reply.fail.field, "body");
	/* it fits, but not with the name of the person */
	body_put_item(&b, (struct span){ 0 }, (struct span){ 0 },
		span_of(big, LIMIT_BODY_BYTES - 10));
	q.body = buf_span(&b);
	assert_true(q.body.len <= LIMIT_BODY_BYTES);
	ask("ada", &q, ERR_TOO_BIG);
	assert_int_equal(t.reply.fail.limit, LIMIT_BODY_BYTES);
	buf_reset(&b);
	body_put_item(&b, (struct span){ 0 }, (struct span){ 0 }, span_of(big, LIMIT_BODY_BYTES));
	q.body = buf_span(&b);
	ask("ada", &q, ERR_TOO_BIG);
	/* so many parameters fit, but not with one more */
	buf_reset(&b);
	for (unsigned i = 0; i < LIMIT_PARAMS; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%u", i);
		body_put_param(&b, span_str(key), SPAN_LIT("v"));
	}
	body_put_item(&b, (struct span){ 0 }, (struct span){ 0 }, SPAN_LIT("yes"));
	q.body = buf_span(&b);
	ask("ada", &q, ERR_TOO_BIG);
	assert_int_equal(t.reply.fail.limit, LIMIT_PARAMS - 1);
	/* the question is still there */
	assert_int_equal(t.last.kind, UP_PROGRESS);
	buf_reset(&b);
	body_put_item(&b, (struct span){ 0 }, (struct span){ 0 }, SPAN_LIT("yes"));
	q.body = buf_span(&b);
	ask("ada", &q, 0);
	assert_int_equal(t.last.kind, UP_DONE);
	mem_free(big);
	buf_done(&b);
}

static void test_requests_that_cannot_be_answered(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	ask_encode(&b, &(struct ask){ .kind = ASK_LIST });
	send_ask("ada", "spu.down.inbox", buf_span(&b)); /* we would give orders to ourselves */
	send_ask("ada", "spu.inbox.bob.x", buf_span(&b));
	send_ask("ada", NULL, buf_span(&b));
	assert_int_equal(t.replies, 0);
	assert_int_equal(t.service.unanswered, 3);
	assert_int_equal(node_core_metrics(t.node)->orders, 0);
	send_ask("ada", "_INBOX.a.1", SPAN_LIT("\xff\xff\xff"));
	assert_int_equal(t.replies, 1);
	assert_int_equal(t.reply.fail.code, ERR_MALFORMED);
	send_ask("ada", "_INBOX.a.1", (struct span){ 0 });
	assert_int_equal(t.replies, 2);
	assert_true(t.reply.fail.code < 0);
	buf_done(&b);
}

static void test_full_and_foreign_orders_are_refused(void **state)
{
	(void)state;
	assign(9, "ada", "util.echo", "");
	assert_int_equal(t.last.kind, UP_REFUSE);
	assign(8, "ada", "text.extract", "x");
	assert_int_equal(t.last.fail.code, ERR_INVALID);
	assign(7, "ada", "my.own", "x");
	assert_int_equal(t.last.fail.code, ERR_UNSUPPORTED);
	for (unsigned i = 1; i <= 3; i++)
		assign(i, "ada", "human.ask", "why?");
	assign(4, "ada", "human.ask", "why?");
	assert_int_equal(t.last.kind, UP_REFUSE);
	assert_int_equal(t.last.fail.code, ERR_BUSY);
}

static void test_deadline_and_stop_take_questions_away(void **state)
{
	(void)state;
	assign(1, "ada", "human.ask", "why?");
	t.now_ns += 60001 * MS;
	pump();
	assert_int_equal(t.last.kind, UP_FAILED);
	assert_int_equal(t.last.fail.code, ERR_EXPIRED);
	ask("ada", &(struct ask){ .kind = ASK_SHOW, .task = task_of(1) }, ERR_UNKNOWN);
	assign(2, "ada", "human.ask", "why?");
	node_core_stop(t.node);
	pump();
	assert_int_equal(t.last.kind, UP_BYE);
	assert_true(node_core_has_left(t.node));
}

static void test_operators_are_tenants(void **state)
{
	struct fail why = { 0 };

	(void)state;
	node_core_close(t.node);
	t.node = NULL;
	assert_null(open_inbox("local, a b", &why));
	assert_int_equal(why.code, ERR_INVALID);
	assert_string_equal(why.field, "operators");
	t.node = open_inbox("", &why);
	assert_non_null(t.node);
	assign(1, "ada", "human.ask", "why?");
	ask("local", &(struct ask){ .kind = ASK_LIST }, 0);
	assert_int_equal(t.reply.questions_n, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_questions_keep_their_order_and_bytes),
		cmocka_unit_test(test_the_store_is_bounded),
		cmocka_unit_test(test_every_failing_request_for_memory),
		TEST(test_a_question_from_order_to_answer),
		TEST(test_who_sees_what),
		TEST(test_a_list_shows_the_beginnings),
		TEST(test_a_long_list_fits_into_a_message),
		TEST(test_answers_that_cannot_be_used),
		TEST(test_requests_that_cannot_be_answered),
		TEST(test_full_and_foreign_orders_are_refused),
		TEST(test_deadline_and_stop_take_questions_away),
		TEST(test_operators_are_tenants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
