/* SPDX-License-Identifier: Apache-2.0
 *
 * test_delegate_prompt: what the API gets of a task with long documents, and what the delegate learns from its answers.
 */
#include "tests/support/delegate_rig.h"

/* A task about a long document, with these parameters. */
static void assign_document(unsigned i, const char *key, const char *value)
{
	struct buf body, text;

	buf_init(&body, LIMIT_BODY_BYTES);
	buf_init(&text, LIMIT_BODY_BYTES);
	for (unsigned k = 0; k < 400; k++)
		buf_fmt(&text, "Line %u tells of %s and of other things besides. ", k * 7919,
			k == 222 ? "the north gate, whose code is 4417," : "roads and rivers");
	body_put_param(&body, SPAN_LIT("prompt"), SPAN_LIT("What is the code of the north gate?"));
	body_put_param(&body, SPAN_LIT("model"), SPAN_LIT("m-1"));
	body_put_param(&body, SPAN_LIT("compress"), SPAN_LIT("auto"));
	body_put_param(&body, span_str(key), span_str(value));
	body_put_item(&body, SPAN_LIT("a.txt"), SPAN_LIT("text/plain"), buf_span(&text));
	assert_int_equal(buf_err(&body), 0);
	assign_body(i, buf_span(&body), 60000);
	buf_done(&text);
	buf_done(&body);
}

static int64_t number_of(const struct body *body, const char *key)
{
	const struct param *p = body_param(body, key);
	int64_t n;

	assert_non_null(p);
	assert_int_equal(fmt_int(p->value, &n), 0);
	return n;
}

static void test_a_prompt_made_shorter(void **state)
{
	static const struct api_step step = { .body = GOOD };
	const struct api_request *whole, *shorter;
	struct body body;

	(void)state;
	serve(&step, 1);
	assign_document(1, "compress", "off");
	wait_for(1);
	assert_int_equal(t.last.kind, UP_DONE);
	assert_int_equal(t.last.usage.tokens_in, 12);
	assert_int_equal(t.last.usage.tokens_out, 3);
	assert_int_equal(t.last.usage.tokens_saved, 0);
	assert_int_equal(t.last.note.len, 0);
	assert_int_equal(body_decode(&t.arena, t.last.body, &body, NULL), 0);
	assert_null(body_param(&body, "compress"));
	assign_document(2, "compress.percent", "20");
	wait_for(2);
	assert_int_equal(t.last.kind, UP_DONE);
	assert_int_equal(body_decode(&t.arena, t.last.body, &body, NULL), 0);
	assert_true(span_is(body_param(&body, "compress")->value, "selection"));
	assert_true(span_is(body_param(&body, "compress.count")->value, "estimate"));
	assert_int_equal(number_of(&body, "tokens_saved"), t.last.usage.tokens_saved);
	assert_int_equal(number_of(&body, "tokens_saved"),
		number_of(&body, "compress.tokens_in") - number_of(&body, "compress.tokens_out"));
	assert_in_range(number_of(&body, "compress.tokens_out") * 100 /
				number_of(&body, "compress.tokens_in"),
		15, 25);
	assert_non_null(memmem(t.last.note.at, t.last.note.len, " tokens, by selection", 21));
	whole = api_request(t.api, 0);
	shorter = api_request(t.api, 1);
	assert_non_null(strstr(whole->body, "Line 3159681 tells"));
	assert_null(strstr(whole->body, "[...]"));
	assert_true(shorter->body_bytes * 3 < whole->body_bytes);
	assert_non_null(strstr(shorter->body, "whose code is 4417"));
	assert_non_null(strstr(shorter->body, "[...]"));
	/* what comes before the documents is the same */
	assert_memory_equal(shorter->body, whole->body,
		(size_t)(strstr(whole->body, "=== document 1") - whole->body));
}

/* What the API counts is learned, and budgets are in its tokens from then on. */
static void test_it_learns_to_count(void **state)
{
	static const struct api_step step = {
		.body = "{\"choices\":[{\"message\":{\"content\":\"yes\"}}],"
			"\"usage\":{\"prompt_tokens\":14000,\"completion_tokens\":3}}"
	};
	struct body body;
	int64_t first;

	(void)state;
	t.delegate.conf.context_max = 20000;
	serve(&step, 1);
	assign_document(1, "compress", "off");
	wait_for(1);
	assert_int_equal(t.last.kind, UP_DONE);
	assert_true(file_has("log", "counts tokens otherwise"));
	assert_true(token_rates_get(&t.delegate.rates, SPAN_LIT("m-1")) > TOKEN_RATE_ONE * 2);
	/* by that, this is more than the model takes */
	t.delegate.conf.context_max = 10000;
	assign_document(2, "compress", "off");
	wait_for(2);
	assert_int_equal(t.last.kind, UP_FAILED);
	assert_int_equal(t.last.fail.code, ERR_UNSUPPORTED);
	assert_string_equal(t.last.fail.field, "context_max");
	assert_int_equal(t.last.fail.limit, 10000 - 512);
	/* made shorter, it goes */
	assign_document(3, "compress.percent", "99");
	wait_for(3);
	assert_int_equal(t.last.kind, UP_DONE);
	assert_int_equal(body_decode(&t.arena, t.last.body, &body, NULL), 0);
	first = number_of(&body, "compress.tokens_out");
	assert_in_range(first, 8000, 10000 - 512);
	assert_in_range(number_of(&body, "compress.tokens_in"), 13000, 15000);
	assign_document(4, "compress.tokens", "20");
	wait_for(4);
	assert_int_equal(t.last.kind, UP_FAILED);
	assert_int_equal(t.last.fail.code, ERR_TOO_BIG);
	assert_string_equal(t.last.fail.field, "compress.tokens");
	assert_int_equal(api_requests(t.api), 2);
}

/* A long document is made shorter on a thread; the task may end before that does. */
static void test_cancelled_and_closed_while_it_is_prepared(void **state)
{
	static const struct api_step step = { .body = GOOD };
	struct down d = { .kind = DOWN_CANCEL, .task = { .hi = 1, .lo = 1 }, .attempt = 1 };
	struct buf b;

	(void)state;
	serve(&step, 1);
	assign_document(1, "compress.percent", "20");
	assign_document(2, "compress.percent", "20");
	assert_int_equal(t.delegate.calls_n, 2);
	buf_init(&b, 1000);
	downs_put(&b, &d);
	assert_int_equal(
		bus_publish(t.router, "spu.down.delegate", NULL, (struct span){ 0 }, buf_span(&b)),
		0);
	buf_done(&b);
	pump();
	assert_int_equal(t.ends, 0);
	wait_for(2);
	assert_int_equal(t.last.kind, UP_DONE);
	assert_int_equal(api_requests(t.api), 1);
	assert_int_equal(t.delegate.calls_n, 0);
	assign_document(3, "compress.percent", "20");
	assert_int_equal(t.delegate.calls_n, 1);
	node_core_close(t.node);
	t.node = NULL;
	while (bus_net_step(t.net, now(NULL)))
		;
	assert_int_equal(t.ends, 3);
	assert_int_equal(t.last.kind, UP_FAILED);
	assert_int_equal(t.delegate.calls_n, 0);
	assert_int_equal(api_requests(t.api), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_prompt_made_shorter),
		TEST(test_it_learns_to_count),
		TEST(test_cancelled_and_closed_while_it_is_prepared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
