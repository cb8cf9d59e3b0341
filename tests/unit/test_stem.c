/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/stem.h"

#include "base/utf8.h"
#include "policy/words.h"
#include "tests/support/test.h"

static void check_stem(const char *word, const char *want)
{
	char room[STEM_BYTES];
	size_t len = strlen(word);

	stem_fold(span_str(word), room);
	len = stem_cut(room, len);
	if (!span_is(span_of(room, len), want))
		fail_msg("%s gives %.*s, wanted %s", word, (int)len, room, want);
}

static void test_cut(void **state)
{
	static const char *const cases[][2] = { { "leases", "leas" }, { "Leasing", "leas" },
		{ "running", "run" }, { "ran", "run" }, { "Queries", "queri" },
		{ "query", "queri" }, { "carried", "carri" }, { "carry", "carri" },
		{ "boxes", "box" }, { "falling", "fall" }, { "quickly", "quick" },
		{ "easily", "easi" }, { "easy", "easi" }, { "children", "child" },
		{ "understood", "understand" }, { "class", "class" }, { "bus", "bus" },
		{ "status", "status" }, { "red", "red" }, { "string", "string" }, { "key", "key" },
		{ "a", "a" }, { "", "" }, { "is", "is" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_stem(cases[i][0], cases[i][1]);
}

/* The table is searched by halves, and a base is no form of another word. */
static void test_forms_are_sorted(void **state)
{
	static const char *const forms[][2] = {
#define FORM(form, base) { #form, #base },
#include "policy/stem_forms.def"
#undef FORM
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		char a[STEM_BYTES], b[STEM_BYTES];
		size_t a_len = strlen(forms[i][0]), b_len = strlen(forms[i][1]);

		assert_true(i == 0 || strcmp(forms[i - 1][0], forms[i][0]) < 0);
		assert_true(a_len < 12 && b_len < 12);
		memcpy(a, forms[i][0], a_len);
		memcpy(b, forms[i][1], b_len);
		a_len = stem_cut(a, a_len);
		b_len = stem_cut(b, b_len);
		assert_true(span_eq(span_of(a, a_len), span_of(b, b_len)));
	}
}

static void test_fold(void **state)
{
	static const char *const cases[][2] = { { "LEASE_9", "lease_9" },
		{ "\xC3\x89T\xC3\x89", "\xC3\xA9t\xC3\xA9" },
		{ "\xC3\x97\xC3\xB7", "\xC3\x97\xC3\xB7" }, /* signs for times and divided by */
		{ "\xD0\x96\xD0\xA3\xD0\x9A \xD0\x81", "\xD0\xB6\xD1\x83\xD0\xBA \xD1\x91" },
		{ "\xCE\xA9\xCE\x91", "\xCF\x89\xCE\xB1" },
		{ "\xC5\xA0\xC5\xBD", "\xC5\xA1\xC5\xBE" }, { "\xC4\x90", "\xC4\x91" },
		{ "\xD4\xB1", "\xD5\xA1" }, { "\xD5\xA1", "\xD5\xA1" }, { "A\xC3", "a\xC3" },
		{ "\xFF"
		  "B\x80",
			"\xFF"
			"b\x80" },
		{ "\xE4\xBB\x8A", "\xE4\xBB\x8A" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char to[STEM_BYTES];

		stem_fold(span_str(cases[i][0]), to);
		assert_memory_equal(to, cases[i][1], strlen(cases[i][1]));
	}
}

/* Any letter of two bytes stays a character, and folding twice is folding once. */
static void test_fold_keeps_utf8(void **state)
{
	(void)state;
	for (unsigned c = 0x80; c < 0x800; c++) {
		char in[2] = { (char)(0xC0 | c >> 6), (char)(0x80 | (c & 0x3F)) };
		char once[STEM_BYTES], twice[STEM_BYTES];

		stem_fold(span_of(in, 2), once);
		assert_int_equal(utf8_step(span_of(once, 2)), 2);
		stem_fold(span_of(once, 2), twice);
		assert_memory_equal(once, twice, 2);
	}
}

/* What stands behind a word in its room does not matter. */
static bool is_stop(const char *word)
{
	char room[STEM_BYTES];
	size_t len = strlen(word);

	memset(room, 's', sizeof(room));
	memcpy(room, word, len);
	return stem_is_stop(room, len);
}

static void test_stop(void **state)
{
	(void)state;
	assert_true(is_stop("the") && is_stop("x") && is_stop("without"));
	assert_false(is_stop("theme") || is_stop("lease") || is_stop("9") || is_stop(""));
	assert_false(is_stop("wit") || is_stop("yourself") || is_stop("zz") || is_stop("aa"));
}

/* Forms that are equal as written are judged alike; words_next is both steps together. */
static void test_forms(void **state)
{
	struct span text = SPAN_LIT("Routers route the router's tasks; \xD0\x96\xD1\x83\xD0\xBA");
	struct words a = words_of(text), b = words_of(text);
	struct form form;
	struct word word;
	int n = 0;

	(void)state;
	while (words_next_form(&a, &form)) {
		char room[STEM_BYTES];
		struct span stem;
		struct word judged = words_judge(&form, room, &stem);

		assert_true(words_next(&b, &word));
		assert_true(span_eq(word.text, judged.text) && word.is_stop == judged.is_stop);
		assert_true(word.is_stop || word.hash == judged.hash);
		assert_int_equal(stem.len == 0, word.is_stop);
		n++;
	}
	assert_false(words_next(&b, &word));
	assert_int_equal(n, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_forms_are_sorted),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_fold_keeps_utf8),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
