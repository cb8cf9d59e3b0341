/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases are in tests/cases/base/fmt.txt.
 */
#include "base/fmt.h"

#include "base/err.h"
#include "base/utf8.h"
#include "tests/support/test.h"

static void parses(struct case_line *c, int (*parse)(struct span s, int64_t *ret))
{
	int64_t n = -77;
	int r = parse(case_word(c, 1), &n);

	if (case_has(c, "is")) {
		case_same_int(c, "the result", r, 0);
		case_same_int(c, "the number", n, case_int(c, "is", NULL));
	} else {
		case_same_int(c, "the result", r, ERR_INVALID);
		case_same_int(c, "the number after a failure", n, -77);
	}
}

static void prints(struct case_line *c, char *(*print)(int64_t n, char *to))
{
	char text[24];
	int64_t n;

	if (fmt_int(case_word(c, 1), &n) < 0)
		case_fail(c, "the number cannot be read");
	case_same_text(c, "the text", span_str(print(n, text)), case_value(c, "is", NULL));
}

static void judges(struct case_line *c, bool (*judge)(struct span s))
{
	case_same_text(c, "the answer", span_str(judge(case_word(c, 1)) ? "yes" : "no"),
		case_value(c, "is", NULL));
}

static void clips(struct case_line *c)
{
	case_same_text(c, "the start", fmt_clip(case_word(c, 1), (size_t)case_int(c, "max", NULL)),
		case_value(c, "is", NULL));
}

static void run_case(struct case_line *c)
{
	struct span verb = case_word(c, 0);

	if (span_is(verb, "int"))
		parses(c, fmt_int);
	else if (span_is(verb, "duration"))
		parses(c, fmt_duration);
	else if (span_is(verb, "bytes"))
		parses(c, fmt_bytes);
	else if (span_is(verb, "duration-text"))
		prints(c, fmt_duration_text);
	else if (span_is(verb, "bytes-text"))
		prints(c, fmt_bytes_text);
	else if (span_is(verb, "token"))
		judges(c, fmt_is_token);
	else if (span_is(verb, "kind"))
		judges(c, fmt_is_kind);
	else if (span_is(verb, "utf8"))
		judges(c, fmt_is_text);
	else if (span_is(verb, "clip"))
		clips(c);
	else
		case_fail(c, "no such verb");
}

/* The textbook encoder: every character comes back, and nothing else of up to 3 bytes is taken. */
static size_t encode(uint32_t c, unsigned char *to)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };

	for (size_t i = n - 1; i > 0; i--) {
		to[i] = (unsigned char)(0x80 | (c & 0x3F));
		c >>= 6;
	}
	to[0] = (unsigned char)(lead[n] | c);
	return n;
}

static void every_character_is_utf8(void **state)
{
	unsigned char bytes[4];

	(void)state;
	for (uint32_t c = 0; c < 0x110100; c++) {
		size_t n = encode(c, bytes);
		bool is_character = (c < 0xD800 || c > 0xDFFF) && c <= 0x10FFFF;
		int step = utf8_step(span_of(bytes, n));

		assert_int_equal(step, is_character ? (int)n : -1);
		for (size_t len = 1; is_character && len < n; len++)
			assert_int_equal(utf8_step(span_of(bytes, len)), -(int)len);
	}
	assert_int_equal(utf8_step((struct span){ 0 }), 0);
}

static void nothing_else_is_utf8(void **state)
{
	unsigned two = 0, three = 0;

	(void)state;
	for (uint32_t i = 0; i < 1u << 24; i++) {
		unsigned char bytes[3] = { (unsigned char)(i >> 16), (unsigned char)(i >> 8),
			(unsigned char)i };
		int step = utf8_step(span_of(bytes, 3));

		two += step == 2;
		three += step == 3;
	}
	/* U+0080 to U+07FF, each with any third byte; U+0800 to U+FFFF without 2048 surrogates. */
	assert_int_equal(two, (0x800 - 0x80) * 256);
	assert_int_equal(three, 0x10000 - 0x800 - 0x800);
}

/* The model: the longest of all starts that ends between characters. */
static void clip_takes_the_longest_start(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int turn = 0; turn < 2000; turn++) {
		unsigned char text[64];
		size_t border[64] = { 0 };
		size_t len = 0, count = 1;

		while (len < 40) {
			uint32_t c = (uint32_t)(0x10FFFF >> prng_below(&p, 21));

			if (c >= 0xD800 && c <= 0xDFFF)
				continue;
			len += encode(c, text + len);
			border[count++] = len;
		}
		for (size_t max = 0; max <= len; max++) {
			size_t wanted = 0;

			for (size_t i = 0; i < count; i++)
				wanted = border[i] <= max ? border[i] : wanted;
			assert_int_equal(fmt_clip(span_of(text, len), max).len, wanted);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_character_is_utf8),
		cmocka_unit_test(nothing_else_is_utf8),
		cmocka_unit_test(clip_takes_the_longest_start),
	};
	int failed = cases_run("tests/cases/base/fmt.txt", run_case);

	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
