/* SPDX-License-Identifier: Apache-2.0
 *
 * What the decoders refuse: each limit met exactly and exceeded by one, malformed bytes, memory bombs, and
 * want of memory.
 */
#include "base/mem.h"
#include "tests/support/test.h"
#include "wire/body.h"
#include "wire/node.h"
#include "wire/pbwrite.h"
#include "wire/query.h"
#include "wire/task.h"

#define T(s) SPAN_LIT(s)
#define ARENA_BYTES (16u << 20)
#define LONG_BYTES (LIMIT_MESSAGE_BYTES + 1)

/* Every decoder behind one signature; for batches: the number of rows. */
struct decoder {
	const char *name;
	int (*decode)(struct arena *a, struct span bytes, struct fail *why);
};

struct fix {
	struct arena arena;
	struct buf b;
	struct fail why;
	unsigned char *x; /* LONG_BYTES times 'x' */
};

static int setup(void **state)
{
	static struct fix f;

	f = (struct fix){ 0 };
	arena_init(&f.arena, ARENA_BYTES);
	buf_init(&f.b, 4 << 20);
	f.x = mem_grow(NULL, LONG_BYTES);
	assert_non_null(f.x);
	memset(f.x, 'x', LONG_BYTES);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	arena_done(&f->arena);
	buf_done(&f->b);
	mem_free(f->x);
	return 0;
}

#define BATCH(type, name)                                                                          \
	static int decode_##name(struct arena *a, struct span bytes, struct fail *why)             \
	{                                                                                          \
		struct type *rows = NULL;                                                          \
		size_t n = 0;                                                                      \
		int r = name##_decode(a, bytes, &rows, &n, why);                                   \
                                                                                                   \
		return r < 0 ? r : (int)n;                                                         \
	}
#define MESSAGE(type, name)                                                                        \
	static int decode_##name(struct arena *a, struct span bytes, struct fail *why)             \
	{                                                                                          \
		struct type x = { 0 };                                                             \
                                                                                                   \
		return name##_decode(a, bytes, &x, why);                                           \
	}
BATCH(submit, submits)
BATCH(submit_reply, submit_replies)
BATCH(event, events)
BATCH(up, ups)
BATCH(down, downs)
MESSAGE(body, body)
MESSAGE(split_plan, split_plan)
MESSAGE(query, query)
MESSAGE(query_reply, query_reply)
MESSAGE(ask, ask)
MESSAGE(ask_reply, ask_reply)

static const struct decoder decoders[] = {
	{ "submits", decode_submits },
	{ "submit_replies", decode_submit_replies },
	{ "events", decode_events },
	{ "ups", decode_ups },
	{ "downs", decode_downs },
	{ "body", decode_body },
	{ "split_plan", decode_split_plan },
	{ "query", decode_query },
	{ "query_reply", decode_query_reply },
	{ "ask", decode_ask },
	{ "ask_reply", decode_ask_reply },
};
#define BATCHES 5 /* the first of them */

static struct span xs(const struct fix *f, size_t n)
{
	return span_of(f->x, n);
}

static void fresh(struct fix *f)
{
	arena_reset(&f->arena);
	buf_reset(&f->b);
	f->why = (struct fail){ 0 };
}

/* Decode what the buf holds; the code, and what `why` must say about it. */
static void expect(struct fix *f, int (*decode)(struct arena *, struct span, struct fail *),
	int code, const char *field, int64_t limit)
{
	int r;

	assert_int_equal(buf_err(&f->b), 0);
	r = decode(&f->arena, buf_span(&f->b), &f->why);
	if (r != code || f->why.code != (code < 0 ? code : 0))
		fail_msg("%d and not %d: field '%s', limit %lld, %s", r, code, f->why.field,
			(long long)f->why.limit, f->why.detail);
	if (code < 0) {
		assert_string_equal(f->why.field, field);
		assert_int_equal(f->why.limit, limit);
		assert_true(f->why.detail[0] != 0);
	}
	fresh(f);
}

static void test_params_and_items(void **state)
{
	struct fix *f = *state;

	for (int over = 0; over < 2; over++) {
		for (int i = 0; i < LIMIT_PARAMS + over; i++)
			body_put_param(&f->b, T("k"), T("v"));
		expect(f, decode_body, over ? ERR_TOO_BIG : 0, "param", LIMIT_PARAMS);
		for (int i = 0; i < LIMIT_ITEMS + over; i++)
			body_put_item(&f->b, T(""), T(""), T(""));
		expect(f, decode_body, over ? ERR_TOO_BIG : 0, "item", LIMIT_ITEMS);
		body_put_param(&f->b, T("k"), xs(f, (size_t)LIMIT_PARAM_BYTES + (size_t)over));
		expect(f, decode_body, over ? ERR_TOO_BIG : 0, "value", LIMIT_PARAM_BYTES);
		body_put_param(&f->b, xs(f, (size_t)LIMIT_TOKEN_BYTES + (size_t)over), T(""));
		expect(f, decode_body, over ? ERR_INVALID : 0, "key", LIMIT_TOKEN_BYTES);
		/* 1 + 3 bytes before the item, 1 + 3 before its data */
		body_put_item(&f->b, T(""), T(""), xs(f, (size_t)(LIMIT_BODY_BYTES - 8 + over)));
		assert_int_equal(f->b.len, LIMIT_BODY_BYTES + over);
		expect(f, decode_body, over ? ERR_TOO_BIG : 0, "body", LIMIT_BODY_BYTES);
	}
}

static void test_keys_of_params(void **state)
{
	static const char *const wrong[] = { "", ".", "a.", ".a", "a..b", "a b", "a\n",
		"\xc3\xa4" };
	struct fix *f = *state;

	body_put_param(&f->b, T("A-b_9.c"), T("\xc3\xa4 text\n"));
	expect(f, decode_body, 0, "", 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		body_put_param(&f->b, span_str(wrong[i]), T("v"));
		expect(f, decode_body, ERR_INVALID, "key", LIMIT_TOKEN_BYTES);
	}
}

static void test_strings_are_text(void **state)
{
	static const struct span wrong[] = {
		{ (const unsigned char *)"a\0b", 3 },
		{ (const unsigned char *)"\0", 1 },
		{ (const unsigned char *)"\xff", 1 },
		{ (const unsigned char *)"\xc3", 1 },
		{ (const unsigned char *)"\xc0\x80", 2 },
		{ (const unsigned char *)"\xed\xa0\x80", 3 },
	};
	struct fix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		body_put_param(&f->b, T("k"), wrong[i]);
		expect(f, decode_body, ERR_INVALID, "value", 0);
		body_put_param(&f->b, wrong[i], T("v"));
		expect(f, decode_body, ERR_INVALID, "key", 0);
	}
}

/* What one submit is refused with; the one after it passes always. */
static void expect_submit(
	struct fix *f, const struct submit *s, int code, const char *field, int64_t limit)
{
	const struct submit good = { .kind = T("a.b"), .key = T("good") };
	struct submit *rows;
	size_t n;

	submits_put(&f->b, s);
	submits_put(&f->b, &good);
	assert_int_equal(submits_decode(&f->arena, buf_span(&f->b), &rows, &n, &f->why), 0);
	assert_int_equal(n, 2);
	if (rows[0].fail.code != code)
		fail_msg("%d and not %d: %s", rows[0].fail.code, code, rows[0].fail.detail);
	assert_string_equal(rows[0].fail.field, field);
	assert_int_equal(rows[0].fail.limit, limit);
	assert_int_equal(rows[1].fail.code, 0);
	assert_true(span_is(rows[1].key, "good"));
	fresh(f);
}

static void test_submit_rules(void **state)
{
	struct fix *f = *state;
	const struct submit ok = { .kind = T("a"), .key = T("k"), .stream = T("s") };
	struct submit s = ok;

	expect_submit(f, &ok, 0, "", 0);
	s.key = xs(f, 64);
	s.stream = s.key;
	s.kind = xs(f, LIMIT_KIND_BYTES);
	s.priority = LIMIT_PRIORITY;
	s.body = xs(f, LIMIT_BODY_BYTES);
	s.allow = (struct ladder){ { 5, 4, 3, 2, 1 }, 5 };
	expect_submit(f, &s, 0, "", 0);
	s = ok, s.key = xs(f, 65);
	expect_submit(f, &s, ERR_INVALID, "key", 64);
	s = ok, s.stream = T("a.b");
	expect_submit(f, &s, ERR_INVALID, "stream", 64);
	s = ok, s.kind = T("");
	expect_submit(f, &s, ERR_INVALID, "kind", LIMIT_KIND_BYTES);
	s = ok, s.kind = xs(f, LIMIT_KIND_BYTES + 1);
	expect_submit(f, &s, ERR_INVALID, "kind", LIMIT_KIND_BYTES);
	s = ok, s.kind = T("a..b");
	expect_submit(f, &s, ERR_INVALID, "kind", LIMIT_KIND_BYTES);
	s = ok, s.priority = LIMIT_PRIORITY + 1;
	expect_submit(f, &s, ERR_INVALID, "priority", LIMIT_PRIORITY);
	s = ok, s.deadline_ms = -1;
	expect_submit(f, &s, ERR_INVALID, "deadline_ms", 0);
	s = ok, s.max_price_ucr = INT64_MIN;
	expect_submit(f, &s, ERR_INVALID, "max_price_ucr", 0);
	s = ok, s.start_within_ms = -1;
	expect_submit(f, &s, ERR_INVALID, "start_within_ms", 0);
	s = ok, s.body = xs(f, LIMIT_BODY_BYTES + 1);
	expect_submit(f, &s, ERR_TOO_BIG, "body", LIMIT_BODY_BYTES);
	s = ok, s.allow = (struct ladder){ { 1, 1 }, 2 };
	expect_submit(f, &s, ERR_INVALID, "allow", 0);
	s = ok, s.allow = (struct ladder){ { 6 }, 1 };
	expect_submit(f, &s, ERR_INVALID, "allow", 0);
	s = ok, s.allow = (struct ladder){ { 0 }, 1 };
	expect_submit(f, &s, ERR_INVALID, "allow", 0);
}

/* A refused submit keeps the key that its refusal is answered with. */
static void test_a_refused_submit_keeps_its_key(void **state)
{
	struct fix *f = *state;
	struct submit *rows;
	size_t n;

	submits_put(&f->b, &(struct submit){ .key = T("k-9"), .kind = T("NO") });
	assert_int_equal(submits_decode(&f->arena, buf_span(&f->b), &rows, &n, NULL), 0);
	assert_int_equal(rows[0].fail.code, ERR_INVALID);
	assert_true(span_is(rows[0].key, "k-9"));
}

static void test_too_many_rungs(void **state)
{
	struct fix *f = *state;
	struct submit *rows;
	struct pb_mark m = pb_open(&f->b, 1, 0);
	size_t n;

	pb_bytes(&f->b, 3, T("a"));
	pb_bytes(&f->b, 7, T("\1\2\3\4\5\1"));
	pb_close(&f->b, m);
	assert_int_equal(submits_decode(&f->arena, buf_span(&f->b), &rows, &n, NULL), 0);
	assert_int_equal(rows[0].fail.code, ERR_TOO_BIG);
	assert_string_equal(rows[0].fail.field, "allow");
}

static void test_items_of_a_batch(void **state)
{
	struct fix *f = *state;

	for (int over = 0; over < 2; over++)
		for (size_t d = 0; d < BATCHES; d++) {
			static const char *const names[BATCHES] = { "submit", "reply", "event",
				"up", "down" };

			for (int i = 0; i < LIMIT_ITEMS_PER_MESSAGE + over; i++)
				pb_close(&f->b, pb_open(&f->b, 1, 0));
			expect(f, decoders[d].decode, over ? ERR_TOO_BIG : LIMIT_ITEMS_PER_MESSAGE,
				names[d], LIMIT_ITEMS_PER_MESSAGE);
		}
}

static struct offer good_offer(void)
{
	return (struct offer){ .rung = RUNG_CPU, .incarnation = 1 };
}

/* What one report is refused with. */
static void expect_offer(struct fix *f, const struct offer *o, int code, const char *field)
{
	struct up *rows;
	size_t n;

	ups_put(&f->b, &(struct up){ .kind = UP_OFFER, .offer = o });
	ups_put(&f->b, &(struct up){ .kind = UP_ACCEPT, .task = { 1, 1 } });
	assert_int_equal(ups_decode(&f->arena, buf_span(&f->b), &rows, &n, NULL), 0);
	assert_int_equal(n, 2);
	if (rows[0].fail.code != code)
		fail_msg("%d and not %d: %s", rows[0].fail.code, code, rows[0].fail.detail);
	assert_string_equal(rows[0].fail.field, field);
	assert_int_equal(rows[0].kind, code == 0 ? UP_OFFER : UP_NONE);
	assert_int_equal(rows[1].kind, UP_ACCEPT);
	fresh(f);
}

static void test_offer_rules(void **state)
{
	static struct kind_offer kinds[LIMIT_OFFER_KINDS + 1];
	static struct attempt_ref running[LIMIT_OFFER_SLOTS + 1];
	struct fix *f = *state;
	struct offer o = good_offer();

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		kinds[i] = (struct kind_offer){ .kind = T("a") };
	for (size_t i = 0; i < ARRAY_LEN(running); i++)
		running[i] = (struct attempt_ref){ { i + 1, i }, 1 };
	o.kinds = kinds;
	o.running = running;
	o.kinds_n = LIMIT_OFFER_KINDS;
	o.running_n = LIMIT_OFFER_SLOTS;
	o.slots = LIMIT_OFFER_SLOTS;
	o.health = 1000;
	o.load = 1000;
	expect_offer(f, &o, 0, "");
	o.kinds_n++;
	expect_offer(f, &o, ERR_TOO_BIG, "kind");
	o.kinds_n = 0;
	o.running_n++;
	expect_offer(f, &o, ERR_TOO_BIG, "running");
	o = good_offer(), o.slots = LIMIT_OFFER_SLOTS + 1;
	expect_offer(f, &o, ERR_INVALID, "slots");
	o = good_offer(), o.health = 1001;
	expect_offer(f, &o, ERR_INVALID, "health");
	o = good_offer(), o.load = 1001;
	expect_offer(f, &o, ERR_INVALID, "load");
	o = good_offer(), o.rung = RUNG_NONE;
	expect_offer(f, &o, ERR_INVALID, "rung");
	o = good_offer(), o.rung = RUNG_SPLIT;
	expect_offer(f, &o, ERR_INVALID, "rung");
	o = good_offer(), o.rung = (enum rung)RUNGS;
	expect_offer(f, &o, ERR_INVALID, "rung");
	kinds[0].kind = T("");
	o = good_offer(), o.kinds = kinds, o.kinds_n = 1;
	expect_offer(f, &o, ERR_INVALID, "kind");
	kinds[0] = (struct kind_offer){ .kind = T("a"), .price_ucr = -1 };
	expect_offer(f, &o, ERR_INVALID, "price_ucr");
}

static void test_texts_for_people(void **state)
{
	struct fix *f = *state;
	struct pb_mark up;
	struct pb_mark bye;
	struct up *rows;
	size_t n;

	for (size_t over = 0; over < 2; over++) {
		up = pb_open(&f->b, 1, 0);
		bye = pb_open(&f->b, 8, 0);
		pb_bytes(&f->b, 2, xs(f, LIMIT_TEXT_BYTES + over));
		pb_close(&f->b, bye);
		pb_close(&f->b, up);
		assert_int_equal(ups_decode(&f->arena, buf_span(&f->b), &rows, &n, NULL), 0);
		assert_int_equal(rows[0].kind, over ? UP_NONE : UP_BYE);
		assert_int_equal(rows[0].fail.code, over ? ERR_TOO_BIG : 0);
		fresh(f);
	}
	ups_put(&f->b, &(struct up){ .kind = UP_BYE, .reason = xs(f, 10000) });
	assert_int_equal(ups_decode(&f->arena, buf_span(&f->b), &rows, &n, NULL), 0);
	assert_int_equal(rows[0].reason.len, LIMIT_TEXT_BYTES);
}

static void test_reports_need_their_task(void **state)
{
	struct fix *f = *state;
	struct up *rows;
	size_t n;

	for (unsigned k = UP_ACCEPT; k <= UP_FAILED; k++) {
		ups_put(&f->b, &(struct up){ .kind = (enum up_kind)k });
		assert_int_equal(ups_decode(&f->arena, buf_span(&f->b), &rows, &n, NULL), 0);
		assert_int_equal(rows[0].kind, UP_NONE);
		assert_int_equal(rows[0].fail.code, ERR_INVALID);
		assert_string_equal(rows[0].fail.field, "task");
		fresh(f);
	}
	/* a refusal without a reason is the node's fault, and a refusal still */
	ups_put(&f->b, &(struct up){ .kind = UP_REFUSE, .task = { 1, 1 } });
	assert_int_equal(ups_decode(&f->arena, buf_span(&f->b), &rows, &n, NULL), 0);
	assert_int_equal(rows[0].kind, UP_REFUSE);
	assert_int_equal(rows[0].fail.code, ERR_BUG);
}

static void test_an_unknown_sort_harms_no_other(void **state)
{
	struct fix *f = *state;
	struct up *ups;
	struct down *downs;
	struct event *events;
	size_t n;

	buf_add(&f->b, T("\x0a\x03\xfa\x01\x00")); /* field 31 */
	ups_put(&f->b, &(struct up){ .kind = UP_BYE });
	assert_int_equal(ups_decode(&f->arena, buf_span(&f->b), &ups, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_int_equal(ups[0].kind, UP_NONE);
	assert_int_equal(ups[0].fail.code, ERR_UNSUPPORTED);
	assert_int_equal(ups[1].kind, UP_BYE);
	fresh(f);
	buf_add(&f->b, T("\x0a\x03\xfa\x01\x00"));
	downs_put(&f->b, &(struct down){ .kind = DOWN_PING });
	assert_int_equal(downs_decode(&f->arena, buf_span(&f->b), &downs, &n, NULL), 0);
	assert_int_equal(downs[0].kind, DOWN_NONE);
	assert_int_equal(downs[1].kind, DOWN_PING);
	fresh(f);
	events_put(&f->b, &(struct event){ .task = { 1, 1 } });
	events_put(&f->b, &(struct event){ .task = { 1, 1 }, .kind = EVENT_CHUNK });
	assert_int_equal(events_decode(&f->arena, buf_span(&f->b), &events, &n, NULL), 0);
	assert_int_equal(events[0].kind, EVENT_NONE);
	assert_int_equal(events[1].kind, EVENT_CHUNK);
}

static void test_an_end_is_final(void **state)
{
	struct fix *f = *state;
	struct event *rows;
	size_t n;

	for (unsigned s = 0; s <= STATES; s++) {
		struct event e = { .task = { 1, 1 }, .kind = EVENT_END };

		e.result.state = (enum state)s;
		events_put(&f->b, &e);
		assert_int_equal(events_decode(&f->arena, buf_span(&f->b), &rows, &n, NULL), 0);
		assert_int_equal(
			rows[0].kind, s >= STATE_SUCCEEDED && s < STATES ? EVENT_END : EVENT_NONE);
		fresh(f);
	}
}

static void test_plans(void **state)
{
	struct fix *f = *state;
	const struct part part = { T("a"), T("") };

	split_plan_put_join(&f->b, &part);
	expect(f, decode_split_plan, ERR_INVALID, "part", 0);
	split_plan_put_part(&f->b, &part);
	expect(f, decode_split_plan, ERR_INVALID, "join", 0);
	for (int over = 0; over < 2; over++) {
		for (int i = 0; i < LIMIT_PARTS + over; i++)
			split_plan_put_part(&f->b, &part);
		split_plan_put_join(&f->b, &part);
		expect(f, decode_split_plan, over ? ERR_TOO_BIG : 0, "part", LIMIT_PARTS);
	}
	split_plan_put_part(&f->b, &(struct part){ T(""), T("") });
	split_plan_put_join(&f->b, &part);
	expect(f, decode_split_plan, ERR_INVALID, "kind", LIMIT_KIND_BYTES);
}

static void test_queries(void **state)
{
	struct fix *f = *state;

	expect(f, decode_query, ERR_UNSUPPORTED, "what", 0);
	expect(f, decode_ask, ERR_UNSUPPORTED, "what", 0);
	expect(f, decode_query_reply, ERR_UNSUPPORTED, "what", 0);
	query_encode(&f->b, &(struct query){ .kind = QUERY_STATUS });
	expect(f, decode_query, ERR_INVALID, "task", 0);
	query_encode(&f->b, &(struct query){ .kind = QUERY_TASKS, .limit = LIMIT_LIST_ROWS });
	expect(f, decode_query, 0, "", 0);
	query_encode(&f->b, &(struct query){ .kind = QUERY_TASKS, .limit = LIMIT_LIST_ROWS + 1 });
	expect(f, decode_query, ERR_INVALID, "limit", LIMIT_LIST_ROWS);
	query_encode(&f->b, &(struct query){ .kind = QUERY_TASKS, .state = (enum state)STATES });
	expect(f, decode_query, ERR_INVALID, "state", 0);
	query_encode(&f->b, &(struct query){ .kind = QUERY_DRAIN, .node = T("a.b") });
	expect(f, decode_query, ERR_INVALID, "node", LIMIT_TOKEN_BYTES);
	ask_encode(&f->b,
		&(struct ask){
			.kind = ASK_ANSWER, .task = { 1, 1 }, .body = xs(f, LIMIT_BODY_BYTES) });
	expect(f, decode_ask, 0, "", 0);
	ask_encode(&f->b, &(struct ask){ .kind = ASK_ANSWER,
				  .task = { 1, 1 },
				  .body = xs(f, LIMIT_BODY_BYTES + 1) });
	expect(f, decode_ask, ERR_TOO_BIG, "body", LIMIT_BODY_BYTES);
}

static void test_rows_of_lists(void **state)
{
	static struct task_view tasks[LIMIT_LIST_ROWS + 1];
	struct fix *f = *state;
	struct query_reply r = { .kind = REPLY_TASKS, .tasks = tasks };

	for (size_t i = 0; i < ARRAY_LEN(tasks); i++)
		tasks[i] = (struct task_view){
			.task = { 1, i }, .kind = T("a"), .state = STATE_QUEUED
		};
	for (size_t over = 0; over < 2; over++) {
		r.tasks_n = LIMIT_LIST_ROWS + over;
		query_reply_encode(&f->b, &r);
		expect(f, decode_query_reply, over ? ERR_TOO_BIG : 0, "task", LIMIT_LIST_ROWS);
	}
}

static void test_malformed_bytes(void **state)
{
	static const struct span wrong[] = {
		{ (const unsigned char *)"\x0a", 1 },                 /* no length */
		{ (const unsigned char *)"\x0a\x05\x00", 3 },         /* cut off */
		{ (const unsigned char *)"\xff\xff\xff\xff\xff", 5 }, /* endless varint */
		{ (const unsigned char *)"\x0b", 1 },                 /* a group */
		{ (const unsigned char *)"\x0f", 1 },                 /* no such wire type */
		{ (const unsigned char *)"\x00\x00", 2 },             /* field 0 */
		{ (const unsigned char *)"\x08\x01", 2 },             /* 1 as a number */
		{ (const unsigned char *)"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11 },
	};
	struct fix *f = *state;

	for (size_t d = 0; d < ARRAY_LEN(decoders); d++)
		for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
			int r = decoders[d].decode(&f->arena, wrong[i], &f->why);

			if (r != ERR_MALFORMED || f->why.code != r)
				fail_msg("%s: input %zu: %d", decoders[d].name, i, r);
			fresh(f);
		}
}

static void test_a_message_may_not_be_too_big(void **state)
{
	struct fix *f = *state;

	/* one unknown field fills it */
	for (size_t d = 0; d < ARRAY_LEN(decoders); d++) {
		int r;

		pb_bytes(&f->b, 100, xs(f, LONG_BYTES - 5));
		assert_int_equal(f->b.len, LONG_BYTES);
		r = decoders[d].decode(&f->arena, buf_span(&f->b), &f->why);
		assert_int_equal(r, ERR_TOO_BIG);
		assert_int_equal(f->why.limit,
			decoders[d].decode == decode_body ? LIMIT_BODY_BYTES : LIMIT_MESSAGE_BYTES);
		fresh(f);
	}
}

/* 1 MiB of one short field again and again, alone or in one message inside. Whatever it is decoded as,
 * little memory may go. */
static void bomb(struct fix *f, unsigned inside, unsigned field, unsigned wire, size_t bytes)
{
	unsigned char unit[4] = { 0 };
	size_t n = (size_t)(pb_varint(unit, field << 3 | wire) - unit) + 1;
	size_t count = (bytes - 8) / n;
	struct pb_mark m = { 0 };
	unsigned char *at;

	if (inside != 0)
		m = pb_open(&f->b, inside, count * n);
	at = buf_room(&f->b, count * n);
	assert_non_null(at);
	for (size_t i = 0; i < count; i++)
		memcpy(at + i * n, unit, n);
	buf_took(&f->b, count * n);
	if (inside != 0)
		pb_close(&f->b, m);
	for (size_t d = 0; d < ARRAY_LEN(decoders); d++) {
		int r;

		if ((decoders[d].decode == decode_body) != (bytes == LIMIT_BODY_BYTES))
			continue;
		r = decoders[d].decode(&f->arena, buf_span(&f->b), &f->why);
		if (f->arena.used > 4 << 20)
			fail_msg("%s: field %u in %u: %zu bytes of memory (returned %d)",
				decoders[d].name, field, inside, f->arena.used, r);
		arena_reset(&f->arena);
	}
	fresh(f);
}

static void test_memory_bombs(void **state)
{
	struct fix *f = *state;

	for (unsigned inside = 0; inside < 7; inside++)
		for (unsigned field = 1; field <= 17; field++)
			for (unsigned wire = 0; wire <= 2; wire += 2) {
				bomb(f, inside, field, wire, LIMIT_BODY_BYTES);
				bomb(f, inside, field, wire, LIMIT_MESSAGE_BYTES);
			}
}

static void test_nested_bombs(void **state)
{
	struct fix *f = *state;
	struct pb_mark up;
	struct pb_mark offer;
	struct up *rows;
	size_t n;

	/* 2,000 offers of 128 empty kinds each */
	for (int i = 0; i < 2000; i++) {
		up = pb_open(&f->b, 1, 300);
		offer = pb_open(&f->b, 1, 300);
		for (int k = 0; k < LIMIT_OFFER_KINDS; k++)
			pb_close(&f->b, pb_open(&f->b, 4, 0));
		pb_close(&f->b, offer);
		pb_close(&f->b, up);
	}
	assert_int_equal(buf_err(&f->b), 0);
	assert_int_equal(ups_decode(&f->arena, buf_span(&f->b), &rows, &n, &f->why), ERR_NO_MEMORY);
	assert_int_equal(f->why.code, ERR_NO_MEMORY);
	assert_true(f->arena.used <= ARENA_BYTES);
}

static void test_unknown_fields(void **state)
{
	struct fix *f = *state;

	for (int over = 0; over < 2; over++) {
		for (int i = 0; i < 64 + over; i++)
			pb_int(&f->b, 200, 1);
		query_encode(&f->b, &(struct query){ .kind = QUERY_MESH });
		expect(f, decode_query, over ? ERR_TOO_BIG : 0, "Query", 64);
	}
	/* beside the items of a batch they cost nothing and are passed over */
	for (int i = 0; i < 1000; i++)
		pb_bytes(&f->b, 200, T("abc"));
	ups_put(&f->b, &(struct up){ .kind = UP_BYE });
	expect(f, decode_ups, 1, "", 0);
}

static int decode_without_memory(void *arg)
{
	struct fix *f = arg;
	int worst = 0;

	for (size_t d = 0; d < ARRAY_LEN(decoders); d++) {
		struct arena a;
		int r;

		arena_init(&a, ARENA_BYTES);
		r = decoders[d].decode(&a, buf_span(&f->b), NULL);
		if (r == ERR_NO_MEMORY)
			worst = r;
		arena_done(&a);
	}
	return worst;
}

static void test_without_memory(void **state)
{
	struct fix *f = *state;
	struct kind_offer kinds[8];
	struct offer o = good_offer();

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		kinds[i] = (struct kind_offer){ .kind = T("a"), .why = xs(f, 500) };
	o.kinds = kinds;
	o.kinds_n = ARRAY_LEN(kinds);
	for (int i = 0; i < 10; i++)
		ups_put(&f->b, &(struct up){ .kind = UP_OFFER, .offer = &o });
	assert_true(nth_alloc(decode_without_memory, f) >= ARRAY_LEN(decoders));
}

/* The arena's ceiling at every size: an error or all of it. */
static void test_every_ceiling(void **state)
{
	struct fix *f = *state;
	const struct submit s = { .kind = T("a.b"), .key = T("key"), .body = xs(f, 300) };

	for (int i = 0; i < 3; i++)
		submits_put(&f->b, &s);
	for (size_t max = 0; max < 8000; max += 16) {
		struct submit *rows = NULL;
		struct arena a;
		size_t n = 0;
		int r;

		arena_init(&a, max);
		r = submits_decode(&a, buf_span(&f->b), &rows, &n, &f->why);
		assert_true(r == 0 || r == ERR_NO_MEMORY);
		assert_true(r == 0 || rows == NULL);
		if (r == 0)
			assert_int_equal(rows[2].body.len, 300);
		arena_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_params_and_items, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys_of_params, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strings_are_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_submit_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_refused_submit_keeps_its_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_rungs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_items_of_a_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offer_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_texts_for_people, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reports_need_their_task, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_an_unknown_sort_harms_no_other, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_end_is_final, setup, teardown),
		cmocka_unit_test_setup_teardown(test_plans, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rows_of_lists, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_message_may_not_be_too_big, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_bombs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nested_bombs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_ceiling, setup, teardown),
	};

	return cmocka_run_group_tests_name("wire limits", tests, NULL, NULL);
}
