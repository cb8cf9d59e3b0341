/* SPDX-License-Identifier: Apache-2.0
 *
 * test_delegate: the whole delegate between a router on a bus in memory and an API that behaves in every way.
 * After each test everything that left the delegate is searched for the key.
 */
#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "node/core.h"
#include "run/bus_mem.h"
#include "run/log.h"
#include "services/delegate/delegate.h"
#include "tests/support/api.h"

#define KEY "sk-canary-0123456789"
#define GOOD                                                                                       \
	"{\"model\":\"m-1\",\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":"    \
	"\"because\"}}],"                                                                          \
	"\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3}}"

static struct {
	struct loop loop;
	struct api *api;
	struct bus_net *net;
	struct bus *router;
	struct bus *bus;
	struct node *node;
	struct delegate delegate;
	struct arena arena;
	struct up last; /* the last end: done, failed or refuse */
	unsigned ends;
	struct kind_offer offer; /* of the last offer */
	unsigned slots;
	char why[256]; /* of the last offer */
	char device[256];
	int64_t skew_ns; /* added to the clock */
	struct buf seen; /* all bytes that the delegate sent */
	int stderr_fd;
} t;

static void set_text(char *to, size_t room, const char *text)
{
	assert_true(span_copy(span_str(text), to, room) == strlen(text));
}

static void on_up(const struct up *u)
{
	if (u->kind == UP_OFFER) {
		t.offer = u->offer->kinds[0];
		t.slots = u->offer->slots;
		span_copy(t.offer.why, t.why, sizeof(t.why));
		span_copy(u->offer->device, t.device, sizeof(t.device));
	} else if (u->kind != UP_ACCEPT) {
		t.last = *u;
		t.ends++;
	}
}

static void on_ups(void *ctx, const struct bus_msg *m)
{
	struct up *ups = NULL;
	size_t ups_n = 0;

	(void)ctx;
	buf_add(&t.seen, m->data);
	/* not reset: t.last points into it */
	assert_int_equal(ups_decode(&t.arena, m->data, &ups, &ups_n, NULL), 0);
	for (size_t i = 0; i < ups_n; i++)
		on_up(&ups[i]);
}

static int64_t now(void *ctx)
{
	(void)ctx;
	return clocks_now(&t.loop.clocks) + t.skew_ns;
}

static void pump(void)
{
	do {
		while (bus_net_step(t.net, now(NULL)))
			;
		node_core_turn(t.node);
	} while (bus_net_next(t.net) <= now(NULL));
}

/* What is logged goes to a file of the test. */
static void catch_log(void)
{
	int fd = open("log", O_CREAT | O_TRUNC | O_WRONLY, 0600);

	t.stderr_fd = dup(2);
	dup2(fd, 2);
	close(fd);
	log_open("delegate", LOG_DEBUG, false);
}

static void write_key(void)
{
	FILE *f = fopen("key", "w");

	assert_non_null(f);
	fprintf(f, "%s\n", KEY);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod("key", 0644), 0);
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	write_key();
	catch_log();
	assert_int_equal(loop_open(&t.loop), 0);
	arena_init(&t.arena, 32 << 20);
	buf_init(&t.seen, 32 << 20);
	t.net = bus_net_new(NULL, NULL, 1);
	t.router = bus_mem_open(t.net, "r");
	t.bus = bus_mem_open(t.net, "n");
	assert_non_null(bus_subscribe(t.router, "spu.up.*", NULL, on_ups, NULL));
	t.delegate = (struct delegate){ .provider = &provider_openai, .loop = &t.loop };
	t.delegate.conf.calls_max = 4;
	t.delegate.conf.timeout_ns = 5 * NS_PER_S;
	t.delegate.conf.answer_max = 64 << 10;
	set_text(t.delegate.conf.llm_key, sizeof(t.delegate.conf.llm_key), "key");
	return 0;
}

static bool file_has(const char *path, const char *what)
{
	static char text[1 << 20];
	FILE *f = fopen(path, "r");
	size_t n = f == NULL ? 0 : fread(text, 1, sizeof(text), f);

	if (f != NULL)
		fclose(f);
	return memmem(text, n, what, strlen(what)) != NULL;
}

static int teardown(void **state)
{
	(void)state;
	node_core_close(t.node);
	while (bus_net_step(t.net, now(NULL)))
		;
	bus_close(t.bus);
	bus_close(t.router);
	bus_net_free(t.net);
	loop_close(&t.loop);
	api_stop(t.api);
	dup2(t.stderr_fd, 2);
	close(t.stderr_fd);
	assert_int_equal(buf_err(&t.seen), 0);
	if (t.seen.len > 0)
		assert_null(memmem(t.seen.at, t.seen.len, KEY, strlen(KEY)));
	assert_false(file_has("log", KEY));
	arena_done(&t.arena);
	buf_done(&t.seen);
	return 0;
}

static struct node *open_node(struct fail *why)
{
	struct node_core_conf conf = {
		.bus = t.bus,
		.name = "delegate",
		.incarnation = 42,
		.slots_max = LIMIT_OFFER_SLOTS,
		.offer_every_ns = 5 * NS_PER_S,
		.now = now,
		.ops = &delegate_ops,
		.self = &t.delegate,
	};

	return node_core_open(&conf, why);
}

static void serve(const struct api_step *steps, size_t steps_n)
{
	struct fail why = { 0 };

	t.api = api_start(steps, steps_n);
	snprintf(t.delegate.conf.llm_url, sizeof(t.delegate.conf.llm_url), "%s/v1", api_url(t.api));
	t.node = open_node(&why);
	if (t.node == NULL)
		fail_msg("%s", why.detail);
	pump();
}

static void assign_body(unsigned i, struct span body, int64_t within_ms)
{
	struct buf b;
	struct down d = {
		.kind = DOWN_ASSIGN,
		.task = { .hi = 1, .lo = i },
		.attempt = 1,
		.task_kind = SPAN_LIT("llm.chat"),
		.tenant = SPAN_LIT("ada"),
		.lease_ms = 30000,
		.deadline_ms = now(NULL) / NS_PER_MS + within_ms,
		.body = body,
	};

	buf_init(&b, LIMIT_MESSAGE_BYTES);
	downs_put(&b, &d);
	assert_int_equal(
		bus_publish(t.router, "spu.down.delegate", NULL, (struct span){ 0 }, buf_span(&b)),
		0);
	buf_done(&b);
	pump();
}

static void assign(unsigned i, const char *model)
{
	struct buf body;

	buf_init(&body, LIMIT_BODY_BYTES);
	body_put_param(&body, SPAN_LIT("prompt"), SPAN_LIT("why?"));
	if (model != NULL)
		body_put_param(&body, SPAN_LIT("model"), span_str(model));
	body_put_item(&body, SPAN_LIT("a.txt"), SPAN_LIT("text/plain"), SPAN_LIT("a text"));
	assign_body(i, buf_span(&body), 60000);
	buf_done(&body);
}

static void wait_for(unsigned ends)
{
	int64_t until_ns = clocks_mono() + 10 * NS_PER_S;

	while (t.ends < ends) {
		if (clocks_mono() > until_ns)
			fail_msg("%u of %u ends after 10 s", t.ends, ends);
		assert_int_equal(loop_turn(&t.loop, 10 * NS_PER_MS), 0);
		pump();
	}
}

/* Until the offer that a change asked for is there. */
static void wait_for_offer(bool ready)
{
	int64_t until_ns = clocks_mono() + 10 * NS_PER_S;

	while (t.offer.ready != ready) {
		if (clocks_mono() > until_ns)
			fail_msg("not %s after 10 s: %s", ready ? "ready" : "unready", t.why);
		assert_int_equal(loop_turn(&t.loop, 10 * NS_PER_MS), 0);
		pump();
	}
}

/* One task, and the code it ends with. */
static int ask(unsigned i)
{
	assign(i, NULL);
	wait_for(t.ends + 1);
	return t.last.kind == UP_DONE ? 0 : t.last.fail.code;
}

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
