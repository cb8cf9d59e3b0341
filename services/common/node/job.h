/* SPDX-License-Identifier: Apache-2.0
 *
 * job: from the router's assignment to a checked job of a backend.
 */
#pragma once
#include "node/backend.h"

/* Decode and check the body of an ASSIGN; what *ret points to lives in the arenas and in d. An error of
 * body_decode or kind_check. */
int job_open(struct arena *a, const struct down *d, struct job *ret, struct fail *why) MUST_USE;
/* The same of an order whose body is elsewhere, whole, and stays: what *ret points to lives there, in the arena and
 * in d. */
int job_view(struct arena *a, const struct down *d, struct span body, struct job *ret,
	struct fail *why) MUST_USE;
