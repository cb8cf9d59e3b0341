/* SPDX-License-Identifier: Apache-2.0
 *
 * help: commands.def for people.
 */
#pragma once
#include "services/cli/opts.h"

/* Of a command, or with NULL of all. Asked for: to stdout, 0; else to stderr, EXIT_USAGE. */
int help_show(const struct command_row *command, bool asked);
