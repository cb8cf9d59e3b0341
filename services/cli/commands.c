/* SPDX-License-Identifier: Apache-2.0
 *
 * commands: commands.def as tables.
 */
#include <stddef.h>
#include <string.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "services/cli/cli.h"

/* clang-format off */
static const struct opt_row options[] = {
#define COMMAND(name, args, low, high, words, text)
#define OPTION(command, name, type, member, low, high, noun, text) \
	{ #command, name, OPT_##type, offsetof(struct opts, member), low, high, noun, text },
#include "services/cli/commands.def"
#undef COMMAND
#undef OPTION
};

static const struct command_row commands[] = {
#define COMMAND(name, args, low, high, words, text) { #name, args, low, high, words, text, cmd_##name },
#define OPTION(command, name, type, member, low, high, noun, text)
#include "services/cli/commands.def"
#undef COMMAND
#undef OPTION
};
/* clang-format on */

const struct command_row *command_at(unsigned i)
{
	return i < ARRAY_LEN(commands) ? &commands[i] : NULL;
}

const struct command_row *command_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

const struct opt_row *option_at(unsigned i)
{
	return i < ARRAY_LEN(options) ? &options[i] : NULL;
}

bool option_is_of(const struct opt_row *row, const struct command_row *command)
{
	return strcmp(row->command, command == NULL ? "any" : command->name) == 0;
}
