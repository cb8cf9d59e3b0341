/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cli_opts: command lines, the table of commands, and words that were mistyped.
 */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "base/fmt.h"
#include "base/near.h"
#include "services/cli/json.h"
#include "services/cli/opts.h"
#include "services/cli/table.h"

static struct opts opts;

/* Parse words; the failure's text, or "". */
static const char *parse(const char *line)
{
	static struct fail why;
	static char copy[512];
	char *argv[32];
	int argc = 0;
	char *rest = copy;

	(void)snprintf(copy, sizeof(copy), "spu %s", line);
	while (rest != NULL && argc < 31)
		argv[argc++] = strsep(&rest, " ");
	argv[argc] = NULL;
	why = (struct fail){ 0 };
	if (opts_parse(&opts, argc, argv, &why) == 0)
		return "";
	assert_int_equal(why.code, ERR_INVALID);
	return why.detail;
}

static void test_values(void **state)
{
	(void)state;
	assert_string_equal(
		parse("submit util.echo a=b --in x --in=y --deadline 10m --priority 9 --fast c=d"),
		"");
	assert_string_equal(opts.command->name, "submit");
	assert_int_equal(opts.args.n, 3);
	assert_string_equal(opts.args.at[0], "util.echo");
	assert_string_equal(opts.args.at[2], "c=d");
	assert_int_equal(opts.in.n, 2);
	assert_string_equal(opts.in.at[1], "y");
	assert_true(opts.deadline_ns == 600 * NS_PER_S);
	assert_int_equal(opts.priority, 9);
	assert_true(opts.fast && !opts.no_wait);
	assert_int_equal(opts.price_ucr, -1);
	assert_null(opts.out);
}

static void test_places(void **state)
{
	(void)state;
	assert_string_equal(parse("--json --tenant t1 nodes"), "");
	assert_string_equal(opts.command->name, "nodes");
	assert_true(opts.json);
	assert_string_equal(parse("--url nodes nodes"), "");
	assert_string_equal(opts.url, "nodes");
	assert_string_equal(parse("submit util.echo -- --in=x"), "");
	assert_string_equal(opts.args.at[1], "--in=x");
	assert_string_equal(parse("submit util.echo --in -"), "");
	assert_string_equal(opts.in.at[0], "-");
	assert_string_equal(parse("submit --help"), "");
	assert_true(opts.help);
	assert_string_equal(parse("-h"), "");
	assert_true(opts.help && opts.command == NULL);
}

static void test_refusals(void **state)
{
	static const char *const rows[][2] = {
		{ "sumbit", "sumbit: unknown command; did you mean submit?" },
		{ "xyzzyxyzzy", "xyzzyxyzzy: unknown command" },
		{ "submit x --prioritty 3",
			"--prioritty: unknown option; did you mean --priority?" },
		{ "nodes --priority 3", "--priority: unknown option" },
		{ "submit x --priority 10", "--priority 10: not a number from 0 to 9" },
		{ "submit x --priority x", "--priority x: not a number from 0 to 9" },
		{ "submit x --price -1", "--price -1: not a number from 0 up" },
		{ "submit x --deadline soon",
			"--deadline soon: not a time from 1 ms to 30 d (such as 5s or 10m)" },
		{ "submit x --key a.b", "--key a.b: 1 to 64 letters, digits, _ or - are allowed" },
		{ "submit x --out", "--out needs a value (FILE)" },
		{ "submit x --fast=yes", "--fast takes no value" },
		{ "submit x -q", "-q: unknown option" },
		{ "blob", "blob needs more: spu blob put FILE|get HASH [FILE]|stat HASH" },
		{ "wait", "wait needs more: spu wait TASK" },
		{ "nodes more", "more: unexpected argument: spu nodes" },
	};

	(void)state;
	assert_string_equal(parse("nodes -json=1"), "-json=1: unknown option");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(parse(rows[i][0]), rows[i][1]);
}

/* A long last column is broken at blanks; a word that is longer than the line stays whole. */
static void test_fold(void **state)
{
	(void)state;
	assert_int_equal(table_fold(SPAN_LIT("one two three"), 13), 13);
	assert_int_equal(table_fold(SPAN_LIT("one two three"), 12), 7);
	assert_int_equal(table_fold(SPAN_LIT("one two three"), 7), 7);
	assert_int_equal(table_fold(SPAN_LIT("one two three"), 6), 3);
	assert_int_equal(table_fold(SPAN_LIT("one two three"), 1), 3);
	assert_int_equal(table_fold(SPAN_LIT("\xc3\xa4\xc3\xa4 b c"), 4), 6);
	assert_int_equal(table_fold(SPAN_LIT("word"), 0), 4);
	assert_int_equal(table_fold(SPAN_LIT(""), 5), 0);
}

/* The table is what help, dispatch and completion rest on. */
static void test_table(void **state)
{
	const struct command_row *row;
	const struct opt_row *option;

	(void)state;
	for (unsigned i = 0; (row = command_at(i)) != NULL; i++) {
		assert_ptr_equal(command_find(row->name), row);
		assert_true(row->low <= row->high && row->high <= OPTS_ARGS);
		assert_non_null(row->run);
	}
	for (unsigned i = 0; (option = option_at(i)) != NULL; i++) {
		assert_true(option_is_of(option, NULL) || command_find(option->command) != NULL);
		assert_true((option->type == OPT_FLAG) == (option->noun[0] == 0));
		for (unsigned k = 0; k < i; k++)
			assert_false(strcmp(option_at(k)->name, option->name) == 0 &&
				     strcmp(option_at(k)->command, option->command) == 0);
	}
}

static void test_near(void **state)
{
	static const char *const words[] = { "submit", "status", "up", "down", "tasks" };
	static const char *const rows[][2] = {
		{ "sumit", "submit" },
		{ "task", "tasks" },
		{ "dwon", "down" },
		{ "u", "up" },
		{ "q", NULL },
		{ "zebra", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct near near;

		near_init(&near, span_str(rows[i][0]));
		for (size_t k = 0; k < ARRAY_LEN(words); k++)
			near_try(&near, words[k]);
		if (rows[i][1] == NULL)
			assert_null(near.best);
		else
			assert_string_equal(near.best, rows[i][1]);
	}
}

static void test_json(void **state)
{
	struct json j;

	(void)state;
	json_init(&j);
	json_open(&j, NULL, '{');
	json_text(&j, "a", SPAN_LIT("x\"\n"));
	json_int(&j, "b", -5);
	json_open(&j, "c", '[');
	json_bool(&j, NULL, true);
	json_open(&j, NULL, '{');
	json_shut(&j, '}');
	json_shut(&j, ']');
	json_bytes(&j, "d", SPAN_LIT("\xff\x00\x01\x02"));
	json_bytes(&j, "e", SPAN_LIT("ok"));
	json_bytes(&j, "f", SPAN_LIT("\xff\xfe"));
	json_bytes(&j, "g", SPAN_LIT("\xff"));
	json_shut(&j, '}');
	assert_int_equal(buf_err(&j.buf), 0);
	buf_byte(&j.buf, 0);
	assert_string_equal((const char *)j.buf.at,
		"{\"a\":\"x\\\"\\n\",\"b\":-5,\"c\":[true,{}],\"base64\":\"/"
		"wABAg==\",\"e\":\"ok\",\"base64\":\"//4=\","
		"\"base64\":\"/w==\"}");
	json_done(&j);
}

static void test_text_safe(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	text_safe(&b, SPAN_LIT("a\033[1m\n\xc2\x9b\xc3\xa9\xff"));
	buf_byte(&b, 0);
	assert_string_equal((const char *)b.at, "a?[1m??\xc3\xa9?");
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_text_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
