/* SPDX-License-Identifier: Apache-2.0
 *
 * help: prints the tables of commands.
 */
#include "services/cli/help.h"

#include <stdio.h>
#include <string.h>

#include "services/cli/cli.h"
#include "version.h"

#define OPTION_BYTES 64

static void option_text(const struct opt_row *row, char to[OPTION_BYTES])
{
	snprintf(to, OPTION_BYTES, "--%s%s%s", row->name, row->noun[0] != 0 ? " " : "", row->noun);
}

static void print_options(FILE *to, const struct command_row *command)
{
	const struct opt_row *row;
	char text[OPTION_BYTES];

	for (unsigned i = 0; (row = option_at(i)) != NULL; i++) {
		if (!option_is_of(row, command))
			continue;
		option_text(row, text);
		fprintf(to, "  %-21s %s\n", text, row->text);
	}
}

static bool has_options(const struct command_row *command)
{
	const struct opt_row *row;

	for (unsigned i = 0; (row = option_at(i)) != NULL; i++)
		if (option_is_of(row, command))
			return true;
	return false;
}

static void print_all(FILE *to)
{
	const struct command_row *row;

	fprintf(to, "spu %s: hand tasks to a mesh of CPU, GPU, API and human nodes\n\n",
		SPU_VERSION);
	fputs("usage: spu COMMAND [OPTION]...\n\ncommands:\n", to);
	for (unsigned i = 0; (row = command_at(i)) != NULL; i++)
		fprintf(to, "  %-11s %s\n", row->name, row->text);
	fputs("\noptions of every command:\n", to);
	print_options(to, NULL);
	fputs("\nspu help COMMAND says more. First steps:\n"
	      "  spu up --detach\n"
	      "  spu submit blob.compress --in FILE --out FILE.zst\n"
	      "  spu nodes\n"
	      "  spu down\n",
		to);
}

static void print_command(FILE *to, const struct command_row *row)
{
	fprintf(to, "usage: spu %s%s%s [OPTION]...\n%s\n", row->name, row->args[0] != 0 ? " " : "",
		row->args, row->text);
	if (has_options(row)) {
		fputs("\noptions:\n", to);
		print_options(to, row);
	}
	fputs("\noptions of every command:\n", to);
	print_options(to, NULL);
}

int help_show(const struct command_row *command, bool asked)
{
	FILE *to = asked ? stdout : stderr;

	if (command == NULL)
		print_all(to);
	else
		print_command(to, command);
	return asked ? 0 : EXIT_USAGE;
}

int cmd_help(struct cli *c)
{
	const struct command_row *row = NULL;

	if (c->opts.args.n > 0) {
		row = command_find(c->opts.args.at[0]);
		if (row == NULL)
			return cli_usage("%s: unknown command", c->opts.args.at[0]);
	}
	return help_show(row, true);
}

int cmd_version(struct cli *c)
{
	if (c->opts.json)
		printf("{\"version\":\"%s\",\"build\":\"%s\"}\n", SPU_VERSION, SPU_BUILD);
	else
		printf("spu %s\n", SPU_BUILD);
	return 0;
}
