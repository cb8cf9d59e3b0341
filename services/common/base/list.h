/* SPDX-License-Identifier: Apache-2.0
 *
 * list: doubly linked, the links inside the records. A link that is in no list points to itself.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
	return l->next == l;
}

/* Put a link that is in no list at the end of l. */
static inline void list_push(struct list *l, struct list *link)
{
	link->prev = l->prev;
	link->next = l;
	l->prev->next = link;
	l->prev = link;
}

/* Take a link out of its list; nothing happens if it is in none. */
static inline void list_drop(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}
