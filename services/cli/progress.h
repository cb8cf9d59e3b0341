/* SPDX-License-Identifier: Apache-2.0
 *
 * progress: what a task does, on stderr: one line that is written over on a terminal, plain lines elsewhere.
 */
#pragma once
#include <stdbool.h>

#include "base/check.h"

struct progress {
	bool is_on;
	bool is_terminal;
	bool is_shown; /* there is a line to write over */
	char last[256];
};

void progress_init(struct progress *p, bool is_on);
/* The same text again is not shown. */
void progress_say(struct progress *p, const char *format, ...) PRINTF_LIKE(2, 3);
/* Take the line away. */
void progress_end(struct progress *p);
