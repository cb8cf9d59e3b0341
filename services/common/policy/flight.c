/* SPDX-License-Identifier: Apache-2.0
 *
 * flight: leaders in buckets by hash, followers in their leader's list.
 */
#include "policy/flight.h"

#include <stddef.h>

#include "base/pure.h"

static struct list *bucket_of(struct flights *fs, uint64_t hash)
{
	return &fs->buckets[hash % FLIGHT_BUCKETS];
}

static struct flight *flight_of(struct list *link)
{
	return CONTAINER(link, struct flight, link);
}

void flights_init(struct flights *fs)
{
	for (size_t i = 0; i < FLIGHT_BUCKETS; i++)
		list_init(&fs->buckets[i]);
}

void flight_init(struct flight *f)
{
	*f = (struct flight){ .leader = NULL };
	list_init(&f->link);
	list_init(&f->followers);
}

struct flight *flight_find(struct flights *fs, uint64_t hash,
	bool (*same)(void *ctx, const struct flight *f), void *ctx)
{
	struct list *bucket = bucket_of(fs, hash);

	for (struct list *l = bucket->next; l != bucket; l = l->next) {
		struct flight *f = flight_of(l);

		if (f->hash == hash && same(ctx, f))
			return f;
	}
	return NULL;
}

void flight_lead(struct flights *fs, struct flight *f, uint64_t hash)
{
	CHECK(f->leader == NULL);
	f->hash = hash;
	f->leader = f;
	list_push(bucket_of(fs, hash), &f->link);
}

void flight_follow(struct flight *f, struct flight *leader)
{
	CHECK(f->leader == NULL && leader->leader == leader);
	f->hash = leader->hash;
	f->leader = leader;
	list_push(&leader->followers, &f->link);
}

struct flight *flight_pop(struct flight *leader)
{
	struct flight *f;

	if (list_is_empty(&leader->followers))
		return NULL;
	f = flight_of(leader->followers.next);
	list_drop(&f->link);
	f->leader = NULL;
	return f;
}

struct flight *flight_leave(struct flights *fs, struct flight *f)
{
	bool led = f->leader == f;
	struct flight *next = led ? flight_pop(f) : NULL, *follower;

	list_drop(&f->link);
	f->leader = NULL;
	if (next == NULL)
		return NULL;
	flight_lead(fs, next, f->hash);
	for (follower = flight_pop(f); follower != NULL; follower = flight_pop(f))
		flight_follow(follower, next);
	return next;
}
