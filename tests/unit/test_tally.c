/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/tally.h"

#include "base/err.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

static void test_counts(void **state)
{
	const struct span texts[] = {
		SPAN_LIT("# Leases\n\nThe node keeps a lease. Leases end.\n\nCafé NODE"),
		SPAN_LIT("node"),
	};
	struct tally t;

	(void)state;
	assert_int_equal(tally_texts(&scratch, texts, 2, 2, &t), 0);
	assert_int_equal(t.bytes, texts[0].len + 4);
	assert_int_equal(t.characters, texts[0].len - 1 + 4);
	assert_int_equal(t.lines, 6);
	assert_int_equal(t.blank_lines, 2);
	assert_int_equal(t.longest_line, 35);
	assert_int_equal(t.paragraphs, 4);
	assert_int_equal(t.sentences, 5);
	assert_int_equal(t.words, 11);
	assert_int_equal(t.distinct_words, 8); /* leases the node keeps a lease end café */
	assert_int_equal(t.top_n, 2);
	assert_true(span_is(t.top[0].text, "Leases") && t.top[0].count == 3);
	assert_true(span_is(t.top[1].text, "node") && t.top[1].count == 3);
}

static void test_nothing(void **state)
{
	const struct span empty = { 0 };
	struct tally t;

	(void)state;
	assert_int_equal(tally_texts(&scratch, &empty, 1, 10, &t), 0);
	assert_int_equal(t.lines + t.words + t.characters + t.sentences + t.top_n, 0);
}

/* One word, one line, one byte each, and no text at all: half a megabyte of it. */
static void test_extremes(void **state)
{
	static unsigned char bytes[500000];
	struct span all = span_of(bytes, sizeof(bytes));
	struct tally t;

	(void)state;
	memset(bytes, 'w', sizeof(bytes));
	assert_int_equal(tally_texts(&scratch, &all, 1, 10, &t), 0);
	assert_true(t.words == 1 && t.lines == 1 && t.longest_line == sizeof(bytes));
	arena_reset(&scratch);
	memset(bytes, '\n', sizeof(bytes));
	assert_int_equal(tally_texts(&scratch, &all, 1, 10, &t), 0);
	assert_true(t.words == 0 && t.lines == sizeof(bytes) && t.longest_line == 0);
	arena_reset(&scratch);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i % 2 == 0 ? 'w' : ' ';
	assert_int_equal(tally_texts(&scratch, &all, 1, 10, &t), 0);
	assert_true(t.words == sizeof(bytes) / 2 && t.distinct_words == 1);
	arena_reset(&scratch);
	memset(bytes, 0xFF, sizeof(bytes));
	assert_int_equal(tally_texts(&scratch, &all, 1, 10, &t), 0);
	assert_true(t.words == 0 && t.characters == sizeof(bytes));
}

static void test_no_memory(void **state)
{
	const struct span text = SPAN_LIT("some words of a text");
	struct arena small;
	struct tally t;

	(void)state;
	for (size_t bytes = 16; bytes < 1024; bytes += 16) {
		arena_init(&small, bytes);
		int r = tally_texts(&small, &text, 1, 10, &t);
		assert_true(r == 0 || r == ERR_NO_MEMORY);
		arena_done(&small);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_open, scratch_close)
	const struct CMUnitTest tests[] = {
		TEST(test_counts),
		TEST(test_nothing),
		TEST(test_extremes),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
