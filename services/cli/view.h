/* SPDX-License-Identifier: Apache-2.0
 *
 * view: how tasks and nodes look in every command.
 */
#pragma once
#include "services/cli/json.h"
#include "services/cli/table.h"
#include "wire/query.h"

#define VIEW_STATE 24 /* bytes */

enum colour view_state_colour(enum state s);
/* "RUNNING", "RUNNING, paused"; written to `to` and returned. */
const char *view_state(enum state s, bool paused, char to[VIEW_STATE]);
/* key NULL: inside a list. */
void view_task_json(struct json *j, const char *key, const struct task_view *t);
void view_node_json(struct json *j, const char *key, const struct node_view *n);
/* "12:34:56" of today, else "Nov 20 12:34", in local time; to has 24 bytes. */
char *view_time(int64_t unix_ms, char *to);
