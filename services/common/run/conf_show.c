/* SPDX-License-Identifier: Apache-2.0
 *
 * conf_show: help, the values in use, the sample file; all on stdout.
 */
#include <stdio.h>

#include "run/conf_opt.h"

#define COLUMN 26 /* where help texts start */

/* "1s to 10m; default 30s" */
static void show_bounds(const struct conf_row *row)
{
	char range[200];

	conf_value_range(row, range, sizeof(range));
	if (range[0] != '\0')
		printf("; %s", range);
	if (row->value == NULL)
		printf("; must be set");
	else if (row->value[0] != '\0')
		printf("; default %s", row->value);
}

static void show_option(const struct conf_row *row)
{
	char flag[CONF_NAME_BYTES], env[CONF_NAME_BYTES];
	int n;

	conf_flag_name(row->key, flag);
	conf_env_name(row->key, env);
	if (row->type == CONF_BOOL)
		n = printf("  %s, --no-%s", flag, flag + 2);
	else
		n = printf("  %s %s", flag, conf_value_noun(row));
	if (n > COLUMN - 2) {
		printf("\n");
		n = 0;
	}
	printf("%*s%s\n%*s%s", COLUMN - n, "", row->help, COLUMN, "", env);
	show_bounds(row);
	printf("\n");
}

static void show_options(const struct conf_opts *o)
{
	for (unsigned i = o->own; i < o->n; i++)
		show_option(o->at[i].row);
}

void conf_show_help(const struct conf_opts *o, const char *usage)
{
	printf("Usage: %s [OPTION]...\n%s\n\nOptions, each also as `key = value` in the file and "
	       "as a variable of the "
	       "environment:\n",
		o->program, usage);
	show_options(o);
	printf("\n"
	       "  --config FILE           read settings from FILE\n"
	       "                          SPU_CONFIG\n"
	       "  --print-config          print the settings in use and where each comes from\n"
	       "  --sample-config         print a file with all settings, commented out\n"
	       "  --version               print the version\n"
	       "  --help                  print this\n");
}

/* So that the file's rules give it back. */
static void show_quoted(const char *text)
{
	size_t len = strlen(text);

	if (strpbrk(text, "#\"\\") == NULL && text[0] != ' ' &&
		(len == 0 || text[len - 1] != ' ')) {
		printf("%s", text);
		return;
	}
	putchar('"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('"');
}

static void show_origin(const struct conf_opts *o, const struct conf_opt *opt)
{
	char name[CONF_NAME_BYTES];

	switch (opt->origin) {
	case CONF_DEFAULT:
		printf("default");
		break;
	case CONF_FILE:
		printf("%s:%d", o->path, opt->line);
		break;
	case CONF_ENV:
		conf_env_name(opt->row->key, name);
		printf("%s", name);
		break;
	case CONF_FLAG:
		conf_flag_name(opt->row->key, name);
		printf("%s", name);
		break;
	}
}

void conf_show_values(const struct conf_opts *o)
{
	for (unsigned i = o->own; i < o->n; i++) {
		const struct conf_opt *opt = &o->at[i];

		/* Secrets as comments, so that what is printed can be used as a file. */
		if (opt->row->type == CONF_SECRET) {
			printf("# %s = %s", opt->row->key,
				opt->text[0] == '\0' ? "(none)" : "(set)");
		} else {
			printf("%s = ", opt->row->key);
			show_quoted(opt->text);
		}
		printf("   # ");
		show_origin(o, opt);
		printf("\n");
	}
}

void conf_show_sample(const struct conf_opts *o)
{
	printf("# Settings of %s. A line `key = value` without the # takes effect.\n", o->program);
	for (unsigned i = o->own; i < o->n; i++) {
		const struct conf_row *row = o->at[i].row;
		char env[CONF_NAME_BYTES];

		conf_env_name(row->key, env);
		printf("\n# %s\n# %s", row->help, env);
		show_bounds(row);
		printf("\n#%s = ", row->key);
		show_quoted(row->value == NULL ? "" : row->value);
		printf("\n");
	}
}
