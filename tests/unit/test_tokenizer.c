/* SPDX-License-Identifier: Apache-2.0
 *
 * test_tokenizer: how texts are split. The vocabulary has all pieces that are expected as tokens, and nothing that goes
 * beyond them: if the text is split so, each piece is one token.
 */
#include "run/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "policy/bpe.h"
#include "tests/support/test.h"
#include "tests/support/vocabulary.h"

#define FIRST_PIECE 256u

struct row {
	const char *families; /* o: o200k, c: cl100k, l: llama, q: qwen */
	const char *pieces;   /* with | between them */
};

static const struct row rows[] = {
	{ "oclq", "Hello| world|!" },
	{ "oclq", "a| | b" },
	{ "clq", "don|'t| WE|'LL| I|'d|'x" },
	{ "o", "don't| WE'LL| I'd|'x" },
	{ "clq", "camelCase| HTTPServer" },
	{ "o", "camel|Case| HTTPServer" },
	{ "o", "XMLHttp|Request" },
	{ "ocl", "123|456|7| |12" },
	{ "q", "1|2|3|4|5|6|7| |1|2" },
	{ "oclq", "one|  | two|\n\n|three|\t|\tfour|  " },
	{ "oclq", "a| \n \n|b|\r\n|c" },
	{ "clq", "x| =| y|;\n\n|z" },
	{ "o", "path|/to|//\n|z" },
	{ "clq", "path|/to|//\n|z" },
	{ "o", "a|://\n/\n|b" },
	{ "clq", "a|://\n|/\n|b" },
	{ "oclq", "#!/|bin" },
	{ "oclq", "日本語のテキスト|。中文" },
	{ "oclq", "Привет|,| мир" },
	{ "clq", "e|\xCC\x81"
		 "a|..." },
	{ "o", "e\xCC\x81"
	       "a|..." },
	{ "oclq", "a|😀😀" },
	{ "oclq", "a|\xC2\xA0"
		  "b|\xC2\xA0|\xC2\xA0|!" },
	{ "oclq", "a|\xE3\x80\x80\xE3\x80\x80|\xE3\x80\x80"
		  "b" },
	{ "ocl", "٣٤٥|٦" },
	{ "oclq", "" },
};

static enum tokens_family family_of(char c)
{
	return c == 'o'   ? TOKENS_O200K
	       : c == 'c' ? TOKENS_CL100K
	       : c == 'l' ? TOKENS_LLAMA
			  : TOKENS_QWEN;
}

/* A vocabulary of all bytes and the pieces, whose ranks count from FIRST_PIECE. */
static struct tokenizer *open_pieces(enum tokens_family family, const char *pieces,
	struct buf *text)
{
	CLEANUP(buf_done) struct buf file = { 0 };
	struct span rest = span_str(pieces);
	uint32_t rank = FIRST_PIECE;
	struct tokenizer *t;
	struct bpe seen = { 0 };

	buf_init(&file, 1 << 20);
	vocabulary_bytes(&file);
	while (rest.len > 0) {
		struct span piece = span_cut(&rest, '|');

		buf_add(text, piece);
		if (piece.len > 1 && bpe_add(&seen, piece, rank) == 0)
			vocabulary_put(&file, piece, rank++);
	}
	bpe_done(&seen);
	t = tokenizer_read(family, buf_span(&file), NULL);
	assert_non_null(t);
	return t;
}

static void check_row(enum tokens_family family, const char *pieces)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct span rest = span_str(pieces);
	struct tokenizer *t;
	uint32_t ranks[100];
	int64_t n = 0, got;

	buf_init(&text, 1000);
	t = open_pieces(family, pieces, &text);
	got = tokenizer_encode(t, buf_span(&text), ranks);
	for (; rest.len > 0; n++)
		(void)span_cut(&rest, '|');
	if (got != n)
		fail_msg("%s: %s: %d pieces", tokens_family_name(family), pieces, (int)got);
	assert_int_equal(tokenizer_encode(t, buf_span(&text), NULL), n);
	tokenizer_close(t);
}

static void test_splits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (const char *f = rows[i].families; *f != '\0'; f++)
			check_row(family_of(*f), rows[i].pieces);
	}
}

/* A text of many windows has as many tokens as its parts, wherever a window ends. */
static void test_windows(void **state)
{
	static const char part[] = "don't we'll  say 12345 \xE6\x97\xA5\xE6\x9C\xAC!\n\n";
	static const char *const families = "oclq";
	CLEANUP(buf_done) struct buf text = { 0 }, none = { 0 };

	(void)state;
	buf_init(&text, 4 << 20);
	buf_init(&none, 1000);
	for (const char *f = families; *f != '\0'; f++) {
		struct tokenizer *t = open_pieces(family_of(*f),
			"don't|'t|we'll|'ll| say|123|\xE6\x97\xA5\xE6\x9C\xAC|!\n\n|  ", &none);
		int64_t one = tokenizer_encode(t, span_str(part), NULL);

		for (size_t shift = 0; shift < 40; shift++) {
			buf_reset(&text);
			for (size_t i = 0; i < shift; i++)
				buf_str(&text, "\n");
			while (text.len < 3 * TOKENIZER_PIECE_BYTES)
				buf_str(&text, part);
			assert_int_equal(tokenizer_encode(t, buf_span(&text), NULL),
				(int64_t)(text.len - shift) / (int64_t)(sizeof(part) - 1) * one +
					(int64_t)shift);
		}
		tokenizer_close(t);
	}
}

/* Any bytes: as many tokens as without the vocabulary's help at most, in the text's order. */
static void test_any_bytes(void **state)
{
	static const char *const families = "oclq";
	unsigned char text[400], back[400];
	uint32_t ranks[400];
	struct prng p;

	(void)state;
	rand_start(&p);
	for (unsigned round = 0; round < 400; round++) {
		CLEANUP(buf_done) struct buf none = { 0 };
		struct tokenizer *t;
		size_t n = prng_below(&p, sizeof(text));
		int64_t tokens;

		buf_init(&none, 1000);
		t = open_pieces(family_of(families[round % 4]), "", &none);
		for (size_t i = 0; i < n; i++)
			text[i] = (unsigned char)(prng_below(&p, 2) == 0 ? prng_below(&p, 256)
									 : 'a' + prng_below(&p, 3));
		tokens = tokenizer_encode(t, span_of(text, n), ranks);
		assert_int_equal(tokens, n);
		for (size_t i = 0; i < n; i++)
			back[i] = (unsigned char)ranks[i];
		assert_memory_equal(back, text, n);
		tokenizer_close(t);
	}
}

static void test_endless_words_and_blanks(void **state)
{
	static const char fills[] = { 'a', 'A', ' ', '\n', '!', '1', '\'' };
	const size_t n = (size_t)1 << 20;
	unsigned char *text = malloc(n);
	CLEANUP(buf_done) struct buf none = { 0 };

	(void)state;
	buf_init(&none, 1000);
	for (unsigned f = 0; f < 4; f++) {
		struct tokenizer *t =
			open_pieces(family_of("oclq"[f]), "aa|AA|  |\n\n|!!|''", &none);

		for (size_t i = 0; i < ARRAY_LEN(fills); i++) {
			memset(text, fills[i], n);
			assert_int_equal(tokenizer_encode(t, span_of(text, n), NULL),
				fills[i] == '1' ? n : n / 2);
		}
		tokenizer_close(t);
	}
	free(text);
}

static void write_file(const char *name, struct span bytes)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes.at, 1, bytes.len, f), bytes.len);
	assert_int_equal(fclose(f), 0);
}

static void test_settings(void **state)
{
	CLEANUP(buf_done) struct buf file = { 0 };
	static struct tokenizers_conf conf;
	struct tokenizers ts;
	struct token_count c;
	struct fail why = { 0 };

	(void)state;
	buf_init(&file, 1 << 20);
	vocabulary_bytes(&file);
	vocabulary_put(&file, SPAN_LIT(" gate"), 256);
	write_file("good.tiktoken", buf_span(&file));
	buf_str(&file, "YWI= 1\n");
	write_file("bad.tiktoken", buf_span(&file));
	assert_int_equal(tokenizers_open(&ts, &conf, &why), 0);
	assert_null(tokenizers_count(&ts, SPAN_LIT("gpt-4o"), TOKEN_RATE_ONE).exact);
	strcpy(conf.files[TOKENS_O200K], "good.tiktoken");
	assert_int_equal(tokenizers_open(&ts, &conf, &why), 0);
	c = tokenizers_count(&ts, SPAN_LIT("gpt-4o"), TOKEN_RATE_ONE * 2);
	assert_int_equal(token_count(&c, SPAN_LIT("a gate")), 2);
	assert_int_equal(tokenizers_count(&ts, SPAN_LIT(""), 1).exact == NULL, false);
	/* other vocabularies, and what is not known */
	c = tokenizers_count(&ts, SPAN_LIT("gpt-4"), TOKEN_RATE_ONE * 2);
	assert_null(c.exact);
	assert_int_equal(c.rate, TOKEN_RATE_ONE * 2);
	assert_null(tokenizers_count(&ts, SPAN_LIT("mistral"), 1).exact);
	assert_null(tokenizers_count(&ts, SPAN_LIT("deepseek"), 1).exact);
	assert_null(tokenizers_count(NULL, SPAN_LIT("gpt-4o"), 1).exact);
	tokenizers_close(&ts);
	strcpy(conf.files[TOKENS_QWEN], "bad.tiktoken");
	assert_int_equal(tokenizers_open(&ts, &conf, &why), ERR_INVALID);
	assert_string_equal(why.field, "tokenizer_qwen");
	assert_int_equal(why.limit, 258);
	assert_string_equal(why.detail, "line 258: its rank was there before");
	strcpy(conf.files[TOKENS_QWEN], "nowhere");
	assert_int_equal(tokenizers_open(&ts, &conf, &why), ERR_IO);
	assert_string_equal(why.detail, "nowhere cannot be read");
	strcpy(conf.files[TOKENS_QWEN], ".");
	assert_int_equal(tokenizers_open(&ts, &conf, &why), ERR_IO);
	strcpy(conf.files[TOKENS_QWEN], "large");
	write_file("large", SPAN_LIT(""));
	assert_int_equal(truncate("large", (off_t)TOKENIZER_FILE_BYTES + 1), 0);
	assert_int_equal(tokenizers_open(&ts, &conf, &why), ERR_TOO_BIG);
	assert_null(ts.of[TOKENS_O200K]);
	assert_null(tokenizer_open(TOKENS_CLAUDE, "good.tiktoken", &why));
	assert_string_equal(why.detail, "how models of the family claude split texts is not known");
	memset(&conf, 0, sizeof(conf));
}

static int open_and_count(void *arg)
{
	struct fail why = { 0 };
	struct tokenizer *t = tokenizer_read(TOKENS_O200K, buf_span(arg), &why);
	int64_t n;

	if (t == NULL)
		return why.code;
	n = tokenizer_encode(t, SPAN_LIT("abracadabra, he said"), NULL);
	tokenizer_close(t);
	return n < 0 ? (int)n : 0;
}

static void test_without_memory(void **state)
{
	CLEANUP(buf_done) struct buf file = { 0 };

	(void)state;
	buf_init(&file, 1 << 20);
	vocabulary_bytes(&file);
	assert_true(nth_alloc(open_and_count, &file) > 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_splits),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_endless_words_and_blanks),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
