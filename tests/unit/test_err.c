/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <limits.h>
#include <string.h>

#include "base/fmt.h"
#include "tests/support/test.h"

static void rows_are_whole_and_found(void **state)
{
	unsigned count = 0;

	(void)state;
	for (const struct err_row *row = err_at(0); row != NULL; row = err_at(++count)) {
		assert_ptr_equal(err_row(row->wire), row);
		assert_ptr_equal(err_row(-row->wire), row);
		assert_int_equal(err_from_wire((uint32_t)row->wire), -row->wire);
		assert_in_range(row->wire, 1, 999);
		assert_in_range(row->http, 400, 599);
		assert_in_range(row->exit, 3, 10);
		assert_true(strlen(row->text) > 0 &&
			    strlen(row->text) < sizeof(((struct fail *)0)->detail));
		for (unsigned i = 0; i < count; i++)
			assert_string_not_equal(err_at(i)->name, row->name);
	}
	assert_int_equal(count, 20);
	assert_string_equal(err_row(ERR_BUSY)->name, "BUSY");
	assert_true(err_row(ERR_BUSY)->retry);
	assert_false(err_row(ERR_INVALID)->retry);
}

static void other_numbers_are_bugs(void **state)
{
	static const int others[] = { 0, 21, -21, 1000, INT_MAX, INT_MIN };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		assert_string_equal(err_row(others[i])->name, "BUG");
		assert_int_equal(err_from_wire((uint32_t)others[i]), ERR_BUG);
	}
	assert_null(err_at(UINT_MAX));
}

static void fail_is_filled(void **state)
{
	struct fail f = { .retry_after_ms = 5 };

	(void)state;
	assert_int_equal(fail_set(&f, ERR_TOO_BIG, "body", 512, "%d bytes", 600), ERR_TOO_BIG);
	assert_int_equal(f.code, ERR_TOO_BIG);
	assert_string_equal(f.field, "body");
	assert_int_equal(f.limit, 512);
	assert_int_equal(f.retry_after_ms, 0);
	assert_string_equal(f.detail, "600 bytes");
	assert_int_equal(fail_set(&f, ERR_BUSY, NULL, 0, NULL), ERR_BUSY);
	assert_string_equal(f.field, "");
	assert_string_equal(f.detail, err_row(ERR_BUSY)->text);
	assert_int_equal(fail_set(NULL, ERR_IO, "x", 0, "%s", "y"), ERR_IO);
}

static void its_own_texts_may_be_arguments(void **state)
{
	struct fail f = { 0 };

	(void)state;
	fail_set(&f, ERR_INVALID, "kind", 0, "unknown");
	fail_set(&f, f.code, f.field, 0, "task 3: %s", f.detail);
	assert_string_equal(f.field, "kind");
	assert_string_equal(f.detail, "task 3: unknown");
}

/* Wherever the cut falls, what remains is a start of the text, valid UTF-8, and lacks at most the bytes
 * of one character. */
static void long_texts_are_cut_between_characters(void **state)
{
	static const char *const characters[] = { "x", "\xC3\xA9", "\xE2\x82\xAC",
		"\xF0\x9D\x84\x9E" };
	char text[600];

	(void)state;
	for (size_t lead = 0; lead < 4; lead++) {
		for (size_t kind = 0; kind < 4; kind++) {
			struct fail f = { 0 };
			size_t size = strlen(characters[kind]);
			size_t n = lead;

			memset(text, 'a', lead);
			for (; n + size < sizeof(text); n += size)
				memcpy(text + n, characters[kind], size);
			text[n] = '\0';
			fail_set(&f, ERR_INVALID, text, 0, "%s", text);
			assert_in_range(strlen(f.detail), sizeof(f.detail) - size,
				sizeof(f.detail) - 1);
			assert_in_range(strlen(f.field), sizeof(f.field) - size,
				sizeof(f.field) - 1);
			assert_memory_equal(f.detail, text, strlen(f.detail));
			assert_memory_equal(f.field, text, strlen(f.field));
			assert_true(fmt_is_text(span_str(f.detail)));
			assert_true(fmt_is_text(span_str(f.field)));
		}
	}
}

static void texts_are_printable(void **state)
{
	struct fail f = { 0 };

	(void)state;
	fail_set(&f, ERR_INVALID, "a\nb", 0, "x%sy", "\x1B[2J\x80\xC3\xA9\xE2\x82\x7F\t");
	assert_string_equal(f.field, "a?b");
	assert_string_equal(f.detail, "x?[2J?\xC3\xA9????y");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole_and_found),
		cmocka_unit_test(other_numbers_are_bugs),
		cmocka_unit_test(fail_is_filled),
		cmocka_unit_test(its_own_texts_may_be_arguments),
		cmocka_unit_test(long_texts_are_cut_between_characters),
		cmocka_unit_test(texts_are_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
