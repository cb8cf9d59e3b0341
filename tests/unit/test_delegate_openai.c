/* SPDX-License-Identifier: Apache-2.0
 *
 * test_delegate_openai: questions as bytes, bytes as answers; and where the settings say the API is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "run/json.h"
#include "services/delegate/endpoint.h"
#include "services/delegate/provider.h"
#include "tests/support/test.h"

static const struct provider_ops *const api = &provider_openai;

static struct chat_question question(const char *content)
{
	return (struct chat_question){
		.content = span_str(content),
		.max_tokens = 512,
		.temperature_milli = 700,
	};
}

static char *write_ok(const struct chat_question *q)
{
	struct buf b;
	struct fail why = { 0 };

	buf_init(&b, 1 << 20);
	if (api->write(q, &b, &why) != 0)
		fail_msg("%s", why.detail);
	buf_byte(&b, '\0');
	return (char *)buf_take(&b, &(size_t){ 0 });
}

static void test_a_plain_question(void **state)
{
	struct chat_question q = question("why \"?\"\n");
	char *text = write_ok(&q);

	(void)state;
	assert_string_equal(text,
		"{\"messages\":[{\"role\":\"user\",\"content\":\"why \\\"?\\\"\\n\"}],"
		"\"max_tokens\":512,\"temperature\":0.700,\"stream\":false}");
	mem_free(text);
	q = question("why?");
	q.model = SPAN_LIT("m\"1");
	q.system = SPAN_LIT("be brief");
	q.temperature_milli = 2000;
	text = write_ok(&q);
	assert_string_equal(text, "{\"model\":\"m\\\"1\",\"messages\":[{\"role\":\"system\","
				  "\"content\":\"be brief\"},"
				  "{\"role\":\"user\",\"content\":\"why?\"}],\"max_tokens\":512,"
				  "\"temperature\":2.000,\"stream\":false}");
	mem_free(text);
}

static void test_a_question_that_does_not_fit(void **state)
{
	struct chat_question q = question("a question that does not fit into a hundred bytes, as "
					  "the frame around it needs some");
	CLEANUP(buf_done) struct buf b = { 0 };
	struct fail why = { 0 };

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(api->write(&q, &b, &why), ERR_TOO_BIG);
	assert_string_equal(why.field, "item");
}

/* What the provider makes of an answer; a and b, which the caller ends, hold it. */
static struct usage read_answer(const char *text, struct arena *a, struct buf *b, struct body *ret)
{
	struct usage usage;

	arena_init(a, 1 << 16);
	buf_init(b, 1 << 16);
	assert_int_equal(api->read(span_str(text), b, &usage, NULL), 0);
	assert_int_equal(body_decode(a, buf_span(b), ret, NULL), 0);
	return usage;
}

static void test_an_answer(void **state)
{
	static const char text[] =
		"{\"id\":\"x\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"finish_reason\":"
		"\"stop\","
		"\"message\":{\"role\":\"assistant\",\"content\":\"because \\u00e9\"}}],"
		"\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3,\"total_tokens\":15}}";
	CLEANUP(buf_done) struct buf b = { 0 };
	CLEANUP(arena_done) struct arena a = { 0 };
	struct usage usage;
	struct body body;

	(void)state;
	usage = read_answer(text, &a, &b, &body);
	assert_int_equal(usage.tokens_in, 12);
	assert_int_equal(usage.tokens_out, 3);
	assert_int_equal(body.items_n, 1);
	assert_true(span_is(body.items[0].data, "because \xC3\xA9"));
	assert_true(span_is(body.items[0].media, "text/plain"));
	assert_true(span_is(body_param(&body, "model")->value, "m-1"));
	assert_true(span_is(body_param(&body, "finish")->value, "stop"));
	assert_true(span_is(body_param(&body, "tokens_in")->value, "12"));
	assert_true(span_is(body_param(&body, "tokens_out")->value, "3"));
}

/* Facts are left out where they are missing or of a wrong type; the text counts. */
static void test_an_answer_without_facts(void **state)
{
	static const char text[] = "{\"model\":7,\"choices\":[{\"finish_reason\":null,\"message\":{"
				   "\"content\":\"yes\"}}],"
				   "\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":\"3\"}}";
	CLEANUP(buf_done) struct buf b = { 0 };
	CLEANUP(arena_done) struct arena a = { 0 };
	struct usage usage;
	struct body body;

	(void)state;
	usage = read_answer(text, &a, &b, &body);
	assert_int_equal(usage.tokens_in + usage.tokens_out, 0);
	assert_int_equal(body.params_n, 0);
	assert_true(span_is(body.items[0].data, "yes"));
}

static void test_answers_that_cannot_be_used(void **state)
{
	static const char *const texts[] = { "", "garbage", "<html>", "[]", "{}",
		"{\"choices\":[]}", "{\"choices\":[1]}", "{\"choices\":[{}]}",
		"{\"choices\":[{\"message\":{}}]}",
		"{\"choices\":[{\"message\":{\"content\":null}}]}",
		"{\"choices\":[{\"message\":{\"content\":\"\"}}]}",
		"{\"choices\":[{\"message\":{\"content\":[\"a\"]}}]}",
		"{\"choices\":[{\"message\":{\"content\":\"half of an ans",
		"{\"error\":{\"message\":\"no\"}}",
		"{\"choices\":[{\"message\":{\"content\":\"a\",\"content\":\"b\"}}]}" };
	CLEANUP(buf_done) struct buf b = { 0 };
	struct usage usage;

	(void)state;
	buf_init(&b, 1 << 16);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct fail why = { 0 };

		if (api->read(span_str(texts[i]), &b, &usage, &why) != ERR_UPSTREAM)
			fail_msg("%s", texts[i]);
		assert_ptr_equal(strstr(why.detail, "the API's answer cannot be used: "),
			why.detail);
	}
	buf_done(&b);
	buf_init(&b, 10);
	assert_int_equal(
		api->read(SPAN_LIT("{\"choices\":[{\"message\":{\"content\":\"too long\"}}]}"), &b,
			&usage, NULL),
		ERR_UPSTREAM);
}

static void test_refusals(void **state)
{
	static const struct {
		long status;
		const char *body;
		int err;
		const char *detail;
	} rows[] = {
		{ 401, "{\"error\":{\"message\":\"bad key\"}}", ERR_DENIED,
			"the API refuses the key (status 401): bad key" },
		{ 403, "", ERR_DENIED, "the API refuses the key (status 403)" },
		{ 402, "{}", ERR_BUDGET, "the account at the API has no credit (status 402)" },
		{ 429, "{\"error\":{\"message\":\"slow down\",\"code\":\"rate_limit_exceeded\"}}",
			ERR_BUSY, "the API asks to wait (status 429): slow down" },
		{ 429, "{\"error\":{\"message\":\"pay\",\"code\":\"insufficient_quota\"}}",
			ERR_BUDGET, "the account at the API has no credit (status 429): pay" },
		{ 429,
			"{\"error\":{\"message\":\"pay\",\"code\":null,\"type\":\"insufficient_"
			"quota\"}}",
			ERR_BUDGET, "the account at the API has no credit (status 429): pay" },
		{ 404, "{\"error\":\"model not found\"}", ERR_UNSUPPORTED,
			"the API has no such model or address (status 404): model not found" },
		{ 422, "{\"detail\":\"bad field\"}", ERR_UNSUPPORTED,
			"the API does not take this request (status 422): bad field" },
		{ 400, "{\"message\":\"too long\"}", ERR_UNSUPPORTED,
			"the API does not take this request (status 400): too long" },
		{ 408, "", ERR_UPSTREAM, "the API took too long (status 408)" },
		{ 500, "<h1>Oops</h1>", ERR_UPSTREAM, "the API failed (status 500)" },
		{ 503, "{\"error\":{\"message\":\"a\\u0007b\\nc\"}}", ERR_UPSTREAM,
			"the API failed (status 503): a?b?c" },
		{ 302, "", ERR_UPSTREAM, "the API redirects, which is not followed (status 302)" },
		{ 204, "", ERR_UPSTREAM, "the API answers in an unknown way (status 204)" },
		{ 999, "", ERR_UPSTREAM, "the API answers in an unknown way (status 999)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fail why = { 0 };

		assert_int_equal(api->refused(rows[i].status, span_str(rows[i].body), &why),
			rows[i].err);
		assert_string_equal(why.detail, rows[i].detail);
	}
}

static void test_long_words_are_clipped(void **state)
{
	char body[2000];
	struct fail why = { 0 };
	size_t n = (size_t)snprintf(body, sizeof(body), "{\"error\":{\"message\":\"");

	(void)state;
	for (unsigned i = 0; i < 500; i++)
		n += (size_t)snprintf(body + n, sizeof(body) - n, "\xC3\xA9");
	snprintf(body + n, sizeof(body) - n, "\"}}");
	assert_int_equal(api->refused(500, span_str(body), &why), ERR_UPSTREAM);
	assert_int_equal(strlen(why.detail), strlen("the API failed (status 500): ") + 120);
}

static int use_without_memory(void *arg)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct chat_question q = question("why?");
	struct fail why = { 0 };
	struct usage usage;
	int r;

	(void)arg;
	buf_init(&b, 1 << 16);
	r = api->write(&q, &b, &why);
	buf_reset(&b);
	if (r == 0)
		r = api->read(SPAN_LIT("{\"choices\":[{\"message\":{\"content\":\"yes\"}}],"
				       "\"model\":\"m\"}"),
			&b, &usage, &why);
	return r;
}

static void test_every_failing_request_for_memory(void **state)
{
	(void)state;
	assert_true(nth_alloc(use_without_memory, NULL) > 10);
}

/* Where the API is. */

static void test_urls(void **state)
{
	static const struct {
		const char *base;
		const char *url; /* NULL: refused */
		const char *host;
		bool is_private;
	} rows[] = {
		{ "http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/chat/completions",
			"127.0.0.1:8080", true },
		{ "https://api.example/v1/", "https://api.example/v1/chat/completions",
			"api.example", false },
		{ "https://api.example/v1/chat/completions",
			"https://api.example/v1/chat/completions", "api.example", false },
		{ "https://api.example", "https://api.example/chat/completions", "api.example",
			false },
		{ "http://localhost:11434/v1", "http://localhost:11434/v1/chat/completions",
			"localhost:11434", true },
		{ "http://[::1]:80/v1", "http://[::1]:80/v1/chat/completions", "[::1]:80", true },
		{ "http://10.1.2.3/v1", "http://10.1.2.3/v1/chat/completions", "10.1.2.3", true },
		{ "http://8.8.8.8/v1", "http://8.8.8.8/v1/chat/completions", "8.8.8.8", false },
		{ "", "", "", false },
		{ "ftp://api.example", NULL, NULL, false },
		{ "api.example/v1", NULL, NULL, false },
		{ "http://", NULL, NULL, false },
		{ "http:///v1", NULL, NULL, false },
		{ "http://:80/v1", NULL, NULL, false },
		{ "https://user:secret@api.example/v1", NULL, NULL, false },
		{ "https://api.example/v1?key=1", NULL, NULL, false },
		{ "https://api.example/v1#x", NULL, NULL, false },
		{ "https://api.example/a b", NULL, NULL, false },
		{ "https://api.example/\r\nX: 1", NULL, NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct endpoint e;
		struct fail why = { 0 };
		int r = endpoint_parse(&e, span_str(rows[i].base), api->path, &why);

		if (r != (rows[i].url == NULL ? ERR_INVALID : 0))
			fail_msg("%s: %d", rows[i].base, r);
		if (r < 0) {
			assert_string_equal(why.field, "llm_url");
			assert_null(strstr(why.detail, "secret"));
			continue;
		}
		assert_string_equal(e.url, rows[i].url);
		assert_string_equal(e.host, rows[i].host);
		assert_int_equal(e.is_private, rows[i].is_private);
	}
}

static int read_key_of(const char *text, size_t n, mode_t mode, char key[KEY_BYTES + 1],
	bool *ret_is_open)
{
	FILE *f = fopen("key", "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod("key", mode), 0);
	return key_read("key", key, ret_is_open, NULL);
}

static void test_files_of_keys(void **state)
{
	char key[KEY_BYTES + 1] = "", big[KEY_BYTES + 200];
	bool is_open = true;

	(void)state;
	assert_int_equal(read_key_of("sk-1\n", 5, 0600, key, &is_open), 0);
	assert_string_equal(key, "sk-1");
	assert_false(is_open);
	assert_int_equal(read_key_of("sk-1", 4, 0604, key, &is_open), 0);
	assert_true(is_open);
	assert_int_equal(read_key_of("", 0, 0600, key, &is_open), ERR_INVALID);
	assert_int_equal(read_key_of(" \n", 2, 0600, key, &is_open), ERR_INVALID);
	assert_int_equal(read_key_of("a\nb", 3, 0600, key, &is_open), ERR_INVALID);
	assert_int_equal(read_key_of("a\0b", 3, 0600, key, &is_open), ERR_INVALID);
	memset(big, 'k', sizeof(big));
	assert_int_equal(read_key_of(big, sizeof(big), 0600, key, &is_open), ERR_INVALID);
	assert_int_equal(read_key_of(big, KEY_BYTES, 0600, key, &is_open), 0);
	assert_int_equal(key_read("nothing", key, &is_open, NULL), ERR_IO);
	assert_int_equal(key_read(".", key, &is_open, NULL), ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_plain_question),
		cmocka_unit_test(test_a_question_that_does_not_fit),
		cmocka_unit_test(test_an_answer),
		cmocka_unit_test(test_an_answer_without_facts),
		cmocka_unit_test(test_answers_that_cannot_be_used),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_long_words_are_clipped),
		cmocka_unit_test(test_every_failing_request_for_memory),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_files_of_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
