/* SPDX-License-Identifier: Apache-2.0
 *
 * counted: how many instructions parts of a benchmark take, counted by valgrind's callgrind: the figure that no other
 * load on the machine changes.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct counted {
	const char *name;
	void (*run)(void); /* always the same work; the second call is counted */
};

/* Is this program the child of counted_print? Then what it asks for is done, and there is nothing else to do. */
bool counted_child(const struct counted *rows, size_t n, int argc, char **argv);
/* `figure NAME_instructions N instructions` for each row; nothing where there is no valgrind. */
void counted_print(const struct counted *rows, size_t n, const char *self);
