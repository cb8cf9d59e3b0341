/* SPDX-License-Identifier: Apache-2.0
 *
 * test_prompt: what is left of documents by which limits, in estimated tokens and in those of a vocabulary, for which
 * a count of bytes stands.
 */
#include "policy/prompt.h"

#include <string.h>

#include "tests/support/test.h"

#define DOCS_MAX 4u
#define OUT_BYTES ((size_t)4 << 20)

static const struct token_count plain = { TOKENS_O200K, TOKEN_RATE_ONE, NULL, NULL };

struct trial {
	struct arena arena;
	struct buf docs[DOCS_MAX], outs[DOCS_MAX];
	struct span spans[DOCS_MAX];
	struct prompt prompt;
	struct prompt_want want;
	struct token_count count;
	struct prompt_facts facts;
	struct fail why;
};

static void trial_open(struct trial *t, size_t docs_n)
{
	*t = (struct trial){
		.prompt = { .question = SPAN_LIT("What is the code of the north gate?"),
			.fixed_tokens = 100,
			.docs = t->spans,
			.docs_n = docs_n },
		.want = { .compress = true },
		.count = plain,
	};
	arena_init(&t->arena, COMPRESS_ARENA_BYTES);
	for (size_t i = 0; i < DOCS_MAX; i++) {
		buf_init(&t->docs[i], OUT_BYTES);
		buf_init(&t->outs[i], OUT_BYTES);
	}
}

static void trial_close(struct trial *t)
{
	arena_done(&t->arena);
	for (size_t i = 0; i < DOCS_MAX; i++) {
		buf_done(&t->docs[i]);
		buf_done(&t->outs[i]);
	}
}

/* Prose of different sentences, with the answer in the middle. */
static void put_prose(struct buf *b, struct prng *p, unsigned sentences)
{
	for (unsigned i = 0; i < sentences; i++) {
		if (i == sentences / 2)
			buf_str(b, "The code of the north gate is 4417. ");
		for (unsigned w = 0; w < 9; w++)
			buf_fmt(b, "%c%c%cer%c", (int)('a' + prng_below(p, 26)),
				(int)('a' + prng_below(p, 26)), (int)('a' + prng_below(p, 26)),
				w == 8 ? '.' : ' ');
		buf_byte(b, i % 7 == 6 ? '\n' : ' ');
	}
}

/* A trial of so many documents of prose. */
static void open_prose(struct trial *t, struct prng *p, size_t docs_n, unsigned sentences)
{
	rand_start(p);
	trial_open(t, docs_n);
	for (size_t i = 0; i < docs_n; i++)
		put_prose(&t->docs[i], p, sentences);
}

static int press(struct trial *t)
{
	for (size_t i = 0; i < t->prompt.docs_n; i++)
		t->spans[i] = buf_span(&t->docs[i]);
	return prompt_press(&t->arena, &t->prompt, &t->want, &t->count, t->outs, &t->facts,
		&t->why);
}

static bool has(const struct buf *b, const char *what)
{
	return b->len > 0 && memmem(b->at, b->len, what, strlen(what)) != NULL;
}

static uint64_t tokens_of_outs(const struct trial *t)
{
	struct span outs[DOCS_MAX];
	int64_t n;

	for (size_t i = 0; i < t->prompt.docs_n; i++)
		outs[i] = buf_span(&t->outs[i]);
	n = token_count_all(&t->count, outs, t->prompt.docs_n);
	assert_true(n >= 0);
	return (uint64_t)n;
}

/* Documents of about 5,000 tokens, under every limit. */
static void test_limits(void **state)
{
	static const struct {
		struct prompt_want want;
		enum prompt_way way;
		unsigned low, high; /* of tokens_out, percent of tokens_in */
	} rows[] = {
		{ { .compress = false }, PROMPT_OFF, 100, 100 },
		{ { .compress = false, .tokens = 500, .percent = 10 }, PROMPT_OFF, 100, 100 },
		{ { .compress = true }, PROMPT_SELECTION, 30, 36 },
		{ { .compress = true, .percent = 20 }, PROMPT_SELECTION, 18, 24 },
		{ { .compress = true, .percent = 99 }, PROMPT_LITTLE, 100, 100 },
		{ { .compress = true, .percent = 95 }, PROMPT_LITTLE, 100, 100 },
		{ { .compress = true, .tokens = 1000000 }, PROMPT_FITS, 100, 100 },
		{ { .compress = true, .tokens = 2000 }, PROMPT_SELECTION, 30, 50 },
		{ { .compress = true, .tokens = 2000, .percent = 10 }, PROMPT_SELECTION, 9, 14 },
		{ { .compress = true, .tokens = 100 }, PROMPT_SELECTION, 0, 3 },
		{ { .compress = true, .window = 1000 }, PROMPT_SELECTION, 10, 30 },
		{ { .compress = true, .window = 1000000 }, PROMPT_SELECTION, 30, 36 },
		{ { .compress = true, .tokens = 4000, .window = 1000 }, PROMPT_SELECTION, 10, 30 },
	};
	struct trial t;
	struct prng p;

	(void)state;
	open_prose(&t, &p, 2, 200);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t percent;

		t.want = rows[i].want;
		assert_int_equal(press(&t), 0);
		percent = t.facts.tokens_out * 100 / t.facts.tokens_in;
		if (t.facts.way != rows[i].way || percent < rows[i].low || percent > rows[i].high)
			fail_msg("row %zu: way %d, %llu percent", i, (int)t.facts.way,
				(unsigned long long)percent);
		if (t.want.compress && t.want.tokens > 0)
			assert_true(t.facts.tokens_out <= t.want.tokens);
		if (t.want.window > 0)
			assert_true(t.facts.tokens_out <= t.want.window);
		if (!prompt_is_shorter(&t.facts))
			continue;
		assert_int_equal(t.facts.tokens_out, t.prompt.fixed_tokens + tokens_of_outs(&t));
		if (percent > 5)
			assert_true(has(&t.outs[0], "4417") && has(&t.outs[0], "[...]"));
	}
	trial_close(&t);
}

static void test_small_documents(void **state)
{
	struct trial t;
	struct prng p;

	(void)state;
	open_prose(&t, &p, 1, 40);
	assert_int_equal(press(&t), 0);
	assert_int_equal(t.facts.way, PROMPT_SMALL);
	t.want.percent = 10;
	assert_int_equal(press(&t), 0);
	assert_int_equal(t.facts.way, PROMPT_SMALL);
	/* but a limit holds */
	t.want.tokens = 200;
	assert_int_equal(press(&t), 0);
	assert_int_equal(t.facts.way, PROMPT_SELECTION);
	assert_true(t.facts.tokens_out <= 200 && has(&t.outs[0], "4417"));
	/* none at all */
	t.prompt.docs_n = 0;
	assert_int_equal(press(&t), 0);
	assert_int_equal(t.facts.way, PROMPT_FITS);
	assert_int_equal(t.facts.tokens_out, 100);
	trial_close(&t);
}

static void test_what_cannot_fit(void **state)
{
	struct trial t;
	struct prng p;

	(void)state;
	open_prose(&t, &p, 1, 200);
	t.want.tokens = 99;
	assert_int_equal(press(&t), ERR_TOO_BIG);
	assert_string_equal(t.why.field, "compress.tokens");
	assert_int_equal(t.why.limit, 99);
	t.want = (struct prompt_want){ .compress = true, .window = 99 };
	assert_int_equal(press(&t), ERR_UNSUPPORTED);
	assert_string_equal(t.why.field, "context_max");
	assert_non_null(strstr(t.why.detail, "about 100 tokens without its documents"));
	/* what is not compressed is refused whole, instead of cut by the API without a word */
	t.want = (struct prompt_want){ .compress = false, .window = 1000 };
	assert_int_equal(press(&t), ERR_UNSUPPORTED);
	assert_null(strstr(t.why.detail, "without"));
	trial_close(&t);
}

/* JSON that says the same in half the tokens is no loss. */
static void test_without_loss(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t, 1);
	buf_str(&t.docs[0], "[\n");
	for (int i = 0; i < 200; i++)
		buf_fmt(&t.docs[0],
			"  {\n    \"identifier\": %d,\n    \"description\": \"gate %d\",\n    "
			"\"is_open\": true\n  }%s\n",
			i, i, i < 199 ? "," : "");
	buf_str(&t.docs[0], "]\n");
	t.want.percent = 60;
	assert_int_equal(press(&t), 0);
	assert_int_equal(t.facts.way, PROMPT_LOSSLESS);
	assert_true(has(&t.outs[0], "gate 199") && !has(&t.outs[0], "[...]"));
	t.want.percent = 5;
	assert_int_equal(press(&t), 0);
	assert_int_equal(t.facts.way, PROMPT_SELECTION);
	trial_close(&t);
}

/* One word of each sentence is asked for: so much is kept that most of them are. */
static void test_it_relaxes(void **state)
{
	struct buf question;
	struct trial t;
	struct prng p;

	(void)state;
	rand_start(&p);
	trial_open(&t, 1);
	buf_init(&question, OUT_BYTES);
	for (unsigned i = 0; i < 120; i++) {
		char word[9] = "";

		for (unsigned k = 0; k < 8; k++)
			word[k] = (char)('a' + prng_below(&p, 26));
		buf_fmt(&t.docs[0], "%s is what some of us say about it on a day like this. ",
			word);
		buf_fmt(&question, "%s ", word);
	}
	t.prompt.question = buf_span(&question);
	t.want.percent = PROMPT_PERCENT; /* the task's own word is kept */
	assert_int_equal(press(&t), 0);
	assert_int_equal(t.facts.way, PROMPT_SELECTION);
	assert_in_range(t.facts.tokens_out - 100, 1, (t.facts.tokens_in - 100) * 34 / 100);
	t.want.percent = 0;
	assert_int_equal(press(&t), 0);
	assert_int_equal(t.facts.way, PROMPT_SELECTION);
	assert_in_range(t.facts.tokens_out - 100, (t.facts.tokens_in - 100) * 60 / 100,
		(t.facts.tokens_in - 100) * 67 / 100);
	buf_done(&question);
	trial_close(&t);
}

/* Any count that is not the estimate's: budgets hold in it, and are used up. */
static int64_t count_odd(const void *vocabulary, struct span s)
{
	uint64_t each = *(const uint64_t *)vocabulary, sum = 0;

	for (size_t i = 0; i < s.len; i++)
		sum += s.at[i] == 'e' ? 3 * each : each / 3;
	return (int64_t)(sum / 10);
}

static void test_budgets_in_other_tokens(void **state)
{
	struct trial t;
	struct prng p;

	(void)state;
	open_prose(&t, &p, 1, 300);
	for (unsigned i = 0; i < 60; i++) {
		uint64_t each = 3 + prng_below(&p, 40), docs;

		t.count = i % 2 == 0 ? (struct token_count){ TOKENS_QWEN, TOKEN_RATE_ONE, count_odd,
			&each }
				     : (struct token_count){ TOKENS_LLAMA,
					       (uint32_t)(20000 + prng_below(&p, 200000)), NULL,
					       NULL };
		docs = (uint64_t)token_count(&t.count, buf_span(&t.docs[0]));
		t.want.tokens = 100 + docs / 20 + prng_below(&p, docs);
		assert_int_equal(press(&t), 0);
		assert_int_equal(t.facts.tokens_in, 100 + docs);
		assert_int_equal(t.facts.exact, i % 2 == 0);
		assert_true(t.facts.tokens_out <= t.want.tokens);
		if (t.facts.way == PROMPT_SELECTION)
			assert_true((t.facts.tokens_out - 100) * 100 >= (t.want.tokens - 100) * 88);
		else
			assert_true(t.facts.way == PROMPT_FITS || t.facts.way == PROMPT_LOSSLESS);
	}
	trial_close(&t);
}

static void test_same_in_same_out(void **state)
{
	struct trial a, b;
	struct prng p;

	(void)state;
	open_prose(&a, &p, 1, 200);
	trial_open(&b, 1);
	buf_add(&b.docs[0], buf_span(&a.docs[0]));
	assert_int_equal(press(&a), 0);
	assert_int_equal(press(&b), 0);
	assert_true(span_eq(buf_span(&a.outs[0]), buf_span(&b.outs[0])));
	trial_close(&a);
	trial_close(&b);
}

static void test_words(void **state)
{
	static const struct {
		struct prompt_facts facts;
		const char *text;
	} rows[] = {
		{ { PROMPT_SELECTION, 5120, 1024, true },
			"prompt 5,120 -> 1,024 tokens, by selection" },
		{ { PROMPT_SELECTION, 1234567, 1000, false },
			"prompt about 1,234,567 -> 1,000 tokens, by selection" },
		{ { PROMPT_LOSSLESS, 999, 0, false },
			"prompt about 999 -> 0 tokens, without loss" },
		{ { PROMPT_SMALL, 312, 312, true },
			"prompt 312 tokens, whole: there is little of the documents" },
		{ { PROMPT_FITS, 9, 9, true }, "prompt 9 tokens, whole: it is within the limits" },
		{ { PROMPT_LITTLE, UINT64_MAX, 9, false },
			"prompt about 18,446,744,073,709,551,615 tokens, whole: too little would "
			"be "
			"saved" },
		{ { PROMPT_OFF, 7, 7, true }, "prompt 7 tokens, not compressed" },
	};
	char text[PROMPT_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(prompt_text(&rows[i].facts, text), rows[i].text);
	assert_string_equal(prompt_way_name(PROMPT_LITTLE), "whole");
}

static int press_again(void *arg)
{
	struct trial *from = arg, t;
	int r;

	trial_open(&t, 1);
	t.spans[0] = buf_span(&from->docs[0]);
	r = prompt_press(&t.arena, &t.prompt, &t.want, &t.count, t.outs, &t.facts, &t.why);
	trial_close(&t);
	return r;
}

static void test_without_memory(void **state)
{
	struct trial t;
	struct prng p;

	(void)state;
	open_prose(&t, &p, 1, 200);
	assert_true(nth_alloc(press_again, &t) > 3);
	trial_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_small_documents),
		cmocka_unit_test(test_what_cannot_fit),
		cmocka_unit_test(test_without_loss),
		cmocka_unit_test(test_it_relaxes),
		cmocka_unit_test(test_budgets_in_other_tokens),
		cmocka_unit_test(test_same_in_same_out),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
