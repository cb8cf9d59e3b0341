/* SPDX-License-Identifier: Apache-2.0 */
#include "services/delegate/question.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "tests/support/test.h"
#include "tests/support/vocabulary.h"

#define PARAMS_MAX 8u

struct trial {
	struct param params[PARAMS_MAX];
	struct item items[4];
	struct body body;
	struct job job;
	struct question_how how;
	struct question_facts facts;
	struct buf content;
	struct fail why;
};

static void trial_open(struct trial *t, const char *prompt)
{
	*t = (struct trial){
		.job = { .row = kind_find(SPAN_LIT("llm.chat")), .body = &t->body },
		.how.count = { TOKENS_O200K, TOKEN_RATE_ONE, NULL, NULL },
	};
	t->params[0] = (struct param){ SPAN_LIT("prompt"), span_str(prompt) };
	t->body = (struct body){ .params = t->params, .params_n = 1, .items = t->items };
	buf_init(&t->content, (size_t)2 * LIMIT_BODY_BYTES);
}

static void trial_param(struct trial *t, const char *key, const char *value)
{
	assert_true(t->body.params_n < PARAMS_MAX);
	t->params[t->body.params_n++] = (struct param){ span_str(key), span_str(value) };
}

static int ask(struct trial *t)
{
	buf_reset(&t->content);
	assert_int_equal(kind_check(t->job.row, &t->body, &t->why), 0);
	return question_write(&t->how, &t->job, &t->content, &t->facts, &t->why);
}

static void test_a_prompt_alone(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t, "why \"?\"\n");
	assert_int_equal(ask(&t), 0);
	assert_true(span_is(buf_span(&t.content), "why \"?\"\n"));
	assert_false(t.facts.compress);
	assert_in_range(t.facts.estimated, 8, 12);
	buf_done(&t.content);
}

static void test_documents_have_names_and_borders(void **state)
{
	char border[20], wanted[1000], *at;
	struct trial t;

	(void)state;
	trial_open(&t, "summarise");
	t.items[0] = (struct item){ .name = SPAN_LIT("a \"b\".txt"), .data = SPAN_LIT("one") };
	t.items[1] = (struct item){ .data = SPAN_LIT("two\n") };
	t.body.items_n = 2;
	assert_int_equal(ask(&t), 0);
	buf_byte(&t.content, '\0');
	at = strchr((char *)t.content.at, '(');
	span_copy(span_of(at, 18), border, sizeof(border));
	assert_int_equal(border[17], ')');
	snprintf(wanted, sizeof(wanted),
		"summarise\n\n=== document 1 of 2: \"a \\\"b\\\".txt\" %s ===\none\n=== end of "
		"document 1 %s ==="
		"\n\n=== document 2 of 2 %s ===\ntwo\n\n=== end of document 2 %s ===",
		border, border, border, border);
	assert_string_equal((char *)t.content.at, wanted);
	buf_done(&t.content);
}

static void test_questions_that_cannot_be_asked(void **state)
{
	static unsigned char big[(size_t)2 * LIMIT_BODY_BYTES];
	struct trial t;

	(void)state;
	trial_open(&t, "what is it?");
	t.items[0].data = SPAN_LIT("\x89PNG\r\n\x1a\n\0");
	t.body.items_n = 1;
	assert_int_equal(ask(&t), ERR_UNSUPPORTED);
	assert_string_equal(t.why.detail, "document 1 is not text (UTF-8)");
	memset(big, 'a', sizeof(big));
	t.items[0].data = span_of(big, sizeof(big));
	assert_int_equal(ask(&t), ERR_TOO_BIG);
	assert_string_equal(t.why.field, "item");
	t.params[0].value = SPAN_LIT("");
	t.params[0].key = SPAN_LIT("system");
	t.body.items_n = 0;
	assert_int_equal(question_write(&t.how, &t.job, &t.content, &t.facts, &t.why), ERR_INVALID);
	assert_string_equal(t.why.field, "prompt");
	buf_done(&t.content);
}

/* More documents than go into a request, if what matters of them does. */
static void test_large_documents(void **state)
{
	struct buf text;
	struct trial t;

	(void)state;
	trial_open(&t, "What is the code of the north gate?");
	trial_param(&t, "compress.tokens", "5000");
	buf_init(&text, (size_t)8 << 20);
	for (unsigned i = 0; text.len < (size_t)3 * LIMIT_BODY_BYTES; i++)
		buf_fmt(&text, "Line %u tells of %s.%c", i * 7919 % 65537,
			i == 7777 ? "the north gate, whose code is 4417" : "roads and rivers",
			i % 5 == 0 ? '\n' : ' ');
	t.items[0].data = buf_span(&text);
	t.body.items_n = 1;
	assert_int_equal(ask(&t), ERR_TOO_BIG);
	trial_param(&t, "compress", "auto");
	assert_int_equal(ask(&t), 0);
	assert_int_equal(t.facts.prompt.way, PROMPT_SELECTION);
	assert_true(t.facts.prompt.tokens_out <= 5000 && t.facts.estimated <= 5050);
	assert_non_null(memmem(t.content.at, t.content.len, "whose code is 4417", 18));
	while (text.len <= (size_t)8 * LIMIT_BODY_BYTES)
		buf_str(&text, "And so on and so on and so on and so on and so on, at length. ");
	t.items[0].data = buf_span(&text);
	assert_int_equal(ask(&t), ERR_TOO_BIG);
	assert_int_equal(t.why.limit, 4 << 20);
	buf_done(&text);
	buf_done(&t.content);
}

/* With a vocabulary, here of single bytes, limits hold in its tokens, for models that have it. */
static void test_exact_counts(void **state)
{
	CLEANUP(buf_done) struct buf file = { 0 };
	struct tokenizers ts = { 0 };
	struct buf text;
	struct trial t;

	(void)state;
	buf_init(&file, 1 << 16);
	vocabulary_bytes(&file);
	trial_open(&t, "What is the code of the north gate?");
	trial_param(&t, "compress", "auto");
	trial_param(&t, "compress.tokens", "4000");
	ts.of[TOKENS_O200K] = tokenizer_read(TOKENS_O200K, buf_span(&file), NULL);
	assert_non_null(ts.of[TOKENS_O200K]);
	t.how.count = tokenizers_count(&ts, SPAN_LIT("gpt-4o"), TOKEN_RATE_ONE);
	buf_init(&text, 1 << 20);
	for (unsigned i = 0; i < 300; i++)
		buf_fmt(&text, "Line %u tells of roads and rivers. ", i * 7919);
	t.items[0].data = buf_span(&text);
	t.body.items_n = 1;
	assert_int_equal(ask(&t), 0);
	assert_true(t.facts.prompt.exact);
	assert_in_range(t.facts.prompt.tokens_in, text.len, text.len + 300);
	assert_in_range(t.facts.prompt.tokens_out, 3500, 4000);
	assert_in_range(t.content.len, t.facts.prompt.tokens_out - 20, t.facts.prompt.tokens_out);
	tokenizers_close(&ts);
	buf_done(&text);
	buf_done(&t.content);
}

static void test_facts(void **state)
{
	struct question_facts f = { .prompt = { PROMPT_SELECTION, 5120, 1024, true } };
	CLEANUP(arena_done) struct arena a = { 0 };
	CLEANUP(buf_done) struct buf b = { 0 };
	struct body body;

	(void)state;
	buf_init(&b, 1000);
	arena_init(&a, 10000);
	question_put_facts(&f, &b);
	assert_int_equal(b.len, 0);
	f.compress = true;
	question_put_facts(&f, &b);
	assert_int_equal(body_decode(&a, buf_span(&b), &body, NULL), 0);
	assert_true(span_is(body_param(&body, "compress")->value, "selection"));
	assert_true(span_is(body_param(&body, "compress.tokens_in")->value, "5120"));
	assert_true(span_is(body_param(&body, "compress.tokens_out")->value, "1024"));
	assert_true(span_is(body_param(&body, "compress.count")->value, "exact"));
	assert_true(span_is(body_param(&body, "tokens_saved")->value, "4096"));
}

static int ask_again(void *arg)
{
	struct trial *t = arg;
	int r;

	buf_done(&t->content);
	buf_init(&t->content, (size_t)2 * LIMIT_BODY_BYTES);
	r = ask(t);
	buf_done(&t->content);
	return r;
}

static void test_without_memory(void **state)
{
	struct buf text;
	struct trial t;

	(void)state;
	trial_open(&t, "why?");
	trial_param(&t, "compress", "auto");
	buf_init(&text, 1 << 20);
	for (unsigned i = 0; i < 300; i++)
		buf_fmt(&text, "Line %u tells of roads and rivers. ", i * 7919);
	t.items[0].data = buf_span(&text);
	t.body.items_n = 1;
	assert_true(nth_alloc(ask_again, &t) > 5);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_prompt_alone),
		cmocka_unit_test(test_documents_have_names_and_borders),
		cmocka_unit_test(test_questions_that_cannot_be_asked),
		cmocka_unit_test(test_large_documents),
		cmocka_unit_test(test_exact_counts),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
