/* SPDX-License-Identifier: Apache-2.0
 *
 * wait: queues of waiting tasks.
 */
#include "router/wait.h"

#include "base/pure.h"

void wait_init(struct wait *w, uint32_t kind, enum rung rung)
{
	*w = (struct wait){ .kind = kind, .rung = rung };
	for (int i = 0; i < WAIT_LEVELS; i++)
		list_init(&w->level[i]);
	list_init(&w->dirty);
}

void wait_push(struct wait *w, struct task *t)
{
	CHECK(!t->waiting && t->priority < WAIT_LEVELS);
	list_push(&w->level[t->priority], &t->queued);
	t->waiting = true;
	w->n++;
}

void wait_drop(struct wait *w, struct task *t)
{
	CHECK(t->waiting && w->n > 0);
	list_drop(&t->queued);
	t->waiting = false;
	w->n--;
}

static struct task *task_of(struct list *l)
{
	return CONTAINER(l, struct task, queued);
}

struct task *wait_next(struct wait *w, struct wait_cursor *c)
{
	int best = -1;
	int64_t least = 0;

	for (int i = 0; i < WAIT_LEVELS; i++) {
		if (!c->begun)
			c->at[i] = w->level[i].next;
		if (c->at[i] == &w->level[i])
			continue;
		int64_t key = task_of(c->at[i])->rung_ns - i * WAIT_AGE_NS;

		if (best < 0 || key < least) {
			best = i;
			least = key;
		}
	}
	c->begun = true;
	if (best < 0)
		return NULL;
	struct task *t = task_of(c->at[best]);

	c->at[best] = c->at[best]->next; /* before the caller takes it out */
	return t;
}
