/* SPDX-License-Identifier: Apache-2.0
 *
 * spu: the command line. What there is to do stands in commands.def.
 */
#include <stdio.h>

#include "services/cli/cli.h"
#include "services/cli/help.h"

/* After a wrong command line. */
static int say_help(const struct cli *c, int exit)
{
	if (exit == EXIT_USAGE)
		fprintf(stderr, "spu: see spu help%s%s\n", c->opts.command != NULL ? " " : "",
			c->opts.command != NULL ? c->opts.command->name : "");
	return exit;
}

int main(int argc, char **argv)
{
	static struct cli c; /* large */
	struct fail why = { 0 };
	int exit;

	if (opts_parse(&c.opts, argc, argv, &why) < 0)
		return say_help(&c, cli_usage("%s", why.detail));
	if (c.opts.help || c.opts.command == NULL)
		return help_show(c.opts.command, c.opts.help);
	exit = c.opts.command->run(&c);
	cli_close(&c);
	return say_help(&c, exit);
}
