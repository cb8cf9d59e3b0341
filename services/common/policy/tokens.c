/* SPDX-License-Identifier: Apache-2.0
 *
 * tokens: runs of bytes of one class, and what a run of its length costs. The figures are from what is published
 * about the vocabularies: most English words up to seven letters are one token, digits go in groups, a character of
 * another script costs more the rarer its script is in the vocabulary.
 */
#include "policy/tokens.h"

#include "base/check.h"
#include "policy/scan.h"

#include "base/pure.h"

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

/* What is left to count of runs that go on from one block of 64 bytes to the next: the sets of the block before,
 * whose last bytes are the highest bits. */
struct runs {
	uint64_t letters, signs, spaces, blanks;
	size_t digits; /* so many at its end */
	size_t wide;   /* the next character that is no ASCII begins here or later */
};

/* The bits that have `n` others of their set right before them, n = 6 or 7: that end a row of n + 1. `before`: the
 * block before, of which only the last ones matter. */
static uint64_t inside(uint64_t set, uint64_t before, unsigned n)
{
	unsigned __int128 runs = (unsigned __int128)set << 64 | before;

	runs &= runs << 1;
	runs &= runs << 2;
	runs &= n == 7 ? runs << 4 : runs << 3;
	return (uint64_t)(runs >> 64);
}

/* The bits that follow one of the set. */
static uint64_t after(uint64_t set, uint64_t before)
{
	return set << 1 | before >> 63;
}

static uint64_t letters_cost(const struct cost *cost, uint64_t set, uint64_t before)
{
	uint64_t sum = (uint64_t)scan_count(set & ~after(set, before)) * cost->word,
		 more = inside(set, before, cost->letters);

	return sum + (more == 0 ? 0 : (uint64_t)scan_count(more) * cost->letter);
}

static uint64_t signs_cost(uint64_t set, uint64_t before)
{
	uint64_t follow = set & after(set, before), many;

	if (follow == 0)
		return (uint64_t)scan_count(set) * SIGN_FIRST;
	many = inside(set, before, SIGNS_MANY);
	return (uint64_t)scan_count(set & ~follow) * SIGN_FIRST +
	       (uint64_t)scan_count(follow & ~many) * SIGN_MORE +
	       (uint64_t)scan_count(many) * SIGN_LINE;
}

/* Of runs that are no single blank: that is seen at their first byte, or at their second one. */
static uint64_t spaces_cost(uint64_t spaces, uint64_t blanks, const struct runs *before)
{
	uint64_t starts = spaces & ~after(spaces, before->spaces),
		 starts_before = before->spaces & ~(before->spaces << 1),
		 seconds = spaces & after(starts & blanks, starts_before & before->blanks);

	return (uint64_t)scan_count((starts & ~blanks) | seconds) * SPACE_RUN;
}

static uint64_t groups(const struct cost *cost, size_t digits)
{
	return (digits + cost->digits - 1) / cost->digits;
}

static uint64_t digits_cost(const struct cost *cost, uint64_t set, size_t *before)
{
	uint64_t sum = 0;
	size_t had = (set & 1) != 0 ? *before : 0;

	*before = 0;
	while (set != 0) {
		unsigned at = (unsigned)__builtin_ctzll(set);
		uint64_t behind = ~(set >> at);
		unsigned n = behind == 0 ? 64 : (unsigned)__builtin_ctzll(behind);

		sum += (groups(cost, had + n) - groups(cost, had)) * 1000;
		*before = at + n == SCAN_BYTES ? had + n : 0;
		had = 0;
		set = at + n >= SCAN_BYTES ? 0 : set & UINT64_MAX << (at + n);
	}
	return sum;
}

/* Of characters that are no ASCII in the block at `from`. */
static uint64_t wides_cost(const struct cost *cost, struct span s, size_t from, uint64_t set,
	size_t *next)
{
	uint64_t sum = 0;

	for (; set != 0; set &= set - 1) {
		size_t at = from + (unsigned)__builtin_ctzll(set), n;

		if (at < *next)
			continue;
		sum += wide_cost(cost, s, at, &n);
		*next = at + n;
	}
	return sum;
}

static inline scan_lane is_blank(scan_lane bytes)
{
	return scan_is(bytes, ' ');
}

struct tokens tokens_of(enum tokens_family family, struct span s)
{
	const struct cost *cost = &costs[family];
	struct tokens sum = { 0, 0 };
	struct runs before = { 0 };

	for (size_t at = 0; at < s.len; at += SCAN_BYTES) {
		struct scan_block b;
		uint64_t letters, spaces, blanks, digits, wide, signs;

		scan_open(&b, s, at);
		letters = SCAN(&b, scan_letter);
		spaces = SCAN(&b, scan_space);
		blanks = SCAN(&b, is_blank);
		digits = SCAN(&b, scan_digit);
		wide = SCAN(&b, SCAN_WIDE);
		signs = scan_all(&b) & ~(letters | spaces | digits | wide);
		sum.text += letters_cost(cost, letters, before.letters);
		sum.space += spaces_cost(spaces, blanks, &before);
		if (signs != 0)
			sum.text += signs_cost(signs, before.signs);
		if (digits != 0)
			sum.text += digits_cost(cost, digits, &before.digits);
		if (wide != 0)
			sum.text += wides_cost(cost, s, at, wide, &before.wide);
		before.letters = letters;
		before.signs = signs;
		before.spaces = spaces;
		before.blanks = blanks;
		before.digits = digits == 0 ? 0 : before.digits;
	}
	return sum;
}
