/* SPDX-License-Identifier: Apache-2.0
 *
 * inbox: the questions that wait for people, in the order in which they were asked. A pure store: who may see
 * and answer them is decided by the handlers.
 */
#pragma once
#include "base/err.h"
#include "base/span.h"
#include "base/ulid.h"

struct question {
	struct ulid task;
	uint32_t attempt;
	struct span kind;
	struct span tenant;
	struct span prompt;
	struct span body;    /* the task's, encoded */
	int64_t asked_ns;    /* Unix time */
	int64_t deadline_ns; /* INT64_MAX: none */
};

struct inbox;

/* At most questions_max questions with bytes_max bytes of texts and bodies. NULL without memory. */
struct inbox *inbox_new(uint32_t questions_max, size_t bytes_max) MUST_USE;
void inbox_free(struct inbox *in);
/* Copy the question in. ERR_BUSY (full; field "questions_max" or "bytes_max"), ERR_CONFLICT (the task waits
 * already), ERR_NO_MEMORY. */
int inbox_put(struct inbox *in, const struct question *q, struct fail *why) MUST_USE;
/* Valid until it is dropped; NULL if the task does not wait. */
const struct question *inbox_find(const struct inbox *in, struct ulid task);
/* True if it waited. */
bool inbox_drop(struct inbox *in, struct ulid task);
/* The question asked after this one, the oldest for NULL; NULL at the end. */
const struct question *inbox_next(const struct inbox *in, const struct question *q);
uint32_t inbox_count(const struct inbox *in);
