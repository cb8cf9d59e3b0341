/* SPDX-License-Identifier: Apache-2.0
 *
 * What the decoders refuse: each rule, and each limit met exactly and exceeded by one.
 */
#include "tests/unit/wire_decoders.h"

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
static void expect_submit(struct fix *f, const struct submit *s, int code, const char *field,
	int64_t limit)
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
	s = ok, s.keep_ms = -1;
	expect_submit(f, &s, ERR_INVALID, "keep_ms", 0);
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
				"up", "down", "ask", "reply" };

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
		running[i] = (struct attempt_ref){ .task = { i + 1, i }, .attempt = 1 };
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
		assert_int_equal(rows[0].kind,
			s >= STATE_SUCCEEDED && s < STATES ? EVENT_END : EVENT_NONE);
		fresh(f);
	}
}

static void test_plans(void **state)
{
	struct fix *f = *state;
	const struct part part = { .kind = T("a") };

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
	split_plan_put_part(&f->b, &(struct part){ .kind = T("") });
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
	ask_encode(&f->b, &(struct ask){
				  .kind = ASK_ANSWER,
				  .task = { 1, 1 },
				  .body = xs(f, LIMIT_BODY_BYTES),
			  });
	expect(f, decode_ask, 0, "", 0);
	ask_encode(&f->b, &(struct ask){
				  .kind = ASK_ANSWER,
				  .task = { 1, 1 },
				  .body = xs(f, LIMIT_BODY_BYTES + 1),
			  });
	expect(f, decode_ask, ERR_TOO_BIG, "body", LIMIT_BODY_BYTES);
}

static void test_rows_of_lists(void **state)
{
	static struct task_view tasks[LIMIT_LIST_ROWS + 1];
	struct fix *f = *state;
	struct query_reply r = { .kind = REPLY_TASKS, .tasks = tasks };

	for (size_t i = 0; i < ARRAY_LEN(tasks); i++)
		tasks[i] = (struct task_view){
			.task = { 1, i },
			.kind = T("a"),
			.state = STATE_QUEUED,
		};
	for (size_t over = 0; over < 2; over++) {
		r.tasks_n = LIMIT_LIST_ROWS + over;
		query_reply_encode(&f->b, &r);
		expect(f, decode_query_reply, over ? ERR_TOO_BIG : 0, "task", LIMIT_LIST_ROWS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_params_and_items, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys_of_params, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strings_are_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_submit_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_refused_submit_keeps_its_key, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_too_many_rungs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_items_of_a_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offer_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_texts_for_people, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reports_need_their_task, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_unknown_sort_harms_no_other, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_an_end_is_final, setup, teardown),
		cmocka_unit_test_setup_teardown(test_plans, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rows_of_lists, setup, teardown),
	};

	return cmocka_run_group_tests_name("wire limits", tests, NULL, NULL);
}
