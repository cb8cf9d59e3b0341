/* SPDX-License-Identifier: Apache-2.0
 *
 * inbox: records in a list by age and in a map by task; each is one block of memory, its bytes at the end.
 */
#include "services/inbox/inbox.h"

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/slots.h"

#include "base/pure.h"

struct record {
	struct list link;
	struct question q;
	uint32_t slot;
	size_t bytes_n;
	unsigned char bytes[];
};

struct inbox {
	struct slots slots; /* struct record * */
	struct map by_task;
	struct list oldest_first;
	size_t bytes_n;
	size_t bytes_max;
	uint32_t questions_max;
};

struct inbox *inbox_new(uint32_t questions_max, size_t bytes_max)
{
	struct inbox *in = mem_alloc(sizeof(*in));

	if (in == NULL)
		return NULL;
	in->questions_max = questions_max;
	in->bytes_max = bytes_max;
	slots_init(&in->slots, sizeof(struct record *), questions_max);
	map_init(&in->by_task);
	list_init(&in->oldest_first);
	return in;
}

static struct record *record_of(const struct list *link)
{
	return CONTAINER(link, struct record, link);
}

static struct record *find(const struct inbox *in, struct ulid task)
{
	uint32_t at = 0, slot;

	while (map_next(&in->by_task, ulid_hash(task), &at, &slot)) {
		struct record **r = slots_at(&in->slots, slot);

		if (ulid_eq((*r)->q.task, task))
			return *r;
	}
	return NULL;
}

static void drop(struct inbox *in, struct record *r)
{
	list_drop(&r->link);
	CHECK(map_drop(&in->by_task, ulid_hash(r->q.task), r->slot));
	slots_drop(&in->slots, r->slot);
	in->bytes_n -= r->bytes_n;
	mem_free(r);
}

void inbox_free(struct inbox *in)
{
	if (in == NULL)
		return;
	while (!list_is_empty(&in->oldest_first))
		drop(in, record_of(in->oldest_first.next));
	slots_done(&in->slots);
	map_done(&in->by_task);
	mem_free(in);
}

/* A copy of s at *to, which moves on. */
static struct span keep(unsigned char **to, struct span s)
{
	struct span kept = span_of(*to, s.len);

	if (s.len > 0)
		memcpy(*to, s.at, s.len);
	*to += s.len;
	return kept;
}

static struct record *record_new(const struct question *q)
{
	size_t bytes_n = q->kind.len + q->tenant.len + q->prompt.len + q->body.len;
	struct record *r = mem_alloc(sizeof(*r) + bytes_n);
	unsigned char *to;

	if (r == NULL)
		return NULL;
	to = r->bytes;
	r->bytes_n = bytes_n;
	r->q = *q;
	r->q.kind = keep(&to, q->kind);
	r->q.tenant = keep(&to, q->tenant);
	r->q.prompt = keep(&to, q->prompt);
	r->q.body = keep(&to, q->body);
	return r;
}

static int admit(const struct inbox *in, const struct question *q, struct fail *why)
{
	size_t bytes_n = q->kind.len + q->tenant.len + q->prompt.len + q->body.len;

	if (find(in, q->task) != NULL)
		return fail_set(why, ERR_CONFLICT, "task", 0,
			"this task waits for an answer already");
	if (in->slots.used == in->questions_max)
		return fail_set(why, ERR_BUSY, "questions_max", in->questions_max,
			"the inbox is full of questions");
	if (bytes_n > in->bytes_max - in->bytes_n)
		return fail_set(why, ERR_BUSY, "bytes_max", (int64_t)in->bytes_max,
			"the inbox is full of bytes");
	return 0;
}

int inbox_put(struct inbox *in, const struct question *q, struct fail *why)
{
	struct record *r;
	int err = admit(in, q, why);

	if (err < 0)
		return err;
	r = record_new(q);
	if (r == NULL || map_reserve(&in->by_task) < 0)
		goto no_memory;
	r->slot = slots_take(&in->slots);
	if (r->slot == SLOT_NONE)
		goto no_memory;
	*(struct record **)slots_at(&in->slots, r->slot) = r;
	map_put(&in->by_task, ulid_hash(q->task), r->slot);
	list_push(&in->oldest_first, &r->link);
	in->bytes_n += r->bytes_n;
	return 0;

no_memory:
	mem_free(r);
	return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
}

const struct question *inbox_find(const struct inbox *in, struct ulid task)
{
	const struct record *r = find(in, task);

	return r == NULL ? NULL : &r->q;
}

bool inbox_drop(struct inbox *in, struct ulid task)
{
	struct record *r = find(in, task);

	if (r == NULL)
		return false;
	drop(in, r);
	return true;
}

const struct question *inbox_next(const struct inbox *in, const struct question *q)
{
	const struct list *next = in->oldest_first.next;

	if (q != NULL)
		next = CONTAINER(q, struct record, q)->link.next;
	return next == &in->oldest_first ? NULL : &record_of(next)->q;
}

uint32_t inbox_count(const struct inbox *in)
{
	return in->slots.used;
}
