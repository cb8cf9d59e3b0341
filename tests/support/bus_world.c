/* SPDX-License-Identifier: Apache-2.0
 *
 * bus_world: counting handlers and barriers. A barrier is a message of each peer to all: it comes after what
 * that peer sent before, so nobody sleeps and hopes.
 */
#include "tests/support/bus_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/mem.h"

#define PATIENCE_S 20
#define NOTHING span_of(NULL, 0)

/* Keeps what came in. */
struct inbox {
	struct bus *bus;
	struct bus_sub *sub;
	unsigned n;
	unsigned no_responders;
	char subject[BUS_SUBJECT_BYTES + 1];
	char reply[BUS_SUBJECT_BYTES + 1];
	char trace[BUS_TRACE_BYTES + 1];
	size_t len;
	unsigned char *data; /* of the last message */
	bool is_ordered;     /* the messages were the numbers 0, 1, 2 ... */
	unsigned end_at;     /* unsubscribe after this many; 0: never */
};

static void on_barrier(void *ctx, const struct bus_msg *m)
{
	struct world_watch *watch = ctx;
	unsigned from, round;
	char text[32];

	(void)span_copy(m->data, text, sizeof(text));
	assert_int_equal(sscanf(text, "%u %u", &from, &round), 2);
	watch->w->seen[watch->peer][from] = round;
}

void world_init(struct world *w)
{
	for (unsigned i = 0; i < WORLD_PEERS; i++) {
		w->watch[i] = (struct world_watch){ .w = w, .peer = i };
		assert_non_null(
			bus_subscribe(w->peer[i], "test.barrier", NULL, on_barrier, &w->watch[i]));
	}
}

static bool is_settled(const struct world *w)
{
	for (unsigned i = 0; i < WORLD_PEERS; i++)
		for (unsigned k = 0; k < WORLD_PEERS; k++)
			if (w->seen[i][k] != w->round)
				return false;
	return true;
}

static void barrier(struct world *w)
{
	char text[32];

	for (unsigned i = 0; i < WORLD_PEERS; i++) {
		(void)snprintf(text, sizeof(text), "%u %u", i, w->round);
		assert_int_equal(
			bus_publish(w->peer[i], "test.barrier", NULL, NOTHING, span_str(text)), 0);
		bus_flush(w->peer[i]);
	}
}

static void settle_once(struct world *w)
{
	time_t end = time(NULL) + PATIENCE_S;

	w->round++;
	while (!is_settled(w)) {
		/* Again, in case somebody had not subscribed yet. */
		barrier(w);
		for (unsigned i = 0; i < 20 && !is_settled(w); i++)
			w->pump(w);
		if (time(NULL) > end)
			fail_msg("the bus does not settle");
	}
}

void world_settle(struct world *w)
{
	/* The first says that all have subscribed; what they sent because of it arrives with the second. */
	settle_once(w);
	settle_once(w);
}

static void on_msg(void *ctx, const struct bus_msg *m)
{
	struct inbox *in = ctx;
	char text[16];

	assert_int_equal(m->subject.at[m->subject.len], 0);
	(void)span_copy(m->subject, in->subject, sizeof(in->subject));
	(void)span_copy(m->reply, in->reply, sizeof(in->reply));
	(void)span_copy(m->trace, in->trace, sizeof(in->trace));
	(void)span_copy(m->data, text, sizeof(text));
	in->is_ordered =
		(in->n == 0 || in->is_ordered) && (unsigned)strtoul(text, NULL, 10) == in->n;
	mem_free(in->data);
	in->data = mem_dup(m->data);
	in->len = m->data.len;
	in->no_responders += m->no_responders;
	in->n++;
	if (in->n == in->end_at)
		bus_unsubscribe(in->bus, in->sub);
}

static void listen_on(struct inbox *in, struct bus *b, const char *pattern, const char *group)
{
	*in = (struct inbox){ .bus = b };
	in->sub = bus_subscribe(b, pattern, group, on_msg, in);
	assert_non_null(in->sub);
}

static void stop(struct inbox *in)
{
	bus_unsubscribe(in->bus, in->sub);
	mem_free(in->data);
	in->data = NULL;
}

static void publish(struct bus *b, const char *subject, const char *text)
{
	assert_int_equal(bus_publish(b, subject, NULL, NOTHING, span_str(text)), 0);
}

static void publish_numbers(struct bus *b, const char *subject, unsigned n)
{
	char text[16];

	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(text, sizeof(text), "%u", i);
		publish(b, subject, text);
	}
}

static void carries_all_parts(void **state)
{
	static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	struct world *w = *state;
	struct inbox in, plain;

	listen_on(&in, w->peer[1], "test.parts", NULL);
	listen_on(&plain, w->peer[1], "test.plain", NULL);
	world_settle(w);
	assert_int_equal(bus_publish(w->peer[0], "test.parts", "test.reply.7", span_str(trace),
				 span_of("a\0b\r\n", 5)),
		0);
	assert_int_equal(bus_publish(w->peer[0], "test.plain", NULL, NOTHING, NOTHING), 0);
	world_settle(w);
	assert_int_equal(in.n, 1);
	assert_string_equal(in.subject, "test.parts");
	assert_string_equal(in.reply, "test.reply.7");
	assert_string_equal(in.trace, trace);
	assert_int_equal(in.len, 5);
	assert_memory_equal(in.data, "a\0b\r\n", 5);
	assert_int_equal(plain.n, 1);
	assert_string_equal(plain.reply, "");
	assert_string_equal(plain.trace, "");
	assert_int_equal(plain.len, 0);
	assert_int_equal(in.no_responders + plain.no_responders, 0);
	stop(&in);
	stop(&plain);
}

static void traced_request_carries_no_reply_if_none(void **state)
{
	struct world *w = *state;
	struct inbox in;

	listen_on(&in, w->peer[2], "test.traced", NULL);
	world_settle(w);
	assert_int_equal(bus_publish(w->peer[0], "test.traced", NULL, span_str("00-ab-cd-01"),
				 span_str("x")),
		0);
	world_settle(w);
	assert_int_equal(in.n, 1);
	assert_string_equal(in.trace, "00-ab-cd-01");
	assert_string_equal(in.reply, "");
	stop(&in);
}

static void wildcards_match(void **state)
{
	static const struct {
		const char *pattern;
		unsigned n;
	} rows[] = {
		{ "test.w.a.b", 1 },
		{ "test.w.*.b", 2 },
		{ "test.w.a.*", 2 },
		{ "test.w.*", 1 },
		{ "test.w.>", 5 },
		{ "*.w.*.*", 3 },
		{ "test.w.a.b.>", 1 },
	};
	static const char *const subjects[] = { "test.w.a.b", "test.w.a.c", "test.w.b.b",
		"test.w.x", "test.w.a.b.c", "test.v.a.b" };
	struct inbox in[ARRAY_LEN(rows)];
	struct world *w = *state;

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		listen_on(&in[i], w->peer[i % WORLD_PEERS], rows[i].pattern, NULL);
	world_settle(w);
	for (unsigned i = 0; i < ARRAY_LEN(subjects); i++)
		publish(w->peer[0], subjects[i], "x");
	world_settle(w);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(in[i].n, rows[i].n);
		stop(&in[i]);
	}
}

static void group_members_share(void **state)
{
	struct world *w = *state;
	struct inbox a, b, c, alone, other;

	listen_on(&a, w->peer[0], "test.group", "g");
	listen_on(&b, w->peer[1], "test.*", "g");
	listen_on(&c, w->peer[2], "test.group", "g");
	listen_on(&alone, w->peer[1], "test.group", NULL);
	listen_on(&other, w->peer[2], "test.group", "h");
	world_settle(w);
	publish_numbers(w->peer[0], "test.group", 300);
	world_settle(w);
	/* The barrier matches b's pattern too; only it and the group's own messages count. */
	assert_int_equal(alone.n, 300);
	assert_true(alone.is_ordered);
	assert_int_equal(other.n, 300);
	assert_true(a.n > 0 && c.n > 0 && b.n > 0);
	assert_true(a.n + c.n < 300);
	stop(&a);
	stop(&b);
	stop(&c);
	stop(&alone);
	stop(&other);
}

static void group_gets_each_message_once(void **state)
{
	struct world *w = *state;
	struct inbox a, b;

	listen_on(&a, w->peer[1], "test.once", "g");
	listen_on(&b, w->peer[2], "test.once", "g");
	world_settle(w);
	publish_numbers(w->peer[0], "test.once", 300);
	world_settle(w);
	assert_int_equal(a.n + b.n, 300);
	assert_true(a.n > 50 && b.n > 50);
	stop(&a);
	world_settle(w);
	publish_numbers(w->peer[0], "test.once", 10);
	world_settle(w);
	assert_int_equal(a.n + b.n, 310);
	stop(&b);
}

static void order_is_kept(void **state)
{
	struct world *w = *state;
	struct inbox in;

	listen_on(&in, w->peer[1], "test.order", NULL);
	world_settle(w);
	publish_numbers(w->peer[0], "test.order", 20000);
	world_settle(w);
	assert_int_equal(in.n, 20000);
	assert_true(in.is_ordered);
	stop(&in);
}

static void own_messages_come_back(void **state)
{
	struct world *w = *state;
	struct inbox in;

	listen_on(&in, w->peer[0], "test.own", NULL);
	world_settle(w);
	publish(w->peer[0], "test.own", "0");
	world_settle(w);
	assert_int_equal(in.n, 1);
	stop(&in);
}

static void on_question(void *ctx, const struct bus_msg *m)
{
	assert_true(m->reply.len > 0);
	assert_int_equal(bus_publish(ctx, (const char *)m->reply.at, NULL, m->trace, m->data), 0);
}

static void replies_come_back(void **state)
{
	struct world *w = *state;
	struct bus_sub *answerer =
		bus_subscribe(w->peer[1], "test.ask", "answerers", on_question, w->peer[1]);
	struct inbox in;

	assert_non_null(answerer);
	listen_on(&in, w->peer[0], "test.inbox.0.*", NULL);
	world_settle(w);
	for (unsigned i = 0; i < 100; i++) {
		char reply[32], text[16];

		(void)snprintf(reply, sizeof(reply), "test.inbox.0.%u", i);
		(void)snprintf(text, sizeof(text), "%u", i);
		assert_int_equal(
			bus_publish(w->peer[0], "test.ask", reply, NOTHING, span_str(text)), 0);
	}
	world_settle(w);
	assert_int_equal(in.n, 100);
	assert_true(in.is_ordered);
	assert_int_equal(in.no_responders, 0);
	bus_unsubscribe(w->peer[1], answerer);
	stop(&in);
}

static void requests_to_nobody_are_told_so(void **state)
{
	struct world *w = *state;
	struct inbox in, other, wild;

	listen_on(&in, w->peer[0], "test.inbox.0.1", NULL);
	listen_on(&wild, w->peer[0], "test.inbox.1.*", NULL);
	listen_on(&other, w->peer[1], "test.inbox.0.1", NULL);
	world_settle(w);
	assert_int_equal(
		bus_publish(w->peer[0], "test.nobody", "test.inbox.0.1", NOTHING, span_str("x")),
		0);
	world_settle(w);
	assert_int_equal(in.n, 1);
	assert_int_equal(in.no_responders, 1);
	assert_string_equal(in.subject, "");
	assert_int_equal(in.len, 0);
	assert_int_equal(other.n, 0);
	assert_int_equal(
		bus_publish(w->peer[0], "test.nobody", "test.inbox.1.2", NOTHING, span_str("x")),
		0);
	publish(w->peer[0], "test.inbox.1.3", "0");
	world_settle(w);
	assert_int_equal(wild.n, 2);
	assert_int_equal(wild.no_responders, 1);
	assert_string_equal(wild.subject, "test.inbox.1.3");
	assert_int_equal(in.n, 1);
	stop(&in);
	stop(&other);
	stop(&wild);
}

static void unsubscribed_handlers_are_not_called(void **state)
{
	struct world *w = *state;
	struct inbox before, inside;

	listen_on(&before, w->peer[1], "test.end", NULL);
	listen_on(&inside, w->peer[1], "test.end", NULL);
	inside.end_at = 3;
	world_settle(w);
	publish_numbers(w->peer[0], "test.end", 10);
	world_settle(w);
	assert_int_equal(before.n, 10);
	assert_int_equal(inside.n, 3);
	mem_free(inside.data);
	stop(&before);
	publish_numbers(w->peer[0], "test.end", 10);
	world_settle(w);
	assert_int_equal(before.n, 10);
	assert_int_equal(inside.n, 3);
	bus_unsubscribe(w->peer[0], NULL);
}

static void on_start(void *ctx, const struct bus_msg *m)
{
	struct inbox *in = ctx;

	(void)m;
	if (in->sub == NULL)
		listen_on(in, in->bus, "test.later", NULL);
}

static void handlers_may_subscribe(void **state)
{
	struct world *w = *state;
	struct inbox in = { .bus = w->peer[1] };
	struct bus_sub *start = bus_subscribe(w->peer[1], "test.start", NULL, on_start, &in);

	assert_non_null(start);
	world_settle(w);
	publish(w->peer[0], "test.start", "");
	world_settle(w);
	assert_non_null(in.sub);
	publish(w->peer[0], "test.later", "0");
	world_settle(w);
	assert_int_equal(in.n, 1);
	bus_unsubscribe(w->peer[1], start);
	stop(&in);
}

static void sizes_end_at_the_limit(void **state)
{
	struct world *w = *state;
	size_t len = LIMIT_MESSAGE_BYTES;
	unsigned char *big = mem_alloc(len + 1);
	struct inbox in;

	assert_non_null(big);
	for (size_t i = 0; i < len; i++)
		big[i] = (unsigned char)(i * 7 + i / 256);
	listen_on(&in, w->peer[1], "test.big", NULL);
	world_settle(w);
	assert_int_equal(bus_publish(w->peer[0], "test.big", NULL, NOTHING, span_of(big, len + 1)),
		ERR_TOO_BIG);
	assert_int_equal(
		bus_publish(w->peer[0], "test.big", NULL, span_str("00-ab"), span_of(big, len)),
		ERR_TOO_BIG);
	assert_int_equal(bus_publish(w->peer[0], "test.big", "test.r", NOTHING, span_of(big, len)),
		0);
	assert_int_equal(bus_publish(w->peer[0], "test.big", NULL, span_str("00-ab"),
				 span_of(big, len - 32)),
		0);
	assert_int_equal(bus_publish(w->peer[0], "test.big", NULL, NOTHING, span_of(big, len)), 0);
	world_settle(w);
	assert_int_equal(in.n, 3);
	assert_int_equal(in.len, len);
	assert_memory_equal(in.data, big, len);
	mem_free(big);
	stop(&in);
}

static void malformed_subjects_are_refused(void **state)
{
	static const char *const bad[] = { "", ".", "a.", ".a", "a..b", "a b", "a\tb",
		"a\r\nPUB x 0", "a\x7f" };
	static const char *const patterns[] = { "a*", "*a", "a.>.b", ">>", "a.>b", "**", "*.*>" };
	static const char *const right[] = { "*", ">", "a.*", "a.>", "*.*.>", "$SRV.PING",
		"_INBOX.x.*" };
	struct world *w = *state;
	struct bus *b = w->peer[0];
	struct inbox in;
	char longest[BUS_SUBJECT_BYTES + 2];

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(bus_publish(b, bad[i], NULL, NOTHING, NOTHING), ERR_INVALID);
		assert_int_equal(bus_publish(b, "test.a", bad[i], NOTHING, NOTHING), ERR_INVALID);
		assert_null(bus_subscribe(b, bad[i], NULL, on_msg, &in));
		assert_null(bus_subscribe(b, "test.a", bad[i], on_msg, &in));
	}
	for (unsigned i = 0; i < ARRAY_LEN(patterns); i++)
		assert_null(bus_subscribe(b, patterns[i], NULL, on_msg, &in));
	for (unsigned i = 0; i < ARRAY_LEN(right); i++)
		assert_true(bus_is_pattern(right[i]));
	assert_int_equal(bus_publish(b, "test.*", NULL, NOTHING, NOTHING), ERR_INVALID);
	assert_int_equal(bus_publish(b, "test.a", "test.>", NOTHING, NOTHING), ERR_INVALID);
	assert_int_equal(bus_publish(b, "test.a", NULL, span_str("a\r\nb"), NOTHING), ERR_INVALID);
	memset(longest, 'a', sizeof(longest));
	longest[BUS_SUBJECT_BYTES + 1] = '\0';
	assert_false(bus_is_subject(longest));
	longest[BUS_SUBJECT_BYTES] = '\0';
	assert_true(bus_is_subject(longest));
	assert_int_equal(bus_publish(b, longest, NULL, NOTHING, NOTHING), 0);
}

static void messages_are_counted(void **state)
{
	struct world *w = *state;
	uint64_t sent, sent_bytes, received, received_bytes;
	struct inbox in;

	listen_on(&in, w->peer[1], "test.count", NULL);
	world_settle(w);
	sent = w->peer[0]->sent;
	sent_bytes = w->peer[0]->sent_bytes;
	publish(w->peer[0], "test.count", "12345");
	assert_int_equal(w->peer[0]->sent, sent + 1);
	assert_int_equal(w->peer[0]->sent_bytes, sent_bytes + 5);
	received = w->peer[1]->received;
	received_bytes = w->peer[1]->received_bytes;
	world_settle(w);
	assert_true(w->peer[1]->received > received &&
		    w->peer[1]->received_bytes >= received_bytes + 5);
	assert_int_equal(w->peer[1]->dropped, 0);
	stop(&in);
}

int world_run(const char *name, CMFixtureFunction set_up, CMFixtureFunction tear_down)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_all_parts),
		cmocka_unit_test(traced_request_carries_no_reply_if_none),
		cmocka_unit_test(wildcards_match),
		cmocka_unit_test(group_members_share),
		cmocka_unit_test(group_gets_each_message_once),
		cmocka_unit_test(order_is_kept),
		cmocka_unit_test(own_messages_come_back),
		cmocka_unit_test(replies_come_back),
		cmocka_unit_test(requests_to_nobody_are_told_so),
		cmocka_unit_test(unsubscribed_handlers_are_not_called),
		cmocka_unit_test(handlers_may_subscribe),
		cmocka_unit_test(sizes_end_at_the_limit),
		cmocka_unit_test(malformed_subjects_are_refused),
		cmocka_unit_test(messages_are_counted),
	};

	return _cmocka_run_group_tests(name, tests, ARRAY_LEN(tests), set_up, tear_down);
}
