/* SPDX-License-Identifier: Apache-2.0
 *
 * crush: sections that say the same many times, as units that say it once. All append to g->units; 0 or
 * ERR_NO_MEMORY.
 */
#pragma once
#include "policy/guard.h"

/* Values of JSON, one or several. Objects that are alike become a table: a head with the names of their members and
 * with those members that have one value in all, then a row for each; members of another object, and elements of other
 * arrays, become units as they are, without white space. Numbers and strings stay the bytes that they were. */
int crush_json(struct guard *g, struct span text) MUST_USE;
/* Lines of a log. Those that differ only in their numbers become the first of them and how many they are; errors and
 * warnings only if no more than their time differs. */
int crush_log(struct guard *g, struct span text) MUST_USE;
/* Each line a unit of its own. */
int crush_lines(struct guard *g, struct span text) MUST_USE;
/* A table with a sign between its cells: its head, where columns with one value in all rows are said once, and rows. */
int crush_csv(struct guard *g, struct span text) MUST_USE;
/* Source code: functions and types as a whole; long ones as their heads and pieces. */
int crush_source(struct guard *g, struct span text) MUST_USE;
/* A unified diff: changes, which are rather kept, and what is around them. */
int crush_diff(struct guard *g, struct span text) MUST_USE;
