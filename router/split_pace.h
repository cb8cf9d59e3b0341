/* SPDX-License-Identifier: Apache-2.0
 *
 * split_pace: what the router learns of parts that ended, for the plans of work of the same sort. Only for files of the
 * router machine.
 */
#pragma once
#include "router/machine.h"

#define MAP_KIND "task.map"

/* Append what the planner needs to know of the pace of such work, if it is known. */
void split_pace_put(struct buf *b, struct router *r, const struct task *parent);
/* The unit's time that it says, for the record; 0: nothing. */
int64_t split_pace_told(struct router *r, const struct task *parent);
/* Note how much work each part is, if the plan says so. Without memory nothing is learned. */
void split_pace_note(struct router *r, struct task *parent, const struct split_plan *plan);
/* A part of it has succeeded. */
void split_pace_learn(struct router *r, const struct split *s, const struct task *part);
/* Why there are so many parts, in words; to has `room`. */
const char *split_pace_say(const struct split *s, char *to, size_t room);
