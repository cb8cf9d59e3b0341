/* SPDX-License-Identifier: Apache-2.0
 *
 * twins: a router that knows how long tasks take, and a task with a second attempt.
 */
#pragma once
#include "tests/support/router_kit.h"

#define TWINS_AGE (2 * SEC) /* of a straggler, where tasks take a second */

/* Offers of the nodes "a" and "b", alike. */
void twins_offer(struct kit *k);
/* Both, and eight tasks that took a second each. */
void twins_know(struct kit *k);
/* A task that runs, and has a twin not accepted yet. */
struct task *twins_task(struct kit *k);
/* The other of both. */
const char *twins_other(const char *node);
/* The node of the task's twin. */
const char *twins_node(const struct kit *k, const struct task *t);
/* Its node reports. */
void twins_up(struct kit *k, const struct task *t, enum up_kind kind, int code);
/* The next order that takes an attempt back is this one. */
void twins_called_back(struct kit *k, const char *node, uint32_t attempt);
