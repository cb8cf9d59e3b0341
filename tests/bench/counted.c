/* SPDX-License-Identifier: Apache-2.0
 *
 * counted: the program once more under callgrind for each row; only what is called from counted_here is collected.
 */
#include "tests/bench/counted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHILD "--counted"

void counted_here(const struct counted *row);

/* Its name is what callgrind looks for. */
__attribute__((noinline)) void counted_here(const struct counted *row)
{
	row->run();
}

bool counted_child(const struct counted *rows, size_t n, int argc, char **argv)
{
	if (argc != 3 || strcmp(argv[1], CHILD) != 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i].name, argv[2]) != 0)
			continue;
		rows[i].run();
		counted_here(&rows[i]);
	}
	return true;
}

/* 0: no valgrind. */
static long count(const struct counted *row, const char *self)
{
	char command[1024], line[512];
	long n = 0;
	FILE *f;

	snprintf(command, sizeof(command),
		"valgrind --tool=callgrind --callgrind-out-file=/dev/null "
		"--toggle-collect=counted_here '%s' " CHILD " %s 2>&1",
		self, row->name);
	f = popen(command, "r");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		const char *at = strstr(line, "Collected : ");

		if (at != NULL)
			n = strtol(at + strlen("Collected : "), NULL, 10);
	}
	pclose(f);
	return n;
}

void counted_print(const struct counted *rows, size_t n, const char *self)
{
	for (size_t i = 0; i < n; i++) {
		long instructions = count(&rows[i], self);

		if (instructions > 0)
			printf("figure %s_instructions %ld instructions\n", rows[i].name,
				instructions);
	}
}
