/* SPDX-License-Identifier: Apache-2.0
 *
 * spu completion: commands.def for bash.
 */
#include <stdio.h>
#include <string.h>

#include "services/cli/cli.h"
#include "wire/kinds.h"

static void print_commands(void)
{
	const struct command_row *row;

	for (unsigned i = 0; (row = command_at(i)) != NULL; i++)
		printf("%s%s", i == 0 ? "" : " ", row->name);
}

static void print_options(const struct command_row *command)
{
	const struct opt_row *row;

	for (unsigned i = 0; (row = option_at(i)) != NULL; i++)
		if (option_is_of(row, NULL) || option_is_of(row, command))
			printf(" --%s", row->name);
}

static void print_words(const char *words)
{
	const struct kind_row *row;

	if (strcmp(words, "KINDS") == 0)
		for (unsigned i = 0; (row = kind_at(i)) != NULL; i++)
			printf(" %s", row->name);
	else if (strcmp(words, "COMMANDS") == 0)
		print_commands();
	else if (strcmp(words, "TASKS") == 0)
		fputs("$(spu tasks --quiet 2>/dev/null | awk 'NR > 1 && length($1) == 26 { print "
		      "$1 }')",
			stdout);
	else if (strcmp(words, "NODES") == 0)
		fputs("$(spu nodes --quiet 2>/dev/null | awk 'NR > 1 && $1 !~ /:$/ { print $1 }')",
			stdout);
	else
		fputs(words, stdout);
}

/* Parameters of a kind, after it. */
static void print_params(void)
{
	const struct kind_row *row;

	fputs("\tcase ${COMP_WORDS[2]} in\n", stdout);
	for (unsigned i = 0; (row = kind_at(i)) != NULL; i++) {
		printf("\t%s) params='", row->name);
		for (unsigned k = 0; k < row->params_n; k++)
			printf("%s%s=", k == 0 ? "" : " ", row->params[k].key);
		fputs("' ;;\n", stdout);
	}
	fputs("\tesac\n", stdout);
}

static void print_command(const struct command_row *row)
{
	printf("\t%s)\n\t\toptions='", row->name);
	print_options(row);
	printf("'\n");
	if (row->words[0] != '\0') {
		printf("\t\t[[ $COMP_CWORD -eq 2 ]] && words=\"");
		print_words(row->words);
		printf("\"\n");
	}
	printf("\t\t;;\n");
}

/* Options whose value is a file. */
static void print_files(void)
{
	const struct opt_row *row;
	const char *between = "";

	for (unsigned i = 0; (row = option_at(i)) != NULL; i++) {
		if (strcmp(row->noun, "FILE") != 0 && strcmp(row->noun, "FOLDER") != 0)
			continue;
		printf("%s--%s", between, row->name);
		between = " | ";
	}
}

static void print_bash(void)
{
	const struct command_row *row;

	fputs("# bash completion of spu; made by: spu completion bash\n_spu()\n{\n"
	      "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options= "
	      "words= params=\n"
	      "\tCOMPREPLY=()\n\tif [[ $COMP_CWORD -eq 1 ]]; then\n\t\tmapfile -t COMPREPLY < "
	      "<(compgen -W '",
		stdout);
	print_commands();
	fputs("' -- \"$word\")\n\t\treturn\n\tfi\n\tcase $before in\n\t", stdout);
	print_files();
	fputs(")\n\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n\t\tcompopt -o filenames "
	      "2>/dev/null\n"
	      "\t\treturn\n\t\t;;\n\tesac\n\tcase ${COMP_WORDS[1]} in\n",
		stdout);
	for (unsigned i = 0; (row = command_at(i)) != NULL; i++)
		print_command(row);
	fputs("\tesac\n\tif [[ ${COMP_WORDS[1]} == submit && $COMP_CWORD -gt 2 && $word != -* ]]; "
	      "then\n",
		stdout);
	print_params();
	fputs("\twords=$params\n\t[[ -n $params ]] && compopt -o nospace 2>/dev/null\n\tfi\n"
	      "\t[[ $word == -* ]] && words=$options\n"
	      "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n}\ncomplete -F _spu "
	      "spu\n",
		stdout);
}

int cmd_completion(struct cli *c)
{
	if (strcmp(c->opts.args.at[0], "bash") != 0)
		return cli_usage("completion %s: only bash is known", c->opts.args.at[0]);
	print_bash();
	return fflush(stdout) == 0 ? 0 : cli_fail_text(ERR_IO, "standard output");
}
