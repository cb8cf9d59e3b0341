/* SPDX-License-Identifier: Apache-2.0
 *
 * slots: a table of equal records that grows in pages and never moves a record. A record is named by its
 * index; struct slot_id adds the generation, so that a stale name finds nothing instead of a stranger.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define SLOT_NONE UINT32_MAX
#define SLOTS_PAGE 256u /* records a page */

struct slot_id {
	uint32_t index;
	uint32_t generation; /* odd while taken; 0 never names a record */
};

struct slots {
	unsigned char **pages;
	uint32_t *generations;
	uint32_t *next_free; /* free list; SLOT_NONE ends it */
	size_t record;       /* bytes of one record, rounded up to 16 */
	uint32_t cap;        /* records in the pages so far */
	uint32_t max;        /* ceiling */
	uint32_t used;       /* records taken */
	uint32_t free_head;
};

void slots_init(struct slots *s, size_t record_bytes, uint32_t max);
void slots_done(struct slots *s);
/* Take a zeroed record; SLOT_NONE at the ceiling or without memory. O(1). */
uint32_t slots_take(struct slots *s) MUST_USE;
/* Give a taken record back. */
void slots_drop(struct slots *s, uint32_t index);

static inline bool slots_is_taken(const struct slots *s, uint32_t index)
{
	return index < s->cap && (s->generations[index] & 1) != 0;
}

/* The record of a taken index; CHECKs that it is taken. */
static inline void *slots_at(const struct slots *s, uint32_t index)
{
	CHECK(slots_is_taken(s, index));
	return s->pages[index / SLOTS_PAGE] + index % SLOTS_PAGE * s->record;
}

/* The record, or NULL if id is stale. */
static inline void *slots_find(const struct slots *s, struct slot_id id)
{
	if (!slots_is_taken(s, id.index) || s->generations[id.index] != id.generation)
		return NULL;
	return s->pages[id.index / SLOTS_PAGE] + id.index % SLOTS_PAGE * s->record;
}

/* The name of a taken index; CHECKs that it is taken. */
static inline struct slot_id slots_id(const struct slots *s, uint32_t index)
{
	CHECK(slots_is_taken(s, index));
	return (struct slot_id){ .index = index, .generation = s->generations[index] };
}
