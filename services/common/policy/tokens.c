/* SPDX-License-Identifier: Apache-2.0
 *
 * tokens: runs of bytes of one class, and what a run of its length costs. The figures are from what is published
 * about the vocabularies: most English words up to seven letters are one token, digits go in groups, a character of
 * another script costs more the rarer its script is in the vocabulary.
 */
#include "policy/tokens.h"

#include "base/check.h"
#include "policy/letters.h"

#include "base/pure.h"

enum byte_class {
	LETTER,
	DIGIT,
	SPACE,
	SIGN, /* of ASCII */
	WIDE,
};

/* clang-format off */
static const unsigned char classes[256] = {
	[0 ... 8] = SIGN, [14 ... 31] = SIGN, ['!' ... '/'] = SIGN, [':' ... '@'] = SIGN,
	['[' ... '`'] = SIGN, ['{' ... 127] = SIGN,
	['\t' ... '\r'] = SPACE, [' '] = SPACE,
	['0' ... '9'] = DIGIT, [128 ... 255] = WIDE,
};
/* clang-format on */

/* Scripts by lead byte. */
enum script { LATIN, GREEK, CYRILLIC, ARABIC, INDIC, KANA, HAN, HANGUL, SYMBOL, EMOJI, SCRIPTS };

struct cost {
	const char *name;
	unsigned short word;          /* a word of up to `letters` letters */
	unsigned short letters;       /* ... */
	unsigned short letter;        /* each letter more */
	unsigned short digits;        /* in one token */
	unsigned short wide[SCRIPTS]; /* a character */
};

/* clang-format off */
static const struct cost costs[TOKENS_FAMILIES] = {
	/*                          word  letters letter digits   latin greek cyril arab indic kana  han  hangul symb emoji */
	[TOKENS_O200K]  = { "o200k",  1000, 7, 130, 3, { 400, 350, 280, 330, 400,  600,  750,  650, 1000, 1500 } },
	[TOKENS_CL100K] = { "cl100k", 1000, 7, 140, 3, { 500, 800, 480, 700, 1200, 900, 1150, 1050, 1000, 2300 } },
	[TOKENS_CLAUDE] = { "claude", 1080, 6, 170, 3, { 500, 600, 420, 500, 800,  850, 1050,  950, 1000, 2000 } },
	[TOKENS_GEMINI] = { "gemini", 1000, 7, 120, 1, { 380, 350, 300, 320, 350,  550,  680,  600, 1000, 1200 } },
	[TOKENS_LLAMA]  = { "llama",  1000, 7, 135, 3, { 420, 450, 300, 380, 500,  700,  850,  700, 1000, 1600 } },
	[TOKENS_QWEN]   = { "qwen",   1000, 7, 135, 1, { 450, 600, 330, 450, 700,  700,  620,  750, 1000, 1600 } },
};

/* Beginnings of names of models, the longer ones first where one begins another. */
static const struct model {
	const char *name;
	enum tokens_family family;
	bool sure; /* that is its vocabulary, it does not only resemble it */
} models[] = {
	{ "gpt-4o", TOKENS_O200K, true }, { "gpt-4.", TOKENS_O200K, true }, { "gpt-4", TOKENS_CL100K, true },
	{ "gpt-5", TOKENS_O200K, true }, { "gpt-oss", TOKENS_O200K, true }, { "chatgpt-4o", TOKENS_O200K, true },
	{ "o1", TOKENS_O200K, true }, { "o3", TOKENS_O200K, true }, { "o4", TOKENS_O200K, true },
	{ "gpt-3", TOKENS_CL100K, true }, { "text-embedding-", TOKENS_CL100K, true }, { "claude", TOKENS_CLAUDE, true },
	{ "gemini", TOKENS_GEMINI, true }, { "gemma", TOKENS_GEMINI, true }, { "llama-2", TOKENS_LLAMA, false },
	{ "llama2", TOKENS_LLAMA, false }, { "llama", TOKENS_LLAMA, true }, { "meta-llama", TOKENS_LLAMA, true },
	{ "qwen", TOKENS_QWEN, true }, { "qwq", TOKENS_QWEN, true }, { "deepseek", TOKENS_QWEN, false },
};
/* clang-format on */

#define SIGN_FIRST 1000
#define SIGN_MORE 350 /* of a run: often several are one token */
#define SIGNS_MANY 6  /* beyond so many it is a line */
#define SIGN_LINE 60
#define SPACE_RUN 1000
#define NO_CHARACTER 1000

static const struct model *model_find(struct span model)
{
	const unsigned char *slash = model.len == 0 ? NULL : memrchr(model.at, '/', model.len);
	size_t from = slash == NULL ? 0 : (size_t)(slash - model.at) + 1;

	model = span_part(model, from, model.len); /* "openai/gpt-4o" */
	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		size_t n = strlen(models[i].name);

		if (model.len >= n && strncasecmp((const char *)model.at, models[i].name, n) == 0)
			return &models[i];
	}
	return NULL;
}

enum tokens_family tokens_family_of(struct span model)
{
	const struct model *m = model_find(model);

	return m == NULL ? TOKENS_O200K : m->family;
}

bool tokens_family_is_sure(struct span model)
{
	const struct model *m = model_find(model);

	return model.len == 0 || (m != NULL && m->sure);
}

const char *tokens_family_name(enum tokens_family family)
{
	return costs[family].name;
}

static enum script script_of(const unsigned char *c)
{
	if (c[0] < 0xCE)
		return LATIN;
	if (c[0] < 0xD0)
		return GREEK;
	if (c[0] < 0xD6)
		return CYRILLIC;
	if (c[0] < 0xE0)
		return ARABIC;
	if (c[0] < 0xE2)
		return INDIC;
	if (c[0] == 0xE2 || c[0] == 0xEF || (c[0] == 0xE3 && c[1] == 0x80))
		return SYMBOL;
	if (c[0] == 0xE3)
		return c[1] <= 0x83 ? KANA : HAN;
	if (c[0] < 0xEA)
		return HAN;
	return c[0] < 0xF0 ? HANGUL : EMOJI;
}

/* Bytes of the character at s.at[at], by its lead byte; what is too short or no lead byte is one. */
static size_t char_len(struct span s, size_t at)
{
	unsigned char c = s.at[at];
	size_t n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 1;

	for (size_t i = 1; i < n; i++) {
		if (at + i >= s.len || (s.at[at + i] & 0xC0) != 0x80)
			return 1;
	}
	return n;
}

static uint64_t wide_cost(const struct cost *cost, struct span s, size_t at, size_t *ret_len)
{
	*ret_len = char_len(s, at);
	return *ret_len == 1 ? NO_CHARACTER : cost->wide[script_of(s.at + at)];
}

static uint64_t sign_cost(size_t n)
{
	return SIGN_FIRST +
	       (n <= SIGNS_MANY ? (n - 1) * SIGN_MORE
				: (SIGNS_MANY - 1) * SIGN_MORE + (n - SIGNS_MANY) * SIGN_LINE);
}

static uint64_t digits_cost(const struct cost *cost, size_t n)
{
	CHECK(cost->digits > 0);
	return (n + cost->digits - 1) / cost->digits * 1000;
}

static size_t run_end(struct span s, size_t at, unsigned char class)
{
	while (at < s.len && classes[s.at[at]] == class)
		at++;
	return at;
}

/* Words with single blanks between them, which are a part of the word behind them. */
static size_t words_end(const struct cost *cost, struct span s, size_t at, struct tokens *sum)
{
	for (;;) {
		size_t end = letters_end(s, at + 1), n = end - at;

		sum->text += cost->word;
		if (n > cost->letters)
			sum->text += (n - cost->letters) * (uint64_t)cost->letter;
		if (end + 1 >= s.len || s.at[end] != ' ' || classes[s.at[end + 1]] != LETTER)
			return end;
		at = end + 1;
	}
}

struct tokens tokens_of(enum tokens_family family, struct span s)
{
	const struct cost *cost = &costs[family];
	struct tokens sum = { 0, 0 };
	size_t at = 0, end, n;

	for (; at < s.len; at = end) {
		unsigned char class = classes[s.at[at]];

		if (class == WIDE) {
			sum.text += wide_cost(cost, s, at, &n);
			end = at + n;
			continue;
		}
		if (class == LETTER) {
			end = words_end(cost, s, at, &sum);
			continue;
		}
		end = run_end(s, at + 1, class);
		n = end - at;
		if (class == SIGN)
			sum.text += sign_cost(n);
		else if (class == DIGIT)
			sum.text += n <= cost->digits ? 1000 : digits_cost(cost, n);
		else if (n > 1 || s.at[at] != ' ')
			sum.space += SPACE_RUN;
	}
	return sum;
}
