/* SPDX-License-Identifier: Apache-2.0 */
#include "base/span.h"

#include <stdio.h>

#include "tests/support/test.h"

static void part_is_clipped(void **state)
{
	struct span s = SPAN_LIT("abcdef");

	(void)state;
	assert_true(span_is(span_part(s, 2, 3), "cde"));
	assert_true(span_is(span_part(s, 2, SIZE_MAX), "cdef"));
	assert_int_equal(span_part(s, 6, 1).len, 0);
	assert_int_equal(span_part(s, SIZE_MAX, SIZE_MAX).len, 0);
	assert_int_equal(span_part((struct span){ 0 }, 1, 1).len, 0);
}

static void cut_takes_one_field_after_the_other(void **state)
{
	struct span s = SPAN_LIT("a,,bc");

	(void)state;
	assert_true(span_is(span_cut(&s, ','), "a"));
	assert_true(span_is(span_cut(&s, ','), ""));
	assert_true(span_is(span_cut(&s, ','), "bc"));
	assert_int_equal(s.len, 0);
	assert_true(span_is(span_cut(&s, ','), ""));
	s = SPAN_LIT("a,");
	assert_true(span_is(span_cut(&s, ','), "a"));
	assert_int_equal(s.len, 0);
}

static void trim_takes_ascii_space_only(void **state)
{
	(void)state;
	assert_true(span_is(span_trim(span_str(" \t\r\n\v\f a b \n")), "a b"));
	assert_int_equal(span_trim(span_str("  \n ")).len, 0);
	assert_int_equal(span_trim((struct span){ 0 }).len, 0);
	assert_true(span_is(span_trim(span_str("\xC2\xA0x")), "\xC2\xA0x"));
}

static void copy_ends_with_a_zero(void **state)
{
	char to[4] = "???";

	(void)state;
	assert_int_equal(span_copy(span_str("abcdef"), to, sizeof(to)), 3);
	assert_string_equal(to, "abc");
	assert_int_equal(span_copy((struct span){ 0 }, to, sizeof(to)), 0);
	assert_string_equal(to, "");
	assert_int_equal(span_copy(span_str("x"), to, 1), 0);
	assert_int_equal(span_copy(span_str("x"), NULL, 0), 0);
}

static void comparing(void **state)
{
	(void)state;
	assert_true(span_eq((struct span){ 0 }, span_str("")));
	assert_false(span_is(span_str("ab"), "abc"));
	assert_false(span_is(span_str("abd"), "abc"));
	assert_false(span_eq(span_of("a\0b", 3), span_of("a\0c", 3)));
	assert_true(span_is(span_str(NULL), ""));
}

/* Flipping any bit, at any length around the borders of the loops, changes about half of the hash; the
 * same bytes at another address do not. */
static void hash_depends_on_each_bit(void **state)
{
	unsigned char block[8 + 130];
	unsigned char moved[8 + 130];
	unsigned flips = 0, changed = 0;
	struct prng p;

	(void)state;
	rand_start(&p);
	for (size_t len = 1; len <= 130; len++) {
		size_t shift = len % 8;
		uint64_t hash;

		for (size_t i = 0; i < len; i++)
			moved[i] = block[shift + i] = (unsigned char)prng_next(&p);
		hash = span_hash(span_of(block + shift, len), 7);
		assert_true(hash == span_hash(span_of(moved, len), 7));
		assert_true(hash != span_hash(span_of(moved, len), 8));
		for (size_t bit = 0; bit < len * 8; bit++) {
			uint64_t other;

			moved[bit / 8] ^= (unsigned char)(1u << bit % 8);
			other = span_hash(span_of(moved, len), 7);
			moved[bit / 8] ^= (unsigned char)(1u << bit % 8);
			assert_true(hash != other);
			changed += (unsigned)__builtin_popcountll(hash ^ other);
			flips++;
		}
	}
	assert_in_range(changed / (flips / 1000), 31800, 32200);
}

static void hash_tells_lengths_apart(void **state)
{
	static const unsigned char zeros[200];
	uint64_t seen[200];

	(void)state;
	for (size_t len = 0; len < 200; len++) {
		seen[len] = span_hash(span_of(zeros, len), 0);
		for (size_t i = 0; i < len; i++)
			assert_true(seen[i] != seen[len]);
	}
	assert_true(span_hash((struct span){ 0 }, 0) == seen[0]);
}

/* Counting names must not crowd into the low bits: 4096 of them in 4096 buckets leave about 1/e empty. */
static void hash_spreads_similar_names(void **state)
{
	static unsigned char taken[4096];
	unsigned empty = 0;

	(void)state;
	for (int i = 0; i < 4096; i++) {
		char name[24];
		int n = snprintf(name, sizeof(name), "node-%d", i);

		taken[span_hash(span_of(name, (size_t)n), 1) % 4096] = 1;
	}
	for (int i = 0; i < 4096; i++)
		empty += taken[i] == 0;
	assert_in_range(empty, 1400, 1620);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(part_is_clipped),
		cmocka_unit_test(cut_takes_one_field_after_the_other),
		cmocka_unit_test(trim_takes_ascii_space_only),
		cmocka_unit_test(copy_ends_with_a_zero),
		cmocka_unit_test(comparing),
		cmocka_unit_test(hash_depends_on_each_bit),
		cmocka_unit_test(hash_tells_lengths_apart),
		cmocka_unit_test(hash_spreads_similar_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
