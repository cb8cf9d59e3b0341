/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cpu_kinds_worst: the largest inputs of the worst sort. Each was minutes or many seconds of a node's thread before
 * it was met; nothing is said of time here, but where that comes back the time of a test ends first.
 */
#include "tests/support/cpu_trial.h"

#include "base/mem.h"
#include "policy/patch.h"

#define TEXT_BYTES 520000u
#define WORD 5u

/* Words, each with this sign behind it, whose hashes end alike: they belong into one 128th of a table. */
static void put_alike(struct buf *b, char sign, bool folded, size_t bytes, unsigned *from)
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz0123456789";
	const size_t letters_n = sizeof(letters) - 1;

	for (size_t end = b->len + bytes; b->len + WORD + 1 <= end; (*from)++) {
		char word[WORD + 1];
		unsigned n = *from;
		uint64_t hash;

		for (unsigned i = 0; i < WORD; i++, n /= letters_n)
			word[i] = letters[n % letters_n];
		word[WORD] = sign;
		hash = span_hash(span_of(word, WORD + (sign == '\n')), 0);
		if (folded)
			hash ^= hash >> 32;
		if ((hash & 0x3FFFF) < 2048)
			buf_add(b, span_of(word, sizeof(word)));
	}
	assert_int_equal(buf_err(b), 0);
}

static void put_lines(struct buf *b, const char *line)
{
	while (b->len + strlen(line) <= TEXT_BYTES)
		buf_str(b, line);
}

static int run_text(const char *kind, const char *key, const char *value, struct span text)
{
	struct trial t;
	int r;

	trial_open(&t);
	trial_param(&t, key, value);
	trial_item(&t, "text", text);
	r = trial_run(&t, kind, 1);
	trial_close(&t);
	return r;
}

static void test_words_with_like_hashes(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	unsigned from = 0;

	(void)state;
	buf_init(&b, TEXT_BYTES);
	put_alike(&b, ' ', false, TEXT_BYTES, &from);
	assert_int_equal(run_text("text.stats", "top", "10", buf_span(&b)), 0);
	buf_reset(&b);
	from = 0;
	put_alike(&b, ' ', true, TEXT_BYTES, &from);
	assert_int_equal(run_text("text.compress", "ratio_milli", "5000", buf_span(&b)), 0);
	assert_int_equal(run_text("text.extract", "sentences", "8", buf_span(&b)), 0);
}

static void test_lines_with_like_hashes(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	unsigned from = 0;
	struct trial t;

	(void)state;
	buf_init(&b, TEXT_BYTES);
	put_alike(&b, '\n', false, TEXT_BYTES, &from);
	trial_open(&t);
	trial_item(&t, "old", span_part(buf_span(&b), 0, TEXT_BYTES / 2));
	trial_item(&t, "new", span_part(buf_span(&b), TEXT_BYTES / 2, TEXT_BYTES));
	trial_refuse(&t, "data.diff", ERR_TOO_BIG, "max_edits", "more than 5000 lines differ");
	trial_close(&t);
}

/* Each line of a list of files could begin a diff. */
static void test_files_without_a_change(void **state)
{
	static const char *const lines[] = { "Index: a\n", "--- a\n+++ b\n", "diff -u a b\n",
		"@@ -1,0 +1,0 @@\n", "@@ -1 +1 @@\n a\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		CLEANUP(buf_done) struct buf b = { 0 };

		buf_init(&b, TEXT_BYTES);
		put_lines(&b, lines[i]);
		assert_int_equal(run_text("text.compress", "mode", "lossless", buf_span(&b)), 0);
	}
}

static size_t len_behind_files(unsigned files)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, 65536);
	for (unsigned i = 0; i < files; i++)
		buf_fmt(&b, "diff --git a/%u b/%u\nrename from %u\n", i, i, i);
	buf_str(&b, "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n");
	assert_int_equal(buf_err(&b), 0);
	return b.len - patch_len(buf_span(&b));
}

static void test_how_far_a_change_is_looked_for(void **state)
{
	(void)state;
	assert_int_equal(len_behind_files(0), 0);
	assert_int_equal(len_behind_files(20), 0);
	assert_in_range(len_behind_files(100), 100 * 10, 65536); /* nothing of it is a diff */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_with_like_hashes),
		cmocka_unit_test(test_lines_with_like_hashes),
		cmocka_unit_test(test_files_without_a_change),
		cmocka_unit_test(test_how_far_a_change_is_looked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
