/* SPDX-License-Identifier: Apache-2.0
 *
 * blob_sum: one thread, so pieces keep their order; a piece lies in its room until it is hashed.
 */
#include "run/blob_sum.h"

static void on_run(struct work_job *work)
{
	struct blob_sum_room *r = CONTAINER(work, struct blob_sum_room, work);

	keys_stream_add(&r->sum->hash, r->bytes);
}

static void on_end(struct work_job *work)
{
	CONTAINER(work, struct blob_sum_room, work)->is_taken = false;
}

void blob_sum_init(struct blob_sum *s, size_t room_bytes)
{
	*s = (struct blob_sum){ .room = &s->rooms[0] };
	keys_stream_start(&s->hash);
	for (unsigned i = 0; i < BLOB_SUM_ROOMS; i++) {
		s->rooms[i].work = (struct work_job){ on_run, on_end };
		s->rooms[i].sum = s;
		arena_init(&s->rooms[i].arena, room_bytes);
	}
}

void blob_sum_done(struct blob_sum *s)
{
	work_close(s->pool);
	for (unsigned i = 0; i < BLOB_SUM_ROOMS; i++)
		arena_done(&s->rooms[i].arena);
}

void blob_sum_start_thread(struct blob_sum *s, struct loop *l)
{
	if (s->pool == NULL)
		s->pool = work_open(l, 1, BLOB_SUM_ROOMS);
}

static void wait_for_all(struct blob_sum *s)
{
	while (s->pool != NULL && work_wait(s->pool))
		;
}

/* Without a thread the first is always free. */
static struct blob_sum_room *find_room(struct blob_sum *s)
{
	for (;;) {
		for (unsigned i = 0; i < BLOB_SUM_ROOMS; i++)
			if (!s->rooms[i].is_taken)
				return &s->rooms[i];
		CHECK(work_wait(s->pool));
	}
}

struct arena *blob_sum_next_room(struct blob_sum *s)
{
	s->room = find_room(s);
	arena_reset(&s->room->arena);
	return &s->room->arena;
}

void blob_sum_add(struct blob_sum *s, struct span bytes)
{
	s->upto += bytes.len;
	if (s->pool != NULL && !s->room->is_taken) {
		s->room->is_taken = true;
		s->room->bytes = bytes;
		CHECK(work_post(s->pool, &s->room->work) == 0);
		return;
	}
	/* The second of a room comes when the first is done. */
	wait_for_all(s);
	keys_stream_add(&s->hash, bytes);
}

struct blob_hash blob_sum_hash(struct blob_sum *s)
{
	struct keys_stream all;
	struct blob_hash ret = { 0 };

	wait_for_all(s);
	keys_stream_copy(&all, &s->hash);
	keys_stream_end(&all, ret.at);
	return ret;
}
