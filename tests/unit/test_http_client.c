/* SPDX-License-Identifier: Apache-2.0
 *
 * test_http_client: against a server that behaves in every way, well and badly.
 */
#include "run/http_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "tests/support/api.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#define WAIT_NS (10 * NS_PER_S)

/* An answer that came, copied. */
struct got {
	unsigned n; /* answers */
	int err;
	long status;
	int64_t retry_after_ms;
	size_t body_bytes;
	char body[256]; /* its beginning */
	char detail[256];
};

static struct {
	struct loop loop;
	struct http_client *client;
	struct api *api;
	struct http_call *others[2];
	struct got again;
} t;

static void on_answer(void *ctx, const struct http_answer *a)
{
	struct got *g = ctx;

	g->n++;
	g->err = a->err;
	g->status = a->status;
	g->retry_after_ms = a->retry_after_ms;
	g->body_bytes = a->body.len;
	span_copy(a->body, g->body, sizeof(g->body));
	span_copy(span_str(a->detail), g->detail, sizeof(g->detail));
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	assert_int_equal(loop_open(&t.loop), 0);
	t.client = http_client_open(&t.loop, 300);
	assert_non_null(t.client);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	http_client_close(t.client);
	loop_close(&t.loop);
	api_stop(t.api);
	return 0;
}

static void serve(const struct api_step *steps, size_t steps_n)
{
	api_stop(t.api);
	t.api = api_start(steps, steps_n);
}

static struct http_request request_to(const char *url)
{
	return (struct http_request){
		.url = url,
		.timeout_ns = 5 * NS_PER_S,
		.answer_max_bytes = 1 << 20,
	};
}

/* Turn until n answers are there. */
static void wait_for(const struct got *g, unsigned n)
{
	int64_t until_ns = clocks_mono() + WAIT_NS;

	while (g->n < n) {
		if (clocks_mono() > until_ns)
			fail_msg("%u of %u answers after 10 s", g->n, n);
		assert_int_equal(loop_turn(&t.loop, NS_PER_S), 0);
	}
}

static struct got call(const struct http_request *r)
{
	struct got g = { 0 };

	assert_non_null(http_client_send(t.client, r, on_answer, &g));
	assert_int_equal(g.n, 0);
	wait_for(&g, 1);
	return g;
}

static struct got call_step(const struct api_step *step)
{
	struct http_request r;

	serve(step, 1);
	r = request_to(api_url(t.api));
	return call(&r);
}

static void test_a_post_and_its_answer(void **state)
{
	static const struct api_step steps[] = { { .status = 201, .body = "{\"ok\":1}" } };
	struct http_request r;
	const struct api_request *seen;
	struct got g;
	char body[] = "{\"q\":\"\\u0000\"}";

	(void)state;
	serve(steps, 1);
	r = request_to(api_url(t.api));
	r.bearer = "canary-key";
	r.body = span_str(body);
	assert_non_null(http_client_send(t.client, &r, on_answer, memset(&g, 0, sizeof(g))));
	memset(body, 'x', sizeof(body)); /* it was copied */
	wait_for(&g, 1);
	assert_int_equal(g.err, 0);
	assert_int_equal(g.status, 201);
	assert_string_equal(g.body, "{\"ok\":1}");
	assert_int_equal(g.retry_after_ms, 0);
	seen = api_request(t.api, 0);
	assert_string_equal(seen->body, "{\"q\":\"\\u0000\"}");
	assert_ptr_equal(strstr(seen->head, "POST / HTTP/1.1\r\n"), seen->head);
	assert_non_null(strstr(seen->head, "\r\nAuthorization: Bearer canary-key\r\n"));
	assert_non_null(strstr(seen->head, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(seen->head, "\r\nAccept: application/json\r\n"));
	assert_non_null(strstr(seen->head, "\r\nUser-Agent: spu/0."));
	assert_null(strstr(seen->head, "Expect"));
	assert_null(strstr(seen->head, "Accept-Encoding"));
}

static void test_a_get_keeps_its_connection(void **state)
{
	static const struct api_step steps[] = { { .body = "1" },
		{ .way = API_CHUNKED, .body = "twenty-two chunked bytes" } };
	struct http_request r;
	struct got g;

	(void)state;
	serve(steps, 2);
	r = request_to(api_url(t.api));
	g = call(&r);
	assert_string_equal(g.body, "1");
	g = call(&r);
	assert_string_equal(g.body, "twenty-two chunked bytes");
	assert_int_equal(api_connections(t.api), 1);
	assert_ptr_equal(strstr(api_request(t.api, 0)->head, "GET / "),
		api_request(t.api, 0)->head);
	assert_null(strstr(api_request(t.api, 0)->head, "Authorization"));
	assert_null(strstr(api_request(t.api, 0)->head, "Content-Type"));
}

static void test_retry_after_in_seconds_and_as_a_date(void **state)
{
	char date[128];
	time_t soon = time(NULL) + 90;
	struct tm tm;
	struct api_step step = { .status = 429, .headers = "Retry-After: 7\r\n", .body = "{}" };
	struct got g = call_step(&step);

	(void)state;
	assert_int_equal(g.err, 0);
	assert_int_equal(g.status, 429);
	assert_int_equal(g.retry_after_ms, 7000);
	strftime(date, sizeof(date), "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n",
		gmtime_r(&soon, &tm));
	step.headers = date;
	g = call_step(&step);
	assert_in_range(g.retry_after_ms, 80000, 90000);
	step.headers = "Retry-After: Mon, 01 Jan 2001 00:00:00 GMT\r\n";
	assert_int_equal(call_step(&step).retry_after_ms, 0);
	step.headers = "Retry-After: 99999999999999\r\n";
	assert_int_equal(call_step(&step).retry_after_ms, HTTP_RETRY_AFTER_MS_MAX);
	step.headers = "Retry-After: soon\r\n";
	assert_int_equal(call_step(&step).retry_after_ms, 0);
}

static void test_redirects_are_answers(void **state)
{
	static const struct api_step step = {
		.status = 302,
		.headers = "Location: http://127.0.0.1:1/\r\n",
	};
	struct got g = call_step(&step);

	(void)state;
	assert_int_equal(g.err, 0);
	assert_int_equal(g.status, 302);
	assert_int_equal(api_requests(t.api), 1);
}

static void test_broken_answers(void **state)
{
	static const struct api_step steps[] = {
		{ .way = API_HALF, .body = "{\"half\":\"of it\"}" },
		{ .way = API_RAW, .body = "\x16\x03\x01 garbage\r\n\r\n" },
		{ .way = API_RAW, .body = "SSH-2.0-OpenSSH_9.2\r\n" },
		{
			.way = API_RAW,
			.body = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		},
		{ .way = API_RAW, .body = "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n12345" },
		{ .way = API_RAW, .body = "HTTP/1.1 200 OK\r\nContent-Le" },
		{ .way = API_CLOSE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct got g = call_step(&steps[i]);

		if (g.err != ERR_UPSTREAM)
			fail_msg("step %zu: error %d (%s)", i, g.err, g.detail);
		assert_true(g.detail[0] != '\0');
		assert_int_equal(g.body_bytes, 0);
	}
}

static void test_answers_without_end(void **state)
{
	static const struct api_step body = { .way = API_ENDLESS };
	static const struct api_step headers = { .way = API_HEADERS };

	(void)state;
	assert_int_equal(call_step(&body).err, ERR_TOO_BIG);
	assert_int_equal(call_step(&headers).err, ERR_TOO_BIG);
}

static void test_the_cap_is_exact(void **state)
{
	static const struct api_step steps[] = { { .body = "12345678" },
		{ .way = API_CHUNKED, .body = "12345678" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct http_request r;

		serve(&steps[i], 1);
		r = request_to(api_url(t.api));
		r.answer_max_bytes = 8;
		assert_string_equal(call(&r).body, "12345678");
		r.answer_max_bytes = 7;
		assert_int_equal(call(&r).err, ERR_TOO_BIG);
	}
}

static void test_silence_and_dripping_meet_the_time_limit(void **state)
{
	static const struct api_step steps[] = { { .way = API_HANG },
		{ .way = API_DRIP, .body = "0123456789012345678901234567890123456789" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct http_request r;
		int64_t began_ns = clocks_mono();

		serve(&steps[i], 1);
		r = request_to(api_url(t.api));
		r.timeout_ns = 200 * NS_PER_MS;
		assert_int_equal(call(&r).err, ERR_TIMEOUT);
		assert_in_range(clocks_mono() - began_ns, 190 * NS_PER_MS, 3 * NS_PER_S);
	}
}

static void test_nobody_there(void **state)
{
	struct http_request r = request_to("http://127.0.0.1:1/");
	struct got g = call(&r);

	(void)state;
	assert_int_equal(g.err, ERR_UPSTREAM);
	assert_int_equal(g.status, 0);
}

static void test_urls_that_cannot_be_called(void **state)
{
	static const char *const urls[] = { "file:///etc/passwd", "ftp://127.0.0.1/",
		"gopher://127.0.0.1:1/", "http://", "http://user:secret@127.0.0.1/", "http://a b/",
		"" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct http_request r = request_to(urls[i]);
		struct got g = call(&r);

		assert_true(g.err == ERR_INVALID || g.err == ERR_UPSTREAM);
		assert_int_equal(g.body_bytes, 0);
	}
}

static void test_a_proxy_of_the_environment_is_not_used(void **state)
{
	static const struct api_step step = { .body = "direct" };
	struct got g;

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
	g = call_step(&step);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	assert_string_equal(g.body, "direct");
}

static void test_public_addresses_only(void **state)
{
	static const struct api_step step = { .body = "1" };
	struct http_request r;

	(void)state;
	serve(&step, 1);
	r = request_to(api_url(t.api));
	r.public_only = true;
	assert_int_equal(call(&r).err, ERR_DENIED);
	assert_int_equal(api_connections(t.api), 0);
}

static void test_a_bearer_cannot_add_headers(void **state)
{
	struct http_request r = request_to("http://127.0.0.1:1/");

	(void)state;
	r.bearer = "key\r\nX-More: 1";
	assert_null(http_client_send(t.client, &r, on_answer, NULL));
	r.bearer = "key\n";
	assert_null(http_client_send(t.client, &r, on_answer, NULL));
}

static void test_two_hundred_at_once(void **state)
{
	static const struct api_step step = { .way = API_DRIP, .body = "12345" };
	struct http_request r;
	struct got g = { 0 };

	(void)state;
	serve(&step, 1);
	r = request_to(api_url(t.api));
	for (unsigned i = 0; i < 200; i++)
		assert_non_null(http_client_send(t.client, &r, on_answer, &g));
	wait_for(&g, 200);
	assert_string_equal(g.body, "12345");
	assert_int_equal(api_requests(t.api), 200);
}

static void test_no_more_than_calls_max(void **state)
{
	static const struct api_step step = { .way = API_HANG };
	struct http_call *calls[300];
	struct http_request r;
	struct got g = { 0 };

	(void)state;
	serve(&step, 1);
	r = request_to(api_url(t.api));
	for (unsigned i = 0; i < 300; i++) {
		calls[i] = http_client_send(t.client, &r, on_answer, &g);
		assert_non_null(calls[i]);
	}
	assert_null(http_client_send(t.client, &r, on_answer, &g));
	http_client_cancel(t.client, calls[7]);
	assert_non_null(http_client_send(t.client, &r, on_answer, &g));
	http_client_close(t.client);
	t.client = NULL;
	assert_int_equal(g.n, 300);
	assert_int_equal(g.err, ERR_CLOSED);
}

static void test_a_cancelled_call_is_not_answered(void **state)
{
	static const struct api_step steps[] = { { .way = API_HANG }, { .body = "1" } };
	struct http_request r;
	struct http_call *first;
	struct got g = { 0 };
	unsigned before;

	(void)state;
	serve(steps, 2);
	r = request_to(api_url(t.api));
	before = files_open();
	first = http_client_send(t.client, &r, on_answer, &g);
	while (api_requests(t.api) == 0)
		assert_int_equal(loop_turn(&t.loop, 10 * NS_PER_MS), 0);
	http_client_cancel(t.client, first);
	assert_in_range(files_open(), before, before + 1); /* the server's end may still be open */
	call(&r);
	assert_int_equal(g.n, 0);
	/* before it was even begun */
	http_client_cancel(t.client, http_client_send(t.client, &r, on_answer, &g));
	call(&r);
	assert_int_equal(g.n, 0);
}

/* Cancels two others and sends a new one. */
static void on_first(void *ctx, const struct http_answer *a)
{
	struct http_request r = request_to(api_url(t.api));

	on_answer(ctx, a);
	http_client_cancel(t.client, t.others[0]);
	http_client_cancel(t.client, t.others[1]);
	assert_non_null(http_client_send(t.client, &r, on_answer, &t.again));
}

static void test_an_answer_may_cancel_and_send(void **state)
{
	static const struct api_step hang = { .way = API_HANG }, one = { .body = "1" };
	struct http_request r;
	struct got g = { 0 }, others = { 0 };

	(void)state;
	serve(&hang, 1);
	r = request_to(api_url(t.api));
	t.others[0] = http_client_send(t.client, &r, on_answer, &others);
	t.others[1] = http_client_send(t.client, &r, on_answer, &others);
	while (api_requests(t.api) < 2)
		assert_int_equal(loop_turn(&t.loop, 10 * NS_PER_MS), 0);
	api_script(t.api, &one, 1);
	assert_non_null(http_client_send(t.client, &r, on_first, &g));
	wait_for(&t.again, 1);
	assert_int_equal(g.n, 1);
	assert_int_equal(others.n, 0);
	assert_string_equal(t.again.body, "1");
}

/* A place is free again when the call is answered. */
static void test_one_place_is_enough(void **state)
{
	static const struct api_step one = { .body = "1" };
	struct http_request r;
	struct got g = { 0 };

	(void)state;
	http_client_close(t.client);
	t.client = http_client_open(&t.loop, 1);
	serve(&one, 1);
	r = request_to(api_url(t.api));
	for (unsigned i = 1; i <= 3; i++) {
		assert_non_null(http_client_send(t.client, &r, on_answer, &g));
		assert_null(http_client_send(t.client, &r, on_answer, &g));
		wait_for(&g, i);
	}
}

static void test_the_loop_without_timers(void **state)
{
	static const struct api_step one = { .body = "1" };
	static struct loop_timer timers[LOOP_TIMERS_MAX];
	struct got g;
	unsigned n = 0;

	(void)state;
	do
		timers[n] = (struct loop_timer){ .on_due = (void (*)(void *, int64_t))abort };
	while (loop_timer_set(&t.loop, &timers[n], INT64_MAX) == 0 && ++n < LOOP_TIMERS_MAX);
	assert_null(http_client_open(&t.loop, 1));
	g = call_step(&one);
	assert_string_equal(g.body, "1");
}

static int call_without_memory(void *arg)
{
	struct http_request r = request_to(api_url(t.api));
	struct http_client *c = http_client_open(&t.loop, 2);
	struct got g = { 0 };

	(void)arg;
	if (c == NULL)
		return ERR_NO_MEMORY;
	r.bearer = "key";
	r.body = SPAN_LIT("{}");
	if (http_client_send(c, &r, on_answer, &g) == NULL)
		g.err = ERR_NO_MEMORY;
	else
		wait_for(&g, 1);
	http_client_close(c);
	return g.err;
}

static void test_every_failing_request_for_memory(void **state)
{
	static const struct api_step step = { .body = "{\"n\":1}" };

	(void)state;
	http_client_close(t.client);
	t.client = NULL;
	serve(&step, 1);
	assert_true(nth_alloc(call_without_memory, NULL) > 20);
}

static void test_every_code_of_curl_has_an_error(void **state)
{
	(void)state;
	assert_int_equal(http_err_from_curl(0), 0);
	for (int code = 1; code < 200; code++) {
		int err = http_err_from_curl(code);

		assert_true(err < 0);
		assert_true(err == ERR_BUG || err_row(err)->wire != err_row(ERR_BUG)->wire);
	}
	assert_int_equal(http_err_from_curl(28), ERR_TIMEOUT);
	assert_int_equal(http_err_from_curl(27), ERR_NO_MEMORY);
	assert_int_equal(http_err_from_curl(7), ERR_UPSTREAM);
	assert_int_equal(http_err_from_curl(-1), ERR_UPSTREAM);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_post_and_its_answer),
		TEST(test_a_get_keeps_its_connection),
		TEST(test_retry_after_in_seconds_and_as_a_date),
		TEST(test_redirects_are_answers),
		TEST(test_broken_answers),
		TEST(test_answers_without_end),
		TEST(test_the_cap_is_exact),
		TEST(test_silence_and_dripping_meet_the_time_limit),
		TEST(test_nobody_there),
		TEST(test_urls_that_cannot_be_called),
		TEST(test_a_proxy_of_the_environment_is_not_used),
		TEST(test_public_addresses_only),
		TEST(test_a_bearer_cannot_add_headers),
		TEST(test_two_hundred_at_once),
		TEST(test_no_more_than_calls_max),
		TEST(test_a_cancelled_call_is_not_answered),
		TEST(test_an_answer_may_cancel_and_send),
		TEST(test_one_place_is_enough),
		TEST(test_the_loop_without_timers),
		TEST(test_every_failing_request_for_memory),
		TEST(test_every_code_of_curl_has_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
