/* SPDX-License-Identifier: Apache-2.0 */
#include "node/worker_stream.h"

#include "base/pure.h"

void worker_stream_init(struct worker_stream *w)
{
	static const struct streams_conf conf = {
		.max = WORKER_STREAMS_MAX,
		.bytes_max = WORKER_STREAM_BYTES,
		.all_bytes_max = WORKER_STREAMS_BYTES,
		.beat_ns = INT64_MAX,
		.keep_ns = WORKER_STREAM_KEEP_NS,
	};

	streams_init(&w->streams, &conf);
	w->resending = false;
}

void worker_stream_done(struct worker_stream *w)
{
	streams_done(&w->streams);
}

static struct stream *stream_of(const struct worker_stream *w, const struct attempt *a)
{
	return streams_find(&w->streams, a->stream_id);
}

bool worker_stream_put(struct worker_stream *w, int64_t now_ns, struct attempt *a, struct span data,
	uint64_t *ret_oldest)
{
	struct stream *st = stream_of(w, a);

	*ret_oldest = 0;
	if (st == NULL && streams_open(&w->streams, now_ns, a->task, a->attempt, &a->stream_id))
		st = stream_of(w, a);
	if (st == NULL)
		return true;
	streams_put(&w->streams, now_ns, st, a->chunks, data);
	if (!chunks_has(&st->chunks, a->chunks))
		return true;
	*ret_oldest = chunks_oldest(&st->chunks);
	return st->mark == 0;
}

uint64_t worker_stream_sent(const struct worker_stream *w, const struct attempt *a)
{
	const struct stream *st = stream_of(w, a);

	return st != NULL && st->mark != 0 ? st->mark - 1 : a->chunks;
}

void worker_stream_resend(struct worker_stream *w, struct ulid task, uint32_t attempt, uint64_t seq)
{
	struct stream *st = streams_search(&w->streams, task, attempt);

	if (st == NULL || seq > st->chunks.last)
		return;
	st->mark = seq == 0 ? 1 : seq;
	w->resending = true;
}

/* The chunk of the mark, or the oldest behind it that is kept. */
static bool next_of(struct stream *st, struct up *ret)
{
	uint64_t oldest = chunks_oldest(&st->chunks);

	if (st->mark < oldest)
		st->mark = oldest;
	if (st->mark > st->chunks.last) {
		st->mark = 0;
		return false;
	}
	*ret = (struct up){
		.kind = UP_CHUNK,
		.task = st->task,
		.attempt = st->attempt,
		.chunk_seq = st->mark,
		.chunk_oldest = oldest,
		.data = chunks_at(&st->chunks, st->mark),
	};
	st->mark++;
	return true;
}

bool worker_stream_next(struct worker_stream *w, struct up *ret)
{
	struct list *const lists[] = { &w->streams.live, &w->streams.ended };

	for (unsigned i = 0; i < ARRAY_LEN(lists) && w->resending; i++)
		for (struct list *l = lists[i]->next; l != lists[i]; l = l->next) {
			struct stream *st = CONTAINER(l, struct stream, link);

			if (st->mark != 0 && next_of(st, ret))
				return true;
		}
	w->resending = false;
	return false;
}

void worker_stream_drop(struct worker_stream *w, const struct attempt *a)
{
	struct stream *st = stream_of(w, a);

	if (st != NULL)
		streams_drop(&w->streams, st);
}

void worker_stream_end(struct worker_stream *w, int64_t now_ns, const struct attempt *a)
{
	struct stream *st = stream_of(w, a);

	if (st != NULL)
		streams_end(&w->streams, now_ns, st);
}

void worker_stream_tick(struct worker_stream *w, int64_t now_ns)
{
	const struct stream *st = streams_tick(&w->streams, now_ns);

	CHECK(st == NULL); /* no beats */
}

int64_t worker_stream_wake(const struct worker_stream *w)
{
	return w->resending ? INT64_MIN : streams_wake(&w->streams);
}
