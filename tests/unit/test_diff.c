/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/diff.h"

#include "tests/support/test.h"

static struct arena arena;
static struct buf text;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, (size_t)64 << 20);
	buf_init(&text, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_done(&arena);
	buf_done(&text);
	return 0;
}

static void expect(const char *left, const char *right, uint32_t context, const char *wanted)
{
	struct diff d;

	buf_reset(&text);
	assert_int_equal(diff_texts(&arena, span_str(left), span_str(right), 100, &d), 0);
	diff_emit(&text, &d, SPAN_LIT("a"), SPAN_LIT("b"), context);
	buf_byte(&text, 0);
	assert_int_equal(buf_err(&text), 0);
	assert_string_equal((const char *)text.at, wanted);
}

/* As GNU diff -u has it. */
static void test_examples(void **state)
{
	(void)state;
	expect("", "", 3, "");
	expect("x\ny\n", "x\ny\n", 3, "");
	expect("", "x\n", 3, "--- a\n+++ b\n@@ -0,0 +1 @@\n+x\n");
	expect("x\ny\n", "", 3, "--- a\n+++ b\n@@ -1,2 +0,0 @@\n-x\n-y\n");
	expect("1\n2\n3\n4\n5\n", "1\n2\nX\n4\n5\n", 1,
		"--- a\n+++ b\n@@ -2,3 +2,3 @@\n 2\n-3\n+X\n 4\n");
	expect("1\n2\n3\n4\n5\n", "0\n1\n2\n3\n4\n", 0,
		"--- a\n+++ b\n@@ -0,0 +1 @@\n+0\n@@ -5 +5,0 @@\n-5\n");
	expect("1\n2\n3\n4\n5\n", "0\n1\n2\n3\n4\n", 2,
		"--- a\n+++ b\n@@ -1,5 +1,5 @@\n+0\n 1\n 2\n 3\n 4\n-5\n");
	expect("end", "end\n", 3,
		"--- a\n+++ b\n@@ -1 +1 @@\n-end\n\\ No newline at end of file\n+end\n");
}

/* Length of the longest common subsequence, by the table: the truth about the fewest edits. */
static unsigned common(const unsigned char *a, unsigned n, const unsigned char *b, unsigned m)
{
	static unsigned table[2][64];

	memset(table, 0, sizeof(table));
	for (unsigned i = 1; i <= n; i++) {
		for (unsigned k = 1; k <= m; k++) {
			const unsigned *before = table[(i - 1) % 2];
			unsigned *row = table[i % 2];

			row[k] = a[i - 1] == b[k - 1]     ? before[k - 1] + 1
				 : before[k] > row[k - 1] ? before[k]
							  : row[k - 1];
		}
	}
	return table[n % 2][m];
}

static struct span random_lines(struct prng *prng, unsigned char *letters, char *to,
	unsigned *ret_n)
{
	unsigned letters_n = 1 + (unsigned)prng_below(prng, 5);

	*ret_n = (unsigned)prng_below(prng, 40);
	for (unsigned i = 0; i < *ret_n; i++) {
		letters[i] = (unsigned char)('a' + prng_below(prng, letters_n));
		to[2 * i] = (char)letters[i];
		to[2 * i + 1] = '\n';
	}
	return span_of(to, 2 * (size_t)*ret_n);
}

/* What is not edited is the same on both sides, and the edits are as few as can be. */
static void test_against_the_table(void **state)
{
	struct prng prng;

	(void)state;
	rand_start(&prng);
	for (unsigned round = 0; round < 20000; round++) {
		unsigned char a[64], b[64];
		char left[128], right[128];
		unsigned n, m, i = 0, k = 0, same = 0, most;
		struct span ls = random_lines(&prng, a, left, &n);
		struct span rs = random_lines(&prng, b, right, &m);
		struct diff d;

		arena_reset(&arena);
		most = common(a, n, b, m);
		if (n + m > 2 * most)
			assert_int_equal(diff_texts(&arena, ls, rs, n + m - 2 * most - 1, &d),
				ERR_TOO_BIG);
		assert_int_equal(diff_texts(&arena, ls, rs, n + m - 2 * most, &d), 0);
		while (i < n || k < m) {
			if (i < n && d.left.is_edited[i]) {
				i++;
			} else if (k < m && d.right.is_edited[k]) {
				k++;
			} else {
				assert_true(i < n && k < m && a[i] == b[k]);
				i++;
				k++;
				same++;
			}
		}
		assert_int_equal(same, most);
		assert_int_equal(d.left.edited_n, n - most);
		assert_int_equal(d.right.edited_n, m - most);
	}
}

/* Two texts of 100,000 lines that have nothing in common are refused soon. */
static void test_bound(void **state)
{
	static char left[200000], right[200000];
	struct diff d;

	(void)state;
	for (size_t i = 0; i < sizeof(left); i += 2) {
		left[i] = (char)('a' + i / 2 % 7);
		right[i] = (char)('A' + i / 2 % 5);
		left[i + 1] = right[i + 1] = '\n';
	}
	assert_int_equal(diff_texts(&arena, span_of(left, sizeof(left)),
				 span_of(right, sizeof(right)), 2000, &d),
		ERR_TOO_BIG);
	arena_reset(&arena);
	assert_int_equal(diff_texts(&arena, span_of(left, sizeof(left)),
				 span_of(left + 2, sizeof(left) - 2), 1, &d),
		0);
}

static void test_no_memory(void **state)
{
	struct arena small;
	struct diff d;

	(void)state;
	for (size_t bytes = 16; bytes < 4096; bytes += 16) {
		arena_init(&small, bytes);
		int r = diff_texts(&small, SPAN_LIT("a\nb\nc\n"), SPAN_LIT("b\nc\nd\n"), 10, &d);
		assert_true(r == 0 || r == ERR_NO_MEMORY);
		arena_done(&small);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_examples),
		TEST(test_against_the_table),
		TEST(test_bound),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
