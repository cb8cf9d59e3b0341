/* SPDX-License-Identifier: Apache-2.0
 *
 * csv: tables whose lines are cells apart by tabs, commas or semicolons (RFC 4180 but for line ends inside quotes).
 * It takes no memory.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct csv {
	unsigned char sign; /* between cells */
	uint32_t cells;     /* in each line */
	bool named;         /* the first line has the names of the columns */
};

/* Bytes of a table at the start of s, whole lines: four or more with the same number of cells, the first of which looks
 * like a head. 0 if there is none. */
size_t csv_len(struct span s, struct csv *ret);

/* The next cell of a line, with its quotes; false behind the last one. *at begins as 0. */
bool csv_cell(const struct csv *csv, struct span line, size_t *at, struct span *ret);
