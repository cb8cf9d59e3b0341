/* SPDX-License-Identifier: Apache-2.0
 *
 * explain: the record of what happened to a task and why: placements with the candidates looked at, refusals,
 * losses, retries, hops. One growing block per task, bounded; what does not fit is counted.
 */
#pragma once
#include "base/span.h"
#include "router/place.h"
#include "wire/query.h"

#define EXPLAIN_STEPS_MAX 64
#define EXPLAIN_BYTES_MAX 16384

struct explain_block;

struct explain {
	struct explain_block *block; /* NULL: nothing written */
	uint16_t steps_n;
	uint16_t dropped;
};

/* What one step says; spans and pointers are copied or, where said, static. */
struct explain_note {
	int64_t at_us; /* since acceptance */
	enum step_kind kind;
	enum rung rung;
	enum rung to;
	uint32_t node; /* number in the registry, or NODE_NOBODY */
	uint32_t attempt;
	int code;
	struct span reason;
	const char *policy;            /* static, or NULL */
	const struct place_seen *seen; /* candidates */
	const struct span *seen_notes; /* one for each, or NULL */
	uint32_t seen_n;
	uint32_t considered;
};

void explain_done(struct explain *x);
/* Write a step down; without memory or room it is counted in dropped. */
void explain_add(struct explain *x, const struct explain_note *note);

/* Memory that the record takes. */
uint32_t explain_bytes(const struct explain *x);

/* Read back: start with *at = 0; false when there are no more. seen points into the record; notes are read
 * with explain_seen_note. */
struct explain_seen {
	uint32_t node;
	uint32_t verdict;
	uint32_t term_us[5]; /* wait run move price risk; UINT32_MAX: that or more */
	uint32_t note_len;   /* bytes, found behind the candidates */
};
bool explain_next(const struct explain *x, uint32_t *at, struct explain_note *ret,
	const struct explain_seen **ret_seen);
struct span explain_seen_note(const struct explain_seen *seen, uint32_t seen_n, uint32_t i);
