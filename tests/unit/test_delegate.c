/* SPDX-License-Identifier: Apache-2.0
 *
 * test_delegate: what becomes of tasks, whatever the API does.
 */
#include "tests/support/delegate_rig.h"

static void test_without_an_api_it_says_so(void **state)
{
	(void)state;
	t.node = open_node(NULL);
	assert_non_null(t.node);
	pump();
	assert_true(span_is(t.offer.kind, "llm.chat"));
	assert_false(t.offer.ready);
	assert_string_equal(t.why, "no API is configured (llm_url, SPU_LLM_URL)");
	assert_string_equal(t.device, "no API");
	assign(1, NULL);
	assert_int_equal(t.last.kind, UP_REFUSE);
	assert_int_equal(t.last.fail.code, ERR_UNSUPPORTED);
}

static void test_a_task_from_order_to_answer(void **state)
{
	static const struct api_step step = { .body = GOOD };
	struct body body;
	const struct api_request *r;

	(void)state;
	set_text(t.delegate.conf.llm_model, sizeof(t.delegate.conf.llm_model), "m-1");
	t.delegate.conf.price_ucr = 7;
	serve(&step, 1);
	assert_true(t.offer.ready);
	assert_int_equal(t.offer.price_ucr, 7);
	assert_int_equal(t.slots, 4);
	assert_int_equal(ask(1), 0);
	assert_int_equal(body_decode(&t.arena, t.last.body, &body, NULL), 0);
	assert_true(span_is(body.items[0].data, "because"));
	assert_true(span_is(body_param(&body, "tokens_out")->value, "3"));
	r = api_request(t.api, 0);
	assert_ptr_equal(strstr(r->head, "POST /v1/chat/completions HTTP/1.1\r\n"), r->head);
	assert_non_null(strstr(r->head, "\r\nAuthorization: Bearer " KEY "\r\n"));
	assert_non_null(strstr(r->body, "{\"model\":\"m-1\",\"messages\":[{\"role\":\"user\","
					"\"content\":\"why?\\n\\n=== document 1"));
	assert_true(file_has("log", "chmod 600"));
}

static void test_models(void **state)
{
	static const struct api_step step = { .body = GOOD };

	(void)state;
	set_text(t.delegate.conf.llm_models, sizeof(t.delegate.conf.llm_models), "m-2, m-3");
	serve(&step, 1);
	assert_true(span_is(t.offer.model, "m-2, m-3"));
	assert_int_equal(ask(1), 0);
	assert_non_null(strstr(api_request(t.api, 0)->body, "\"model\":\"m-2\""));
	assign(2, "m-3");
	wait_for(2);
	assert_int_equal(t.last.kind, UP_DONE);
	assert_non_null(strstr(api_request(t.api, 1)->body, "\"model\":\"m-3\""));
	assign(3, "m-1");
	wait_for(3);
	assert_int_equal(t.last.kind, UP_REFUSE);
	assert_int_equal(t.last.fail.code, ERR_UNSUPPORTED);
	assert_string_equal(t.last.fail.field, "model");
	assert_int_equal(api_requests(t.api), 2);
}

/* Every bad answer gives its error; none of them stops the delegate. */
static void test_bad_answers(void **state)
{
	static const struct {
		struct api_step step;
		int err;
	} rows[] = {
		{ { .status = 500, .body = "oops" }, ERR_UPSTREAM },
		{ { .body = "garbage" }, ERR_UPSTREAM },
		{ { .status = 400, .body = "{\"error\":{\"message\":\"context too long\"}}" },
			ERR_UNSUPPORTED },
		{ { .way = API_HALF, .body = GOOD }, ERR_UPSTREAM },
		{ { .way = API_CLOSE }, ERR_UPSTREAM },
		{ { .status = 404, .body = "{}" }, ERR_UNSUPPORTED },
		{ { .way = API_RAW, .body = "\x01\x02\r\n\r\n" }, ERR_UPSTREAM },
		{ { .way = API_ENDLESS }, ERR_UPSTREAM },
		{ { .body = GOOD }, 0 },
		{ { .body = "" }, ERR_UPSTREAM },
		{ { .status = 302, .headers = "Location: http://127.0.0.1:1/\r\n", .body = "" },
			ERR_UPSTREAM },
		{ { .way = API_CHUNKED, .headers = "Content-Type: text/html\r\n", .body = GOOD },
			0 },
	};
	struct api_step steps[ARRAY_LEN(rows)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		steps[i] = rows[i].step;
	serve(steps, ARRAY_LEN(rows));
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		int err = ask(i + 1);

		if (err != rows[i].err)
			fail_msg("step %u: %d (%s)", i, err, t.last.fail.detail);
		t.delegate.breaker = (struct breaker){ 0 }; /* has its own test */
	}
	assert_int_equal(api_requests(t.api), ARRAY_LEN(rows));
}

static void test_a_busy_api_is_left_alone(void **state)
{
	static const struct api_step steps[] = {
		{
			.status = 429,
			.headers = "Retry-After: 2\r\n",
			.body = "{\"error\":{\"message\":\"slow down\"}}",
		},
		{ .body = GOOD }
	};

	(void)state;
	serve(steps, 2);
	assert_int_equal(ask(1), ERR_BUSY);
	assert_int_equal(t.last.fail.retry_after_ms, 2000);
	assert_string_equal(t.last.fail.detail, "the API asks to wait (status 429): slow down");
	wait_for_offer(false);
	assert_string_equal(t.why, "the API asks to wait");
	assign(2, NULL);
	assert_int_equal(t.last.kind, UP_REFUSE);
	assert_int_equal(t.last.fail.code, ERR_BUSY);
	assert_in_range(t.last.fail.retry_after_ms, 1, 2001);
	wait_for_offer(true); /* by itself, when the time is over */
	assert_int_equal(ask(3), 0);
	assert_int_equal(t.delegate.breaker.state, BREAKER_HEALTHY);
	assert_int_equal(api_requests(t.api), 2);
}

static void test_a_refused_key(void **state)
{
	/* OpenAI's own words repeat the key. */
	static const struct api_step step = {
		.status = 401,
		.body = "{\"error\":{\"message\":\"Incorrect API key provided: " KEY "\"}}",
	};

	(void)state;
	serve(&step, 1);
	assert_int_equal(ask(1), ERR_DENIED);
	assert_string_equal(t.last.fail.detail, "the API refused (status 401)");
	wait_for_offer(false);
	assert_string_equal(t.why,
		"the API refuses the key or has no credit; it is tried again later");
	t.skew_ns = BREAKER_REFUSED_NS; /* some minutes later */
	node_offer_changed(t.node);
	wait_for_offer(true);
}

static void test_an_answer_that_holds_the_key(void **state)
{
	static const struct api_step step = {
		.body = "{\"choices\":[{\"message\":{\"content\":\"your key: " KEY "\"}}]}"
	};

	(void)state;
	serve(&step, 1);
	assert_int_equal(ask(1), ERR_UPSTREAM);
	assert_string_equal(t.last.fail.detail, "the API's answer holds its key");
}

static void test_an_api_that_is_down(void **state)
{
	static const struct api_step step = { .way = API_CLOSE };

	(void)state;
	serve(&step, 1);
	for (unsigned i = 1; i <= BREAKER_FAULTS; i++)
		assert_int_equal(ask(i), ERR_UPSTREAM);
	assert_string_equal(t.last.fail.detail, "the API cannot be reached, or broke off");
	wait_for_offer(false);
	assert_string_equal(t.why, "the API failed; it is tried again soon");
}

static void test_silence(void **state)
{
	static const struct api_step step = { .way = API_HANG };
	struct buf body;

	(void)state;
	t.delegate.conf.timeout_ns = 300 * NS_PER_MS;
	serve(&step, 1);
	assert_int_equal(ask(1), ERR_TIMEOUT);
	assert_int_equal(t.delegate.breaker.faults, 1);
	/* a deadline that is nearer is not the API's fault */
	buf_init(&body, 1000);
	body_put_param(&body, SPAN_LIT("prompt"), SPAN_LIT("why?"));
	assign_body(2, buf_span(&body), 150);
	buf_done(&body);
	wait_for(2);
	assert_int_equal(t.last.kind, UP_FAILED);
	assert_true(t.last.fail.code == ERR_TIMEOUT || t.last.fail.code == ERR_EXPIRED);
	assert_int_equal(t.delegate.breaker.faults, 1);
}

static void test_cancel_and_close(void **state)
{
	static const struct api_step step = { .way = API_HANG };
	struct down d = { .kind = DOWN_CANCEL, .task = { .hi = 1, .lo = 2 }, .attempt = 1 };
	struct buf b;

	(void)state;
	serve(&step, 1);
	for (unsigned i = 1; i <= 4; i++)
		assign(i, NULL);
	assert_int_equal(t.delegate.calls_n, 4);
	buf_init(&b, 1000);
	downs_put(&b, &d);
	assert_int_equal(
		bus_publish(t.router, "spu.down.delegate", NULL, (struct span){ 0 }, buf_span(&b)),
		0);
	buf_done(&b);
	pump();
	assert_int_equal(t.last.kind, UP_FAILED);
	assert_int_equal(t.last.fail.code, ERR_CANCELLED);
	assert_int_equal(t.delegate.calls_n, 3);
	assert_int_equal(t.delegate.breaker.faults, 0);
	node_core_close(t.node);
	t.node = NULL;
	while (bus_net_step(t.net, now(NULL)))
		;
	assert_int_equal(t.ends, 4);
}

static void test_tasks_that_are_not_sent(void **state)
{
	static const struct api_step step = { .body = GOOD };
	struct buf body;

	(void)state;
	serve(&step, 1);
	buf_init(&body, 1000);
	body_put_param(&body, SPAN_LIT("prompt"), SPAN_LIT("what is it?"));
	body_put_item(&body, SPAN_LIT("a.png"), SPAN_LIT("image/png"), SPAN_LIT("\x89PNG\xff"));
	assign_body(1, buf_span(&body), 60000);
	buf_done(&body);
	assert_int_equal(t.last.kind, UP_REFUSE);
	assert_int_equal(t.last.fail.code, ERR_UNSUPPORTED);
	assert_int_equal(api_requests(t.api), 0);
}

static void test_private_addresses(void **state)
{
	static const struct api_step step = { .body = GOOD };

	(void)state;
	t.delegate.conf.allow_private = PRIVATE_NO;
	serve(&step, 1);
	assert_int_equal(ask(1), ERR_DENIED);
	assert_string_equal(t.last.fail.field, "allow_private");
	assert_int_equal(api_connections(t.api), 0);
}

static void test_settings_that_are_wrong(void **state)
{
	struct fail why = { 0 };

	(void)state;
	set_text(t.delegate.conf.llm_url, sizeof(t.delegate.conf.llm_url), "file:///etc/passwd");
	assert_null(open_node(&why));
	assert_int_equal(why.code, ERR_INVALID);
	assert_string_equal(why.field, "llm_url");
	set_text(t.delegate.conf.llm_url, sizeof(t.delegate.conf.llm_url),
		"https://api.example/v1");
	set_text(t.delegate.conf.llm_key, sizeof(t.delegate.conf.llm_key), "nowhere");
	assert_null(open_node(&why));
	assert_int_equal(why.code, ERR_IO);
	assert_string_equal(why.field, "llm_key");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_without_an_api_it_says_so),
		TEST(test_a_task_from_order_to_answer),
		TEST(test_models),
		TEST(test_bad_answers),
		TEST(test_a_busy_api_is_left_alone),
		TEST(test_a_refused_key),
		TEST(test_an_answer_that_holds_the_key),
		TEST(test_an_api_that_is_down),
		TEST(test_silence),
		TEST(test_cancel_and_close),
		TEST(test_tasks_that_are_not_sent),
		TEST(test_private_addresses),
		TEST(test_settings_that_are_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
