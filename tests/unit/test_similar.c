/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/similar.h"

#include <stdio.h>

#include "tests/support/scratch.h"
#include "tests/support/test.h"

#define TEXTS 400u
#define WORDS 60u

static void test_examples(void **state)
{
	const struct span texts[] = {
		SPAN_LIT("The quick brown fox jumps over the lazy dog near the river bank."),
		SPAN_LIT("Something else entirely, with no word in common."),
		SPAN_LIT("the quick brown fox jumps over the lazy dog near the river bank"),
		SPAN_LIT("The quick brown fox jumps over the lazy dog near the river bed."),
		SPAN_LIT("two words"),
		SPAN_LIT("Two Words"),
		SPAN_LIT("words two"),
		SPAN_LIT(""),
		SPAN_LIT("   "),
		SPAN_LIT("+++"),
		SPAN_LIT("This is allowed."),
		SPAN_LIT("This is not allowed."),
	};
	struct similar found[ARRAY_LEN(texts)];

	(void)state;
	assert_int_equal(similar_find(&scratch, texts, ARRAY_LEN(texts), 800, found), 0);
	assert_true(found[0].of == 0 && found[1].of == 1);
	assert_true(found[2].of == 0 && found[2].permille == 1000);
	assert_true(found[3].of == 0 && found[3].permille == 833); /* 10 of 12 */
	assert_true(found[4].of == 4 && found[5].of == 4 && found[6].of == 6);
	assert_true(found[7].of == 7 && found[8].of == 7 && found[9].of == 9);
	assert_true(found[10].of == 10 && found[11].of == 11);
}

/* Texts of numbered words, many of them earlier ones with some words changed. */
static void make_texts(struct prng *prng, unsigned *words)
{
	for (unsigned i = 0; i < TEXTS; i++) {
		unsigned from = prng_chance(prng, 1, 2) ? (unsigned)prng_below(prng, i + 1) : i;
		unsigned changes = (unsigned)prng_below(prng, 5);

		for (unsigned k = 0; k < WORDS; k++)
			words[i * WORDS + k] = from == i ? (unsigned)prng_below(prng, 1000000)
							 : words[from * WORDS + k];
		for (; from != i && changes > 0; changes--)
			words[i * WORDS + prng_below(prng, WORDS)] =
				(unsigned)prng_below(prng, 1000000);
	}
}

static unsigned shingles_in(const unsigned *a, const unsigned *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i + 3 <= WORDS; i++) {
		for (unsigned k = 0; k + 3 <= WORDS; k++) {
			if (memcmp(a + i, b + k, 3 * sizeof(*a)) == 0) {
				n++;
				break;
			}
		}
	}
	return n;
}

/* The slow truth: 58 shingles each, all different as good as always. */
static unsigned true_permille(const unsigned *a, const unsigned *b)
{
	unsigned both = shingles_in(a, b);

	return both * 1000 / (2 * (WORDS - 2) - both);
}

/* No false ones; nearly none missed; what is repeated is itself kept. */
static void test_against_the_slow_truth(void **state)
{
	static unsigned words[TEXTS * WORDS];
	static char room[TEXTS][WORDS * 8];
	static struct span texts[TEXTS];
	static struct similar found[TEXTS];
	struct prng prng;
	unsigned missed = 0, repeats = 0;

	(void)state;
	rand_start(&prng);
	make_texts(&prng, words);
	for (unsigned i = 0; i < TEXTS; i++) {
		size_t at = 0;

		for (unsigned k = 0; k < WORDS; k++)
			at += (size_t)snprintf(room[i] + at, sizeof(room[i]) - at, "%u ",
				words[i * WORDS + k]);
		texts[i] = span_of(room[i], at);
	}
	assert_int_equal(similar_find(&scratch, texts, TEXTS, 700, found), 0);
	for (unsigned i = 0; i < TEXTS; i++) {
		bool is = false;

		for (unsigned k = 0; k < i; k++)
			is = is || (found[k].of == k && true_permille(words + i * WORDS,
								words + k * WORDS) >= 700);
		repeats += is;
		missed += is && found[i].of == i;
		if (found[i].of == i)
			continue;
		assert_true(is && found[found[i].of].of == found[i].of);
		assert_int_equal(found[i].permille,
			true_permille(words + i * WORDS, words + found[i].of * WORDS));
	}
	assert_true(repeats > 100);
	assert_true(missed <= repeats / 50);
}

static void test_limits(void **state)
{
	static struct span texts[SIMILAR_TEXTS_MAX + 1];
	static struct similar found[SIMILAR_TEXTS_MAX + 1];
	struct arena small;

	(void)state;
	assert_int_equal(similar_find(&scratch, texts, 0, 1000, found), 0);
	assert_int_equal(similar_find(&scratch, texts, SIMILAR_TEXTS_MAX + 1, 1000, found),
		ERR_TOO_BIG);
	for (size_t i = 0; i < SIMILAR_TEXTS_MAX; i++)
		texts[i] = SPAN_LIT("the same line again and again");
	assert_int_equal(similar_find(&scratch, texts, SIMILAR_TEXTS_MAX, 500, found), 0);
	assert_int_equal(found[SIMILAR_TEXTS_MAX - 1].of, 0);
	arena_init(&small, 1024);
	assert_int_equal(similar_find(&small, texts, 100, 500, found), ERR_NO_MEMORY);
	arena_done(&small);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_open, scratch_close)
	const struct CMUnitTest tests[] = {
		TEST(test_examples),
		TEST(test_against_the_slow_truth),
		TEST(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
