/* SPDX-License-Identifier: Apache-2.0
 *
 * recall: rows of the journal come back into the machine. Without a journal (NULL) there is nothing to recall.
 */
#pragma once
#include "router/router.h"

/* The open tasks of an earlier life, and the newest ended ones, so that lists show them; router_resume is the next
 * thing to do. 0, or why a row cannot be taken. */
int recall_open(struct journal *j, struct router *r, struct fail *why) MUST_USE;
/* An ended task that is not in memory any more comes back, to be looked at. 0, also if there is none; or *why it is not
 * known whether there is one. */
int recall_task(struct journal *j, struct router *r, struct ulid task, struct fail *why) MUST_USE;
/* The same by its key, so that a repeated submit finds it; without an answer it must not be accepted. */
int recall_key(struct journal *j, struct router *r, struct span tenant, struct span key,
	struct fail *why) MUST_USE;
