/* SPDX-License-Identifier: Apache-2.0
 *
 * streams: slots in two lists, each in the order of its times, so that no heap is needed.
 */
#include "base/streams.h"

#include "base/pure.h"

void streams_init(struct streams *s, const struct streams_conf *conf)
{
	*s = (struct streams){ .conf = *conf };
	slots_init(&s->slots, sizeof(struct stream), conf->max);
	list_init(&s->live);
	list_init(&s->ended);
}

static struct stream *first(const struct list *l)
{
	return list_is_empty(l) ? NULL : CONTAINER(l->next, struct stream, link);
}

void streams_done(struct streams *s)
{
	struct stream *st;

	while ((st = first(&s->live)) != NULL || (st = first(&s->ended)) != NULL)
		streams_drop(s, st);
	slots_done(&s->slots);
}

static void move_to(struct list *l, struct stream *st, int64_t now_ns)
{
	st->told_ns = now_ns;
	list_drop(&st->link);
	list_push(l, &st->link);
}

struct stream *streams_search(const struct streams *s, struct ulid task, uint32_t attempt)
{
	const struct list *const lists[] = { &s->live, &s->ended };

	for (unsigned i = 0; i < ARRAY_LEN(lists); i++)
		for (struct list *l = lists[i]->next; l != lists[i]; l = l->next) {
			struct stream *st = CONTAINER(l, struct stream, link);

			if (st->attempt == attempt && ulid_eq(st->task, task))
				return st;
		}
	return NULL;
}

bool streams_open(struct streams *s, int64_t now_ns, struct ulid task, uint32_t attempt,
	struct slot_id *ret)
{
	struct stream *st;
	uint32_t at;

	if (s->slots.used == s->slots.max && first(&s->ended) != NULL)
		streams_drop(s, first(&s->ended));
	at = slots_take(&s->slots);
	if (at == SLOT_NONE)
		return false;
	st = slots_at(&s->slots, at);
	*st = (struct stream){ .index = at, .task = task, .attempt = attempt };
	chunks_init(&st->chunks);
	list_init(&st->link);
	move_to(&s->live, st, now_ns);
	*ret = slots_id(&s->slots, at);
	return true;
}

void streams_restart(struct streams *s, struct stream *st, uint32_t attempt)
{
	s->bytes -= st->chunks.bytes;
	chunks_reset(&st->chunks);
	st->attempt = attempt;
	st->mark = 0;
}

static void trim(struct streams *s, struct stream *st, size_t bytes_max)
{
	s->bytes -= st->chunks.bytes;
	chunks_trim(&st->chunks, bytes_max);
	s->bytes += st->chunks.bytes;
}

/* Below the ceiling of all: the last in a list, which `put` is in, loses its chunks last, and stays. */
static void make_room(struct streams *s, const struct stream *put)
{
	size_t most = s->conf.all_bytes_max;

	while (s->bytes > most && first(&s->ended) != NULL && first(&s->ended) != put)
		streams_drop(s, first(&s->ended));
	for (struct list *l = s->live.next; s->bytes > most && l != &s->live; l = l->next) {
		struct stream *st = CONTAINER(l, struct stream, link);
		size_t over = s->bytes - most;

		trim(s, st, st->chunks.bytes > over ? st->chunks.bytes - over : 0);
	}
}

void streams_put(struct streams *s, int64_t now_ns, struct stream *st, uint64_t seq,
	struct span data)
{
	size_t most = s->conf.bytes_max < s->conf.all_bytes_max ? s->conf.bytes_max
								: s->conf.all_bytes_max;

	move_to(st->ended ? &s->ended : &s->live, st, now_ns);
	s->bytes -= st->chunks.bytes;
	if (chunks_put(&st->chunks, seq, data) == 0) /* else the number is known, and that is all */
		chunks_trim(&st->chunks, most);
	s->bytes += st->chunks.bytes;
	make_room(s, st);
}

void streams_end(struct streams *s, int64_t now_ns, struct stream *st)
{
	st->ended = true;
	move_to(&s->ended, st, now_ns);
}

void streams_drop(struct streams *s, struct stream *st)
{
	s->bytes -= st->chunks.bytes;
	list_drop(&st->link);
	chunks_done(&st->chunks);
	slots_drop(&s->slots, st->index);
}

static int64_t due_ns(const struct stream *st, int64_t after_ns)
{
	return st == NULL || after_ns > INT64_MAX - st->told_ns ? INT64_MAX
								: st->told_ns + after_ns;
}

struct stream *streams_tick(struct streams *s, int64_t now_ns)
{
	struct stream *st;

	while (due_ns(first(&s->ended), s->conf.keep_ns) <= now_ns)
		streams_drop(s, first(&s->ended));
	st = first(&s->live);
	if (due_ns(st, s->conf.beat_ns) > now_ns)
		return NULL;
	move_to(&s->live, st, now_ns);
	return st;
}

int64_t streams_wake(const struct streams *s)
{
	int64_t live = due_ns(first(&s->live), s->conf.beat_ns);
	int64_t ended = due_ns(first(&s->ended), s->conf.keep_ns);

	return live < ended ? live : ended;
}
