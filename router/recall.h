/* SPDX-License-Identifier: Apache-2.0
 *
 * recall: rows of the journal come back into the machine. Without a journal (NULL) there is nothing to recall.
 */
#pragma once
#include "router/router.h"

/* The open tasks of an earlier life, and the newest ended ones, so that lists show them; router_resume is the next
 * thing to do. 0, or why a row cannot be taken. */
int recall_open(struct journal *j, struct router *r, struct fail *why) MUST_USE;
/* An ended task that is not in memory any more comes back, to be looked at. */
void recall_task(struct journal *j, struct router *r, struct ulid task);
/* The same by its key, so that a repeated submit finds it. */
void recall_key(struct journal *j, struct router *r, struct span tenant, struct span key);
