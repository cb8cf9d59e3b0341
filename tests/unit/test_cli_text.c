/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cli_text: what others have written reaches a terminal without control characters.
 */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/cli/cli.h"
#include "services/cli/table.h"

static int saved_stderr = -1;
static FILE *caught;

static void catch_stderr(void)
{
	caught = tmpfile();
	assert_non_null(caught);
	fflush(stderr);
	saved_stderr = dup(STDERR_FILENO);
	assert_true(saved_stderr >= 0);
	assert_true(dup2(fileno(caught), STDERR_FILENO) >= 0);
}

static void expect_caught(const char *text)
{
	char got[512];
	size_t n;

	fflush(stderr);
	assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
	close(saved_stderr);
	rewind(caught);
	n = fread(got, 1, sizeof(got) - 1, caught);
	got[n] = '\0';
	fclose(caught);
	assert_string_equal(got, text);
}

/* Escape sequences, a line's end with a false line behind it, C1 as UTF-8. */
static void test_a_nodes_error(void **state)
{
	struct fail why = { 0 };

	(void)state;
	fail_set(&why, ERR_LOST, NULL, 0, "%s",
		"\033]0;x\007gone\nspu: all is well \xC2\x9B"
		"2J");
	catch_stderr();
	assert_int_equal(cli_fail(&why), err_row(ERR_LOST)->exit);
	expect_caught("spu: ?]0;x?gone?spu: all is well ?2J [LOST]\n");
	catch_stderr();
	assert_int_equal(cli_fail_text(ERR_LOST, "%s: it failed", "\033[31mname"),
		err_row(ERR_LOST)->exit);
	expect_caught("spu: ?[31mname: it failed [LOST]\n");
}

static void test_what_is_long_is_cut(void **state)
{
	static char text[TEXT_PRINT_BYTES + 100];
	FILE *to = tmpfile();

	(void)state;
	assert_non_null(to);
	memset(text, 'x', sizeof(text) - 1);
	text_print(to, "%s", text);
	assert_int_equal(ftell(to), TEXT_PRINT_BYTES - 1);
	rewind(to);
	text_print(to, "%s", "h\xC3\xA4\x7F");
	assert_int_equal(ftell(to), 4);
	fclose(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_nodes_error),
		cmocka_unit_test(test_what_is_long_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
