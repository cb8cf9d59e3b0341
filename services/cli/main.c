/* SPDX-License-Identifier: Apache-2.0
 *
 * spu: the command line. What there is to do stands in commands.def.
 */
#include "services/cli/cli.h"
#include "services/cli/help.h"

int main(int argc, char **argv)
{
	static struct cli c; /* large */
	struct fail why = { 0 };
	int exit;

	if (opts_parse(&c.opts, argc, argv, &why) < 0)
		return cli_usage("%s", why.detail);
	if (c.opts.help || c.opts.command == NULL)
		return help_show(c.opts.command, c.opts.help);
	exit = c.opts.command->run(&c);
	cli_close(&c);
	return exit;
}
