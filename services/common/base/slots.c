/* SPDX-License-Identifier: Apache-2.0
 *
 * slots: taking, giving back and growing. The last slot given back is taken first: it is still warm in
 * the cache. The directory doubles, so n records cost O(log n) requests besides their pages.
 */
#include "base/slots.h"

#include "base/mem.h"

#include "base/pure.h"

void slots_init(struct slots *s, size_t record_bytes, uint32_t max)
{
	CHECK(record_bytes > 0 && record_bytes < SIZE_MAX / SLOTS_PAGE - 15 && max < SLOT_NONE);
	*s = (struct slots){
		.record = (record_bytes + 15) / 16 * 16,
		.max = max,
		.free_head = SLOT_NONE,
	};
}

void slots_done(struct slots *s)
{
	for (uint32_t i = 0; i < s->cap / SLOTS_PAGE; i++)
		mem_free(s->pages[i]);
	mem_free(s->pages);
	mem_free(s->generations);
	mem_free(s->next_free);
	*s = (struct slots){ .record = s->record, .max = s->max, .free_head = SLOT_NONE };
}

/* Make the three arrays of the directory twice as long. What has grown before a failure stays grown. */
static bool grow_directory(struct slots *s, size_t pages)
{
	unsigned char **page_array = mem_grow(s->pages, pages * sizeof(*page_array));
	uint32_t *numbers;

	if (page_array == NULL)
		return false;
	s->pages = page_array;
	numbers = mem_grow(s->generations, pages * SLOTS_PAGE * sizeof(*numbers));
	if (numbers == NULL)
		return false;
	s->generations = numbers;
	numbers = mem_grow(s->next_free, pages * SLOTS_PAGE * sizeof(*numbers));
	if (numbers == NULL)
		return false;
	s->next_free = numbers;
	return true;
}

static bool add_page(struct slots *s)
{
	uint32_t pages = s->cap / SLOTS_PAGE;
	unsigned char *page;

	/* The directory's length is the power of two at or above the number of pages. */
	if ((pages & (pages - 1)) == 0 && !grow_directory(s, pages == 0 ? 1 : 2 * (size_t)pages))
		return false;
	page = mem_grow(NULL, s->record * SLOTS_PAGE);
	if (page == NULL)
		return false;
	s->pages[pages] = page;
	for (uint32_t i = 0; i < SLOTS_PAGE; i++) {
		s->generations[s->cap + i] = 0;
		s->next_free[s->cap + i] = i + 1 < SLOTS_PAGE ? s->cap + i + 1 : SLOT_NONE;
	}
	s->free_head = s->cap;
	s->cap += SLOTS_PAGE;
	return true;
}

uint32_t slots_take(struct slots *s)
{
	uint32_t index;

	if (s->used >= s->max)
		return SLOT_NONE;
	if (s->free_head == SLOT_NONE && !add_page(s))
		return SLOT_NONE;
	index = s->free_head;
	s->free_head = s->next_free[index];
	s->generations[index]++;
	s->used++;
	memset(slots_at(s, index), 0, s->record);
	return index;
}

void slots_drop(struct slots *s, uint32_t index)
{
	CHECK(slots_is_taken(s, index));
	s->generations[index]++;
	s->next_free[index] = s->free_head;
	s->free_head = index;
	s->used--;
}
